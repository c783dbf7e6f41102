"""A local HTTP server with as much of the hub's protocol as downloading one model needs."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ERRORS = {"GatedRepo": 403, "RepoNotFound": 404, "RevisionNotFound": 404, "EntryNotFound": 404, "Down": 503}


class Hub:
    """Repositories by id: a folder to serve, or the name of an error; `asked` lists the paths in order."""

    def __init__(self, repos):
        self.repos, self.asked = repos, []

    def files(self, repo):
        return {path.name: path for path in sorted(Path(self.repos[repo]).iterdir()) if path.is_file()}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = unquote(urlsplit(self.path).path)
        self.server.hub.asked.append(f"{self.command} {path}")
        parts = path.removeprefix("/api/models").strip("/").split("/")
        repo, rest = "/".join(parts[:2]), parts[2:]
        found = self.server.hub.repos.get(repo, "RepoNotFound")
        if isinstance(found, str):
            return self.refuse(found)
        files = self.server.hub.files(repo)
        if path.startswith("/api/models"):
            return self.send(json.dumps(self.listing(repo, rest, files)).encode(), body)
        name = rest[-1]
        if name not in files:
            return self.refuse("EntryNotFound")
        return self.send(files[name].read_bytes(), body)

    def listing(self, repo, rest, files):
        if rest and rest[0] == "tree":
            return [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": "0" * 40}
                for name, path in files.items()
            ]
        siblings = [{"rfilename": name, "size": path.stat().st_size} for name, path in files.items()]
        return {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": []}

    def send(self, content, body):
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def refuse(self, code):
        self.send_response(ERRORS[code])
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", f"{code} for a test")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def fake_hub(monkeypatch, cache, repos):
    """Serve the repositories and point huggingface_hub there, with an empty cache and no token."""
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = Hub(repos)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    point_hub_at(monkeypatch, address, cache)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()


def point_hub_at(monkeypatch, address, cache):
    """Another address of the hub, another cache, no token, no memory of what was reachable."""
    from huggingface_hub import constants, hf_api

    from nbhelpers.models.hub import forget_network

    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(hf_api.api, "endpoint", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    forget_network()
