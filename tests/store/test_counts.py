"""Requests counted together by several servers: in Redis, and in a cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.errors import StoreError
from kataven_flask.store import Store, store_from_url
from kataven_flask.store.base import Counts
from kataven_flask.store.breaker import Breaker
from tests.redis_server import RedisServer
from tests.running import wait_until
from tests.store.conftest import KINDS, Place

AGE: Final = 10_000_000
"""Seconds of a window that doesn't end while a test runs."""
NAME: Final = "3f" + "a" * 30


@pytest.fixture(params=["redis", "cluster"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a fresh store of each kind that counts."""
    return KINDS[request.param](Place(tmp_path, request))


@pytest.fixture
def counts(url: str) -> Iterator[Counts]:
    """Return such a store."""
    with closing(store_from_url(url)) as store:
        assert isinstance(store, Counts)
        yield store


def admitted(counts: Counts, tries: int, name: str = NAME, window: int = AGE) -> int:
    """Return how many of some requests are let through, of three."""
    return sum(counts.hit(name, limit=3, window=window).admitted for _ in range(tries))


def test_as_many_as_promised(counts: Counts) -> None:
    """As many as the limit says are let through; each is told what has been counted."""
    hits = [counts.hit(NAME, limit=3, window=AGE) for _ in range(5)]
    assert [hit.admitted for hit in hits] == [True] * 3 + [False] * 2
    assert [hit.present for hit in hits] == [1, 2, 3, 3, 3]
    assert {hit.before for hit in hits} == {0}
    assert all(0 < hit.left <= AGE for hit in hits)


def test_each_is_counted_by_itself(counts: Counts) -> None:
    """What is used up under one name takes nothing from another."""
    assert admitted(counts, 5) == 3
    assert admitted(counts, 5, name="c0" + NAME[2:]) == 3
    assert admitted(counts, 5) == 0


def test_servers_count_together(counts: Counts, url: str) -> None:
    """Who was let through by one host has less left at the others."""
    with closing(store_from_url(url)) as other:
        assert isinstance(other, Counts)
        assert admitted(counts, 2) == 2
        assert admitted(other, 2) == 1


def test_a_minute_that_is_over_counts_less_and_less(counts: Counts) -> None:
    """A window's count weighs in the next one until that is over, too."""
    assert 3 <= admitted(counts, 5, window=1) <= 4  # a second may end meanwhile
    wait_until(lambda: counts.hit(NAME, limit=3, window=1).admitted, "one more gets through", 5)


def test_of_many_at_once_the_right_number_get_through(url: str) -> None:
    """However many threads of however many servers ask, no more than the limit are let through."""
    start = threading.Barrier(20)
    passed: list[int] = []

    def ask() -> None:
        with closing(store_from_url(url)) as store:
            assert isinstance(store, Counts)
            start.wait()
            hits = [store.hit(NAME, limit=50, window=AGE).admitted for _ in range(10)]
            passed.append(sum(hits))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 20
    assert sum(passed) == 50


def test_no_count_outlives_its_use(redis_server: RedisServer) -> None:
    """A count is gone once it would weigh nothing: strangers fill no Redis for long."""
    redis_server.command("FLUSHALL")
    with closing(store_from_url(redis_server.url)) as store:
        assert isinstance(store, Counts)
        store.hit(NAME, limit=3, window=60)
    key = f"kataven:{{3f}}:count:{NAME}"
    assert 60 <= redis_server.command("TTL", key) <= 120
    assert redis_server.command("MEMORY", "USAGE", key) < 300


def test_a_clock_put_back_gives_nothing(redis_server: RedisServer) -> None:
    """A count of a window that is ahead, as a clock that was put back finds it, goes on."""
    redis_server.command("FLUSHALL")
    window = int(time.time()) // AGE
    redis_server.command("SET", f"kataven:{{3f}}:count:{NAME}", f"{window + 1} 0 3")
    with closing(store_from_url(redis_server.url)) as store:
        assert isinstance(store, Counts)
        assert admitted(store, 5) == 0
        redis_server.command("SET", f"kataven:{{3f}}:count:{NAME}", f"{window + 9} 0 3")
        assert admitted(store, 5) == 3


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_others_count_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A store of one host leaves it to the processes."""
    store: Store = store_from_url(KINDS[kind](Place(tmp_path, request)))
    with closing(store):
        assert not Breaker(store).counts
        with pytest.raises(StoreError, match="counts no requests"):
            Breaker(store).hit(NAME, limit=3, window=60)
