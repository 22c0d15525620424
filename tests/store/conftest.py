"""The stores that the contract and the races are run over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.store import Store, store_from_url
from kataven_flask.store.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store.

    Args:
        url: Gives the URL of a fresh one, whose files may go into a folder.
        size: Counts the entries that one keeps, given itself and that folder.
        is_shared: Whether several processes can work on one.
    """

    url: Callable[[Path], str]
    size: Callable[[Store, Path], int]
    is_shared: bool


def _memory_size(store: Store, folder: Path) -> int:
    assert isinstance(store, MemoryStore)
    kept = store._spent, store._sessions, store._revoked_users  # noqa: SLF001 - no other measure
    return sum(len(table) for table in kept)


def _sqlite_size(store: Store, folder: Path) -> int:
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("spent", "session", "revoked_user")
        ]
    return sum(counts)


KINDS: Final = {
    "memory": Kind(lambda _: "memory:", _memory_size, is_shared=False),
    "sqlite": Kind(lambda folder: f"sqlite:///{folder / 'state.db'}", _sqlite_size, is_shared=True),
}
"""Every store there is; one more line has one more of them run the same tests."""
_SHARED: Final = {name: kind for name, kind in KINDS.items() if kind.is_shared}


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh store, and how much it keeps."""

    store: Store
    size: Callable[[], int]


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Return a fresh store of each kind, with its measure."""
    kind: Kind = request.param
    store = store_from_url(kind.url(tmp_path))
    yield Opened(store, lambda: kind.size(store, tmp_path))
    store.close()


@pytest.fixture
def store(opened: Opened) -> Store:
    """Return a fresh store of each kind."""
    return opened.store


@pytest.fixture(params=list(_SHARED.values()), ids=list(_SHARED))
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a fresh store of each kind that processes can share."""
    kind: Kind = request.param
    return kind.url(tmp_path)
