"""The hosted rung: a model behind huggingface_hub's InferenceClient, and a typed reason for each failure."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbhelpers.codegen.prompt import messages, program_in
from nbhelpers.codegen.request import CodeRequest
from nbhelpers.codegen.token import find_token
from nbhelpers.codegen.writers import Identity, Kind, Left, Rung, Written
from nbhelpers.errors import BadInput

if TYPE_CHECKING:
    from huggingface_hub import InferenceClient

    from nbhelpers.settings import CodegenSection

_BY_STATUS: dict[int, Kind] = {
    401: "unauthorized", 403: "unauthorized", 402: "payment_required", 404: "no_model", 429: "rate_limited",
    408: "timeout", 504: "timeout",
}  # fmt: skip
_MENDS: dict[Kind, str] = {
    "unauthorized": "the token was refused; make one with the right to call inference providers",
    "payment_required": "the account's included credits are used up",
    "rate_limited": "too many requests",
    "server_error": "the provider failed",
    "no_model": "the provider does not serve this model",
    "timeout": "no answer in time",
}
_MOST_CHARACTERS = 1 << 20
_PIECE_S = 30.0  # longest silence between two pieces of an answer


class HostedWriter:
    """Writes with a hosted model; the answer is streamed, so that the clock can end it.

    Args:
        settings: the `codegen` section; `hosted` names the model, the provider or a server of one's own.
    """

    rung: Rung = "hosted"

    def __init__(self, settings: "CodegenSection") -> None:
        self._settings = settings

    def write(self, request: CodeRequest, tries: int, findings: str, left_s: float) -> Written:
        """Ask once.

        Raises:
            Left: `off`, `no_token`, or what the status or the connection says.
        """
        hosted = self._settings.hosted
        if not hosted.model:
            raise Left("off", "no hosted model is named (codegen.hosted.model)")
        token, where = find_token()
        if token is None and not hosted.base_url:
            raise Left("no_token", f"no token of the hub: {where.reason}")
        text, tokens = self._ask(messages(request, findings), token, left_s)
        try:
            project = program_in(text)
        except BadInput as error:
            raise Left("bad_answer", f"{hosted.model}: {error}") from None
        return Written(project, text, tokens, Identity(hosted.model, hosted.base_url or hosted.provider))

    def _ask(self, chat: list[dict[str, str]], token: str | None, left_s: float) -> tuple[str, int]:
        import httpx
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

        try:
            with self._client(token, min(left_s, _PIECE_S)) as client:  # closing it closes the answer
                return _read(self._pieces(client, chat), time.monotonic() + left_s)
        except HfHubHTTPError as error:
            raise _of_status(error) from None
        except (InferenceTimeoutError, httpx.TimeoutException, TimeoutError):
            raise Left("timeout", f"no answer within {min(left_s, _PIECE_S):.0f} s") from None
        except (httpx.TransportError, ConnectionError) as error:
            raise Left("no_network", f"the connection failed ({type(error).__name__}: {error})") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Left("bad_answer", f"the answer is none of the protocol ({type(error).__name__})") from None

    def _client(self, token: str | None, timeout_s: float) -> "InferenceClient":
        from huggingface_hub import InferenceClient

        hosted = self._settings.hosted
        if hosted.base_url:
            return InferenceClient(base_url=hosted.base_url, token=token or "none", timeout=timeout_s)
        provider: Any = hosted.provider
        return InferenceClient(hosted.model, provider=provider, token=token, timeout=timeout_s)

    def _pieces(self, client: "InferenceClient", chat: list[dict[str, str]]) -> Iterator[Any]:
        found: Any = client.chat_completion(
            chat, model=self._settings.hosted.model if self._settings.hosted.base_url else None,
            max_tokens=self._settings.new_tokens, temperature=0.2, stream=True, seed=self._settings.seed,
        )  # fmt: skip
        return iter(found)

    def close(self) -> None:
        """Nothing is held."""


def _read(pieces: Iterator[Any], deadline: float) -> tuple[str, int]:
    """The text of a streamed answer and its pieces, which are tokens with most providers."""
    text, count, finished = "", 0, False
    for piece in pieces:
        if time.monotonic() > deadline:
            raise TimeoutError
        said = piece.choices[0].delta.content if piece.choices else None
        finished = finished or bool(piece.choices and piece.choices[0].finish_reason)
        text, count = text + (said or ""), count + bool(said)
        if len(text) > _MOST_CHARACTERS:
            raise Left("bad_answer", "the answer does not end")
    if not finished:
        raise Left("no_network", "the answer broke off")
    return text, count


def _of_status(error: Any) -> Left:
    status = int(error.response.status_code)
    kind: Kind = _BY_STATUS.get(status) or ("server_error" if status >= 500 else "bad_answer")
    wait = error.response.headers.get("Retry-After", "")
    mend = _MENDS.get(kind, "the request was refused")
    return Left(kind, f"status {status}: {mend}", float(wait) if wait.isdecimal() else None)
