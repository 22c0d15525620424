"""What every store promises: a token is spent once, rotates once, and a revocation stands."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kataven_flask.errors import ConfigurationError
from kataven_flask.store import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Rotation,
    Spending,
    Store,
    store_from_url,
)
from kataven_flask.store.base import CLOCK_SKEW_MS
from kataven_flask.store.memory import MemoryStore
from kataven_flask.store.redis import RedisStore
from kataven_flask.store.sqlite import SqliteStore
from tests.store.conftest import KINDS, YESTERDAY_MS, Place, Purging, use

NOW = 1_790_000_000
NOW_MS = NOW * 1000
GRACE_MS = 30_000
KEEP_UNTIL = NOW + 86_400
USER = "3f digest of a user"
OTHER = "3f digest of another"
KEY = "pk_live_acme"


def visitor(  # noqa: PLR0913 - each names one thing that a case changes
    jti: str = "vis_1",
    *,
    keep_until: int = KEEP_UNTIL,
    now: int = NOW,
    minted: int | None = None,
    user: str = USER,
    client_key: str = KEY,
) -> PresentedVisitor:
    """Return a visitor token, minted now unless a test says otherwise."""
    return PresentedVisitor(
        jti, user, client_key, now if minted is None else minted, now * 1000, keep_until
    )


def spend(store: Store, jti: str, *, keep_until: int, now: int) -> bool:
    """Spend a visitor token that was minted just now; tell whether it was good."""
    return store.spend(visitor(jti, keep_until=keep_until, now=now)) is Spending.SPENT


def presented(  # noqa: PLR0913 - each names one thing that a case changes
    generation: int = 0,
    *,
    sid: str = "ses_3f1",
    after_ms: int = 0,
    user: str | None = None,
    began_ms: int = NOW_MS,
    grace_ms: int = GRACE_MS,
    keep_until: int = KEEP_UNTIL,
    client_key: str = KEY,
) -> PresentedRefresh:
    """Return a refresh token of a guest's session that began now, so many milliseconds later."""
    return PresentedRefresh(
        sid,
        user,
        client_key,
        generation,
        began_ms,
        NOW_MS + after_ms,
        grace_ms,
        keep_until,
    )


class TestSpend:
    """Visitor tokens."""

    def test_once(self, store: Store) -> None:
        """A visitor token is spent by the first who asks, and by nobody after."""
        answers = [spend(store, "vis_1", keep_until=KEEP_UNTIL, now=NOW) for _ in range(3)]
        assert answers == [True, False, False]

    def test_each_by_itself(self, store: Store) -> None:
        """To spend one token takes nothing from another."""
        for jti in ("vis_1", "vis_2", "VIS_1", "vis_1 ", "ses_3f1"):
            assert spend(store, jti, keep_until=KEEP_UNTIL, now=NOW)

    def test_until_its_end(self, store: Store) -> None:
        """A token stays spent for as long as it was asked to be remembered."""
        assert spend(store, "vis_1", keep_until=NOW + 300, now=NOW)
        fill(store, 3000, keep_until=NOW + 10_000, now=NOW + 300)
        assert not spend(store, "vis_1", keep_until=NOW + 300, now=NOW + 300)

    def test_twice_is_not_longer(self, store: Store) -> None:
        """A second try that fails does no harm to what is remembered of the first."""
        assert spend(store, "vis_1", keep_until=NOW + 300, now=NOW)
        assert not spend(store, "vis_1", keep_until=NOW + 1, now=NOW)
        fill(store, 3000, keep_until=NOW + 10_000, now=NOW + 200)
        assert not spend(store, "vis_1", keep_until=NOW + 300, now=NOW + 200)

    @pytest.mark.parametrize("jti", ["", "'; DROP TABLE spent; --", "ü😀", "a" * 10_000, "a\0b"])
    def test_whatever_it_is_called(self, store: Store, jti: str) -> None:
        """A token's id is a text and nothing more."""
        assert spend(store, jti, keep_until=KEEP_UNTIL, now=NOW)
        assert not spend(store, jti, keep_until=KEEP_UNTIL, now=NOW)


class TestRotate:
    """Refresh tokens."""

    def test_the_first(self, store: Store) -> None:
        """A session's first refresh token rotates, though nothing was kept of it before."""
        assert store.rotate(presented()) == Rotation(Outcome.ROTATED, 1, NOW_MS)

    def test_one_after_the_other(self, store: Store) -> None:
        """Each refresh token rotates in its turn."""
        for generation in range(20):
            rotation = store.rotate(presented(generation, after_ms=generation))
            assert rotation == Rotation(Outcome.ROTATED, generation + 1, NOW_MS + generation)

    @pytest.mark.parametrize("after_ms", [0, 1, GRACE_MS - 1])
    def test_again_within_the_grace(self, store: Store, after_ms: int) -> None:
        """A second tab that is a moment late gets what the first one got; nothing moves."""
        store.rotate(presented())
        repeated = store.rotate(presented(after_ms=after_ms))
        assert repeated == Rotation(Outcome.REPEATED, 1, NOW_MS)
        assert store.rotate(presented(1, after_ms=after_ms)).outcome is Outcome.ROTATED

    def test_any_number_of_times(self, store: Store) -> None:
        """Ten tabs that renew at once all get the one successor."""
        store.rotate(presented())
        answers = {store.rotate(presented(after_ms=n)) for n in range(10)}
        assert answers == {Rotation(Outcome.REPEATED, 1, NOW_MS)}

    def test_a_repeat_does_not_prolong_the_grace(self, store: Store) -> None:
        """The grace runs from the rotation, however often the old token comes back."""
        store.rotate(presented())
        store.rotate(presented(after_ms=GRACE_MS - 1))
        assert store.rotate(presented(after_ms=GRACE_MS)).outcome is Outcome.REUSED

    @pytest.mark.parametrize("after_ms", [GRACE_MS, GRACE_MS + 1])
    def test_again_after_the_grace(self, store: Store, after_ms: int) -> None:
        """A token that comes back late was copied: the whole session is over."""
        store.rotate(presented())
        assert store.rotate(presented(after_ms=after_ms)).outcome is Outcome.REUSED
        assert store.rotate(presented(1, after_ms=GRACE_MS + 2)).outcome is Outcome.REVOKED
        assert store.rotate(presented(after_ms=GRACE_MS + 2)).outcome is Outcome.REVOKED

    @pytest.mark.parametrize("after_ms", [0, 1])
    def test_no_grace(self, store: Store, after_ms: int) -> None:
        """Where the tenant gives no grace, a token that comes back at once was copied."""
        store.rotate(presented(grace_ms=0))
        assert store.rotate(presented(after_ms=after_ms, grace_ms=0)).outcome is Outcome.REUSED

    def test_the_grandparent(self, store: Store) -> None:
        """A token two rotations old is nobody's second tab, not even within the grace."""
        store.rotate(presented(0))
        store.rotate(presented(1))
        assert store.rotate(presented(0)).outcome is Outcome.REUSED
        assert store.rotate(presented(2)).outcome is Outcome.REVOKED

    @pytest.mark.parametrize("generation", [2, 3, 1000])
    def test_from_the_future(self, store: Store, generation: int) -> None:
        """A token of a generation that was never given ends the session."""
        store.rotate(presented(0))
        assert store.rotate(presented(generation)).outcome is Outcome.REUSED
        assert store.rotate(presented(1)).outcome is Outcome.REVOKED

    @pytest.mark.parametrize("generation", [1, 2, 1000])
    def test_of_an_unknown_session(self, store: Store, generation: int) -> None:
        """A rotated token that nothing is known of is refused: the store may have been lost."""
        assert store.rotate(presented(generation)).outcome is Outcome.UNKNOWN
        assert store.rotate(presented(generation)).outcome is Outcome.UNKNOWN

    def test_each_session_by_itself(self, store: Store) -> None:
        """A session that ends takes no other with it, not even of the same user."""
        for sid in ("ses_3f1", "ses_3f2"):
            store.rotate(presented(sid=sid, user=USER))
        store.rotate(presented(7, sid="ses_3f1", user=USER))
        assert store.rotate(presented(1, sid="ses_3f2", user=USER)).outcome is Outcome.ROTATED

    def test_a_clock_that_goes_back(self, store: Store) -> None:
        """A clock that was put back costs nobody the session."""
        store.rotate(presented(0))
        assert store.rotate(presented(0, after_ms=-5000)).outcome is Outcome.REPEATED
        assert store.rotate(presented(1, after_ms=-5000)).outcome is Outcome.ROTATED

    @pytest.mark.parametrize("grace_ms", [1, GRACE_MS])
    def test_a_clock_that_goes_far_back(self, store: Store, grace_ms: int) -> None:
        """It doesn't prolong the grace: who has the one before is refused, and nothing moves."""
        store.begin((NOW - 9000) * 1000)
        store.rotate(presented(0))
        back = presented(0, after_ms=-10_001, grace_ms=grace_ms)
        assert store.rotate(back).outcome is Outcome.UNTIMELY
        assert store.rotate(presented(1, after_ms=-3_600_000)).outcome is Outcome.ROTATED

    @pytest.mark.parametrize("after_ms", [0, -5000])
    def test_no_grace_on_a_host_that_is_behind(self, store: Store, after_ms: int) -> None:
        """Where there is no grace, a clock that is behind gives none."""
        store.rotate(presented(0, grace_ms=0))
        assert store.rotate(presented(0, after_ms=after_ms, grace_ms=0)).outcome is Outcome.REUSED

    def test_is_kept_until_its_end(self, store: Store) -> None:
        """A session is remembered for as long as its tokens may come back."""
        store.rotate(presented(keep_until=NOW + 1000))
        fill_sessions(store, 3000, after_ms=1000 * 1000)
        late = presented(1, after_ms=1000 * 1000)
        assert store.rotate(late).outcome is Outcome.ROTATED

    def test_is_kept_for_the_longest_asked(self, store: Store) -> None:
        """A lifetime that was made shorter doesn't forget what older tokens need."""
        store.rotate(presented(0, keep_until=NOW + 10_000))
        store.rotate(presented(1, keep_until=NOW + 10))
        fill_sessions(store, 3000, after_ms=9000 * 1000)
        assert store.rotate(presented(2, after_ms=9000 * 1000)).outcome is Outcome.ROTATED


class TestRevokeSession:
    """Logout."""

    def test_before_any_refresh(self, store: Store) -> None:
        """A session that was never renewed can be ended, and its token is good for nothing."""
        store.revoke_session("ses_3f1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented()).outcome is Outcome.REVOKED

    def test_after_some(self, store: Store) -> None:
        """A session that was renewed can be ended; neither its token nor the one before is good."""
        store.rotate(presented())
        store.revoke_session("ses_3f1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented(1)).outcome is Outcome.REVOKED
        assert store.rotate(presented(0)).outcome is Outcome.REVOKED

    def test_twice(self, store: Store) -> None:
        """To end a session twice is no error."""
        for _ in range(2):
            store.revoke_session("ses_3f1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented()).outcome is Outcome.REVOKED

    def test_no_other(self, store: Store) -> None:
        """To end one session ends no other."""
        store.revoke_session("ses_3f1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented(sid="ses_3f2")).outcome is Outcome.ROTATED

    def test_for_the_longest_asked(self, store: Store) -> None:
        """A second logout that asks for less doesn't bring the session back to life."""
        store.revoke_session("ses_3f1", keep_until=NOW + 1000, now=NOW)
        store.revoke_session("ses_3f1", keep_until=NOW + 10, now=NOW)
        fill_sessions(store, 3000, after_ms=500 * 1000)
        assert store.rotate(presented(after_ms=500 * 1000)).outcome is Outcome.REVOKED

    def test_of_a_renewed_session_for_the_longest_asked(self, store: Store) -> None:
        """A logout is remembered for as long as the tokens from before it may come back."""
        store.rotate(presented(keep_until=NOW + 1000))
        store.revoke_session("ses_3f1", keep_until=NOW + 10, now=NOW)
        fill_sessions(store, 3000, after_ms=500 * 1000)
        assert store.rotate(presented(1, after_ms=500 * 1000)).outcome is Outcome.REVOKED


class TestRevokeUser:
    """What a tenant's backend ends."""

    @pytest.mark.parametrize(
        ("began_ms", "outcome"),
        [
            (NOW_MS - 1, Outcome.REVOKED),
            (NOW_MS, Outcome.ROTATED),
            (NOW_MS + 1, Outcome.ROTATED),
        ],
        ids=["before", "at that moment", "after"],
    )
    def test_ends_what_began_before(self, store: Store, began_ms: int, outcome: Outcome) -> None:
        """Every session that the user began before is over, and none that began since."""
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        token = presented(user=USER, began_ms=began_ms, after_ms=5)
        assert store.rotate(token).outcome is outcome

    def test_ends_a_renewed_session(self, store: Store) -> None:
        """A session that was renewed is over too, the grace notwithstanding."""
        store.rotate(presented(user=USER))
        store.revoke_user(USER, at_ms=NOW_MS + 1, keep_until=KEEP_UNTIL)
        assert store.rotate(presented(1, user=USER)).outcome is Outcome.REVOKED
        assert store.rotate(presented(0, user=USER)).outcome is Outcome.REVOKED

    def test_no_other_user(self, store: Store) -> None:
        """Other users' sessions and guests' go on."""
        store.revoke_user(USER, at_ms=NOW_MS + 1, keep_until=KEEP_UNTIL)
        other = presented(sid="ses_3f2", user=OTHER)
        assert store.rotate(other).outcome is Outcome.ROTATED
        assert store.rotate(presented(sid="ses_3f3", user=None)).outcome is Outcome.ROTATED

    def test_the_latest_counts(self, store: Store) -> None:
        """Of two revocations the later one counts, in whichever order they arrive."""
        for at_ms in (NOW_MS, NOW_MS + 9, NOW_MS + 4):
            store.revoke_user(USER, at_ms=at_ms, keep_until=KEEP_UNTIL)
        before, after = (presented(user=USER, began_ms=NOW_MS + n) for n in (8, 9))
        assert store.rotate(before).outcome is Outcome.REVOKED
        assert store.rotate(after).outcome is Outcome.ROTATED

    def test_for_the_longest_asked(self, store: Store) -> None:
        """A second revocation that asks for less doesn't forget the first."""
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=NOW + 1000)
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=NOW + 10)
        for n in range(3000):
            at_ms = (NOW + 500) * 1000
            store.revoke_user(f"00 user {n}", at_ms=at_ms, keep_until=NOW + 10_000)
        token = presented(user=USER, began_ms=NOW_MS - 1, after_ms=500_000)
        assert store.rotate(token).outcome is Outcome.REVOKED

    @pytest.mark.parametrize(
        ("minted", "spending"),
        [(NOW - 1, Spending.REVOKED), (NOW, Spending.SPENT), (NOW + 1, Spending.SPENT)],
        ids=["before", "in that second", "after"],
    )
    def test_ends_what_was_vouched_before(
        self, store: Store, minted: int, spending: Spending
    ) -> None:
        """A visitor token minted before the revocation begins no session after it."""
        store.begin((NOW - 9) * 1000)
        store.revoke_user(USER, at_ms=NOW_MS + 500, keep_until=KEEP_UNTIL)
        assert store.spend(visitor(minted=minted, now=NOW + 2)) is spending
        other = visitor("vis_2", minted=NOW - 1, user=OTHER)
        assert store.spend(other) is Spending.SPENT


class TestRevokeKey:
    """What an operator ends for a whole client key."""

    @pytest.mark.parametrize("shard", ["00", "3f", "ff"])
    def test_ends_what_began_before(self, store: Store, shard: str) -> None:
        """Every session begun with the key is over, guests' and users', and none of another."""
        store.revoke_key(KEY, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        guest, user, other, later = (f"ses_{shard}{n}" for n in range(4))
        before = NOW_MS - 1
        assert store.rotate(presented(sid=guest, began_ms=before)).outcome is Outcome.REVOKED
        of_user = presented(sid=user, user=f"{shard} digest", began_ms=before)
        assert store.rotate(of_user).outcome is Outcome.REVOKED
        of_other = presented(sid=other, client_key="pk_live_other", began_ms=before)
        assert store.rotate(of_other).outcome is Outcome.ROTATED
        assert store.rotate(presented(sid=later)).outcome is Outcome.ROTATED

    def test_ends_what_was_vouched_before(self, store: Store) -> None:
        """A visitor token minted for the key before begins no session after."""
        store.begin((NOW - 9) * 1000)
        store.revoke_key(KEY, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        assert store.spend(visitor(minted=NOW - 1)) is Spending.REVOKED
        assert store.spend(visitor(minted=NOW)) is Spending.SPENT

    def test_the_later_of_key_and_user_counts(self, store: Store) -> None:
        """A user's own revocation and the key's both hold."""
        store.revoke_key(KEY, at_ms=NOW_MS - 5, keep_until=KEEP_UNTIL)
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        token = presented(user=USER, began_ms=NOW_MS - 3)
        assert store.rotate(token).outcome is Outcome.REVOKED
        guest = presented(sid="ses_3f2", began_ms=NOW_MS - 3)
        assert store.rotate(guest).outcome is Outcome.ROTATED


class TestBegin:
    """A store knows since when it remembers."""

    @pytest.mark.parametrize(
        ("began_ms", "outcome"),
        [
            (NOW_MS - 1, Outcome.UNKNOWN),
            (NOW_MS, Outcome.ROTATED),
            (NOW_MS + 1, Outcome.ROTATED),
        ],
        ids=["before", "in that moment", "after"],
    )
    def test_an_older_session_is_refused(
        self, unused_store: Store, began_ms: int, outcome: Outcome
    ) -> None:
        """A session from before may have ended, or been renewed, and nobody can tell."""
        unused_store.begin(NOW_MS)
        use(unused_store, NOW + 300)
        token = presented(began_ms=began_ms, after_ms=300_000)
        assert unused_store.rotate(token).outcome is outcome

    @pytest.mark.parametrize(
        ("minted", "after_ms", "spending"),
        [
            (NOW - 1, 0, Spending.UNKNOWN),
            (NOW, 1, Spending.UNKNOWN),
            (NOW, 0, Spending.SPENT),
            (NOW + 1, 1, Spending.SPENT),
        ],
        ids=["before", "in that second", "as it began", "after"],
    )
    def test_an_older_visitor_token_is_refused(
        self, unused_store: Store, minted: int, after_ms: int, spending: Spending
    ) -> None:
        """A visitor token from before, or from the same second, may have been spent."""
        unused_store.begin(NOW_MS + after_ms)
        use(unused_store, NOW + 300)
        assert unused_store.spend(visitor(minted=minted, now=NOW + 300)) is spending

    @pytest.mark.parametrize(
        ("began_ms", "outcome"),
        [(NOW_MS + CLOCK_SKEW_MS - 1, Outcome.UNKNOWN), (NOW_MS + CLOCK_SKEW_MS, Outcome.ROTATED)],
    )
    def test_a_loss_is_later_than_any_clock(
        self, unused_store: Store, began_ms: int, outcome: Outcome
    ) -> None:
        """Where a step finds the store empty, a host that is ahead has minted before."""
        assert unused_store.rotate(presented(began_ms=NOW_MS)).outcome is Outcome.UNKNOWN
        assert unused_store.since_ms() == NOW_MS + CLOCK_SKEW_MS
        ahead = presented(sid="ses_3f2", began_ms=began_ms, after_ms=5000)
        assert unused_store.rotate(ahead).outcome is outcome
        spent = visitor(minted=(began_ms + 999) // 1000, now=NOW + 5)
        expected = Spending.SPENT if outcome is Outcome.ROTATED else Spending.UNKNOWN
        if began_ms % 1000 == 0:
            assert unused_store.spend(spent) is expected

    def test_every_visitor_is_remembered_since_the_same_time(self, unused_store: Store) -> None:
        """The first step of one visitor is not too late for another's token of that time."""
        unused_store.rotate(presented(sid="ses_00first"))
        at_ms = NOW_MS + CLOCK_SKEW_MS
        for shard in ("01", "3f", "ff"):
            late = presented(sid=f"ses_{shard}late", began_ms=at_ms, after_ms=600_000)
            assert unused_store.rotate(late).outcome is Outcome.ROTATED

    def test_can_be_asked(self, unused_store: Store) -> None:
        """An operator can ask since when, and to ask begins nothing."""
        assert unused_store.since_ms() is None
        assert unused_store.since_ms() is None
        unused_store.begin(NOW_MS)
        assert unused_store.since_ms() == NOW_MS

    @pytest.mark.parametrize("later_ms", [-3_600_000, -10_000, 1_000_000])
    def test_a_restart_forgets_nothing(self, unused_store: Store, later_ms: int) -> None:
        """A server that starts later, or whose clock is behind, doesn't change the memory."""
        unused_store.begin(NOW_MS)
        unused_store.begin(NOW_MS + later_ms)
        assert unused_store.since_ms() == NOW_MS
        assert unused_store.rotate(presented(after_ms=1_000_001)).outcome is Outcome.ROTATED

    def test_what_was_renewed_is_known(self, unused_store: Store) -> None:
        """A session on record goes on, however late the store was begun anew."""
        unused_store.begin(NOW_MS)
        unused_store.rotate(presented())
        unused_store.close()
        unused_store.begin(NOW_MS + 1000)
        assert unused_store.rotate(presented(1)).outcome is Outcome.ROTATED


class TestPurge:
    """What is over is forgotten."""

    ROUNDS = 4000
    MINUTE = 60
    FEW = 1100
    """More than any store lets pile up between two purges, far less than all of it."""

    def test_of_spent_tokens(self, purging: Purging) -> None:
        """Days of traffic leave no more than what is live."""
        for minute in range(self.ROUNDS):
            now = NOW + minute * self.MINUTE
            assert spend(purging.store, f"vis_{minute}", keep_until=now + 600, now=now)
        assert purging.size() <= self.FEW
        for live in range(self.ROUNDS - 9, self.ROUNDS):
            assert not spend(purging.store, f"vis_{live}", keep_until=now, now=now)

    def test_of_sessions(self, purging: Purging) -> None:
        """Sessions that can't come back are forgotten, and the live ones are not."""
        for minute in range(self.ROUNDS):
            later = minute * self.MINUTE
            token = presented(
                sid=f"ses_{minute}",
                began_ms=NOW_MS + later * 1000,
                after_ms=later * 1000,
                keep_until=NOW + later + 600,
            )
            assert purging.store.rotate(token).outcome is Outcome.ROTATED
        assert purging.size() <= self.FEW
        live = presented(1, sid=f"ses_{minute}", after_ms=later * 1000)
        assert purging.store.rotate(live).outcome is Outcome.ROTATED

    def test_of_logouts(self, purging: Purging) -> None:
        """Logouts are forgotten once no token of the session can come back."""
        for minute in range(self.ROUNDS):
            now = NOW + minute * self.MINUTE
            purging.store.revoke_session(f"ses_{minute}", keep_until=now + 600, now=now)
        assert purging.size() <= self.FEW
        token = presented(sid=f"ses_{minute}", after_ms=(now - NOW) * 1000)
        assert purging.store.rotate(token).outcome is Outcome.REVOKED

    def test_of_revoked_users(self, purging: Purging) -> None:
        """Revocations are forgotten once no session from before them can come back."""
        for minute in range(self.ROUNDS):
            now = NOW + minute * self.MINUTE
            purging.store.revoke_user(f"user {minute}", at_ms=now * 1000, keep_until=now + 600)
        assert purging.size() <= self.FEW
        token = presented(user=f"user {minute}", began_ms=now * 1000 - 1)
        assert purging.store.rotate(token).outcome is Outcome.REVOKED

    def test_after_a_burst(self, purging: Purging) -> None:
        """What a burst left behind is gone after as much traffic as it was."""
        fill(purging.store, 3000, keep_until=NOW + 10, now=NOW)
        assert purging.size() == 3000
        later = NOW + 2 * 3600
        for n in range(1500):
            assert spend(purging.store, f"later {n}", keep_until=later + 9000, now=later)
        assert purging.size() <= 1500 + self.FEW


def fill(store: Store, count: int, *, keep_until: int, now: int) -> None:
    """Spend other tokens, so that a store has every reason to purge."""
    for n in range(count):
        assert spend(store, f"filling {now} {n}", keep_until=keep_until, now=now)


def fill_sessions(store: Store, count: int, *, after_ms: int) -> None:
    """Refresh other sessions, so that a store has every reason to purge."""
    for n in range(count):
        token = presented(
            sid=f"ses_{n % 256:02x} filling {n}", after_ms=after_ms, keep_until=NOW + 100_000
        )
        store.rotate(token)


class TestOpenAndClose:
    """Stores by their URL."""

    def test_ping(self, store: Store) -> None:
        """A store that works says so, before and after any step."""
        store.ping()
        assert spend(store, "vis_1", keep_until=KEEP_UNTIL, now=NOW), "to look spends nothing"
        store.ping()
        assert not spend(store, "vis_1", keep_until=KEEP_UNTIL, now=NOW), "nor forgets anything"

    def test_close_twice(self, store: Store) -> None:
        """A store can be closed twice."""
        assert spend(store, "vis_1", keep_until=KEEP_UNTIL, now=NOW)
        store.close()
        store.close()

    def test_closed_unused(self, store: Store) -> None:
        """A store that nothing was asked of can be closed, and used after all."""
        store.close()
        assert spend(store, "vis_1", keep_until=KEEP_UNTIL, now=NOW)

    def test_is_found_again(self, shared_url: str) -> None:
        """What one process kept, the next one knows."""
        first = store_from_url(shared_url)
        first.begin(YESTERDAY_MS)
        spend(first, "vis_1", keep_until=KEEP_UNTIL, now=NOW)
        first.rotate(presented())
        first.revoke_session("ses_3f2", keep_until=KEEP_UNTIL, now=NOW)
        first.revoke_user(USER, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        first.close()
        second = store_from_url(shared_url)
        assert not spend(second, "vis_1", keep_until=KEEP_UNTIL, now=NOW)
        assert second.rotate(presented()).outcome is Outcome.REPEATED
        assert second.rotate(presented(sid="ses_3f2")).outcome is Outcome.REVOKED
        of_user = presented(sid="ses_3f3", user=USER, began_ms=NOW_MS - 1)
        assert second.rotate(of_user).outcome is Outcome.REVOKED
        second.close()

    def test_urls(self, tmp_path: Path) -> None:
        """A URL names its store."""
        assert isinstance(store_from_url("memory:"), MemoryStore)
        assert isinstance(store_from_url(f"sqlite:///{tmp_path}/state.db"), SqliteStore)
        assert isinstance(store_from_url("redis://localhost:1"), RedisStore)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "memory",
            "memory:x",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "postgres://h/d",
            "/a.db",
        ],
        ids=repr,
    )
    def test_other_urls(self, url: str) -> None:
        """Another URL is refused with those that may be written."""
        with pytest.raises(ConfigurationError, match=r"sqlite:///path.*redis://.*memory:"):
            store_from_url(url)

    def test_a_password_is_not_repeated(self) -> None:
        """A URL that can't be used isn't repeated: it may hold a password."""
        with pytest.raises(ConfigurationError) as refusal:
            store_from_url("postgres://kataven:hunter2@db/state")
        assert "hunter2" not in str(refusal.value)

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """A state file in a folder that isn't there is refused at the start, by its name."""
        with pytest.raises(ConfigurationError, match="nowhere"):
            store_from_url(f"sqlite:///{tmp_path}/nowhere/state.db")


def test_a_step_is_a_value(store: Store) -> None:
    """What a store was given and what it gave can't be changed after."""
    rotation = store.rotate(presented())
    with pytest.raises(dataclasses.FrozenInstanceError):
        rotation.generation = 9  # type: ignore[misc]


Step: TypeAlias = tuple[int, Callable[[Store, int], object]]
"""Milliseconds that pass, and what is done to a store then."""

_users = st.sampled_from([USER, OTHER])
_sids = st.sampled_from(["ses_3f1", "ses_3f2"])
_spend = st.builds(
    lambda jti, user, age: (
        lambda store, now_ms: store.spend(
            visitor(jti, now=now_ms // 1000, minted=now_ms // 1000 - age, user=user)
        )
    ),
    st.sampled_from(["vis_1", "vis_2"]),
    _users,
    st.integers(0, 9),
)
_rotate = st.builds(
    lambda sid, user, generation, age, grace_ms: (
        lambda store, now_ms: store.rotate(
            PresentedRefresh(
                sid,
                user,
                KEY,
                generation,
                now_ms - age * 1000,
                now_ms,
                grace_ms,
                KEEP_UNTIL * 2,
            )
        )
    ),
    _sids,
    st.none() | _users,
    st.integers(0, 4),
    st.integers(0, 9),
    st.sampled_from([0, GRACE_MS]),
)
_revoke_session = st.builds(
    lambda sid: (
        lambda store, now_ms: store.revoke_session(
            sid, keep_until=KEEP_UNTIL * 2, now=now_ms // 1000
        )
    ),
    _sids,
)
_revoke_user = st.builds(
    lambda user: (
        lambda store, now_ms: store.revoke_user(user, at_ms=now_ms, keep_until=KEEP_UNTIL * 2)
    ),
    _users,
)
_revoke_key = st.just(
    lambda store, now_ms: store.revoke_key(KEY, at_ms=now_ms, keep_until=KEEP_UNTIL * 2)
)
_begin = st.just(lambda store, now_ms: store.begin(now_ms))
_passed_ms = st.sampled_from([0, 1, 1000, GRACE_MS - 1, GRACE_MS, -5000, -20_000])
STEPS = st.tuples(
    _passed_ms,
    st.one_of(
        _spend, _rotate, _rotate, _rotate, _revoke_session, _revoke_user, _revoke_key, _begin
    ),
)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@hypothesis_settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=30))
def test_stores_agree(
    kind: str, steps: list[Step], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Any steps, done to two stores, get the same answers.

    The one in memory is short enough to be read; the others are held against it.
    """
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    url = KINDS[kind](Place(folder, request))
    with closing(MemoryStore()) as simple, closing(store_from_url(url)) as other:
        now_ms = NOW_MS
        for store in (simple, other):
            store.begin(now_ms - 3000)
            use(store, NOW)
        for passed_ms, step in steps:
            now_ms += passed_ms
            assert step(simple, now_ms) == step(other, now_ms)
