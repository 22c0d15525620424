"""State in one SQLite file: the embedded default, safe across threads and processes."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError, StoreError
from kataven_flask.store.base import Outcome, Presented, Record, Rotation, after, decide

BUSY_TIMEOUT: Final = 1.5
"""Seconds to wait for another writer; a caller is promised an answer within two."""
_RETRY_PAUSE: Final = 0.01
"""Seconds."""
_PURGE_PER_STEP: Final = 8
"""Rows; a step adds at most one, so what has expired is gone soon and no purge is long."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spent (
    jti TEXT PRIMARY KEY, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    sid TEXT PRIMARY KEY, generation INTEGER NOT NULL, rotated_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked_user (
    user TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_keep_until ON spent (keep_until);
CREATE INDEX IF NOT EXISTS session_keep_until ON session (keep_until);
CREATE INDEX IF NOT EXISTS revoked_user_keep_until ON revoked_user (keep_until);
"""
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
_REVOKE_USER: Final = """
INSERT INTO revoked_user (user, at_ms, keep_until) VALUES (?, ?, ?)
ON CONFLICT (user) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms),
    keep_until = max(keep_until, excluded.keep_until)
"""
_PURGE: Final = {
    "spent": "DELETE FROM spent WHERE jti IN (SELECT jti FROM spent WHERE keep_until < ? LIMIT ?)",
    "session": "DELETE FROM session WHERE sid IN"
    " (SELECT sid FROM session WHERE keep_until < ? LIMIT ?)",
    "revoked_user": "DELETE FROM revoked_user WHERE user IN"
    " (SELECT user FROM revoked_user WHERE keep_until < ? LIMIT ?)",
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
            message = f"{path.parent}: no such folder for the state file; make it, or mend --state"
            raise ConfigurationError(message)
        if path.is_dir():
            raise ConfigurationError(f"{path}: is a folder; name a file in it with --state")
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    def spend(self, jti: str, *, keep_until: int, now: int) -> bool:
        """See `Store.spend`."""
        with self._step() as connection:
            cursor = connection.execute(
                "INSERT INTO spent (jti, keep_until) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (jti, keep_until),
            )
            _purge(connection, "spent", now)
            return cursor.rowcount == 1

    def rotate(self, presented: Presented) -> Rotation:
        """See `Store.rotate`."""
        with self._step() as connection:
            record = _find_session(connection, presented.sid)
            revoked_ms = _find_user(connection, presented.user) if presented.user else None
            outcome = decide(record, revoked_ms, presented)
            new = after(record, outcome, presented)
            if outcome in {Outcome.ROTATED, Outcome.REUSED}:
                connection.execute(
                    _PUT_SESSION,
                    (
                        presented.sid,
                        new.generation,
                        new.rotated_ms,
                        new.revoked,
                        presented.keep_until,
                    ),
                )
                _purge(connection, "session", presented.now_ms // 1000)
            return Rotation(outcome, new.generation, new.rotated_ms)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        with self._step() as connection:
            connection.execute(_REVOKE_SESSION, (sid, keep_until))
            _purge(connection, "session", now)

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        with self._step() as connection:
            connection.execute(_REVOKE_USER, (user, at_ms, keep_until))
            _purge(connection, "revoked_user", at_ms // 1000)

    def user_revoked_ms(self, user: str) -> int | None:
        """See `Store.user_revoked_ms`."""
        with self._reaching() as connection:
            return _find_user(connection, user)

    def ping(self) -> None:
        """See `Store.ping`."""
        with self._step():
            pass

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            connections, self._connections = self._connections, []
            self._local = threading.local()
        for connection in connections:
            connection.close()

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the first read on, and commit or undo all of it."""
        with self._reaching() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _reaching(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except sqlite3.Error as error:
            message = f"{self._path}: {error}"
            raise StoreError(message) from error

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection, as long as it stands for the file.

        One that was opened before a fork doesn't; nor does one whose file was removed or
        replaced since: two threads on two files would each spend a token.
        """
        opened: tuple[tuple[int, int], sqlite3.Connection] | None
        opened = getattr(self._local, "opened", None)
        if opened is None or opened[0] != self._identity():
            connection = self._open()
            opened = (self._identity(), connection)
            self._local.opened = opened
        return opened[1]

    def _identity(self) -> tuple[int, int]:
        try:
            return os.getpid(), self._path.stat().st_ino
        except OSError:
            return os.getpid(), 0

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.touch(mode=0o600)  # SQLite's own files beside it take over its mode
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            _switch_to_wal(connection)
            # NORMAL outlives a killed process; only a power cut may take the last commits.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        with self._lock:
            self._connections.append(connection)
        return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch a fresh file to WAL; SQLite doesn't wait for another's lock in this step."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_PAUSE)
        else:
            break
    if mode != "wal":  # a network file system, for example
        raise sqlite3.OperationalError(f"the file can't be in WAL mode, it stays in {mode}")


def _find_session(connection: sqlite3.Connection, sid: str) -> Record | None:
    row = connection.execute(
        "SELECT generation, rotated_ms, revoked FROM session WHERE sid = ?", (sid,)
    ).fetchone()
    return None if row is None else Record(row[0], row[1], bool(row[2]))


def _find_user(connection: sqlite3.Connection, user: str) -> int | None:
    row = connection.execute("SELECT at_ms FROM revoked_user WHERE user = ?", (user,)).fetchone()
    return None if row is None else int(row[0])


def _purge(connection: sqlite3.Connection, table: str, now: int) -> None:
    connection.execute(_PURGE[table], (now, _PURGE_PER_STEP))
