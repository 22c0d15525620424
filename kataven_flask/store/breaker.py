"""A circuit breaker: while the store is out of reach, one request at a time tries it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from kataven_flask.errors import StoreError
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.store.base import (
    Counts,
    Hit,
    PresentedRefresh,
    PresentedVisitor,
    Rotation,
    Spending,
    Store,
)

SLOW: Final = 0.1
"""Seconds; a fault that is told sooner costs nobody much, and opens nothing."""
PROMPT: Final = 0.005
"""Seconds that the last steps may have taken in the mean, for everybody to wait for the next."""
WEIGHT: Final = 1 / 16
"""Of a step in that mean: a write to disk now and then, of 50 ms, is no reason."""
DOUBT: Final = 5.0
"""Seconds after which a store that wasn't prompt is thought so again."""

_Answer = TypeVar("_Answer")


class Breaker:
    """A store whose slow faults don't take every thread of a server.

    Once a step has failed after a wait, one request at a time waits anew, and the others
    are refused at once: what needs no state still finds a thread.

    Args:
        store: The store behind it.
        observer: Is told of each step.
    """

    def __init__(self, store: Store, observer: Observer = NOBODY) -> None:
        self._store = store
        self._observer = observer
        self._counter = store if isinstance(store, Counts) else None  # to ask takes 5 µs
        self._fault: StoreError | None = None
        self._trying = threading.Lock()
        self._pace = 0.0
        self._doubted_until = 0.0

    @property
    def is_prompt(self) -> bool:
        """Whether the next step is likely to be done at once."""
        return self._fault is None and time.monotonic() >= self._doubted_until

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        self._through("begin", lambda: self._store.begin(now_ms))

    def since_ms(self) -> int | None:
        """See `Store.since_ms`."""
        return self._through("since_ms", self._store.since_ms)

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        return self._through("spend", lambda: self._store.spend(presented))

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        return self._through("rotate", lambda: self._store.rotate(presented))

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        self._through(
            "revoke_session",
            lambda: self._store.revoke_session(sid, keep_until=keep_until, now=now),
        )

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        self._through(
            "revoke_user",
            lambda: self._store.revoke_user(user, at_ms=at_ms, keep_until=keep_until),
        )

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_key`."""
        self._through(
            "revoke_key",
            lambda: self._store.revoke_key(client_key, at_ms=at_ms, keep_until=keep_until),
        )

    @property
    def counts(self) -> bool:
        """Whether the store behind it counts requests, too."""
        return self._counter is not None

    def hit(self, name: str, *, limit: int, window: int, amount: int = 1) -> Hit:
        """See `Counts.hit`.

        Raises:
            StoreError: It can't be counted.
        """
        counter = self._counter
        if counter is None:
            raise StoreError("this store counts no requests")
        return self._through(
            "hit", lambda: counter.hit(name, limit=limit, window=window, amount=amount)
        )

    def ping(self) -> None:
        """See `Store.ping`."""
        self._through("ping", self._store.ping)

    def close(self) -> None:
        """See `Store.close`."""
        self._store.close()

    def _through(self, operation: str, step: Callable[[], _Answer]) -> _Answer:
        fault = self._fault
        if fault is None:
            return self._watched(operation, step)
        if not self._trying.acquire(blocking=False):
            self._observer.spared(operation)
            self._observer.breaker(is_open=True)  # a process inherits it where it is forked
            raise StoreError(f"{fault}; another request is trying it") from fault
        try:
            return self._watched(operation, step)
        finally:
            self._trying.release()

    def _watched(self, operation: str, step: Callable[[], _Answer]) -> _Answer:
        began = time.monotonic()
        done = False
        try:
            answer = step()
            done = True
        except StoreError as error:
            if time.monotonic() - began >= SLOW:
                self._fault = error
                self._observer.breaker(is_open=True)
            raise
        finally:
            ended = time.monotonic()
            self._observer.stepped(operation, ended - began, done=done)
            if began >= self._doubted_until:  # until then, steps wait for one another, too
                self._pause_if_slow(began, ended)
        if self._fault is not None:
            self._fault = None
            self._observer.breaker(is_open=False)
        return answer

    def _pause_if_slow(self, began: float, ended: float) -> None:
        self._pace += WEIGHT * (ended - began - self._pace)
        if self._pace >= PROMPT:
            self._pace, self._doubted_until = 0.0, ended + DOUBT
