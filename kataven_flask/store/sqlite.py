"""State in one SQLite file: the embedded default, safe across threads and processes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError, StoreError
from kataven_flask.store import sqlite_rows as rows
from kataven_flask.store.base import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
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
        self._file = SqliteFile(path, rows.SCHEMA)
        self._purged: dict[str, int] = {}

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        with self._step() as connection:
            if rows.noted_since_ms(connection) is None:
                rows.note_since_ms(connection, now_ms)

    def since_ms(self) -> int | None:
        """See `Store.since_ms`; a file that isn't there, or isn't ours, stays as it is."""
        if not self._path.exists():
            return None
        url = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(url, uri=True, timeout=BUSY_TIMEOUT)) as connection:
                return rows.noted_since_ms(connection) if rows.has_memory(connection) else None
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreError(f"{self._path}: {error}") from error

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        with self._turn_taken() as connection:
            is_purged = self._is_purged("spent", presented.now)
            if is_purged and rows.spend_plainly(connection, presented):
                return Spending.SPENT
            with _transaction(connection):
                return self._spend_by_rule(connection, presented)

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        with self._turn_taken() as connection:
            is_purged = self._is_purged("session", presented.now)
            if is_purged and rows.rotate_plainly(connection, presented):
                return Rotation(Outcome.ROTATED, presented.generation + 1, presented.now_ms)
            with _transaction(connection):
                return self._rotate_by_rule(connection, presented)

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        with self._step() as connection:
            rows.end_session(connection, sid, keep_until)
            self._purge(connection, "session", now)

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

    def _spend_by_rule(
        self, connection: sqlite3.Connection, presented: PresentedVisitor
    ) -> Spending:
        spending = decide_spending(
            spent=rows.is_spent(connection, presented.jti),
            revoked_ms=rows.revoked_ms(connection, presented.user, presented.client_key),
            since_ms=rows.known_since_ms(connection, presented.now_ms),
            presented=presented,
        )
        if spending is Spending.SPENT:
            rows.put_spent(connection, presented.jti, presented.keep_until)
            self._purge(connection, "spent", presented.now)
        return spending

    def _rotate_by_rule(
        self, connection: sqlite3.Connection, presented: PresentedRefresh
    ) -> Rotation:
        record = rows.find_session(connection, presented.sid)
        outcome = decide(
            record,
            revoked_ms=rows.revoked_ms(connection, presented.user, presented.client_key),
            since_ms=rows.known_since_ms(connection, presented.now_ms),
            presented=presented,
        )
        new = after(record, outcome, presented)
        if outcome in {Outcome.ROTATED, Outcome.REUSED}:
            rows.put_session(connection, presented.sid, new, presented.keep_until)
            self._purge(connection, "session", presented.now)
        return Rotation(outcome, new.generation, new.rotated_ms)

    def _revoke(self, subject: str, at_ms: int, keep_until: int) -> None:
        with self._step() as connection:
            rows.revoke(connection, subject, at_ms, keep_until)
            self._purge(connection, "revoked", at_ms // 1000)

    def _is_purged(self, table: str, now: int) -> bool:
        """Tell whether a step adds a row and has none to remove in the same transaction."""
        return self._purged.get(table) == rows.last_end(now)

    def _purge(self, connection: sqlite3.Connection, table: str, now: int) -> None:
        if rows.purge(connection, table, now):
            self._purged[table] = rows.last_end(now)

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        with self._turn_taken() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def _turn_taken(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread at a time.

        Threads queue on a lock of ours, so that only processes meet at SQLite's, which
        has those that wait sleep and is not fair to them.
        """
        patience = Patience(BUSY_TIMEOUT)
        if not self._turn.acquire(timeout=patience.left()):
            raise StoreError(f"{self._path}: other requests have waited for it as long")
        try:
            yield self._file.connected(patience)
        except (sqlite3.Error, UnicodeError) as error:
            self._file.drop_after(error)
            raise StoreError(f"{self._path}: {error}") from error
        finally:
            self._turn.release()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the first read on, and commit or undo all of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
