"""Of several processes that accept connections, none takes what the others should have."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Final

import pytest

from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from kataven_flask.shares import PATIENCE, Counts, Share
from tests.running import wait_until
from tests.support import FrozenClock

CONNECTIONS: Final = 16


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands."""
    return FrozenClock(1000.0)


def shares(clock: FrozenClock, *counts: int) -> list[Share]:
    """Return processes with so many connections each."""
    memory = Counts(len(counts))
    every = [Share(memory, place, clock) for place in range(len(counts))]
    for share, count in zip(every, counts, strict=True):
        share.show(count)
    return every


@pytest.mark.parametrize("counts", [(0, 0), (3, 3), (3, 4), (0, 900)])
def test_who_has_the_fewest_accepts(clock: FrozenClock, counts: tuple[int, int]) -> None:
    """At once, however many it has."""
    assert not shares(clock, *counts)[0].leaves_to_others()


@pytest.mark.parametrize("counts", [(1, 0), (4, 3, 5), (900, 0)])
def test_who_has_more_waits_a_moment(clock: FrozenClock, counts: tuple[int, ...]) -> None:
    """The others have their chance; where they don't take it, nobody is kept waiting."""
    share = shares(clock, *counts)[0]
    assert share.leaves_to_others()
    clock.move(PATIENCE * 0.9)
    assert share.leaves_to_others()
    clock.move(PATIENCE * 0.2)
    assert not share.leaves_to_others()


def test_each_newcomer_is_left_to_others_anew(clock: FrozenClock) -> None:
    """A moment that was waited for somebody else counts for nobody later."""
    share = shares(clock, 5, 0)[0]
    assert share.leaves_to_others()
    clock.move(10 * PATIENCE)
    assert share.leaves_to_others()


def test_a_process_that_is_not_there_is_waited_for_by_nobody(clock: FrozenClock) -> None:
    """A place that was never taken has no connections, and gets none."""
    share = Share(Counts(3), 1, clock)
    share.show(7)
    assert not share.leaves_to_others()


def test_a_new_process_takes_over_a_place(clock: FrozenClock) -> None:
    """Who replaces one that died begins with none, and is given the next."""
    memory = Counts(2)
    one, other = Share(memory, 0, clock), Share(memory, 1, clock)
    one.show(5)
    other.show(5)
    assert not one.leaves_to_others()
    Share(memory, 1, clock)
    assert one.leaves_to_others()


def _ok(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def test_connections_that_come_at_once_are_shared() -> None:
    """Two servers on one socket have about as many each, and not one of them all."""
    listener = bind(Address("127.0.0.1", 0))
    address = listener.getsockname()
    counts = Counts(2)
    servers = [
        Server(_ok, each, threads=1, share=Share(counts, place))
        for place, each in enumerate((listener, listener.dup()))
    ]
    threads = [threading.Thread(target=server.run) for server in servers]
    for thread in threads:
        thread.start()
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(address))
        wait_until(lambda: sum(counts.all()) == CONNECTIONS, "all are accepted")
        assert min(counts.all()) >= CONNECTIONS // 4
    for server in servers:
        server.stop()
    for thread in threads:
        thread.join()
