"""`POST /api/v1/widget/auth/logout`: a visitor ends a session."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.api.wire import DAY, LONG_AGO, STRANGER, SUBDOMAIN, agent, entry, tenant, visitor_token
from tests.support import ORIGIN, Service, refused

DONE: Final = (204, None)
OK: Final = (200, None)
INVALID: Final = (400, "invalid_refresh_token")
REVOKED: Final = (400, "revoked_session")
STRANGE: Final = (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("refresh_token", "expected"),
    [
        pytest.param(None, (400, "missing_refresh_token"), id="null"),
        pytest.param("", (400, "missing_refresh_token"), id="empty"),
        pytest.param(1, (400, "invalid_field"), id="number"),
        pytest.param(["x"], (400, "invalid_field"), id="list"),
        pytest.param("garbage", INVALID, id="garbage"),
        pytest.param("a.b", INVALID, id="two-words"),
    ],
)
def test_a_body_is_judged(service: Service, refresh_token: Any, expected: tuple[int, str]) -> None:
    """Each thing wrong with the body has its answer."""
    assert refused(service.logout(refresh_token)) == expected


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda s: s.guest().get_json()["token"], id="session-token"),
        pytest.param(visitor_token, id="visitor-token"),
        pytest.param(lambda s: s.guest().get_json()["refresh_token"][:-1], id="cut"),
    ],
)
def test_another_token_ends_nothing(service: Service, other: Any) -> None:
    """Only a refresh token that was signed here ends a session."""
    assert refused(service.logout(other(service))) == INVALID


def test_a_logged_out_session_is_over(service: Service) -> None:
    """The answer is an empty 204, and the session can't be refreshed again."""
    refresh_token = service.user_session()["refresh_token"]
    answer = service.logout(refresh_token)
    assert refused(answer) == DONE
    assert answer.data == b""
    assert "Content-Type" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert refused(service.refresh(refresh_token)) == REVOKED
    service.clock.move(DAY - 1)
    assert refused(service.refresh(refresh_token)) == REVOKED


def test_saying_it_twice_is_no_error(service: Service) -> None:
    """A second logout, at once or later, is answered as the first."""
    refresh_token = service.guest().get_json()["refresh_token"]
    for seconds in (0, 0, 3600, 40 * DAY):
        service.clock.move(seconds)
        assert refused(service.logout(refresh_token)) == DONE


@pytest.mark.parametrize("seconds", [DAY, 30 * DAY, 400 * DAY])
def test_an_expired_token_logs_out_too(service: Service, seconds: int) -> None:
    """A tab that slept past its token signs out without an error."""
    refresh_token = service.user_session()["refresh_token"]
    service.clock.move(seconds)
    assert refused(service.logout(refresh_token)) == DONE


def test_any_of_a_sessions_tokens_ends_it(service: Service) -> None:
    """A tab with an older refresh token ends the session for the newest one too."""
    first = service.user_session()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    service.clock.move(60)
    assert refused(service.logout(first)) == DONE
    assert refused(service.refresh(second)) == REVOKED


def test_a_token_rotated_away_is_over_within_its_grace_too(service: Service) -> None:
    """The grace gives nothing once the session is ended."""
    first = service.user_session()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    assert refused(service.logout(second)) == DONE
    assert refused(service.refresh(first)) == REVOKED


def test_a_logout_ends_one_session(service: Service) -> None:
    """The same user's session in another browser goes on."""
    here, there = service.user_session(), service.user_session()
    assert refused(service.logout(here["refresh_token"])) == DONE
    assert refused(service.refresh(there["refresh_token"])) == OK


@pytest.mark.parametrize("origin", [STRANGER, SUBDOMAIN, "http://acme.com", "null", None])
def test_no_other_origin_logs_anybody_out(service: Service, origin: str | None) -> None:
    """A foreign page can't end a session, though it is on the same allowlist."""
    refresh_token = service.guest().get_json()["refresh_token"]
    assert refused(service.logout(refresh_token, origin)) == STRANGE
    assert refused(service.refresh(refresh_token)) == OK


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: entry(s).update(enabled=False), id="key-off"),
        pytest.param(lambda s: entry(s).update(not_after=LONG_AGO), id="key-ended"),
        pytest.param(lambda s: entry(s).update(domain_allowlist=[]), id="origin-struck"),
        pytest.param(lambda s: agent(s).update(widget_enabled=False), id="agent-off"),
        pytest.param(lambda s: tenant(s)["keys"].remove(entry(s)), id="key-gone"),
    ],
)
def test_one_may_always_leave(service: Service, change: Any) -> None:
    """What the operator has switched off since doesn't keep a visitor from signing out."""
    refresh_token = service.guest().get_json()["refresh_token"]
    change(service)
    service.edit()
    assert refused(service.logout(refresh_token)) == DONE


def test_a_referer_stands_for_the_origin(service: Service) -> None:
    """Without an `Origin` header that of the `Referer` counts."""
    refresh_token = service.guest().get_json()["refresh_token"]
    service.client.environ_base["HTTP_REFERER"] = f"{ORIGIN}/account"
    assert refused(service.logout(refresh_token, None)) == DONE


def test_who_left_may_come_back(service: Service) -> None:
    """After a logout the same user signs in to a new session."""
    session = service.user_session()
    service.logout(session["refresh_token"])
    again = service.user_session()
    assert again["session_id"] != session["session_id"]
    assert refused(service.refresh(again["refresh_token"])) == OK
