"""What every store promises: a token is spent once, rotates once, and a revocation stands."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kataven_flask.errors import ConfigurationError
from kataven_flask.store import Outcome, Presented, Rotation, Store, store_from_url
from kataven_flask.store.memory import MemoryStore
from kataven_flask.store.sqlite import SqliteStore
from tests.store.conftest import Opened

NOW = 1_790_000_000
NOW_MS = NOW * 1000
GRACE_MS = 30_000
KEEP_UNTIL = NOW + 86_400
USER = "digest of a user"


def presented(  # noqa: PLR0913 - each names one thing that a case changes
    generation: int = 0,
    *,
    sid: str = "ses_1",
    after_ms: int = 0,
    user: str | None = None,
    began_ms: int = NOW_MS,
    grace_ms: int = GRACE_MS,
    keep_until: int = KEEP_UNTIL,
) -> Presented:
    """Return a refresh token of a guest's session that began now, so many milliseconds later."""
    return Presented(sid, generation, began_ms, user, NOW_MS + after_ms, grace_ms, keep_until)


class TestSpend:
    """Visitor tokens."""

    def test_once(self, store: Store) -> None:
        """A visitor token is spent by the first who asks, and by nobody after."""
        answers = [store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW) for _ in range(3)]
        assert answers == [True, False, False]

    def test_each_by_itself(self, store: Store) -> None:
        """To spend one token takes nothing from another."""
        for jti in ("vis_1", "vis_2", "VIS_1", "vis_1 ", "ses_1"):
            assert store.spend(jti, keep_until=KEEP_UNTIL, now=NOW)

    def test_until_its_end(self, store: Store) -> None:
        """A token stays spent for as long as it was asked to be remembered."""
        assert store.spend("vis_1", keep_until=NOW + 300, now=NOW)
        fill(store, 3000, keep_until=NOW + 10_000, now=NOW + 300)
        assert not store.spend("vis_1", keep_until=NOW + 300, now=NOW + 300)

    def test_twice_is_not_longer(self, store: Store) -> None:
        """A second try that fails does no harm to what is remembered of the first."""
        assert store.spend("vis_1", keep_until=NOW + 300, now=NOW)
        assert not store.spend("vis_1", keep_until=NOW + 1, now=NOW)
        fill(store, 3000, keep_until=NOW + 10_000, now=NOW + 200)
        assert not store.spend("vis_1", keep_until=NOW + 300, now=NOW + 200)

    @pytest.mark.parametrize("jti", ["", "'; DROP TABLE spent; --", "ü😀", "a" * 10_000, "a\0b"])
    def test_whatever_it_is_called(self, store: Store, jti: str) -> None:
        """A token's id is a text and nothing more."""
        assert store.spend(jti, keep_until=KEEP_UNTIL, now=NOW)
        assert not store.spend(jti, keep_until=KEEP_UNTIL, now=NOW)


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
        for sid in ("ses_1", "ses_2"):
            store.rotate(presented(sid=sid, user=USER))
        store.rotate(presented(7, sid="ses_1", user=USER))
        assert store.rotate(presented(1, sid="ses_2", user=USER)).outcome is Outcome.ROTATED

    def test_a_clock_that_goes_back(self, store: Store) -> None:
        """A clock that was put back costs nobody the session."""
        store.rotate(presented(0))
        assert store.rotate(presented(0, after_ms=-5000)).outcome is Outcome.REPEATED
        assert store.rotate(presented(1, after_ms=-5000)).outcome is Outcome.ROTATED

    def test_is_kept_until_its_end(self, store: Store) -> None:
        """A session is remembered for as long as its tokens may come back."""
        store.rotate(presented(keep_until=NOW + 1000))
        fill_sessions(store, 3000, after_ms=1000 * 1000)
        late = presented(1, after_ms=1000 * 1000)
        assert store.rotate(late).outcome is Outcome.ROTATED

    def test_is_kept_for_the_longest_asked(self, store: Store) -> None:
        """A lifetime that was made shorter doesn't forget what older tokens need."""
        store.rotate(presented(0, keep_until=NOW + 1000))
        store.rotate(presented(1, keep_until=NOW + 10))
        fill_sessions(store, 3000, after_ms=500 * 1000)
        assert store.rotate(presented(2, after_ms=500 * 1000)).outcome is Outcome.ROTATED


class TestRevokeSession:
    """Logout."""

    def test_before_any_refresh(self, store: Store) -> None:
        """A session that was never renewed can be ended, and its token is good for nothing."""
        store.revoke_session("ses_1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented()).outcome is Outcome.REVOKED

    def test_after_some(self, store: Store) -> None:
        """A session that was renewed can be ended; neither its token nor the one before is good."""
        store.rotate(presented())
        store.revoke_session("ses_1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented(1)).outcome is Outcome.REVOKED
        assert store.rotate(presented(0)).outcome is Outcome.REVOKED

    def test_twice(self, store: Store) -> None:
        """To end a session twice is no error."""
        for _ in range(2):
            store.revoke_session("ses_1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented()).outcome is Outcome.REVOKED

    def test_no_other(self, store: Store) -> None:
        """To end one session ends no other."""
        store.revoke_session("ses_1", keep_until=KEEP_UNTIL, now=NOW)
        assert store.rotate(presented(sid="ses_2")).outcome is Outcome.ROTATED

    def test_for_the_longest_asked(self, store: Store) -> None:
        """A second logout that asks for less doesn't bring the session back to life."""
        store.revoke_session("ses_1", keep_until=NOW + 1000, now=NOW)
        store.revoke_session("ses_1", keep_until=NOW + 10, now=NOW)
        fill_sessions(store, 3000, after_ms=500 * 1000)
        assert store.rotate(presented(after_ms=500 * 1000)).outcome is Outcome.REVOKED

    def test_of_a_renewed_session_for_the_longest_asked(self, store: Store) -> None:
        """A logout is remembered for as long as the tokens from before it may come back."""
        store.rotate(presented(keep_until=NOW + 1000))
        store.revoke_session("ses_1", keep_until=NOW + 10, now=NOW)
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
        other = presented(sid="ses_2", user="digest of another")
        assert store.rotate(other).outcome is Outcome.ROTATED
        assert store.rotate(presented(sid="ses_3", user=None)).outcome is Outcome.ROTATED

    def test_tells_when(self, store: Store) -> None:
        """It can be asked when a user was last revoked."""
        assert store.user_revoked_ms(USER) is None
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        assert store.user_revoked_ms(USER) == NOW_MS
        assert store.user_revoked_ms("digest of another") is None

    def test_the_latest_counts(self, store: Store) -> None:
        """Of two revocations the later one counts, in whichever order they arrive."""
        for at_ms in (NOW_MS, NOW_MS + 9, NOW_MS + 4):
            store.revoke_user(USER, at_ms=at_ms, keep_until=KEEP_UNTIL)
        assert store.user_revoked_ms(USER) == NOW_MS + 9

    def test_for_the_longest_asked(self, store: Store) -> None:
        """A second revocation that asks for less doesn't forget the first."""
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=NOW + 1000)
        store.revoke_user(USER, at_ms=NOW_MS, keep_until=NOW + 10)
        for n in range(3000):
            at_ms = (NOW + 500) * 1000
            store.revoke_user(f"user {n}", at_ms=at_ms, keep_until=NOW + 10_000)
        assert store.user_revoked_ms(USER) == NOW_MS


class TestPurge:
    """What is over is forgotten."""

    ROUNDS = 4000
    FEW = 1100
    """More than any store lets pile up between two purges, far less than all of it."""

    def test_of_spent_tokens(self, opened: Opened) -> None:
        """A day of traffic leaves no more than what is live."""
        for n in range(self.ROUNDS):
            opened.store.spend(f"vis_{n}", keep_until=NOW + n + 10, now=NOW + n)
        assert opened.size() <= self.FEW
        last = self.ROUNDS - 1
        for n in range(last - 9, last + 1):
            assert not opened.store.spend(f"vis_{n}", keep_until=NOW + n, now=NOW + last)

    def test_of_sessions(self, opened: Opened) -> None:
        """Sessions that can't come back are forgotten, and the live ones are not."""
        for n in range(self.ROUNDS):
            token = presented(sid=f"ses_{n}", after_ms=n * 1000, keep_until=NOW + n + 10)
            opened.store.rotate(token)
        assert opened.size() <= self.FEW
        last = self.ROUNDS - 1
        live = presented(1, sid=f"ses_{last}", after_ms=last * 1000, keep_until=NOW + last)
        assert opened.store.rotate(live).outcome is Outcome.ROTATED

    def test_of_logouts(self, opened: Opened) -> None:
        """Logouts are forgotten once no token of the session can come back."""
        for n in range(self.ROUNDS):
            opened.store.revoke_session(f"ses_{n}", keep_until=NOW + n + 10, now=NOW + n)
        assert opened.size() <= self.FEW
        last = self.ROUNDS - 1
        token = presented(sid=f"ses_{last}", after_ms=last * 1000)
        assert opened.store.rotate(token).outcome is Outcome.REVOKED

    def test_of_revoked_users(self, opened: Opened) -> None:
        """Revocations are forgotten once no session from before them can come back."""
        for n in range(self.ROUNDS):
            at_ms = (NOW + n) * 1000
            opened.store.revoke_user(f"user {n}", at_ms=at_ms, keep_until=NOW + n + 10)
        assert opened.size() <= self.FEW
        assert opened.store.user_revoked_ms(f"user {self.ROUNDS - 1}") is not None

    def test_after_a_burst(self, opened: Opened) -> None:
        """What a burst left behind is gone after as much traffic as it was."""
        fill(opened.store, 3000, keep_until=NOW + 10, now=NOW)
        assert opened.size() == 3000
        for n in range(1500):
            opened.store.spend(f"later {n}", keep_until=NOW + 2000 + n, now=NOW + 1000 + n)
        assert opened.size() <= 1500 + self.FEW


def fill(store: Store, count: int, *, keep_until: int, now: int) -> None:
    """Spend other tokens, so that a store has every reason to purge."""
    for n in range(count):
        assert store.spend(f"filling {now} {n}", keep_until=keep_until, now=now)


def fill_sessions(store: Store, count: int, *, after_ms: int) -> None:
    """Refresh other sessions, so that a store has every reason to purge."""
    for n in range(count):
        token = presented(sid=f"filling {n}", after_ms=after_ms, keep_until=NOW + 100_000)
        store.rotate(token)


class TestOpenAndClose:
    """Stores by their URL."""

    def test_ping(self, store: Store) -> None:
        """A store that works says so, before and after any step."""
        store.ping()
        assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW), "to look spends nothing"
        store.ping()
        assert not store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW), "nor forgets anything"

    def test_close_twice(self, store: Store) -> None:
        """A store can be closed twice."""
        assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
        store.close()
        store.close()

    def test_closed_unused(self, store: Store) -> None:
        """A store that nothing was asked of can be closed."""
        store.close()

    def test_is_found_again(self, shared_url: str) -> None:
        """What one process kept, the next one knows."""
        first = store_from_url(shared_url)
        first.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
        first.rotate(presented())
        first.revoke_session("ses_2", keep_until=KEEP_UNTIL, now=NOW)
        first.revoke_user(USER, at_ms=NOW_MS, keep_until=KEEP_UNTIL)
        first.close()
        second = store_from_url(shared_url)
        assert not second.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
        assert second.rotate(presented()).outcome is Outcome.REPEATED
        assert second.rotate(presented(sid="ses_2")).outcome is Outcome.REVOKED
        assert second.user_revoked_ms(USER) == NOW_MS
        second.close()

    def test_urls(self, tmp_path: Path) -> None:
        """A URL names its store."""
        assert isinstance(store_from_url("memory:"), MemoryStore)
        assert isinstance(store_from_url(f"sqlite:///{tmp_path}/state.db"), SqliteStore)

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
        with pytest.raises(ConfigurationError, match=r"sqlite:///path.*memory:"):
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


class StoresAgree(RuleBasedStateMachine):
    """Any number of steps, done to two stores: they must give the same answers.

    The one in memory is short enough to be read; the one in SQLite is held against it.
    """

    sids = st.sampled_from(["ses_1", "ses_2"])
    users = st.sampled_from([USER, "digest of another"])

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="kataven-test-")
        file = Path(self.folder.name) / "state.db"
        self.stores: list[Store] = [MemoryStore(), SqliteStore(file)]
        self.now_ms = NOW_MS

    @initialize(seconds=st.integers(0, 10))
    def begin(self, seconds: int) -> None:
        """Begin at some second."""
        self.now_ms = NOW_MS + seconds * 1000

    @rule(by_ms=st.sampled_from([1, 1000, GRACE_MS - 1, GRACE_MS]))
    def pass_time(self, by_ms: int) -> None:
        """Let time pass."""
        self.now_ms += by_ms

    @rule(jti=st.sampled_from(["vis_1", "vis_2"]))
    def spend(self, jti: str) -> None:
        """Spend a visitor token."""
        now = self.now_ms // 1000
        answers = {s.spend(jti, keep_until=KEEP_UNTIL * 2, now=now) for s in self.stores}
        assert len(answers) == 1

    @rule(sid=sids, user=st.none() | users, generation=st.integers(0, 4), age=st.integers(0, 9))
    def rotate(self, sid: str, user: str | None, generation: int, age: int) -> None:
        """Present a refresh token."""
        began_ms = self.now_ms - age * 1000
        token = Presented(
            sid, generation, began_ms, user, self.now_ms, GRACE_MS, keep_until=KEEP_UNTIL * 2
        )
        assert len({s.rotate(token) for s in self.stores}) == 1

    @rule(sid=sids)
    def revoke_session(self, sid: str) -> None:
        """End a session."""
        for store in self.stores:
            store.revoke_session(sid, keep_until=KEEP_UNTIL * 2, now=self.now_ms // 1000)

    @rule(user=users)
    def revoke_user(self, user: str) -> None:
        """End a user's sessions."""
        for store in self.stores:
            store.revoke_user(user, at_ms=self.now_ms, keep_until=KEEP_UNTIL * 2)

    @invariant()
    def tell_the_same(self) -> None:
        """Both know of the same revocations."""
        for user in (USER, "digest of another"):
            assert len({store.user_revoked_ms(user) for store in self.stores}) == 1

    def teardown(self) -> None:
        """Close both."""
        for store in self.stores:
            store.close()
        self.folder.cleanup()


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = hypothesis_settings(
    deadline=None, max_examples=60, stateful_step_count=30
)
