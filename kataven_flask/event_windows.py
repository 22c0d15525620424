"""How often an event is told: at once, then once a minute, with how many there were.

Strangers cause most of them at will, so both memory and log are bounded.
"""

from __future__ import annotations

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


_Apart = tuple[str, ...]


class Tally:
    """Events counted: the first of its kind is news at once, the others once a period."""

    def __init__(self) -> None:
        self._windows: dict[Event, dict[str, dict[_Apart, _Window]]] = {}

    def add(self, happening: Happening, now: float, count: int = 1) -> News | None:
        """Count an event.

        Args:
            happening: What has happened.
            now: The present in seconds.
            count: How often.

        Returns:
            What is to be told at once, if anything.
        """
        keys = self._windows.setdefault(happening.event, {})
        happening, windows = _place(keys, happening)
        window = windows.get(happening.apart)
        if window is not None:
            window.count += count
            window.last = happening
            return None
        windows[happening.apart] = _Window(now, happening)
        return News(happening, count)

    def due(self, now: float, *, at_end: bool = False) -> Iterator[News]:
        """Yield what is to be told by now, and forget what has happened no more.

        Args:
            now: The present in seconds; where a clock was put back, every period is over.
            at_end: Whether all is to be told, whatever the time.
        """
        for keys in self._windows.values():
            for client_key, windows in list(keys.items()):
                for apart, window in list(windows.items()):
                    if 0 <= now - window.since < PERIOD and not at_end:
                        continue
                    if window.count:
                        yield News(window.last, window.count)
                        windows[apart] = _Window(now, window.last)
                    else:
                        del windows[apart]
                if not windows:
                    del keys[client_key]


def _place(
    keys: dict[str, dict[_Apart, _Window]], happening: Happening
) -> tuple[Happening, dict[_Apart, _Window]]:
    """Find where an event is counted: by itself as long as there is room, else among others."""
    windows = keys.get(happening.client_key, {})
    if happening.apart not in windows:
        if len(windows) >= MAX_APART:
            happening = happening.among_others()
        elif sum(map(len, keys.values())) >= MAX_OF_EVENT:
            happening = unnamed(happening.event)
    return happening, keys.setdefault(happening.client_key, {})


def unnamed(event: Event) -> Happening:
    """Return an event of which it isn't told who and what it was about."""
    return Happening(event, {"client_key": OTHERS})
