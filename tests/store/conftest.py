"""The stores that the contract and the races are run over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.store import PresentedRefresh, PresentedVisitor, Store, store_from_url
from kataven_flask.store.memory import MemoryStore
from tests.redis_server import RedisCluster, RedisServer, running_cluster, running_redis

NOW: Final = 1_790_000_000
DAY: Final = 86_400
YESTERDAY_MS: Final = (NOW - DAY) * 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fresh store of any kind may be.

    Args:
        folder: An empty folder.
        request: Gives the servers that are started for the first test that asks.
    """

    folder: Path
    request: pytest.FixtureRequest

    def redis(self) -> str:
        """Return the URL of a redis-server that keeps nothing yet."""
        server: RedisServer = self.request.getfixturevalue("redis_server")
        server.command("FLUSHALL")
        return server.url

    def cluster(self) -> str:
        """Return the URL of a cluster that keeps nothing yet."""
        cluster: RedisCluster = self.request.getfixturevalue("redis_cluster")
        cluster.flush()
        return cluster.url


KINDS: Final[dict[str, Callable[[Place], str]]] = {
    "memory": lambda _: "memory:",
    "sqlite": lambda place: f"sqlite:///{place.folder / 'state.db'}",
    "redis": Place.redis,
    "cluster": Place.cluster,
}
"""Every store there is, by how the URL of a fresh one is had."""
_SHARED: Final = {name: url for name, url in KINDS.items() if name != "memory"}


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a real redis-server."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Return a real cluster."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def unused_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return a store of each kind that no server has used."""
    with closing(store_from_url(request.param(Place(tmp_path, request)))) as store:
        yield store


@pytest.fixture
def store(unused_store: Store) -> Store:
    """Return a store of each kind that has been in use for a day."""
    unused_store.begin(YESTERDAY_MS)
    use(unused_store, NOW)
    return unused_store


def use(store: Store, now: int) -> None:
    """Have somebody else sign in and renew: the first step of a store isn't like the others."""
    who, now_ms, keep_until = ("00 somebody", "pk_live_else"), now * 1000, now + DAY
    store.spend(PresentedVisitor("vis_else", *who, now, now_ms, keep_until))
    for generation in range(2):
        store.rotate(
            PresentedRefresh("ses_00else", *who, generation, now_ms, now_ms, 0, keep_until)
        )


@pytest.fixture(params=list(_SHARED.values()), ids=list(_SHARED))
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a fresh store of each kind that processes can share."""
    url: str = request.param(Place(tmp_path, request))
    return url


@dataclass(frozen=True, slots=True)
class Purging:
    """A fresh store that forgets by its steps, and how much it keeps."""

    store: Store
    size: Callable[[], int]


@pytest.fixture(params=["memory", "sqlite"])
def purging(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Purging]:
    """Return a fresh store of each kind that has no clock of its own."""
    with closing(store_from_url(KINDS[request.param](Place(tmp_path, request)))) as store:
        store.begin(YESTERDAY_MS)
        yield Purging(store, lambda: _size(store, tmp_path))


def _size(store: Store, folder: Path) -> int:
    if isinstance(store, MemoryStore):
        spent, sessions, revoked = store._spent, store._sessions, store._revoked  # noqa: SLF001 - no other measure
        return len(spent) + len(sessions) + len(revoked)
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("spent", "session", "revoked")
        ]
    return sum(counts)
