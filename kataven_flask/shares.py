"""How many connections each of several processes has, so that one doesn't take them all.

They listen on one socket. Whoever wakes first would accept whoever has come, and kept connections
stay where they are: one process would work, and the others watch.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 0.005
"""Seconds that are left to a process with fewer connections to accept one more; it may be busy."""
SLACK: Final = 16
"""Who has at most this part (1/16) more than another has as many."""
_WIDTH: Final = 4
_ABSENT: Final = 2**32 - 1


class Counts:
    """Memory that the processes have together, forked after this is made.

    Args:
        places: How many there are.
    """

    def __init__(self, places: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, places * _WIDTH)).cast("I")
        for place in range(places):
            self._memory[place] = _ABSENT

    def show(self, place: int, count: int) -> None:
        """Write down how many connections the process at a place has."""
        self._memory[place] = count

    def all(self) -> list[int]:
        """Return how many connections each process has that was ever there."""
        return [count for count in self._memory if count != _ABSENT]


class Share:
    """One process of several that accept connections.

    Args:
        counts: Where all of them show how many they have.
        place: Its place there; a process that replaces another takes over its place.
        clock: Gives the seconds since some moment.
    """

    def __init__(
        self, counts: Counts, place: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counts = counts
        self._place = place
        self._clock = clock
        self._leaves_until: float | None = None
        self.show(0)

    def show(self, count: int) -> None:
        """Tell how many connections this process has."""
        self._counts.show(self._place, count)
        self._count = count

    def leaves_to_others(self) -> bool:
        """Tell whether who has come now is for a process with fewer, and not yet for this one."""
        if self._count - self._count // SLACK <= min(self._counts.all()):
            self._leaves_until = None
            return False
        now = self._clock()
        if self._leaves_until is None or now >= self._leaves_until + PATIENCE:
            self._leaves_until = now + PATIENCE
        return now < self._leaves_until
