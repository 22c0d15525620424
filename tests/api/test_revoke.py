"""`POST /api/v1/widget/auth/revoke`: a backend ends all that a user began."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.api.wire import DAY, LONG_AGO, bearer, entry, send, visitor_token
from tests.support import (
    API,
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    PINNED_SECRET,
    SECRET,
    Service,
    refused,
)

DONE: Final = (204, None)
OK: Final = (200, None)
NO_KEY: Final = (401, "invalid_api_key")
REVOKED: Final = (400, "revoked_session")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({}, (400, "missing_field"), id="nothing"),
        pytest.param({"user_id": None}, (400, "missing_field"), id="null"),
        pytest.param({"user_id": ""}, (400, "missing_field"), id="empty"),
        pytest.param({"client_key": KEY}, (400, "missing_field"), id="key-alone"),
        pytest.param({"user_id": 42}, (400, "invalid_field"), id="number"),
        pytest.param({"user_id": ["user-7f3a9c42"]}, (400, "invalid_field"), id="list"),
        pytest.param({"user_id": "a\0b"}, (400, "invalid_field"), id="null-byte"),
        pytest.param({"user_id": "\ud800"}, (400, "invalid_field"), id="lone-surrogate"),
        pytest.param({"user_id": "u" * 257}, (400, "invalid_field"), id="too-long"),
        pytest.param({"user_id": "u" * 256}, DONE, id="longest"),
        pytest.param({"user_id": "\U0001f600" * 256}, DONE, id="longest-in-emoji"),
        pytest.param({"user_id": "never-seen"}, DONE, id="unknown-user"),
        pytest.param({"external_user_id": "user-7f3a9c42"}, DONE, id="other-spelling"),
        pytest.param(
            {"user_id": "user-7f3a9c42", "external_user_id": "user-7f3a9c42"}, DONE, id="both-alike"
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "external_user_id": "43"},
            (400, "invalid_field"),
            id="differ",
        ),
        pytest.param({"user_id": "user-7f3a9c42", "extra": [1]}, DONE, id="unknown-member"),
    ],
)
def test_a_body_is_judged(
    service: Service, body: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    """Each thing wrong with the body has its answer; an unknown user is no error."""
    assert refused(service.revoke(**body)) == expected


def test_the_answer_is_empty(service: Service) -> None:
    """A 204 with no body, kept by no cache; saying it twice is no error."""
    for _ in range(2):
        answer = service.revoke(user_id="user-7f3a9c42")
        assert refused(answer) == DONE
        assert answer.data == b""
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "authorization",
    [None, "", SECRET, f"Basic {SECRET}", "Bearer", f"Bearer {SECRET}x", f"Bearer {KEY}"],
)
def test_only_a_secret_key_revokes(service: Service, authorization: str | None) -> None:
    """Without a live secret key as a bearer token nothing is ended."""
    session = service.user_session()
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = service.client.post(
        f"{API}/auth/revoke", json={"user_id": "user-7f3a9c42"}, headers=headers
    )
    assert refused(answer) == NO_KEY
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    service.clock.move(1)
    assert refused(service.refresh(session["refresh_token"])) == OK


def test_an_ended_secret_revokes_nothing(service: Service) -> None:
    """From its not_after on a secret key ends no session."""
    entry(service)["secrets"][0]["not_after"] = LONG_AGO
    service.edit()
    assert refused(service.revoke(user_id="user-7f3a9c42")) == NO_KEY


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://acme.com"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-origin"}],
    ids=["origin", "null-origin", "sec-fetch"],
)
def test_a_browser_is_refused(service: Service, headers: dict[str, str]) -> None:
    """Whatever only a browser sends is refused, with the reason."""
    body, headers = b'{"user_id":"user-7f3a9c42"}', {**bearer(SECRET), **headers}
    answer = send(service, "revoke", body, origin=None, headers=headers)
    assert refused(answer) == (403, "browser_forbidden")
    assert "leak" in answer.text


def test_all_that_the_user_began_is_over(service: Service) -> None:
    """Every session from before, refreshed or not, on any key of the tenant, ends."""
    fresh = service.user_session()
    used = service.user_session()
    used = service.refresh(used["refresh_token"]).get_json()
    pinned = service.user_session(secret=PINNED_SECRET, client_key=PINNED_KEY)
    service.clock.move(0.5)
    assert refused(service.revoke(user_id="user-7f3a9c42")) == DONE
    for session in (fresh, used, pinned):
        assert refused(service.refresh(session["refresh_token"])) == REVOKED


def test_a_sibling_keys_secret_revokes_too(service: Service) -> None:
    """The user is the tenant's, whichever of its secret keys says so."""
    session = service.user_session()
    service.clock.move(1)
    assert refused(service.revoke(PINNED_SECRET, user_id="user-7f3a9c42")) == DONE
    assert refused(service.refresh(session["refresh_token"])) == REVOKED


def test_a_revoked_token_is_over_for_good(service: Service) -> None:
    """It stays so for as long as the token could be good."""
    service.document["tokens"] = {"refresh_ttl": "30d", "user_max_age": "90d"}
    service.edit()
    session = service.user_session()
    service.clock.move(1)
    service.revoke(user_id="user-7f3a9c42")
    service.clock.move(30 * DAY - 2)
    for other in range(20):
        service.revoke(user_id=f"other-{other}")
    assert refused(service.refresh(session["refresh_token"])) == REVOKED


def test_what_the_user_begins_afterwards_goes_on(service: Service) -> None:
    """A revocation is no ban: a session begun after it can be refreshed."""
    service.user_session()
    service.clock.move(1)
    service.revoke(user_id="user-7f3a9c42")
    service.clock.move(0.1)
    session = service.user_session()
    assert refused(service.refresh(session["refresh_token"])) == OK


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda s: s.user_session(user_id="43"), id="another-user"),
        pytest.param(lambda s: s.user_session(user_id="42 "), id="nearly-the-same-user"),
        pytest.param(
            lambda s: s.user_session(secret=OTHER_SECRET, client_key=OTHER_KEY),
            id="another-tenants-42",
        ),
        pytest.param(lambda s: s.guest().get_json(), id="a-guest"),
    ],
)
def test_nobody_else_is_revoked(service: Service, begin: Any) -> None:
    """Other users, other tenants' users of the same id, and guests go on."""
    session = begin(service)
    service.clock.move(1)
    assert refused(service.revoke(user_id="user-7f3a9c42")) == DONE
    assert refused(service.refresh(session["refresh_token"])) == OK


def test_a_backend_cannot_revoke_a_guest_by_its_id(service: Service) -> None:
    """A guest is no user, though somebody may know its id."""
    guest = service.guest().get_json()
    service.clock.move(1)
    assert refused(service.revoke(user_id=guest["visitor"]["id"])) == DONE
    assert refused(service.refresh(guest["refresh_token"])) == OK


def test_another_tenant_cannot_revoke_across(service: Service) -> None:
    """Ids are told apart by tenant, whatever characters they are made of."""
    session = service.user_session()
    service.clock.move(1)
    for user_id in ("user-7f3a9c42", "acme 42", "acme/42", "acme:42"):
        assert refused(service.revoke(OTHER_SECRET, user_id=user_id)) == DONE
    assert refused(service.refresh(session["refresh_token"])) == OK


@pytest.mark.parametrize(
    ("minted_before", "usable"),
    [
        pytest.param(2.0, False, id="seconds-before"),
        # A token's times are whole seconds, and one minted right after a revocation must pass.
        pytest.param(0.3, True, id="in-the-second-of-the-revocation"),
        pytest.param(-2.0, True, id="seconds-after"),
        pytest.param(-0.3, True, id="after-in-the-same-second"),
    ],
)
def test_a_visitor_token_from_before_is_revoked_too(
    service: Service, minted_before: float, *, usable: bool
) -> None:
    """A token from a second before a revocation begins no session; one minted after does."""
    service.clock.move(0.5)
    if minted_before > 0:
        token = visitor_token(service)
        service.clock.move(minted_before)
        service.revoke(user_id="user-7f3a9c42")
    else:
        service.revoke(user_id="user-7f3a9c42")
        service.clock.move(-minted_before)
        token = visitor_token(service)
    service.clock.move(0.1)
    answer = service.exchange(token=token)
    assert refused(answer) == (OK if usable else (400, "invalid_token"))


def test_a_disabled_key_can_revoke_still(service: Service) -> None:
    """Switching a key off doesn't keep its backend from ending sessions."""
    session = service.user_session()
    entry(service)["enabled"] = False
    service.edit()
    service.clock.move(1)
    assert refused(service.revoke(user_id="user-7f3a9c42")) == DONE
    entry(service)["enabled"] = True
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == REVOKED


def test_a_clock_that_stepped_back_undoes_no_revocation(service: Service) -> None:
    """An earlier revocation that comes later takes nothing back."""
    session = service.user_session()
    service.clock.move(10)
    service.revoke(user_id="user-7f3a9c42")
    service.clock.move(-10)
    service.revoke(user_id="user-7f3a9c42")
    service.clock.move(20)
    assert refused(service.refresh(session["refresh_token"])) == REVOKED
