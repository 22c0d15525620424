"""How often an event is told: at once, then once a minute, with how many there were.

Strangers cause most of them at will, so both memory and log are bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kataven_flask.security_events import OTHERS, Event, Happening

PERIOD: Final = 60
"""Seconds between two lines on the same."""
MAX_APART: Final = 50
"""Of one event and client key so many are told apart within a period."""
MAX_OF_EVENT: Final = 1000
"""Of one event so many are, whatever their client keys."""


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told.

    Args:
        happening: What has happened; the last time, where it was several times.
        count: How often since the last time it was told.
    """

    happening: Happening
    count: int


@dataclass(slots=True)
class _Window:
    since: float
    last: Happening
    count: int = 0


_Apart = tuple[str, tuple[str, ...]]
"""A client key, and what else tells two of an event apart."""


class Tally:
    """Events counted: the first of its kind is news at once, the others once a period."""

    def __init__(self) -> None:
        self._tallies: dict[Event, _TallyOfEvent] = {}

    def add(self, happening: Happening, now: float, count: int = 1) -> News | None:
        """Count an event.

        Args:
            happening: What has happened.
            now: The present in seconds.
            count: How often.

        Returns:
            What is to be told at once, if anything.
        """
        tally = self._tallies.get(happening.event)
        if tally is None:
            tally = self._tallies[happening.event] = _TallyOfEvent()
        return tally.add(happening, now, count)

    def due(self, now: float, *, at_end: bool = False) -> Iterator[News]:
        """Yield what is to be told by now, and forget what has happened no more.

        Args:
            now: The present in seconds; where a clock was put back, every period is over.
            at_end: Whether all is to be told, whatever the time.
        """
        for tally in self._tallies.values():
            yield from tally.due(now, at_end=at_end)


class _TallyOfEvent:
    def __init__(self) -> None:
        self._windows: dict[_Apart, _Window] = {}
        self._of_key: Counter[str] = Counter()
        """How many windows each client key has."""

    def add(self, happening: Happening, now: float, count: int) -> News | None:
        apart = (happening.client_key, happening.apart)
        if apart not in self._windows:
            happening = self._in_its_room(happening)
            apart = (happening.client_key, happening.apart)
        window = self._windows.get(apart)
        if window is not None:
            window.count += count
            window.last = happening
            return None
        self._windows[apart] = _Window(now, happening)
        self._of_key[happening.client_key] += 1
        return News(happening, count)

    def due(self, now: float, *, at_end: bool) -> Iterator[News]:
        for apart, window in list(self._windows.items()):
            if 0 <= now - window.since < PERIOD and not at_end:
                continue
            if window.count:
                yield News(window.last, window.count)
                self._windows[apart] = _Window(now, window.last)
                continue
            del self._windows[apart]
            self._of_key[apart[0]] -= 1
            if not self._of_key[apart[0]]:
                del self._of_key[apart[0]]

    def _in_its_room(self, happening: Happening) -> Happening:
        """Return what a new one is counted as: itself as long as there is room, else as others."""
        if self._of_key[happening.client_key] >= MAX_APART:
            return happening.among_others()
        if len(self._windows) >= MAX_OF_EVENT:
            return unnamed(happening.event)
        return happening


def unnamed(event: Event) -> Happening:
    """Return an event of which it isn't told who and what it was about."""
    return Happening(event, {"client_key": OTHERS})
