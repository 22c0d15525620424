"""A SQLite file and this process' one connection to it, as long as that stands for the file."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

_RETRY_PAUSE: Final = 0.01
"""Seconds."""
_MOMENT: Final = 0.01
"""Seconds by which a connection may wait longer than was left: to tell it anew is a statement."""
_PRIMARY_CODE: Final = 0xFF
"""What of an extended result code names its kind."""
_PASSING: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}
"""Kinds of errors after which a connection is as good as before."""


class Patience:
    """What is left of the time that one step may wait, over all that it waits for.

    Args:
        seconds: How long in all.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, 0 where there are none."""
        return max(0.0, self._deadline - time.monotonic())


class SqliteFile:
    """A file in WAL mode, and the connection to it; one thread may use it at a time.

    Args:
        path: The file; it is made where it doesn't exist.
        schema: What makes its tables, where they aren't there.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._opened = (0, 0, 0)
        self._lent = 0.0

    def connected(self, patience: Patience) -> sqlite3.Connection:
        """Return this process' connection, as long as it stands for the file.

        One that was opened before a fork doesn't; nor does one whose file was removed or
        replaced since: two servers on two files would each spend a token.

        Args:
            patience: How long it may wait for other processes, now and in what it is used for.

        Raises:
            sqlite3.Error: The file can't be used.
            UnicodeError: Likewise; a message of SQLite's may quote a damaged name.
        """
        if self._connection is None or self._opened != self._identity():
            self.drop()
            self._touch()
            before = self._identity()
            self._connection = self._open(patience)
            self._opened = before
            self._lent = math.inf  # it was told several times, so that it's told again
            if before != self._identity():
                raise sqlite3.OperationalError("it was replaced while it was opened")
        left = patience.left()
        if abs(self._lent - left) > _MOMENT:
            _let_wait(self._connection, left)
            self._lent = left
        return self._connection

    def drop_after(self, error: Exception) -> None:
        """Let go of a connection that isn't as good as before: what is wrong may be mended."""
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE not in _PASSING:
            self.drop()

    def drop(self) -> None:
        """Let go of the connection, if there is one."""
        if self._connection is None:
            return
        if self._opened[0] == os.getpid():
            self._connection.close()
        else:
            self._inherited.append(self._connection)  # SQLite wants it closed by its opener alone
        self._connection = None

    def _identity(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - asked at each step, and twice as fast
        except OSError:
            return os.getpid(), 0, 0
        return os.getpid(), status.st_dev, status.st_ino

    def _touch(self) -> None:
        try:
            self._path.touch(mode=0o600)  # SQLite's own files beside it take over its mode
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error

    def _open(self, patience: Patience) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            _switch_to_wal(connection, patience)
            # NORMAL outlives a killed process; only a power cut may take the last commits.
            connection.execute("PRAGMA synchronous = NORMAL")
            _let_wait(connection, patience.left())
            connection.executescript(self._schema)
        except (sqlite3.Error, UnicodeError):
            connection.close()
            raise
        return connection


def _let_wait(connection: sqlite3.Connection, seconds: float) -> None:
    """Let a connection wait for other processes so long at each of its statements."""
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def _switch_to_wal(connection: sqlite3.Connection, patience: Patience) -> None:
    """Switch a fresh file to WAL; SQLite doesn't wait for another's lock in this step."""
    _let_wait(connection, patience.left())
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    _let_wait(connection, 0)
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if not patience.left():
                raise
            time.sleep(_RETRY_PAUSE)
        else:
            break
    if mode != "wal":  # a network file system, for example
        raise sqlite3.OperationalError(f"the file can't be in WAL mode, it stays in {mode}")
