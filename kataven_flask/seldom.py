"""Lines of the log that come once in a while, however often there is reason for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kataven_flask.log import Field


class Seldom:
    """Writes the first line of a kind at once, and then one in a while with a count of the rest.

    Args:
        write: Writes a line, as `Log.error` does.
        seconds: Between two lines.
        clock: Gives the seconds since some moment.
    """

    def __init__(
        self,
        write: Callable[..., object],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._left_out = 0

    def __call__(self, event: str, **fields: Field) -> None:
        """Write a line, or count it."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._left_out += 1
                return
            self._next, left_out, self._left_out = now + self._seconds, self._left_out, 0
        self._write(event, **fields, **({"left_out": left_out} if left_out else {}))
