"""State in one SQLite file: the embedded default, safe across threads and processes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError, StoreError
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
from kataven_flask.store.sqlite_file import Patience, SqliteFile

BUSY_TIMEOUT: Final = 0.8
"""Seconds to wait for other writers; a caller, who may have waited as long for a thread, is
promised an answer within two."""
_PURGE_PER_STEP: Final = 8
"""Rows; a step adds at most one, so what has expired is gone soon and no purge is long."""
_KEEP_UNIT: Final = 3600
"""Seconds to which an end is rounded up, so that a rotation seldom moves an index entry."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS memory (since_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS spent (
    jti TEXT PRIMARY KEY, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    sid TEXT PRIMARY KEY, generation INTEGER NOT NULL, rotated_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked (
    subject TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_keep_until ON spent (keep_until);
CREATE INDEX IF NOT EXISTS session_keep_until ON session (keep_until);
CREATE INDEX IF NOT EXISTS revoked_keep_until ON revoked (keep_until);
"""
"""A `subject` is a user's digest or a client key."""
_HAS_MEMORY: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'memory'"
_PUT_SESSION: Final = """
INSERT INTO session (sid, generation, rotated_ms, revoked, keep_until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sid) DO UPDATE SET generation = excluded.generation,
    rotated_ms = excluded.rotated_ms, revoked = excluded.revoked,
    keep_until = max(keep_until, excluded.keep_until)
"""
_REVOKE_SESSION: Final = """
INSERT INTO session (sid, generation, rotated_ms, revoked, keep_until) VALUES (?, 0, 0, 1, ?)
ON CONFLICT (sid) DO UPDATE SET revoked = 1, keep_until = max(keep_until, excluded.keep_until)
"""
_REVOKE: Final = """
INSERT INTO revoked (subject, at_ms, keep_until) VALUES (?, ?, ?)
ON CONFLICT (subject) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms),
    keep_until = max(keep_until, excluded.keep_until)
"""
_PURGE: Final = {
    "spent": "DELETE FROM spent WHERE jti IN (SELECT jti FROM spent WHERE keep_until < ? LIMIT ?)",
    "session": "DELETE FROM session WHERE sid IN"
    " (SELECT sid FROM session WHERE keep_until < ? LIMIT ?)",
    "revoked": "DELETE FROM revoked WHERE subject IN"
    " (SELECT subject FROM revoked WHERE keep_until < ? LIMIT ?)",
}


class SqliteStore:
    """Keeps state in a SQLite file in WAL mode.

    Args:
        path: The file; it is made where it doesn't exist, its folder isn't.

    Raises:
        ConfigurationError: The folder doesn't exist.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            message = f"{path.parent}: no such folder for the state file; make it, or mend"
            raise ConfigurationError(f"{message} --state or --instance")
        if path.is_dir():
            raise ConfigurationError(f"{path}: is a folder; name a file in it with --state")
        self._path = path
        self._turn = threading.Lock()
        self._file = SqliteFile(path, _SCHEMA)

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        with self._step() as connection:
            if _noted_since_ms(connection) is None:
                _note_since_ms(connection, now_ms)

    def since_ms(self) -> int | None:
        """See `Store.since_ms`; a file that isn't there, or isn't ours, stays as it is."""
        if not self._path.exists():
            return None
        url = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(url, uri=True, timeout=BUSY_TIMEOUT)) as connection:
                if connection.execute(_HAS_MEMORY).fetchone() is None:
                    return None
                return _noted_since_ms(connection)
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreError(f"{self._path}: {error}") from error

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        with self._step() as connection:
            spending = decide_spending(
                spent=_is_spent(connection, presented.jti),
                revoked_ms=_revoked_ms(connection, presented.user, presented.client_key),
                since_ms=_known_since_ms(connection, presented.now_ms),
                presented=presented,
            )
            if spending is Spending.SPENT:
                connection.execute(
                    "INSERT INTO spent (jti, keep_until) VALUES (?, ?)",
                    (presented.jti, _round_up(presented.keep_until)),
                )
                _purge(connection, "spent", presented.now)
            return spending

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        with self._step() as connection:
            record = _find_session(connection, presented.sid)
            outcome = decide(
                record,
                revoked_ms=_revoked_ms(connection, presented.user, presented.client_key),
                since_ms=_known_since_ms(connection, presented.now_ms),
                presented=presented,
            )
            new = after(record, outcome, presented)
            if outcome in {Outcome.ROTATED, Outcome.REUSED}:
                keep_until = _round_up(presented.keep_until)
                connection.execute(
                    _PUT_SESSION,
                    (presented.sid, new.generation, new.rotated_ms, new.revoked, keep_until),
                )
                _purge(connection, "session", presented.now)
            return Rotation(outcome, new.generation, new.rotated_ms)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        with self._step() as connection:
            connection.execute(_REVOKE_SESSION, (sid, _round_up(keep_until)))
            _purge(connection, "session", now)

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        self._revoke(user, at_ms, keep_until)

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_key`."""
        self._revoke(client_key, at_ms, keep_until)

    def ping(self) -> None:
        """See `Store.ping`."""
        with self._step() as connection:
            connection.execute("PRAGMA user_version = 0")  # a write, which a full disk refuses

    def close(self) -> None:
        """See `Store.close`; the next step opens the file again."""
        with self._turn:
            self._file.drop()

    def _revoke(self, subject: str, at_ms: int, keep_until: int) -> None:
        with self._step() as connection:
            connection.execute(_REVOKE, (subject, at_ms, _round_up(keep_until)))
            _purge(connection, "revoked", at_ms // 1000)

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the first read on, and commit or undo all of it.

        Threads queue on a lock of ours, so that only processes meet at SQLite's, which
        has those that wait sleep and is not fair to them.
        """
        patience = Patience(BUSY_TIMEOUT)
        if not self._turn.acquire(timeout=patience.left()):
            raise StoreError(f"{self._path}: other requests have waited for it as long")
        try:
            connection = self._file.connected(patience)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except (sqlite3.Error, UnicodeError) as error:
            self._file.drop_after(error)
            raise StoreError(f"{self._path}: {error}") from error
        finally:
            self._turn.release()


def _known_since_ms(connection: sqlite3.Connection, now_ms: int) -> int:
    """Return since when the file remembers, and note it in a fresh one."""
    since_ms = _noted_since_ms(connection)
    if since_ms is None:
        since_ms = now_ms + CLOCK_SKEW_MS
        _note_since_ms(connection, since_ms)
    return since_ms


def _note_since_ms(connection: sqlite3.Connection, since_ms: int) -> None:
    connection.execute("INSERT INTO memory (since_ms) VALUES (?)", (since_ms,))


def _noted_since_ms(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT since_ms FROM memory").fetchone()
    return None if row is None else _whole(row[0])


def _is_spent(connection: sqlite3.Connection, jti: str) -> bool:
    found = connection.execute("SELECT 1 FROM spent WHERE jti = ?", (jti,)).fetchone()
    return found is not None


def _revoked_ms(connection: sqlite3.Connection, user: str | None, client_key: str) -> int:
    """Return when a user or a client key was last revoked; 0 for never."""
    row = connection.execute(
        "SELECT max(at_ms) FROM revoked WHERE subject IN (?, ?)", (user, client_key)
    ).fetchone()
    return 0 if row[0] is None else _whole(row[0])


def _whole(value: object) -> int:
    """Return a number that was read, unless the file is damaged."""
    if type(value) is not int:
        raise sqlite3.DatabaseError("it holds what was never written to it")
    return value


def _round_up(keep_until: int) -> int:
    return -(-keep_until // _KEEP_UNIT) * _KEEP_UNIT


def _find_session(connection: sqlite3.Connection, sid: str) -> Record | None:
    row = connection.execute(
        "SELECT generation, rotated_ms, revoked FROM session WHERE sid = ?", (sid,)
    ).fetchone()
    return None if row is None else Record(_whole(row[0]), _whole(row[1]), bool(_whole(row[2])))


def _purge(connection: sqlite3.Connection, table: str, now: int) -> None:
    connection.execute(_PURGE[table], (now, _PURGE_PER_STEP))
