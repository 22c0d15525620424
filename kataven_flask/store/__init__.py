"""State: what must be remembered so that a token is spent once and rotates once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.store.base import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Rotation,
    Spending,
    Store,
)
from kataven_flask.store.memory import MemoryStore
from kataven_flask.store.redis_url import SCHEMES, RedisAddress
from kataven_flask.store.sqlite import SqliteStore

__all__ = [
    "Outcome",
    "PresentedRefresh",
    "PresentedVisitor",
    "Rotation",
    "Spending",
    "Store",
    "public_url",
    "store_from_url",
]

_SQLITE: Final = "sqlite:///"
_REDIS: Final = tuple(f"{scheme}://" for scheme in SCHEMES)


def store_from_url(url: str) -> Store:
    """Open the state store that a URL names.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `redis://host:6379/0`
            (`rediss` for TLS, `redis+cluster` for a cluster) or `memory:`.

    Raises:
        ConfigurationError: No store is named so, or it can't be opened.

    Returns:
        The store.
    """
    if url == "memory:":
        return MemoryStore()
    if url.startswith(_REDIS):
        return _redis_store(url)
    path = url.removeprefix(_SQLITE)
    if path not in {url, "", ":memory:"}:  # SQLite's own would be another one in each thread
        return SqliteStore(Path(path))
    scheme = url.partition(":")[0]
    message = f"--state {scheme}:… is not a state store; write sqlite:///path, redis://… or memory:"
    raise ConfigurationError(message)


def public_url(url: str) -> str:
    """Return a store's URL without what in it may be secret."""
    return str(RedisAddress.parse(url)) if url.startswith(_REDIS) else url


def _redis_store(url: str) -> Store:
    address = RedisAddress.parse(url)
    try:
        from kataven_flask.store.redis import RedisStore  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        message = "--state redis://… needs redis-py: pip install 'kataven-flask[redis]'"
        raise ConfigurationError(message) from error
    return RedisStore(address)
