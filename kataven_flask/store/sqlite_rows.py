"""What stands in the SQLite file: its tables, and each read and write of a row."""

from __future__ import annotations

import sqlite3
from typing import Final

from kataven_flask.store.base import (
    CLOCK_SKEW_MS,
    PresentedRefresh,
    PresentedVisitor,
    Record,
)

SCHEMA: Final = """
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

_PURGE_PER_STEP: Final = 8
"""Rows; a step adds at most one, so what has expired is gone soon and no purge is long."""
_KEEP_UNIT: Final = 3600
"""Seconds to which an end is rounded up, so that a rotation seldom moves an index entry."""

_HAS_MEMORY: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'memory'"
_SPEND_PLAINLY: Final = """
INSERT INTO spent (jti, keep_until) SELECT ?, ?
WHERE ? >= (SELECT since_ms FROM memory)
    AND NOT EXISTS (SELECT 1 FROM revoked WHERE subject IN (?, ?))
ON CONFLICT DO NOTHING
"""
_BEGIN_PLAINLY: Final = """
INSERT INTO session (sid, generation, rotated_ms, revoked, keep_until) SELECT ?, 1, ?, 0, ?
WHERE ? >= (SELECT since_ms FROM memory)
    AND NOT EXISTS (SELECT 1 FROM revoked WHERE subject IN (?, ?))
ON CONFLICT DO NOTHING
"""
_ROTATE_PLAINLY: Final = """
UPDATE session SET generation = generation + 1, rotated_ms = ?, keep_until = max(keep_until, ?)
WHERE sid = ? AND generation = ? AND revoked = 0
    AND NOT EXISTS (SELECT 1 FROM revoked WHERE subject IN (?, ?))
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


# --- what nearly every step comes to


def spend_plainly(connection: sqlite3.Connection, presented: PresentedVisitor) -> bool:
    """Spend a token that nothing speaks against; tell whether it was one.

    Of a user and a key that were never revoked, minted since the file remembers, not spent:
    so are nearly all. One statement is a transaction by itself, at half the cost of one that
    reads first and lets `decide_spending` tell, which is for all the others.
    """
    values = (
        presented.jti,
        _round_up(presented.keep_until),
        presented.minted * 1000,
        presented.user,
        presented.client_key,
    )
    return connection.execute(_SPEND_PLAINLY, values).rowcount == 1


def rotate_plainly(connection: sqlite3.Connection, presented: PresentedRefresh) -> bool:
    """Rotate a session by its current token, if nothing was ever revoked; tell whether it was.

    See `spend_plainly`; here `decide` is for all the others.
    """
    keep_until = _round_up(presented.keep_until)
    subjects = presented.user, presented.client_key
    if presented.generation == 0:
        first = presented.sid, presented.now_ms, keep_until, presented.began_ms
        return connection.execute(_BEGIN_PLAINLY, first + subjects).rowcount == 1
    later = presented.now_ms, keep_until, presented.sid, presented.generation
    return connection.execute(_ROTATE_PLAINLY, later + subjects).rowcount == 1


# --- the memory's beginning


def has_memory(connection: sqlite3.Connection) -> bool:
    """Tell whether the file is one of ours."""
    return connection.execute(_HAS_MEMORY).fetchone() is not None


def noted_since_ms(connection: sqlite3.Connection) -> int | None:
    """Return since when the file remembers; None in a fresh one."""
    row = connection.execute("SELECT since_ms FROM memory").fetchone()
    return None if row is None else _whole(row[0])


def known_since_ms(connection: sqlite3.Connection, now_ms: int) -> int:
    """Return since when the file remembers, and note it in a fresh one."""
    since_ms = noted_since_ms(connection)
    if since_ms is None:
        since_ms = now_ms + CLOCK_SKEW_MS
        note_since_ms(connection, since_ms)
    return since_ms


def note_since_ms(connection: sqlite3.Connection, since_ms: int) -> None:
    """Note since when a fresh file remembers."""
    connection.execute("INSERT INTO memory (since_ms) VALUES (?)", (since_ms,))


# --- tokens, sessions, revocations


def is_spent(connection: sqlite3.Connection, jti: str) -> bool:
    """Tell whether a visitor token is on record as spent."""
    found = connection.execute("SELECT 1 FROM spent WHERE jti = ?", (jti,)).fetchone()
    return found is not None


def put_spent(connection: sqlite3.Connection, jti: str, keep_until: int) -> None:
    """Put a visitor token on record as spent."""
    values = jti, _round_up(keep_until)
    connection.execute("INSERT INTO spent (jti, keep_until) VALUES (?, ?)", values)


def find_session(connection: sqlite3.Connection, sid: str) -> Record | None:
    """Return a session's record."""
    row = connection.execute(
        "SELECT generation, rotated_ms, revoked FROM session WHERE sid = ?", (sid,)
    ).fetchone()
    return None if row is None else Record(_whole(row[0]), _whole(row[1]), bool(_whole(row[2])))


def put_session(connection: sqlite3.Connection, sid: str, new: Record, keep_until: int) -> None:
    """Put a session's record in the place of the one before."""
    values = sid, new.generation, new.rotated_ms, new.revoked, _round_up(keep_until)
    connection.execute(_PUT_SESSION, values)


def end_session(connection: sqlite3.Connection, sid: str, keep_until: int) -> None:
    """Put on record that a session is over."""
    connection.execute(_REVOKE_SESSION, (sid, _round_up(keep_until)))


def revoke(connection: sqlite3.Connection, subject: str, at_ms: int, keep_until: int) -> None:
    """Put on record that a user or a client key was revoked."""
    connection.execute(_REVOKE, (subject, at_ms, _round_up(keep_until)))


def revoked_ms(connection: sqlite3.Connection, user: str | None, client_key: str) -> int:
    """Return when a user or a client key was last revoked; 0 for never."""
    row = connection.execute(
        "SELECT max(at_ms) FROM revoked WHERE subject IN (?, ?)", (user, client_key)
    ).fetchone()
    return 0 if row[0] is None else _whole(row[0])


# --- what has expired


def purge(connection: sqlite3.Connection, table: str, now: int) -> bool:
    """Remove some of what has expired; tell whether that was the last of it."""
    removed = connection.execute(_PURGE[table], (now, _PURGE_PER_STEP)).rowcount
    return removed < _PURGE_PER_STEP


def last_end(now: int) -> int:
    """Return the last moment before now at which anything can have expired."""
    return (now - 1) // _KEEP_UNIT * _KEEP_UNIT


def _round_up(keep_until: int) -> int:
    return -(-keep_until // _KEEP_UNIT) * _KEEP_UNIT


def _whole(value: object) -> int:
    """Return a number that was read, unless the file is damaged."""
    if type(value) is not int:
        raise sqlite3.DatabaseError("it holds what was never written to it")
    return value
