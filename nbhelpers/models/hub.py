"""Where a model's files are: a folder, the hub's cache or the hub, asked only where it can be reached."""

import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from nbhelpers.models.fingerprint import folder_revision, missing_weights
from nbhelpers.models.rungs import Refused

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# How long one answer holds: a network that comes back is seen within a minute.
_KEPT_S = 60.0
_answers: dict[tuple[str, int], tuple[float, str]] = {}


@dataclass(frozen=True)
class Source:
    """Where the files of one model are.

    Attributes:
        repo: the hub's id; empty for a folder.
        folder: where the files are on disk; None while they are only on the hub.
        revision: the hub's commit, or `sha256:...` of a folder's content; before fetching the one wanted.
        where: `folder`, `twin`, `cache` or `hub`, for people.
    """

    repo: str
    folder: Path | None
    revision: str
    where: str


def locate(name: str, repo: str, revision: str | None = None, gated: bool = False) -> Source:
    """Find the files of a model without touching the network unless they are only there.

    Args:
        name: a folder's path, a twin's name (`tiny/...`) or a hub id, as it was asked for.
        repo: the hub's id the catalogue has for the name; empty for a name it does not know.
        revision: branch, tag or commit; None is the hub's default.
        gated: whether the catalogue says that a licence must be accepted first.

    Raises:
        Refused: `not_found`, `no_network` or `gated`.
    """
    folder = Path(name).expanduser()
    if name.startswith("tiny/") and not folder.is_dir():
        return _twin(name)
    if folder.is_dir():
        return _folder(folder, "folder")
    if not repo and not _HUB_ID.fullmatch(name):
        raise Refused("not_found", f"{name} is no folder, no name of the catalogue and no id of the hub")
    return _cached(repo or name, revision) or _remote(repo or name, revision, gated)


def _twin(name: str) -> Source:
    from nbhelpers.errors import BadInput
    from nbhelpers.models.places import twin_folder

    try:
        return _folder(twin_folder(name), "twin")
    except BadInput as error:
        reason = str(error)
    raise Refused("not_found", reason)


def _folder(folder: Path, where: str) -> Source:
    if not (folder / "config.json").is_file():
        raise Refused("not_found", f"{folder} has no config.json; name a folder that save_pretrained wrote")
    if missing := missing_weights(folder):
        raise Refused("not_found", f"{folder} lacks {', '.join(missing[:3])}; copy the weights there too")
    return Source("", folder, folder_revision(folder), where)


def _cached(repo: str, revision: str | None) -> Source | None:
    """The snapshot of the hub's cache, where it is whole."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, "config.json", revision=revision)
    if not isinstance(found, str) or missing_weights(Path(found).parent):
        return None
    return Source(repo, Path(found).parent, Path(found).parent.name, "cache")


def _remote(repo: str, revision: str | None, gated: bool) -> Source:
    from huggingface_hub import get_token

    if why_not := hub_unreachable():
        also = " (and its licence must be accepted first)" if gated else ""
        raise Refused("no_network", f"{repo} is not in the cache and {why_not}{also}")
    if gated and not get_token():
        raise Refused("gated", gated_reason(repo))
    return Source(repo, None, revision or "main", "hub")


def gated_reason(repo: str) -> str:
    """What to do about a model whose licence must be accepted."""
    from huggingface_hub import constants

    page = f"{constants.ENDPOINT}/{repo}"
    return f"{repo} is gated: accept its licence at {page} and log in with `hf auth login` (or set HF_TOKEN)"


def hub_unreachable(timeout_s: float = 2.0) -> str:
    """Why the hub cannot be asked, in one clause; empty where it can. The answer is kept for a minute.

    One name look-up and one connection to the hub's host (or to the proxy that leads there), bounded
    together: resolvers alone may take half a minute to give up. Honours `HF_HUB_OFFLINE`,
    `TRANSFORMERS_OFFLINE` and `HF_ENDPOINT`. Not covered: a host that connects and then stays silent.

    Args:
        timeout_s: seconds for look-up and connection together (above 0).
    """
    from huggingface_hub import constants

    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}:
            return f"{variable} forbids the network"
    if constants.HF_HUB_OFFLINE:
        return "offline mode was on when huggingface_hub was imported"
    target = _probe_target(constants.ENDPOINT)
    moment, answer = _answers.get(target, (-_KEPT_S, ""))
    if time.monotonic() - moment >= _KEPT_S:
        answer = _probe(target, timeout_s)
        _answers[target] = (time.monotonic(), answer)
    return answer


def forget_network() -> None:
    """Ask the network again next time, whatever was found before."""
    _answers.clear()


def _probe_target(endpoint: str) -> tuple[str, int]:
    """Host and port to connect to: the hub's, or the proxy's that leads there."""
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    if proxy and parts.hostname and not proxy_bypass(parts.hostname):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    ports = {"https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080}
    return parts.hostname or "", parts.port or ports.get(parts.scheme, 80)


def _probe(target: tuple[str, int], timeout_s: float) -> str:
    host, port = target
    said: list[str] = []
    # A thread, because a name look-up takes no time limit and cannot be interrupted.
    thread = threading.Thread(target=_connect, args=(host, port, timeout_s, said), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return said[0] if said else f"{host} did not answer within {timeout_s:g} s"


def _connect(host: str, port: int, timeout_s: float, said: list[str]) -> None:
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError as error:
        said.append(f"{host} cannot be reached ({error.strerror or error})")
    else:
        said.append("")


def refusal(error: BaseException, repo: str) -> Refused | None:
    """What an error of huggingface_hub means for a rung; None for one that means nothing here."""
    import httpx
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return Refused("gated", gated_reason(repo))
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled | httpx.TransportError):
        return Refused("no_network", f"the hub was lost while asking for {repo} ({_first_line(error)})")
    if isinstance(error, errors.RevisionNotFoundError):
        return Refused("not_found", f"{repo} has no such revision on the hub")
    if isinstance(error, errors.RepositoryNotFoundError | errors.DisabledRepoError):
        return Refused("not_found", f"{repo} is not on the hub, or is private and your token may not read it")
    if isinstance(error, errors.EntryNotFoundError):
        return Refused("not_found", f"{repo} on the hub lacks a file ({_first_line(error)})")
    if isinstance(error, errors.HfHubHTTPError):
        return _by_status(error, repo)
    if isinstance(error, errors.HFValidationError):
        return Refused("not_found", f"{repo} is no id of the hub")
    return None


def _by_status(error: Any, repo: str) -> Refused:
    status = error.response.status_code
    if status in {401, 403}:
        return Refused("gated", gated_reason(repo))
    return Refused("no_network", f"the hub answers {status} for {repo}; try again later")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
