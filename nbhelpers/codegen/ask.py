"""Ask a service that was started for its endpoints, as a client that never saw its code."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbhelpers.codegen.request import Entity, Route

if TYPE_CHECKING:
    pass

_NOBODY = 999_999  # an id that no record has
_MOST_BYTES = 1 << 20
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answered:
    """One thing asked of a service: whether it was as the request wants it, and what came."""

    what: str
    ok: bool
    found: str


class Client:
    """An HTTP client over a Unix socket that reads no answer to its end if it is long.

    Args:
        socket: where the service listens.
    """

    def __init__(self, socket: Path) -> None:
        import httpx

        self._http: httpx.Client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://localhost", timeout=_TIMEOUT_S
        )

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 with the reason where there was none."""
        import json

        import httpx

        try:
            with self._http.stream(method, path, json=body) as answer:
                data = b""
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > _MOST_BYTES:
                        return 0, f"an answer of more than {_MOST_BYTES >> 20} MiB"
        except httpx.HTTPError as error:
            return 0, f"{type(error).__name__}: {error}"
        try:
            return answer.status_code, json.loads(data) if data else None
        except ValueError:
            return answer.status_code, data[:200].decode("utf-8", "backslashreplace")

    def close(self) -> None:
        """Close its connections."""
        self._http.close()


def ask_all(client: Client, routes: tuple[Route, ...]) -> list[Answered]:
    """Ask for every route of a request: with a record that exists where one can be made, and without.

    A service passes whether it answers the new id alone or the whole record, and whether with 200 or 201.
    """
    answers = [_health(client, route) for route in routes if route.entity is None]
    entities = list(
        {route.entity.name: route.entity for route in routes if route.entity is not None}.values()
    )
    for entity in entities:
        own = {route.operation: route.path for route in routes if route.entity == entity}
        answers += _ask_entity(client, entity, own)
    return answers or [_lives(client)]


def _health(client: Client, route: Route) -> Answered:
    status, _ = client(route.method, route.path)
    return Answered(f"{route.method} {route.path}", status == 200, str(status))


def _lives(client: Client) -> Answered:
    """All that can be asked where nothing is known: any answer but an error of the server."""
    status, body = client("GET", "/")
    return Answered("GET /", 0 < status < 500, str(status) if status else str(body))


def _ask_entity(client: Client, entity: Entity, paths: dict[str, str]) -> Iterator[Answered]:
    made: Any = None
    sample = entity.sample
    if "create" in paths:
        status, body = client("POST", paths["create"], sample)
        made = _id_of(body)
        yield Answered(f"POST {paths['create']}", status in {200, 201}, _said(status, body))
        status, _ = client("POST", paths["create"], {})
        yield Answered(f"POST {paths['create']} without fields", 400 <= status < 500, str(status))
    if "list" in paths:
        status, body = client("GET", paths["list"])
        held = isinstance(body, list) and (made is None or any(_holds(one, sample) for one in body))
        yield Answered(f"GET {paths['list']}", status == 200 and held, _said(status, body))
    for operation, method in (("get", "GET"), ("update", "PUT"), ("delete", "DELETE")):
        if operation in paths:
            yield from _ask_one(client, method, paths[operation], sample, made)


def _ask_one(client: Client, method: str, path: str, sample: dict[str, Any], made: Any) -> Iterator[Answered]:
    body = sample if method == "PUT" else None
    status, _ = client(method, path.format(id=_NOBODY), body)
    yield Answered(f"{method} {path} of nobody", status == 404, str(status))
    if made is None:
        return
    status, said = client(method, path.format(id=made), body)
    if method == "DELETE":
        again, _ = client(method, path.format(id=made))
        yield Answered(f"{method} {path}", status in {200, 204} and again == 404, f"{status}, again {again}")
    else:
        right = (status == 200 and _holds(said, sample)) or (method == "PUT" and status == 204)
        yield Answered(f"{method} {path}", right, _said(status, said))


def _id_of(body: Any) -> Any:
    """The id of a new record: the answer itself, or what it calls `id`; 1 where it does not say."""
    if isinstance(body, dict):
        return body.get("id", 1)
    return body if isinstance(body, int) and not isinstance(body, bool) else 1


def _holds(record: Any, sample: dict[str, Any]) -> bool:
    return isinstance(record, dict) and all(record.get(name) == value for name, value in sample.items())


def _said(status: int, body: Any) -> str:
    return f"{status} {str(body)[:120]}"
