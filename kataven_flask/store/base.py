"""The contract of a state store: what it keeps, and the one rule of rotation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Outcome(Enum):
    """What became of a presented refresh token."""

    ROTATED = auto()
    """It was the current one; the next generation is current now."""
    REPEATED = auto()
    """It was the one before, within the grace; nothing moved."""
    REUSED = auto()
    """It was rotated away earlier; the session is revoked now."""
    REVOKED = auto()
    """The session was revoked before."""
    UNKNOWN = auto()
    """It claims a rotation that this store has no record of."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A verified refresh token, as far as a store needs to know it.

    Args:
        sid: The session's id.
        generation: The generation it carries.
        began_ms: When the session began, in milliseconds since the epoch.
        user: The user's digest, where the visitor is a user.
        now_ms: The present, in milliseconds since the epoch.
        grace_ms: How long the one before is still taken, in milliseconds.
        keep_until: Until when the record must be kept, in seconds since the epoch.
    """

    sid: str
    generation: int
    began_ms: int
    user: str | None
    now_ms: int
    grace_ms: int
    keep_until: int


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a session from its first refresh on.

    Args:
        generation: The current generation.
        rotated_ms: When it became so, in milliseconds since the epoch.
        revoked: Whether the session is over.
    """

    generation: int = 0
    rotated_ms: int = 0
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Rotation:
    """The answer to a presented refresh token.

    Args:
        outcome: What became of it.
        generation: The session's current generation.
        rotated_ms: When that became current, in milliseconds since the epoch.
    """

    outcome: Outcome
    generation: int
    rotated_ms: int


class Store(Protocol):
    """Keeps what must be remembered; each method is one atomic step.

    A method raises StoreError where the step can't be done; then nothing of
    it is.
    """

    def spend(self, jti: str, *, keep_until: int, now: int) -> bool:
        """Spend a visitor token.

        Args:
            jti: Its id.
            keep_until: Until when to remember it, in seconds since the epoch.
            now: Seconds since the epoch.

        Returns:
            True to exactly one caller, however many ask.
        """
        ...

    def rotate(self, presented: Presented) -> Rotation:
        """Compare a refresh token's generation with the session's, and swap it for the next."""
        ...

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """End a session, known or not, for good."""
        ...

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """End every session that a user began before a time, in milliseconds since the epoch."""
        ...

    def user_revoked_ms(self, user: str) -> int | None:
        """Return the last time given to `revoke_user`, or None."""
        ...

    def ping(self) -> None:
        """Raise StoreError where the next step could not be done."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def decide(record: Record | None, user_revoked_ms: int | None, presented: Presented) -> Outcome:
    """Tell what a presented refresh token may do; the stores carry it out.

    The grace for the direct parent is for a second tab and a lost answer; a token that
    is older has been copied (RFC 9700, section 4.14.2).

    Args:
        record: What is kept of the session; None before its first refresh.
        user_revoked_ms: When its user's sessions were revoked, in milliseconds since the epoch.
        presented: The token.

    Returns:
        The outcome.
    """
    known = record or Record()
    if known.revoked or (user_revoked_ms is not None and presented.began_ms < user_revoked_ms):
        return Outcome.REVOKED
    if presented.generation == known.generation:
        return Outcome.ROTATED
    if record is None:
        return Outcome.UNKNOWN
    within_grace = presented.now_ms - known.rotated_ms < presented.grace_ms
    if presented.generation == known.generation - 1 and within_grace:
        return Outcome.REPEATED
    return Outcome.REUSED


def after(record: Record | None, outcome: Outcome, presented: Presented) -> Record:
    """Return the session's record once an outcome has been carried out."""
    known = record or Record()
    match outcome:
        case Outcome.ROTATED:
            return Record(known.generation + 1, presented.now_ms)
        case Outcome.REUSED:
            return Record(known.generation, known.rotated_ms, revoked=True)
        case _:
            return known
