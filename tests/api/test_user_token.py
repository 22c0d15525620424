"""`POST /api/v1/widget/auth/user-token`: a backend vouches for a user."""

from __future__ import annotations

from typing import Any, Final

import jwt
import pytest

from kataven_flask.keys import hash_secret_key
from tests.api.wire import (
    EXCHANGE_AUDIENCE,
    LONG_AGO,
    agent,
    bearer,
    claims,
    entry,
    moment,
    send,
    tenant,
)
from tests.support import (
    API,
    ISSUER,
    KEY,
    NOON,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    PINNED_SECRET,
    SECRET,
    Service,
    refused,
)

OK: Final = (200, None)
NO_KEY: Final = (401, "invalid_api_key")
PATH: Final = f"{API}/auth/user-token"
ASTRAL: Final = "\U0001f600"
"""One character that takes two escapes in JSON."""


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"client_key": None}, 400, "missing_field", id="no-key"),
        pytest.param({"client_key": ""}, 400, "missing_field", id="empty-key"),
        pytest.param({"user_id": None}, 400, "missing_field", id="no-user"),
        pytest.param({"user_id": ""}, 400, "missing_field", id="empty-user"),
        pytest.param({"client_key": None, "user_id": None}, 400, "missing_field", id="neither"),
        pytest.param({"client_key": 7}, 400, "invalid_field", id="number-key"),
        pytest.param({"user_id": 42}, 400, "invalid_field", id="number-user"),
        pytest.param({"user_id": True}, 400, "invalid_field", id="true-user"),
        pytest.param({"user_id": 0}, 400, "invalid_field", id="zero-user"),
        pytest.param({"user_id": ["user-7f3a9c42"]}, 400, "invalid_field", id="list-user"),
        pytest.param({"user_id": {"id": 1}}, 400, "invalid_field", id="object-user"),
        pytest.param({"user_id": "u" * 256}, 200, None, id="longest-user"),
        pytest.param({"user_id": "u" * 257}, 400, "invalid_field", id="user-too-long"),
        pytest.param({"user_id": "\U0001f600" * 256}, 200, None, id="longest-user-in-emoji"),
        pytest.param({"user_id": "a\0b"}, 400, "invalid_field", id="null-byte-user"),
        pytest.param({"user_id": "a\nb"}, 400, "invalid_field", id="line-break-user"),
        pytest.param({"user_id": "a\x7f"}, 400, "invalid_field", id="delete-user"),
        pytest.param({"user_id": "a\x85"}, 400, "invalid_field", id="next-line-user"),
        pytest.param({"user_id": "a\ud800"}, 400, "invalid_field", id="lone-surrogate-user"),
        pytest.param({"user_id": " "}, 200, None, id="blank-user"),
        pytest.param({"user_id": "0"}, 200, None, id="user-zero-as-text"),
        pytest.param({"name": "n" * 256}, 200, None, id="longest-name"),
        pytest.param({"name": "n" * 257}, 400, "invalid_field", id="name-too-long"),
        pytest.param({"name": 1}, 400, "invalid_field", id="number-name"),
        pytest.param({"name": "Ann\tB"}, 400, "invalid_field", id="tab-in-name"),
        pytest.param({"name": "\x1b[31mAnn"}, 400, "invalid_field", id="escape-in-name"),
        pytest.param({"name": "<b>Ann</b> \u0416 \u202e"}, 200, None, id="markup-is-text"),
        pytest.param({"name": None, "email": None}, 200, None, id="nulls"),
        pytest.param({"name": "", "email": ""}, 200, None, id="empties"),
        pytest.param({"email": "e" * 320}, 200, None, id="longest-email"),
        pytest.param({"email": "e" * 321}, 400, "invalid_field", id="email-too-long"),
        pytest.param({"email": {"a": 1}}, 400, "invalid_field", id="object-email"),
        pytest.param({"email": "a@b.c\r\nBcc: x"}, 400, "invalid_field", id="header-in-email"),
        pytest.param({"client_key": OTHER_KEY}, 403, "client_key_mismatch", id="others-key"),
        pytest.param({"client_key": PINNED_KEY}, 403, "client_key_mismatch", id="sibling-key"),
        pytest.param({"client_key": "pk_live_x"}, 403, "client_key_mismatch", id="unknown-key"),
        pytest.param({"agent_id": "sales"}, 403, "auth_mode_forbidden", id="guests-only"),
        pytest.param({"agent_id": "night"}, 403, "agent_disabled", id="agent-off"),
        pytest.param({"agent_id": "nobody"}, 400, "unknown_agent_id", id="no-such-agent"),
        pytest.param({"agent_id": 3}, 400, "invalid_field", id="number-agent"),
        pytest.param({"agent_id": "account"}, 200, None, id="users-agent"),
        pytest.param({"extra": {"deep": [1, 2, {"x": None}]}}, 200, None, id="unknown-member"),
    ],
)
def test_a_body_is_judged(
    service: Service, body: dict[str, Any], status: int, code: str | None
) -> None:
    """Each length, type and character has its answer, at the limit and one over."""
    assert refused(service.user_token(**body)) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "subject", "name"),
    [
        pytest.param(
            {"external_user_id": "user-7f3a9c42"}, 200, "user-7f3a9c42", None, id="other-spelling"
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "external_user_id": "user-7f3a9c42"},
            200,
            "user-7f3a9c42",
            None,
            id="both-alike",
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "external_user_id": "43"}, 400, None, None, id="differ"
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "external_user_id": 42}, 400, None, None, id="types-differ"
        ),
        pytest.param({"user_id": None, "external_user_id": "7"}, 200, "7", None, id="one-is-null"),
        pytest.param(
            {"user_id": "user-7f3a9c42", "display_name": "Ann"},
            200,
            "user-7f3a9c42",
            "Ann",
            id="display-name",
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "name": "Ann", "display_name": "Ann"},
            200,
            "user-7f3a9c42",
            "Ann",
            id="names",
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "name": "Ann", "display_name": "Bob"},
            400,
            None,
            None,
            id="names-not",
        ),
        pytest.param(
            {"user_id": "user-7f3a9c42", "display_name": "n" * 257},
            400,
            None,
            None,
            id="long-display-name",
        ),
        pytest.param({"external_user_id": "u" * 257}, 400, None, None, id="long-other-spelling"),
    ],
)
def test_both_spellings_are_read(
    service: Service, body: dict[str, Any], status: int, subject: str | None, name: str | None
) -> None:
    """The guide's names stand for the reference's; two that differ are refused."""
    answer = service.client.post(PATH, json={"client_key": KEY, **body}, headers=bearer(SECRET))
    assert answer.status_code == status
    if status == 400:
        assert answer.headers["X-Error-Code"] == "invalid_field"
    else:
        said = claims(service, answer.get_json()["token"], EXCHANGE_AUDIENCE)
        assert (said["sub"], said.get("name")) == (subject, name)


def test_a_visitor_token_to_the_field(service: Service) -> None:
    """The answer has exactly the promised members, under both names of the token."""
    service.clock.move(0.9)
    answer = service.user_token()
    assert refused(answer) == OK
    assert answer.get_json() == {
        "user_token": answer.get_json()["token"],
        "token": answer.get_json()["token"],
        "token_type": "Bearer",
        "expires_in": 300,
        "expires_at": NOON + 300,
    }
    assert type(answer.get_json()["expires_at"]) is int
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_visitor_token_says_what_the_backend_said(service: Service) -> None:
    """Exactly the promised claims, for the exchange alone."""
    token = service.user_token(
        name="Ann Ünal", email="ann@acme.com", agent_id="account"
    ).get_json()["token"]
    said = claims(service, token, EXCHANGE_AUDIENCE)
    assert said.pop("jti")
    assert said == {
        "iss": ISSUER,
        "aud": EXCHANGE_AUDIENCE,
        "sub": "user-7f3a9c42",
        "iat": NOON,
        "exp": NOON + 300,
        "tenant": "acme",
        "client_key": KEY,
        "agent_id": "account",
        "name": "Ann Ünal",
        "email": "ann@acme.com",
    }


def test_what_is_not_given_is_not_claimed(service: Service) -> None:
    """Without name, e-mail and agent the token is silent about them."""
    said = claims(
        service, service.user_token(name="", email=None).get_json()["token"], EXCHANGE_AUDIENCE
    )
    assert set(said) == {"iss", "aud", "sub", "iat", "exp", "jti", "tenant", "client_key"}


def test_a_visitor_token_names_its_kind(service: Service) -> None:
    """Its header has the signing key's alg and kid, and a type that is its own."""
    header = jwt.get_unverified_header(service.user_token().get_json()["token"])
    kid = service.client.get("/.well-known/jwks.json").get_json()["keys"][0]["kid"]
    assert header == {"alg": "ES256", "kid": kid, "typ": "widget-visitor+jwt"}


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        pytest.param(f"Bearer {SECRET}", OK, id="bearer"),
        pytest.param(f"bearer {SECRET}", OK, id="lower-case"),
        pytest.param(f"BEARER {SECRET}", OK, id="upper-case"),
        pytest.param(f"Bearer   {SECRET}", OK, id="several-blanks"),
        pytest.param(None, NO_KEY, id="none"),
        pytest.param("", NO_KEY, id="empty"),
        pytest.param("Bearer", NO_KEY, id="scheme-alone"),
        pytest.param("Bearer ", NO_KEY, id="no-credentials"),
        pytest.param(SECRET, NO_KEY, id="no-scheme"),
        pytest.param(f"Basic {SECRET}", NO_KEY, id="basic"),
        pytest.param("Basic c2tfbGl2ZTo=", NO_KEY, id="basic-encoded"),
        pytest.param(f"Token {SECRET}", NO_KEY, id="token"),
        pytest.param(f"Bearer:{SECRET}", NO_KEY, id="colon"),
        pytest.param(f"Bearer {SECRET},", NO_KEY, id="comma"),
        pytest.param(f"Bearer {SECRET} {SECRET}", NO_KEY, id="twice"),
        pytest.param(f"Bearer {SECRET}, Bearer {SECRET}", NO_KEY, id="two-headers"),
        pytest.param(f"Bearer {SECRET[:-1]}", NO_KEY, id="cut"),
        pytest.param(f"Bearer {SECRET}x", NO_KEY, id="longer"),
        pytest.param(f"Bearer {SECRET.upper()}", NO_KEY, id="upper-case-secret"),
        pytest.param(f"Bearer {hash_secret_key(SECRET)}", NO_KEY, id="the-hash"),
        pytest.param(f"Bearer {KEY}", NO_KEY, id="the-client-key"),
        pytest.param("Bearer s\u00fcrprise", NO_KEY, id="latin-1"),
        pytest.param("Bearer " + "s" * 8000, NO_KEY, id="long"),
    ],
)
def test_the_secret_key_is_judged(
    service: Service, authorization: str | None, expected: tuple[int, str | None]
) -> None:
    """Only a live secret key as a bearer token opens the endpoint (RFC 6750, section 2.1)."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = service.client.post(PATH, json={"client_key": KEY, "user_id": "1"}, headers=headers)
    assert refused(answer) == expected
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (expected == NO_KEY)


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        pytest.param(None, "send the tenant's secret key as `Authorization: Bearer", id="none"),
        pytest.param(SECRET, "send the tenant's secret key as `Authorization", id="no-scheme"),
        pytest.param(f"Bearer {KEY}", "this is no secret key", id="the-client-key"),
        pytest.param(f"Bearer {SECRET[:-1]}", "is it whole, and of this server?", id="cut"),
    ],
)
def test_a_developer_reads_what_is_wrong_with_it(
    service: Service, authorization: str | None, words: str
) -> None:
    """No key, the public one and one that is cut short are told apart; none is repeated."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = service.client.post(PATH, json={"client_key": KEY, "user_id": "1"}, headers=headers)
    assert words in answer.text
    assert SECRET[:-1] not in answer.text


def test_the_secret_key_stands_nowhere_else(service: Service) -> None:
    """A secret key in the query or the body opens nothing."""
    body = {"client_key": KEY, "user_id": "1", "secret": SECRET, "api_key": SECRET}
    answer = service.client.post(f"{PATH}?access_token={SECRET}", json=body)
    assert refused(answer) == NO_KEY


@pytest.mark.parametrize("not_after", [LONG_AGO, moment(NOON)])
def test_a_secret_key_ends(service: Service, not_after: Any) -> None:
    """From its not_after on a secret key opens nothing."""
    entry(service)["secrets"][0]["not_after"] = not_after
    service.edit()
    answer = service.user_token()
    assert refused(answer) == NO_KEY
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_two_secrets_live_while_one_is_rotated(service: Service) -> None:
    """Old and new both work until the old one's time is over; then the new one alone."""
    fresh = "sk_live_acme_" + "n" * 43
    secrets = entry(service)["secrets"]
    secrets[0]["not_after"] = moment(NOON + 3600)
    secrets.append({"hash": hash_secret_key(fresh)})
    service.edit()
    assert refused(service.user_token(SECRET)) == OK
    assert refused(service.user_token(fresh)) == OK
    service.clock.move(3600)
    assert refused(service.user_token(SECRET)) == NO_KEY
    assert refused(service.user_token(fresh)) == OK


def test_a_struck_secret_is_dead_at_once(service: Service) -> None:
    """A hash taken out of the file opens nothing from then on."""
    entry(service)["secrets"] = []
    service.edit()
    assert refused(service.user_token()) == NO_KEY


@pytest.mark.parametrize(
    ("secret", "client_key"),
    [
        pytest.param(PINNED_SECRET, KEY, id="sibling-secret"),
        pytest.param(SECRET, PINNED_KEY, id="sibling-key"),
        pytest.param(OTHER_SECRET, KEY, id="other-tenants-secret"),
        pytest.param(SECRET, OTHER_KEY, id="other-tenants-key"),
    ],
)
def test_a_secret_key_vouches_for_its_own_client_key(
    service: Service, secret: str, client_key: str
) -> None:
    """A secret of another key, or of another tenant, mints nothing for this one."""
    assert refused(service.user_token(secret, client_key=client_key)) == (
        403,
        "client_key_mismatch",
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://acme.com"}, id="allowed-origin"),
        pytest.param({"Origin": "https://evil.example"}, id="strange-origin"),
        pytest.param({"Origin": "null"}, id="null-origin"),
        pytest.param({"Origin": ""}, id="empty-origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "none"}, id="typed-by-hand"),
        pytest.param({"Sec-Fetch-Site": ""}, id="empty-sec-fetch"),
    ],
)
def test_a_browser_is_refused(service: Service, headers: dict[str, str]) -> None:
    """Whatever only a browser sends is refused, with the reason, even with a live secret."""
    answer = send(
        service,
        "user-token",
        b'{"client_key":"%s","user_id":"1"}' % KEY.encode(),
        origin=None,
        headers={**bearer(SECRET), **headers},
    )
    assert refused(answer) == (403, "browser_forbidden")
    assert "secret key" in answer.text
    assert "leak" in answer.text


def test_a_referer_is_no_browser(service: Service) -> None:
    """A backend whose client sends a Referer is served."""
    headers = {**bearer(SECRET), "Referer": "https://acme.com/account"}
    body = b'{"client_key":"%s","user_id":"1"}' % KEY.encode()
    assert refused(send(service, "user-token", body, origin=None, headers=headers)) == OK


@pytest.mark.parametrize(
    ("client_key", "secret", "asked", "expected"),
    [
        pytest.param(PINNED_KEY, PINNED_SECRET, "sales", OK, id="a-pin-wins"),
        pytest.param(PINNED_KEY, PINNED_SECRET, "nobody", OK, id="a-pin-wins-over-unknown"),
        pytest.param(OTHER_KEY, OTHER_SECRET, None, OK, id="the-only-one"),
    ],
)
def test_the_agent_is_resolved(
    service: Service,
    client_key: str,
    secret: str,
    asked: str | None,
    expected: tuple[int, str | None],
) -> None:
    """The pin, then what is asked, then the default, then the only one."""
    answer = service.user_token(secret, client_key=client_key, agent_id=asked)
    assert refused(answer) == expected


def test_of_several_agents_one_must_be_named(service: Service) -> None:
    """Without a pin and a default the backend is told to name one."""
    del tenant(service)["default_agent"]
    service.edit()
    assert refused(service.user_token()) == (400, "missing_agent_id")


@pytest.mark.parametrize(
    ("auth_mode", "expected"),
    [("user", OK), ("both", OK), ("guest", (403, "auth_mode_forbidden"))],
)
def test_the_agent_decides_whether_it_takes_users(
    service: Service, auth_mode: str, expected: tuple[int, str | None]
) -> None:
    """A user gets in where the agent's auth_mode is user or both."""
    agent(service)["auth_mode"] = auth_mode
    service.edit()
    assert refused(service.user_token()) == expected


@pytest.mark.parametrize(
    "members",
    [{"enabled": False}, {"not_after": LONG_AGO}, {"not_after": moment(NOON)}],
    ids=["disabled", "ended", "ends-now"],
)
def test_a_dead_client_key_mints_nothing(service: Service, members: dict[str, Any]) -> None:
    """A live secret doesn't help a client key that is off or past its time."""
    entry(service).update(members)
    service.edit()
    assert refused(service.user_token()) == (403, "client_key_disabled")


@pytest.mark.parametrize(("ttl", "seconds"), [("30s", 30), ("5m", 300), ("10m", 600)])
def test_the_policy_sets_the_lifetime(service: Service, ttl: str, seconds: int) -> None:
    """A visitor token lives as long as the file says."""
    service.document["tokens"] = {"visitor_ttl": ttl}
    service.edit()
    answer = service.user_token()
    assert (answer.get_json()["expires_in"], answer.get_json()["expires_at"]) == (
        seconds,
        NOON + seconds,
    )


@pytest.mark.parametrize("character", ["x", "\u00fc", "\u6f22", ASTRAL], ids=ascii)
def test_whoever_is_vouched_for_can_sign_in(service: Service, character: str) -> None:
    """The longest id, name and e-mail make tokens that exchange and refresh take."""
    minted = service.user_token(
        user_id=character * 256, name=character * 256, email=character * 320
    )
    assert refused(minted) == OK
    session = service.exchange(token=minted.get_json()["token"])
    assert refused(session) == OK
    assert session.get_json()["visitor"]["name"] == character * 256
    renewed = service.refresh(session.get_json()["refresh_token"])
    assert refused(renewed) == OK
    assert renewed.get_json()["visitor"] == session.get_json()["visitor"]
