"""The state of a server for tests: in memory, and out of reach where a fault hits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kataven_flask.errors import StoreError
from kataven_flask.store import PresentedRefresh, PresentedVisitor, Rotation, Spending
from kataven_flask.store.memory import MemoryStore
from kataven_flask.testing.faults import STATE, Fault


class BreakableStore:
    """A `Store` in memory. It remembers since ever, so that a clock may be put back."""

    def __init__(self) -> None:
        self._asking = threading.local()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._kept = MemoryStore()
        self._kept.begin(0)

    @contextmanager
    def asked_under(self, faults: Sequence[Fault]) -> Iterator[None]:
        """Have faults hit what this thread asks for within the block."""
        self._asking.under = [fault for fault in faults if fault.name == STATE]
        try:
            yield
        finally:
            self._asking.under = []

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        self._reached().begin(now_ms)

    def since_ms(self) -> int | None:
        """See `Store.since_ms`."""
        return self._reached().since_ms()

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        return self._reached().spend(presented)

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        return self._reached().rotate(presented)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        self._reached().revoke_session(sid, keep_until=keep_until, now=now)

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        self._reached().revoke_user(user, at_ms=at_ms, keep_until=keep_until)

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_key`."""
        self._reached().revoke_key(client_key, at_ms=at_ms, keep_until=keep_until)

    def ping(self) -> None:
        """See `Store.ping`."""
        self._reached().ping()

    def close(self) -> None:
        """See `Store.close`."""

    def _reached(self) -> MemoryStore:
        """Return what keeps the state, or raise StoreError where a fault hits who asks."""
        if any(fault.hit() for fault in getattr(self._asking, "under", ())):
            raise StoreError("the test has made the state store fail")
        return self._kept
