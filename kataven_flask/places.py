"""Who keeps a connection to this server, how long, and who gives it up to the next who comes.

A place costs whoever takes it nothing, so it's kept by asking and reading only. Nobody is counted
out beforehand: behind a proxy everybody has one address.
"""

from __future__ import annotations

import heapq
import resource
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Protocol

from kataven_flask.errors import ConfigurationError, Refusal, RequestTimeout, TooManyConnections
from kataven_flask.log import Log

CONNECTION_LIMIT: Final = 1000
"""Connections that a process keeps open; a look at all of them is a millisecond of each turn."""
REQUEST_TIMEOUT: Final = 10
"""Seconds from a request's first byte to its last: as long as the widget waits for its answer."""
ANSWER_TIMEOUT: Final = 30
"""Seconds until an answer has been taken; what the system keeps to send is none of it."""
IDLE_TIMEOUT: Final = 30
"""Seconds without a request until a connection is closed; a proxy's must be shorter."""
AT_ONCE: Final = 16
"""Connections that give way together, as to choose them takes a look at all."""
GRACE: Final = 1.0
"""Seconds for which a client counts as being about to send, or to take, what it is waited for."""
CROWD: Final = 10
"""One address with more than this part (1/10) of all places gives way before all others."""
RESERVED: Final = 256
"""Open files besides connections: the state, the tenants' files, what is being read."""
FEWEST: Final = 32
"""Places with which a server is still one."""
_RETRY_AFTER: Final = 2
_NEWS_INTERVAL: Final = 60.0
"""Seconds between two lines of the log."""

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server grants its clients.

    Args:
        connections: How many it has at once.
        request: Seconds for a request to come whole.
        answer: Seconds for an answer to be taken.
        idle: Seconds until the first request, or the next.
    """

    connections: int = CONNECTION_LIMIT
    request: float = REQUEST_TIMEOUT
    answer: float = ANSWER_TIMEOUT
    idle: float = IDLE_TIMEOUT


class Waits(IntEnum):
    """What a client is waited for; who is first here gives way first."""

    BEGINNING = 0
    NEXT_REQUEST = 1
    REST_OF_REQUEST = 2
    TAKING_ANSWER = 3


class Held(Protocol):
    """A connection."""

    @property
    def addr(self) -> tuple[str, int]:
        """Where it comes from."""

    def waits(self) -> tuple[Waits, float] | None:
        """Tell what its client is waited for, and since when; None where they wait for us."""

    def refuse(self, refusal: Refusal) -> None:
        """Say why, and hang up."""

    def handle_close(self) -> None:
        """Hang up."""


class Places:
    """The connections of one process.

    Args:
        held: All of them, as they come and go.
        bounds: What they are granted.
        clock: Gives the seconds since some moment, the same that connections go by.
    """

    def __init__(
        self,
        held: Mapping[int, Held],
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._bounds = bounds
        self._clock = clock
        self._gave_way = 0
        self._turned_away = 0
        self._next_news = clock()
        self._seconds = {
            Waits.BEGINNING: bounds.idle,
            Waits.NEXT_REQUEST: bounds.idle,
            Waits.REST_OF_REQUEST: bounds.request,
            Waits.TAKING_ANSWER: bounds.answer,
        }

    def is_crowded(self) -> bool:
        """Tell whether newcomers come so fast, or stay so long, that half of all is taken."""
        return len(self._held) > self._bounds.connections // 2

    def end_the_late(self) -> None:
        """Hang up on whoever takes too long."""
        now = self._clock()
        for connection in list(self._held.values()):
            waits = connection.waits()
            if waits is not None and now - waits[1] > self._seconds[waits[0]]:
                if waits[0] == Waits.REST_OF_REQUEST:
                    seconds = self._bounds.request
                    connection.refuse(RequestTimeout(f"send it whole within {seconds:g} s"))
                else:
                    connection.handle_close()
        self._tell(now)

    def admit(self, newcomer: Held) -> None:
        """Have others give way to a newcomer where there are too many; or the newcomer."""
        if len(self._held) > self._bounds.connections and not self.make_room(newcomer):
            self._turned_away += 1
            newcomer.refuse(_full())

    def make_room(self, newcomer: Held | None = None) -> bool:
        """Close some of the connections whose clients are waited for; False where none are."""
        of_address = Counter(connection.addr[0] for connection in self._held.values())
        most = self._bounds.connections // CROWD
        lately = self._clock() - GRACE

        def rank(place: tuple[Waits, float, Held]) -> tuple[bool, bool, int, float]:
            kind, since, connection = place
            is_late = since < lately
            is_one_of_few = of_address[connection.addr[0]] <= most
            return is_one_of_few, not is_late, kind if is_late else 0, since

        waiting = [
            (*waits, connection)
            for connection in self._held.values()
            if connection is not newcomer and (waits := connection.waits()) is not None
        ]
        for kind, _, connection in heapq.nsmallest(AT_ONCE, waiting, key=rank):
            self._gave_way += 1
            if kind in {Waits.BEGINNING, Waits.REST_OF_REQUEST}:
                connection.refuse(_full())
            else:  # a client takes that for what it is, and asks on another connection
                connection.handle_close()
        return bool(waiting)

    def _tell(self, now: float) -> None:
        if (self._gave_way or self._turned_away) and now >= self._next_news:
            _log.warning(
                "too many connections",
                closed_for_newcomers=self._gave_way,
                newcomers_refused=self._turned_away,
            )
            self._gave_way = self._turned_away = 0
            self._next_news = now + _NEWS_INTERVAL


def fitting(bounds: Bounds, threads: int) -> Bounds:
    """Have the system allow as many open files as are needed, or make do with fewer connections.

    Args:
        bounds: What is wanted.
        threads: How many may each have a connection to the state.

    Raises:
        ConfigurationError: The system allows too few to serve at all.

    Returns:
        What there are open files for.
    """
    needed = bounds.connections + RESERVED + threads
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in {soft, hard} and hard < needed:
        needed = hard
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except (OSError, ValueError):  # a sandbox forbids it
            needed = soft
    connections = needed - RESERVED - threads
    if connections < FEWEST:
        raise ConfigurationError(
            f"the system allows this process {needed} open files, and it needs"
            f" {FEWEST + RESERVED + threads}: raise them with ulimit -n, or LimitNOFILE in systemd"
        )
    return replace(bounds, connections=connections)


def _full() -> TooManyConnections:
    return TooManyConnections("try again shortly", retry_after=_RETRY_AFTER)
