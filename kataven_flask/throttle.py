"""Rate limits by the `limits` library: a sliding window a minute, counted in this process."""

from __future__ import annotations

import time
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
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

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


def _until_admitted(now: float) -> int:
    """Return after how many seconds a caller who was refused is surely let through.

    Windows begin at whole minutes. The one that is full has to pass, and then as much of
    the next as makes room for one request.
    """
    return _WINDOW - int(now % _WINDOW) + 1
