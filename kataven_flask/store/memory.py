"""State in the memory of one process: for tests, the demo and a single worker."""

from __future__ import annotations

import threading
from typing import Final, Generic, TypeVar

from kataven_flask.store.base import (
    CLOCK_SKEW_MS,
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Record,
    Rotation,
    Spending,
    after,
    decide,
    decide_spending,
)

_PURGE_EVERY: Final = 1024
"""Steps between two purges, so that a step costs the same however much is kept."""

_Value = TypeVar("_Value")


class _Kept(Generic[_Value]):
    """A table whose entries are forgotten once their time is over."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[_Value, int]] = {}
        self._steps = 0

    def get(self, key: str) -> _Value | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: str, value: _Value, *, keep_until: int, now: int) -> None:
        _, known_until = self._entries.get(key, (value, 0))
        self._entries[key] = (value, max(known_until, keep_until))
        self._steps += 1
        if self._steps % _PURGE_EVERY == 0:
            self._entries = {k: e for k, e in self._entries.items() if e[1] >= now}

    def __len__(self) -> int:
        return len(self._entries)


class MemoryStore:
    """Keeps state in this process alone; it is gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_ms: int | None = None
        self._spent: _Kept[bool] = _Kept()
        self._sessions: _Kept[Record] = _Kept()
        self._revoked: _Kept[int] = _Kept()

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        with self._lock:
            if self._since_ms is None:
                self._since_ms = now_ms

    def since_ms(self) -> int | None:
        """See `Store.since_ms`."""
        return self._since_ms

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        with self._lock:
            spending = decide_spending(
                spent=self._spent.get(presented.jti) is not None,
                revoked_ms=self._revoked_ms(presented.user, presented.client_key),
                since_ms=self._known_since_ms(presented.now_ms),
                presented=presented,
            )
            if spending is Spending.SPENT:
                self._spent.put(
                    presented.jti, value=True, keep_until=presented.keep_until, now=presented.now
                )
            return spending

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        with self._lock:
            record = self._sessions.get(presented.sid)
            outcome = decide(
                record,
                revoked_ms=self._revoked_ms(presented.user, presented.client_key),
                since_ms=self._known_since_ms(presented.now_ms),
                presented=presented,
            )
            new = after(record, outcome, presented)
            if outcome in {Outcome.ROTATED, Outcome.REUSED}:
                self._sessions.put(
                    presented.sid, new, keep_until=presented.keep_until, now=presented.now
                )
            return Rotation(outcome, new.generation, new.rotated_ms)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        with self._lock:
            known = self._sessions.get(sid) or Record()
            revoked = Record(known.generation, known.rotated_ms, revoked=True)
            self._sessions.put(sid, revoked, keep_until=keep_until, now=now)

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        self._revoke(user, at_ms, keep_until)

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_key`."""
        self._revoke(client_key, at_ms, keep_until)

    def ping(self) -> None:
        """See `Store.ping`."""

    def close(self) -> None:
        """See `Store.close`."""

    def _known_since_ms(self, now_ms: int) -> int:
        if self._since_ms is None:
            self._since_ms = now_ms + CLOCK_SKEW_MS
        return self._since_ms

    def _revoke(self, subject: str, at_ms: int, keep_until: int) -> None:
        with self._lock:
            now = at_ms // 1000
            at_ms = max(at_ms, self._revoked.get(subject) or 0)
            self._revoked.put(subject, at_ms, keep_until=keep_until, now=now)

    def _revoked_ms(self, user: str | None, client_key: str) -> int:
        return max(self._revoked.get(subject) or 0 for subject in (user or "", client_key))
