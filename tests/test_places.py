"""Who gives way to a newcomer, who is waited for no longer, and for how many there are files."""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass
from typing import Final

import pytest

from kataven_flask.errors import ConfigurationError, Refusal
from kataven_flask.places import (
    AT_ONCE,
    FEWEST,
    RESERVED,
    Bounds,
    Places,
    Waits,
    fitting,
)
from tests.support import FrozenClock

BOUNDS: Final = Bounds(connections=40, request=10, answer=30, idle=30)


@dataclass
class Connection:
    """One that notes how it ends."""

    kind: Waits | None
    since: float
    address: str = "192.0.2.1"
    end: str | None = None

    @property
    def addr(self) -> tuple[str, int]:
        """Return where it comes from."""
        return self.address, 1

    def waits(self) -> tuple[Waits, float] | None:
        """Tell what is waited for."""
        return None if self.kind is None else (self.kind, self.since)

    def refuse(self, refusal: Refusal) -> None:
        """Note the refusal."""
        self.end = refusal.code

    def handle_close(self) -> None:
        """Note the end."""
        self.end = "closed"


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands."""
    return FrozenClock(1000.0)


def apart(*connections: Connection) -> list[Connection]:
    """Give each an address of its own."""
    for number, connection in enumerate(connections):
        connection.address = f"192.0.2.{number}"
    return list(connections)


def places(clock: FrozenClock, connections: list[Connection]) -> Places:
    """Return the places that connections have."""
    return Places(dict(enumerate(connections)), BOUNDS, clock)


def many(number: int, kind: Waits | None, since: float) -> list[Connection]:
    """Return so many connections alike."""
    return [Connection(kind, since) for _ in range(number)]


@pytest.mark.parametrize(
    ("kind", "seconds", "end"),
    [
        (Waits.BEGINNING, 30, "closed"),
        (Waits.NEXT_REQUEST, 30, "closed"),
        (Waits.REST_OF_REQUEST, 10, "request_timeout"),
        (Waits.TAKING_ANSWER, 30, "closed"),
    ],
)
def test_each_wait_has_its_end(clock: FrozenClock, kind: Waits, seconds: int, end: str) -> None:
    """Whoever has begun a request is told why it's over; the others are hung up on."""
    connection = Connection(kind, clock())
    held = places(clock, [connection])
    clock.move(seconds)
    held.end_the_late()
    assert connection.end is None
    clock.move(0.1)
    held.end_the_late()
    assert connection.end == end


def test_who_waits_for_us_is_never_late(clock: FrozenClock) -> None:
    """A request that is being answered ends when it's answered."""
    connection = Connection(None, 0)
    places(clock, [connection]).end_the_late()
    assert connection.end is None


def test_nobody_gives_way_as_long_as_there_is_room(clock: FrozenClock) -> None:
    """The last place is a place."""
    connections = apart(*many(BOUNDS.connections, Waits.NEXT_REQUEST, 0))
    places(clock, connections).admit(connections[-1])
    assert {connection.end for connection in connections} == {None}


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        (Waits.BEGINNING, "too_many_connections"),
        (Waits.NEXT_REQUEST, "closed"),
        (Waits.REST_OF_REQUEST, "too_many_connections"),
        (Waits.TAKING_ANSWER, "closed"),
    ],
)
def test_who_is_waited_for_gives_way(clock: FrozenClock, kind: Waits, end: str) -> None:
    """The newcomer stays; whoever may have a request on its way gets an answer to it."""
    working = many(BOUNDS.connections - 1, None, 0)
    waiting, newcomer = Connection(kind, 0), Connection(Waits.BEGINNING, clock())
    connections = apart(*working, waiting, newcomer)
    places(clock, connections).admit(newcomer)
    assert waiting.end == end
    assert newcomer.end is None
    assert {connection.end for connection in working} == {None}


def test_a_newcomer_is_refused_where_nobody_can_give_way(clock: FrozenClock) -> None:
    """Who is being answered stays, and who comes is told to come again."""
    newcomer = Connection(Waits.BEGINNING, clock())
    connections = apart(*many(BOUNDS.connections, None, 0), newcomer)
    places(clock, connections).admit(newcomer)
    assert newcomer.end == "too_many_connections"
    assert {connection.end for connection in connections[:-1]} == {None}


def test_they_give_way_in_order(clock: FrozenClock) -> None:
    """First who never asked, then who may ask again, then half a request; the longest first."""
    order = [
        Connection(Waits.BEGINNING, 20),
        Connection(Waits.BEGINNING, 30),
        Connection(Waits.NEXT_REQUEST, 10),
        Connection(Waits.REST_OF_REQUEST, 0),
        Connection(Waits.TAKING_ANSWER, 0),
    ]
    rest = many(AT_ONCE, Waits.TAKING_ANSWER, 40)
    connections = apart(*rest, *reversed(order))
    held = places(clock, connections)
    assert held.make_room()
    assert all(connection.end for connection in order)
    assert sum(connection.end is not None for connection in rest) == AT_ONCE - len(order)


def test_who_has_just_come_gives_way_last(clock: FrozenClock) -> None:
    """A request may be on its way for a moment; a flood of halves doesn't push it out."""
    halves = many(AT_ONCE, Waits.REST_OF_REQUEST, clock() - 2)
    young = Connection(Waits.BEGINNING, clock() - 0.5)
    assert places(clock, apart(young, *halves)).make_room()
    assert young.end is None
    assert all(half.end for half in halves)


def test_a_flood_of_the_young_is_pushed_out_by_itself(clock: FrozenClock) -> None:
    """Where all have just come, who came first gives way, whatever is waited for."""
    young = [
        Connection(Waits(1 + number % 2), clock() - 0.5 + number / 99)
        for number in range(2 * AT_ONCE)
    ]
    assert places(clock, apart(*young)).make_room()
    assert [bool(connection.end) for connection in young] == [True] * AT_ONCE + [False] * AT_ONCE


def test_one_address_that_takes_many_places_gives_way_first(clock: FrozenClock) -> None:
    """Its connections go, even those just come, before anybody else's oldest."""
    crowd = many(AT_ONCE, Waits.REST_OF_REQUEST, clock())
    others = apart(*many(AT_ONCE, Waits.BEGINNING, 0))
    for connection in crowd:
        connection.address = "198.51.100.7"
    assert places(clock, others + crowd).make_room()
    assert all(connection.end for connection in crowd)
    assert not any(connection.end for connection in others)


def test_the_log_says_it_once_a_minute(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With how many it was, however many come."""
    connections = apart(*many(AT_ONCE, Waits.BEGINNING, 0))
    held = places(clock, connections)
    for seconds in (0, 1, 58, 1):
        clock.move(seconds)
        held.make_room()
        held.end_the_late()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert f"closed_for_newcomers={AT_ONCE} " in lines[0]
    assert f"closed_for_newcomers={3 * AT_ONCE} " in lines[1]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


class Files:
    """The system's limit of open files."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = soft, hard

    def getrlimit(self, _kind: int) -> tuple[int, int]:
        """Return it."""
        return self.now

    def setrlimit(self, _kind: int, wanted: tuple[int, int]) -> None:
        """Change it."""
        self.now = wanted


INFINITY: Final = resource.RLIM_INFINITY
NEEDED: Final = 1000 + RESERVED + 4


@pytest.mark.parametrize(
    ("soft", "hard", "then", "connections"),
    [
        (1024, 4096, (NEEDED, 4096), 1000),
        (1024, INFINITY, (NEEDED, INFINITY), 1000),
        (4096, 4096, (4096, 4096), 1000),
        (INFINITY, INFINITY, (INFINITY, INFINITY), 1000),
        (512, 1024, (1024, 1024), 1024 - RESERVED - 4),
        (NEEDED, NEEDED, (NEEDED, NEEDED), 1000),
    ],
)
def test_there_is_a_file_for_each_connection(
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    then: tuple[int, int],
    connections: int,
) -> None:
    """The limit is raised to what is needed, or there are as many connections as it allows."""
    files = Files(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", files.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", files.setrlimit)
    assert fitting(Bounds(connections=1000), threads=4).connections == connections
    assert files.now == then


def test_a_limit_that_cant_be_raised_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that forbids it costs connections, and not the start."""

    def forbidden(_kind: int, _wanted: tuple[int, int]) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", Files(1024, 4096).getrlimit)
    monkeypatch.setattr(resource, "setrlimit", forbidden)
    assert fitting(Bounds(connections=1000), threads=4).connections == 1024 - RESERVED - 4


def test_too_few_files_are_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that could hardly take anybody in doesn't start, and says what to raise."""
    files = Files(64, RESERVED + 4 + FEWEST - 1)
    monkeypatch.setattr(resource, "getrlimit", files.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", files.setrlimit)
    with pytest.raises(ConfigurationError, match="ulimit -n"):
        fitting(Bounds(), threads=4)
