"""Rate limits by the `limits` library: a sliding window a minute, counted in this process."""

from __future__ import annotations

import threading
import time
from math import floor
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from kataven_flask.errors import RateLimited

_WINDOW: Final = 60
"""Seconds."""


class Throttle:
    """Counts requests by action, client key and client address."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(_Windows())

    def admit(self, action: str, key: str, address: str, per_minute: int | None) -> None:
        """Count one request.

        Args:
            action: What is asked for.
            key: The client key it is counted under.
            address: The client's network address; empty to count for all of them.
            per_minute: How many a minute are let through; None for any number.

        Raises:
            RateLimited: It is one too many.
        """
        if per_minute is None:
            return
        item = RateLimitItemPerMinute(per_minute)
        if not self._limiter.hit(item, action, key, address):
            wait = _until_admitted(time.time())
            message = f"more than {per_minute} a minute; try again in {wait} s"
            raise RateLimited(message, retry_after=wait)


class _Windows(MemoryStorage):
    """Keeps the counts of the present window and of the one before, and forgets older ones whole.

    As it is, the library's storage starts a thread every 10 ms that looks through all counts for
    those that can go; with many visitors it does nothing else.
    """

    STORAGE_SCHEME = None  # type: ignore[assignment]  # not to be had by a URL

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._window = 0
        self._present: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count a request, unless with the share of the last window there were too many."""
        with self._lock:
            before, ttl, present, _ = self._weighed(key, expiry)
            if floor(before * ttl / expiry + present) + amount > limit:
                return False
            self._present[key] = present + amount
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the last window's count and how long it counts yet, and the present one's."""
        with self._lock:
            return self._weighed(key, expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what a key has counted."""
        del expiry  # all have the same
        with self._lock:
            self._present.pop(key, None)
            self._before.pop(key, None)

    def _weighed(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        window, age = divmod(time.time(), expiry)
        # A clock that is put back a little begins nothing anew.
        if int(window) not in {self._window, self._window - 1}:
            self._before = self._present if int(window) == self._window + 1 else {}
            self._present, self._window = {}, int(window)
        left = expiry - age
        return self._before.get(key, 0), left, self._present.get(key, 0), left + expiry


def _until_admitted(now: float) -> int:
    """Return after how many seconds a caller who was refused is surely let through.

    Windows begin at whole minutes. The one that is full has to pass, and then as much of
    the next as makes room for one request.
    """
    return _WINDOW - int(now % _WINDOW) + 1
