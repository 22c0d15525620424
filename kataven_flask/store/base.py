"""The contract of a state store: what it keeps, and the two rules that it carries out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol, runtime_checkable

SHARDS: Final = tuple(f"{number:02x}" for number in range(256))
"""What a visitor's entries have in common, so that a cluster keeps them on one node."""
REMEMBERS_NOTHING: Final = "state store remembers nothing; what is older is refused"
"""What the log has of a store that lost its data, whoever meets it first."""
CLOCK_SKEW_MS: Final = 10_000
"""Milliseconds that two hosts' clocks may differ."""

_KNOWN_SHARDS: Final = frozenset(SHARDS)
_SESSION_PREFIX: Final = "ses_"


def shard_of(name: str) -> str:
    """Return the shard of a session's id or of a user's digest: its first two hex digits."""
    shard = name.removeprefix(_SESSION_PREFIX)[:2]
    return shard if shard in _KNOWN_SHARDS else SHARDS[0]


class Spending(Enum):
    """What became of a presented visitor token."""

    SPENT = auto()
    """It was good, and is used up now."""
    USED = auto()
    """It was spent before."""
    REVOKED = auto()
    """It was minted before its user, or its client key, was revoked."""
    UNKNOWN = auto()
    """It is older than what this store remembers."""


class Outcome(Enum):
    """What became of a presented refresh token."""

    ROTATED = auto()
    """It was the current one; the next generation is current now."""
    REPEATED = auto()
    """It was the one before, within the grace; nothing moved."""
    REUSED = auto()
    """It was rotated away earlier; the session is revoked now."""
    UNTIMELY = auto()
    """It was the one before, rotated away at a time yet to come: a clock was put back, so
    that nobody can tell whether the grace is over. Nothing moved."""
    REVOKED = auto()
    """The session was revoked before."""
    UNKNOWN = auto()
    """It claims a rotation, or a birth, that this store has no memory of."""


@dataclass(frozen=True, slots=True)
class PresentedVisitor:
    """A verified visitor token, as far as a store needs to know it.

    Args:
        jti: Its id.
        user: Its user's digest, in hex.
        client_key: The client key it was minted for.
        minted: When, in seconds since the epoch.
        now_ms: The present, in milliseconds since the epoch.
        keep_until: Until when to remember that it was spent, in seconds since the epoch.
    """

    jti: str
    user: str = field(repr=False)
    client_key: str
    minted: int
    now_ms: int
    keep_until: int

    @property
    def now(self) -> int:
        """The present, in whole seconds since the epoch."""
        return self.now_ms // 1000


@dataclass(frozen=True, slots=True)
class PresentedRefresh:
    """A verified refresh token, as far as a store needs to know it.

    Args:
        sid: The session's id; of a user's session, its shard is the user's.
        user: The user's digest, in hex, where the visitor is a user.
        client_key: The client key that the session was begun with.
        generation: The generation it carries.
        began_ms: When the session began, in milliseconds since the epoch.
        now_ms: The present, in milliseconds since the epoch.
        grace_ms: How long the one before is still taken, in milliseconds.
        keep_until: Until when the record must be kept, in seconds since the epoch.
    """

    sid: str
    user: str | None = field(repr=False)
    client_key: str
    generation: int
    began_ms: int
    now_ms: int
    grace_ms: int
    keep_until: int

    @property
    def now(self) -> int:
        """The present, in whole seconds since the epoch."""
        return self.now_ms // 1000


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

    A method raises StoreError where the step can't be done; then nothing of it is, or
    nobody can tell. Where entries are spread over nodes, `begin` and `revoke_key` are a
    step on each, and can be repeated.
    """

    def begin(self, now_ms: int) -> None:
        """Note since when the store remembers, where it has no note of that.

        A store that lost its data can't tell whether an older token was spent or its
        session ended, and says UNKNOWN. A step that finds no note makes one, too: of
        `CLOCK_SKEW_MS` after its own present, because another host, whose clock is ahead,
        may have minted what was lost.

        Args:
            now_ms: Milliseconds since the epoch.
        """
        ...

    def since_ms(self) -> int | None:
        """Return since when it remembers all, in milliseconds since the epoch; None for never."""
        ...

    def spend(self, presented: PresentedVisitor) -> Spending:
        """Spend a visitor token: SPENT is told to exactly one caller, however many ask."""
        ...

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """Compare a refresh token's generation with the session's, and swap it for the next."""
        ...

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """End a session, known or not, for good."""
        ...

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """End every session that a user began before a time, in milliseconds since the epoch."""
        ...

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """End every session that was begun with a client key before a time, likewise."""
        ...

    def ping(self) -> None:
        """Raise StoreError where the next step could not be done."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that was counted, or was one too many.

    Args:
        admitted: Whether it was counted.
        before: How many were in the window before.
        present: How many are in the present window, this one included if it was counted.
        left: Seconds until the present window ends.
    """

    admitted: bool
    before: int
    present: int
    left: float


@runtime_checkable
class Counts(Protocol):
    """A store that counts requests, too: one that several hosts share."""

    def hit(self, name: str, *, limit: int, window: int, amount: int = 1) -> Hit:
        """Count a request, unless there were too many.

        The share of the last window that is less than a window ago counts as well.

        Args:
            name: What it is counted under, in hex digits.
            limit: How many are let through in a window.
            window: Its length in seconds; windows begin at multiples of it.
            amount: For how many requests it counts.

        Raises:
            StoreError: It can't be counted.
        """
        ...


def decide_spending(
    *, spent: bool, revoked_ms: int, since_ms: int, presented: PresentedVisitor
) -> Spending:
    """Tell what a presented visitor token may do; the stores carry it out.

    Args:
        spent: Whether it is on record as spent.
        revoked_ms: When its user or its key was last revoked, in milliseconds since the
            epoch; 0 for never.
        since_ms: Since when the store remembers, in milliseconds since the epoch.
        presented: The token.

    Returns:
        What becomes of it.
    """
    if spent:
        return Spending.USED
    # A JWT's times are whole seconds. A token of the very second in which the store began may
    # be older than the store, and is refused; a token of a revocation's own second is taken,
    # so that a backend which revokes and signs its user in again at once isn't refused.
    if presented.minted * 1000 < since_ms:
        return Spending.UNKNOWN
    if presented.minted < revoked_ms // 1000:
        return Spending.REVOKED
    return Spending.SPENT


def decide(
    record: Record | None, *, revoked_ms: int, since_ms: int, presented: PresentedRefresh
) -> Outcome:
    """Tell what a presented refresh token may do; the stores carry it out.

    The grace for the direct parent is for a second tab and a lost answer; a token that
    is older has been copied (RFC 9700, section 4.14.2).

    Args:
        record: What is kept of the session; None before its first refresh.
        revoked_ms: When its user or its key was last revoked, in milliseconds since the
            epoch; 0 for never.
        since_ms: Since when the store remembers, in milliseconds since the epoch.
        presented: The token.

    Returns:
        The outcome.
    """
    known = record or Record()
    if known.revoked or presented.began_ms < revoked_ms:
        return Outcome.REVOKED
    if record is None and (presented.generation > 0 or presented.began_ms < since_ms):
        return Outcome.UNKNOWN
    if presented.generation == known.generation:
        return Outcome.ROTATED
    elapsed_ms = presented.now_ms - known.rotated_ms
    if presented.generation == known.generation - 1 and elapsed_ms < presented.grace_ms:
        if elapsed_ms < -CLOCK_SKEW_MS:
            return Outcome.UNTIMELY
        if presented.grace_ms > 0:
            return Outcome.REPEATED
    return Outcome.REUSED


def after(record: Record | None, outcome: Outcome, presented: PresentedRefresh) -> Record:
    """Return the session's record once an outcome has been carried out."""
    known = record or Record()
    match outcome:
        case Outcome.ROTATED:
            return Record(known.generation + 1, presented.now_ms)
        case Outcome.REUSED:
            return Record(known.generation, known.rotated_ms, revoked=True)
        case _:
            return known
