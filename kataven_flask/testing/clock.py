"""The server's clock, in the test's hands."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from kataven_flask.durations import seconds_of
from kataven_flask.times import is_time

WHEN: Final = "a server knows the years 1970 to 2105"


class Clock:
    """Runs along with the real time, from where the test has put it.

    It is the clock of this server alone. Whoever verifies a session token elsewhere goes by
    their own: once this one is moved, a token minted now is not valid yet for them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._stands_at: float | None = None

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        with self._lock:
            return self._read()

    @property
    def now(self) -> datetime:
        """What it shows, in UTC."""
        return datetime.fromtimestamp(self(), UTC)

    def advance(self, by: float | str | timedelta) -> None:
        """Let time pass at once.

        Args:
            by: Seconds, or a number with s, m, h or d (`"15m"`), or a timedelta. What is less
                than nothing puts the clock back.

        Raises:
            ValueError: It isn't a duration, or leads out of the years 1970 to 2105.
        """
        if isinstance(by, timedelta):
            by = by.total_seconds()
        elif isinstance(by, str):
            by = seconds_of(by)
        with self._lock:
            self._put(self._read() + by)

    def set(self, to: float | datetime) -> None:
        """Put it to a time, from which it goes on.

        Args:
            to: Seconds since the epoch, or a datetime that knows its time zone.

        Raises:
            ValueError: It is out of the years 1970 to 2105, or has no time zone.
        """
        if isinstance(to, datetime):
            if to.tzinfo is None:
                raise ValueError(f"{to} has no time zone; write datetime(…, tzinfo=UTC)")
            to = to.timestamp()
        with self._lock:
            self._put(to)

    def freeze(self) -> None:
        """Have it stand still; `advance` and `set` still move it."""
        with self._lock:
            self._stands_at = self._read()

    def reset(self) -> None:
        """Have it show the real time again."""
        with self._lock:
            self._ahead, self._stands_at = 0.0, None

    def _read(self) -> float:
        # By its name in the module, so that a test which has replaced the time moves this, too.
        return time.time() + self._ahead if self._stands_at is None else self._stands_at

    def _put(self, to: float) -> None:
        if not (0 <= to < float("inf") and is_time(int(to))):
            raise ValueError(f"{to} s since the epoch: {WHEN}")
        if self._stands_at is not None:
            self._stands_at = to
        else:
            self._ahead = to - time.time()
