"""A server on this machine that speaks the protocol of hosted chat models, and misbehaves as told."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hosted:
    """What it does next: a list of behaviours, the last one again and again.

    A behaviour is a text (answered as a stream), a number (that status), or one of `hang`, `drip`, `endless`,
    `cut`, `garbage`, `empty`.
    """

    def __init__(self, server):
        self.behaviours, self.asked = ["```python\nx = 1\n```"], []
        self.retry_after = "0"
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        self.stopping = threading.Event()

    def next(self):
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Quiet."""

    def do_POST(self):
        hosted = self.server.hosted
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hosted.asked.append((body, self.headers.get("Authorization")))
        behaviour = hosted.next()
        if isinstance(behaviour, int):
            return self.refuse(behaviour)
        if behaviour == "hang":
            hosted.stopping.wait(60)
            return None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.stream(behaviour)
        except OSError:
            hosted.asked.append("the client left")
        self.close_connection = True
        return None

    def refuse(self, status):
        data = b'{"error": "as told"}'
        self.send_response(status)
        self.send_header("Retry-After", self.server.hosted.retry_after)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, behaviour):
        if behaviour == "garbage":
            self.wfile.write(b"data: {this is no JSON\n\ndata: [DONE]\n\n")
        elif behaviour in {"drip", "endless"}:
            while not self.server.hosted.stopping.is_set():
                self.piece("x" * (1 if behaviour == "drip" else 1 << 16))
                time.sleep(0.1 if behaviour == "drip" else 0)
        elif behaviour == "cut":
            self.piece("```python\nimport fastapi\n")
            self.connection.close()
        else:
            text = "" if behaviour == "empty" else behaviour
            for start in range(0, len(text), 40):
                self.piece(text[start : start + 40])
            self.piece("", "stop")
            self.wfile.write(b"data: [DONE]\n\n")

    def piece(self, text, finish=None):
        part = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [part]}
        self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        self.wfile.flush()


@contextmanager
def hosting():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.hosted = Hosted(server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.hosted
    finally:
        server.hosted.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
