"""State: what must be remembered so that a token is spent once and rotates once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.store.base import Outcome, Presented, Rotation, Store
from kataven_flask.store.memory import MemoryStore
from kataven_flask.store.sqlite import SqliteStore

__all__ = ["Outcome", "Presented", "Rotation", "Store", "store_from_url"]

_SQLITE: Final = "sqlite:///"


def store_from_url(url: str) -> Store:
    """Open the state store that a URL names.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`.

    Raises:
        ConfigurationError: No store is named so, or it can't be opened.

    Returns:
        The store.
    """
    if url == "memory:":
        return MemoryStore()
    path = url.removeprefix(_SQLITE)
    if path not in {url, "", ":memory:"}:  # SQLite's own would be another one in each thread
        return SqliteStore(Path(path))
    scheme = url.partition(":")[0]
    message = f"--state {scheme}:… is not a state store; write sqlite:///path or memory:"
    raise ConfigurationError(message)
