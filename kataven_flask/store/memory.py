"""State in the memory of one process: for tests, the demo and a single worker."""

from __future__ import annotations

import threading
from typing import Final, Generic, TypeVar

from kataven_flask.store.base import Outcome, Presented, Record, Rotation, after, decide

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
        self._spent: _Kept[bool] = _Kept()
        self._sessions: _Kept[Record] = _Kept()
        self._revoked_users: _Kept[int] = _Kept()

    def spend(self, jti: str, *, keep_until: int, now: int) -> bool:
        """See `Store.spend`."""
        with self._lock:
            if self._spent.get(jti):
                return False
            self._spent.put(jti, value=True, keep_until=keep_until, now=now)
            return True

    def rotate(self, presented: Presented) -> Rotation:
        """See `Store.rotate`."""
        with self._lock:
            record = self._sessions.get(presented.sid)
            revoked_ms = self._revoked_users.get(presented.user) if presented.user else None
            outcome = decide(record, revoked_ms, presented)
            new = after(record, outcome, presented)
            if outcome in {Outcome.ROTATED, Outcome.REUSED}:
                now = presented.now_ms // 1000
                self._sessions.put(presented.sid, new, keep_until=presented.keep_until, now=now)
            return Rotation(outcome, new.generation, new.rotated_ms)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        with self._lock:
            known = self._sessions.get(sid) or Record()
            revoked = Record(known.generation, known.rotated_ms, revoked=True)
            self._sessions.put(sid, revoked, keep_until=keep_until, now=now)

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        with self._lock:
            at_ms = max(at_ms, self._revoked_users.get(user) or 0)
            self._revoked_users.put(user, at_ms, keep_until=keep_until, now=at_ms // 1000)

    def user_revoked_ms(self, user: str) -> int | None:
        """See `Store.user_revoked_ms`."""
        with self._lock:
            return self._revoked_users.get(user)

    def ping(self) -> None:
        """See `Store.ping`."""

    def close(self) -> None:
        """See `Store.close`."""
