"""Results that are kept: in a folder (diskcache) or in Redis, by the same three calls."""

import json
from pathlib import Path
from typing import Any, Protocol

from nbhelpers.errors import BadInput


class Kept(Protocol):
    """A store of JSON values by key, each for a time."""

    def get(self, key: str) -> Any:
        """The value, or None where there is none any more."""

    def set(self, key: str, value: Any, seconds: float) -> None:
        """Keep a value."""

    def close(self) -> None:
        """Close files and connections."""


def open_kept(where: str, most_mib: int = 512) -> Kept:
    """A store.

    Args:
        where: a folder, or the URL of a Redis server (`redis://`, `rediss://`, `unix://`).
        most_mib: bound of a folder; Redis has its own.

    Raises:
        BadInput: the folder cannot be written, or the server does not answer.
    """
    if where.startswith(("redis://", "rediss://", "unix://")):
        return _InRedis(where)
    return _OnDisk(Path(where), most_mib)


class _OnDisk:
    def __init__(self, folder: Path, most_mib: int) -> None:
        import diskcache

        try:
            # JSON on disk: the cache's own form is pickle, which runs code when it is read.
            self._cache = diskcache.Cache(str(folder), disk=diskcache.JSONDisk, size_limit=most_mib << 20)
        except (OSError, diskcache.Timeout) as error:
            raise BadInput(f"--cache {folder}: cannot be written ({error})") from None

    def get(self, key: str) -> Any:
        return self._cache.get(key)

    def set(self, key: str, value: Any, seconds: float) -> None:
        self._cache.set(key, value, expire=seconds)

    def close(self) -> None:
        self._cache.close()


class _InRedis:
    def __init__(self, url: str) -> None:
        import redis

        try:
            self._client: Any = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
            self._client.ping()
        except (redis.RedisError, ValueError) as error:
            raise BadInput(
                f"--cache {url.rpartition('@')[2]}: does not answer ({type(error).__name__})"
            ) from None

    def get(self, key: str) -> Any:
        found = self._client.get(f"nbhelpers:{key}")
        return None if found is None else json.loads(found)

    def set(self, key: str, value: Any, seconds: float) -> None:
        self._client.set(f"nbhelpers:{key}", json.dumps(value), ex=max(1, round(seconds)))

    def close(self) -> None:
        self._client.close()
