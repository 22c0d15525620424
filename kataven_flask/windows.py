"""Where requests are counted, a minute after the other: in this process, or in the state store."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from math import floor
from typing import Final

from limits.storage import MemoryStorage

from kataven_flask.errors import StoreError
from kataven_flask.store.base import Counts, Hit

REST: Final = 2.0
"""Seconds after a failed count until the store is asked again; meanwhile nobody waits for it."""
SLOW: Final = 0.1
"""Seconds; a store that takes so long for a count is as good as away."""
SLOW_COUNTS: Final = 3
"""So many in a row; one alone may be a write to disk."""
_NAME_LENGTH: Final = 32
"""Hex digits of a count's name: 128 bits, so that no two have the same."""


class OwnWindows(MemoryStorage):
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


class SharedWindows(OwnWindows):
    """Keeps the counts in a state store that several servers share; a count is one step.

    While the store can't be reached, or is slow, each process counts for itself: nobody is refused
    or kept waiting for that, and nobody gets any number through.

    Args:
        store: The state store.
        alone: Told of each request that isn't counted there, and why.
    """

    def __init__(self, store: Counts, alone: Callable[[StoreError], None]) -> None:
        super().__init__()
        self._store = store
        self._alone = alone
        self._fault: StoreError | None = None
        self._rests_until = 0.0
        self._slow_counts = 0
        self._last = threading.local()

    @property
    def rests(self) -> bool:
        """Whether this process counts for itself now, so that nobody waits for the store."""
        return self._fault is not None and time.monotonic() < self._rests_until

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count a request, unless with the share of the last window there were too many."""
        self._last.hit = hit = self._hit(key, limit, expiry, amount)
        if hit is None:
            return super().acquire_sliding_window_entry(key, limit, expiry, amount)
        return hit.admitted

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return what the last step of this thread has found, which spares it another one."""
        hit: Hit | None = getattr(self._last, "hit", None)
        if hit is None:
            return super().get_sliding_window(key, expiry)
        return hit.before, hit.left, hit.present, hit.left + expiry

    def _hit(self, key: str, limit: int, expiry: int, amount: int) -> Hit | None:
        fault = self._fault
        if fault is not None:
            if self.rests:
                self._alone(fault)
                return None
            self._rests_until = time.monotonic() + REST  # this one tries it, and no other
        # So that no client's address can be read in the store.
        name = hashlib.sha256(key.encode()).hexdigest()[:_NAME_LENGTH]
        began = time.monotonic()
        try:
            hit = self._store.hit(name, limit=limit, window=expiry, amount=amount)
        except StoreError as error:
            self._rest(error)
            self._alone(error)
            return None
        self._note_pace(time.monotonic() - began)
        return hit

    def _note_pace(self, seconds: float) -> None:
        if seconds < SLOW:
            self._fault, self._slow_counts = None, 0
            return
        self._slow_counts += 1
        if self._slow_counts >= SLOW_COUNTS:
            self._rest(StoreError(f"the state store took {seconds:.1f} s to count a request"))

    def _rest(self, fault: StoreError) -> None:
        self._fault, self._rests_until = fault, time.monotonic() + REST
