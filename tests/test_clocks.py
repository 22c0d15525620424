"""Clocks that step, and hosts whose clocks differ: nothing is had twice, nobody is sent away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from tests.support import NOON, FrozenClock, Service, refused

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
GRACE: Final = 30
"""Seconds; what the tenants' file has unless a test says otherwise."""
APART: Final = 5.0
"""Seconds that two hosts' clocks differ."""
OK: Final = (200, None)
DONE: Final = (204, None)
USED: Final = (400, "used_token")
REUSED: Final = (400, "reused_refresh_token")
REVOKED: Final = (400, "revoked_session")

both_ways = pytest.mark.parametrize(
    "step", [HOUR, -HOUR], ids=["an hour forward, then back", "an hour back, then forward"]
)
either_ahead = pytest.mark.parametrize("apart", [APART, -APART], ids=["ahead", "behind"])


def started(folder: Path, state: str, ahead: float = 0.0) -> Service:
    """Start a server whose clock is ahead by so many seconds."""
    clock = FrozenClock(NOON + ahead)
    service = Service(folder, state=state, clock=clock)
    service.clock = clock
    return service


@pytest.fixture
def service(tmp_path: Path, shared_state: str) -> Service:
    """Return a server that has been up for a day."""
    service = started(tmp_path, shared_state)
    service.clock.move(DAY)
    return service


@pytest.fixture
def other(service: Service, tmp_path: Path, shared_state: str) -> Service:
    """Return a second host's server over the same state and instance folder."""
    return started(tmp_path, shared_state, ahead=DAY)


@pytest.fixture
def lost_state(shared_state: str, tmp_path: Path) -> Callable[[], None]:
    """Return what has the state store lose its data."""

    def lose() -> None:
        if shared_state.startswith("sqlite"):
            for file in tmp_path.glob("**/*.db*"):
                file.unlink()
            return
        with closing(redis.Redis.from_url(shared_state)) as client:
            client.flushdb()

    return lose


def steps(service: Service, step: float) -> Iterator[None]:
    """Have the clock step and step back, and the server be busy at each of its hours."""
    for each in (step, -step):
        service.clock.move(each)
        for _ in range(10):  # each step that writes also forgets what is over
            session = service.user_session()
            renewed(service, renewed(service, session["refresh_token"]))
        yield


def visitor_token(service: Service) -> str:
    """Have the tenant's backend vouch for a user."""
    token: str = service.user_token().get_json()["token"]
    return token


def renewed(service: Service, refresh_token: str) -> str:
    """Refresh a session; return its next refresh token."""
    answer = service.refresh(refresh_token)
    assert refused(answer) == OK, answer.text
    token: str = answer.get_json()["refresh_token"]
    return token


def begun(service: Service, kind: str) -> str:
    """Begin a guest's or a user's session; return its first refresh token."""
    answer: Any = service.guest().get_json() if kind == "guest" else service.user_session()
    token: str = answer["refresh_token"]
    return token


class TestAnHour:
    """The clock is put wrong by an hour, and put right."""

    @both_ways
    def test_what_was_spent_stays_spent(self, service: Service, step: float) -> None:
        """A visitor token that was exchanged is refused at every hour."""
        token = visitor_token(service)
        assert refused(service.exchange(token=token)) == OK
        for _ in steps(service, step):
            assert service.exchange(token=token).status_code == 400
        assert refused(service.exchange(token=token)) == USED

    @both_ways
    def test_what_was_spent_at_the_wrong_hour_stays_spent(
        self, service: Service, step: float
    ) -> None:
        """A visitor token that was minted and exchanged at the wrong hour is refused at both."""
        service.clock.move(step)
        token = visitor_token(service)
        assert refused(service.exchange(token=token)) == OK
        for _ in steps(service, -step):
            assert service.exchange(token=token).status_code == 400
        assert refused(service.exchange(token=token)) == USED

    @both_ways
    @pytest.mark.parametrize("kind", ["guest", "user"])
    @pytest.mark.parametrize("renewals", [0, 1, 2])
    def test_sessions_go_on(self, service: Service, step: float, kind: str, renewals: int) -> None:
        """A session goes on at every hour, renewed before or not."""
        token = begun(service, kind)
        for _ in range(renewals):
            token = renewed(service, token)
        for _ in steps(service, step):
            token = renewed(service, token)

    @both_ways
    def test_a_session_of_the_wrong_hour_goes_on(self, service: Service, step: float) -> None:
        """A session that was begun and renewed at the wrong hour goes on at the right one."""
        service.clock.move(step)
        idle, busy = begun(service, "user"), renewed(service, begun(service, "user"))
        service.clock.move(-step)
        renewed(service, renewed(service, idle))
        renewed(service, renewed(service, busy))

    @pytest.mark.parametrize("later", [0, GRACE - 1, GRACE, HOUR - 11])
    def test_the_grace_is_not_prolonged(self, service: Service, later: float) -> None:
        """While the clock is behind a rotation its parent is refused, and the session goes on."""
        parent = begun(service, "user")
        current = renewed(service, parent)
        service.clock.move(later - HOUR)
        assert refused(service.refresh(parent)) == REUSED
        renewed(service, renewed(service, current))

    @pytest.mark.parametrize("later", [0, GRACE - 1])
    def test_a_second_tab_after_the_step(self, service: Service, later: float) -> None:
        """What is rotated after the clock was put back has its grace as ever."""
        session = renewed(service, begun(service, "user"))
        service.clock.move(-HOUR)
        successor = renewed(service, session)
        service.clock.move(later)
        assert renewed(service, session) == successor
        service.clock.move(GRACE)
        assert refused(service.refresh(session)) == REUSED
        assert refused(service.refresh(successor)) == REVOKED

    def test_a_copy_that_comes_an_hour_late(self, service: Service) -> None:
        """A clock that was put forward makes nobody's copy good."""
        parent = begun(service, "user")
        successor = renewed(service, parent)
        service.clock.move(HOUR)
        assert refused(service.refresh(parent)) == REUSED
        service.clock.move(-HOUR)
        assert refused(service.refresh(parent)) == REVOKED
        assert refused(service.refresh(successor)) == REVOKED

    @both_ways
    @pytest.mark.parametrize("renewals", [0, 1])
    def test_a_logout_stays(self, service: Service, step: float, renewals: int) -> None:
        """A session that was left is over at every hour."""
        token = begun(service, "user")
        for _ in range(renewals):
            token = renewed(service, token)
        assert refused(service.logout(token)) == DONE
        for _ in steps(service, step):
            assert refused(service.refresh(token)) == REVOKED

    @both_ways
    def test_a_revocation_stays(self, service: Service, step: float) -> None:
        """A user's sessions of before are over at every hour, and the others' go on."""
        sessions = [service.user_session(user_id="revoked") for _ in range(2)]
        first, token = (session["refresh_token"] for session in sessions)
        second = renewed(service, token)
        service.clock.move(1)
        assert refused(service.revoke(user_id="revoked")) == DONE
        for _ in steps(service, step):
            assert refused(service.refresh(first)) == REVOKED
            assert refused(service.refresh(second)) == REVOKED

    def test_a_fresh_store_of_the_wrong_hour(self, tmp_path: Path, shared_state: str) -> None:
        """A store that was set up by a clock an hour ahead takes what is younger than that hour."""
        wrong = started(tmp_path, shared_state, ahead=HOUR)
        assert refused(wrong.exchange(token=visitor_token(wrong))) == OK
        anew = started(tmp_path, shared_state)
        assert refused(anew.exchange(token=visitor_token(anew))) == (400, "invalid_token")
        anew.clock.move(HOUR)
        assert refused(anew.exchange(token=visitor_token(anew))) == OK
        renewed(anew, begun(anew, "guest"))


class TestTwoHosts:
    """Two hosts share state and keys, and their clocks differ by five seconds."""

    @either_ahead
    def test_tokens_of_one_are_taken_on_the_other(
        self, service: Service, other: Service, apart: float
    ) -> None:
        """A visitor is sent to and fro between the hosts, and notices nothing."""
        other.clock.move(apart)
        for _ in range(3):
            token = visitor_token(service)
            answer = other.exchange(token=token)
            assert refused(answer) == OK
            assert refused(service.exchange(token=token)) == USED
            session = answer.get_json()["refresh_token"]
            for host in (service, other, other, service):
                session = renewed(host, session)
            assert refused(other.logout(session)) == DONE
            assert refused(service.refresh(session)) == REVOKED

    @either_ahead
    def test_a_guest_of_one_goes_on_on_the_other(
        self, service: Service, other: Service, apart: float
    ) -> None:
        """A session whose first renewal reaches the other host goes on there."""
        other.clock.move(apart)
        renewed(service, renewed(other, begun(service, "guest")))

    @either_ahead
    def test_a_second_tab_on_the_other_host(
        self, service: Service, other: Service, apart: float
    ) -> None:
        """Two tabs that renew at once, on two hosts, go on with the same token."""
        other.clock.move(apart)
        token = begun(service, "user")
        successor = renewed(service, token)
        assert renewed(other, token) == successor
        renewed(service, renewed(other, successor))

    @either_ahead
    def test_the_grace_ends(self, service: Service, other: Service, apart: float) -> None:
        """A copy is refused on the other host, five seconds sooner or later than on this."""
        other.clock.move(apart)
        token = begun(service, "user")
        renewed(service, token)
        for host in (service, other):
            host.clock.move(GRACE + APART)
        assert refused(other.refresh(token)) == REUSED

    @either_ahead
    def test_no_grace_is_none(self, service: Service, other: Service, apart: float) -> None:
        """Where a tenant gives no grace, a clock that is behind gives none either."""
        for host in (service, other):
            host.document["tokens"] = {"refresh_grace": "0s"}
            host.edit()
        other.clock.move(apart)
        token = begun(service, "user")
        successor = renewed(service, token)
        assert refused(other.refresh(token)) == REUSED
        assert refused(service.refresh(successor)) == REVOKED

    @either_ahead
    def test_a_new_service_takes_the_tokens_of_both(
        self, tmp_path: Path, shared_state: str, apart: float
    ) -> None:
        """Whichever host makes the keys and the store, the other's visitors are served, too.

        By a host that is behind, once its clock says that the store is there: it can't tell its
        visitors' tokens from those that an earlier store may have seen.
        """
        first = started(tmp_path, shared_state)
        second = started(tmp_path, shared_state, ahead=apart)
        early = refused(second.exchange(token=visitor_token(second)))
        assert early == (OK if apart > 0 else (400, "invalid_token"))
        for host in (first, second):
            host.clock.move(APART)
            assert refused(host.exchange(token=visitor_token(host))) == OK
            renewed(host, begun(host, "guest"))

    @either_ahead
    @pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "restarted"])
    def test_a_lost_store_is_no_loophole(  # noqa: PLR0913 - two hosts, and what befalls them
        self,
        service: Service,
        other: Service,
        tmp_path: Path,
        lost_state: Callable[[], None],
        *,
        apart: float,
        restarted: bool,
    ) -> None:
        """What one host spent and ended before a loss is refused by the other after it."""
        other.clock.move(apart)
        spent, first = visitor_token(service), begun(service, "user")
        assert refused(service.exchange(token=spent)) == OK
        assert refused(service.logout(first)) == DONE
        for host in (service, other):
            host.clock.move(1)
        lost_state()
        if restarted:
            ahead = other.clock() - NOON
            other = started(tmp_path, other.settings.state_url, ahead=ahead)
        for host in (other, service):
            assert host.exchange(token=spent).status_code == 400
            assert refused(host.refresh(first)) == REVOKED
        for host in (service, other):
            host.clock.move(APART + 11)
            assert refused(host.exchange(token=visitor_token(host))) == OK
            renewed(host, begun(host, "guest"))
