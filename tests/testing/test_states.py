"""Tokens in any state, each held against who has to refuse it."""

from __future__ import annotations

from typing import get_args

import pytest

from kataven_flask.testing import (
    Kataven,
    RefreshState,
    RefusedError,
    SessionState,
    Tenant,
    VisitorState,
    running,
)
from kataven_flask.verify import InvalidSession, SessionVerifier
from tests.testing.conftest import PAGE

VISITOR = {
    "good": None,
    "expired": "expired_token",
    "spent": "used_token",
    "revoked": "invalid_token",
    "not_yet": "invalid_token",
    "foreign": "invalid_token",
    "tampered": "invalid_token",
    "unsigned": "invalid_token",
}
REFRESH = {
    "good": None,
    "expired": "expired_refresh_token",
    "rotated": "reused_refresh_token",
    "in_grace": None,
    "revoked": "revoked_session",
    "foreign": "invalid_refresh_token",
    "tampered": "invalid_refresh_token",
}


@pytest.mark.parametrize("hours", [0, -100, 100])
def test_exchange_takes_the_good_one_alone(kataven: Kataven, shop: Tenant, hours: int) -> None:
    """Each state has its refusal, wherever the clock stands."""
    kataven.clock.advance(hours * 3600)
    found: dict[str, str | None] = {}
    for state in get_args(VisitorState):
        try:
            kataven.exchange(shop, kataven.user_token(shop, user_id=state, state=state))
            found[state] = None
        except RefusedError as refused:
            found[state] = refused.code
    assert found == VISITOR


@pytest.mark.parametrize("user_id", [None, "42"])
def test_refresh_takes_the_current_one_alone(
    kataven: Kataven, shop: Tenant, user_id: str | None
) -> None:
    """Each state has its refusal, for guests and for users."""
    found: dict[str, str | None] = {}
    for state in get_args(RefreshState):
        token = kataven.refresh_token(shop, user_id=user_id, state=state)
        try:
            kataven.refresh(token, origin=PAGE)
            found[state] = None
        except RefusedError as refused:
            found[state] = refused.code
    assert found == REFRESH


@pytest.mark.parametrize("state", get_args(SessionState))
def test_a_connect_service_takes_the_good_one_alone(
    kataven: Kataven, shop: Tenant, state: SessionState
) -> None:
    """By the public keys and its own clock; and `verify`, by the server's, says the same."""
    service = SessionVerifier(kataven.jwks_url, kataven.issuer, kataven.audience)
    token = kataven.session_token(shop, user_id="42", name="Ada", state=state)
    for verify in (service.verify, kataven.verify):
        if state == "good":
            session = verify(token)
            assert (session.visitor_id, session.name, session.origin) == ("42", "Ada", PAGE)
        else:
            with pytest.raises(InvalidSession):
                verify(token)


def test_verify_goes_by_the_clock_of_the_server(kataven: Kataven, shop: Tenant) -> None:
    """Elsewhere a token of the day after tomorrow is not valid yet; here it is."""
    kataven.clock.advance("48h")
    token = kataven.guest(shop).token
    assert kataven.verify(token).visitor_type == "guest"
    service = SessionVerifier(kataven.jwks_url, kataven.issuer, kataven.audience)
    with pytest.raises(InvalidSession, match="not valid yet"):
        service.verify(token)
    kataven.clock.advance("11m")
    with pytest.raises(InvalidSession, match="expired"):
        kataven.verify(token)


def test_an_unknown_state_is_refused_with_the_list(kataven: Kataven, shop: Tenant) -> None:
    """A slip doesn't give a good token."""
    with pytest.raises(ValueError, match=r"did you mean 'expired'.*'spent'"):
        kataven.user_token(shop, state="expire")  # type: ignore[arg-type]  # the slip
    with pytest.raises(ValueError, match="'wrong_issuer'"):
        kataven.session_token(shop, state="spent")  # type: ignore[arg-type]


def test_a_good_one_is_like_that_of_the_api(kataven: Kataven, shop: Tenant) -> None:
    """What is minted is renewed and logged out as what was begun over HTTP."""
    visitor = kataven.refresh(kataven.refresh_token(shop, user_id="42"), origin=PAGE)
    assert (visitor.type, visitor.id, visitor.agent_id) == ("user", "42", "support")
    kataven.logout(visitor)
    with pytest.raises(RefusedError, match="revoked_session"):
        kataven.refresh(visitor)
    with pytest.raises(TypeError, match="origin="):
        kataven.refresh(visitor.refresh_token)


def test_another_server_takes_none_of_them(kataven: Kataven, shop: Tenant) -> None:
    """Each server has keys of its own."""
    token = kataven.guest(shop).token
    with running() as other, pytest.raises(InvalidSession, match="no key of this server"):
        other.verify(token)
