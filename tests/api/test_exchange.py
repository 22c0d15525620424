"""`POST /api/v1/widget/auth/exchange`: a visitor token becomes a user's session, once."""

from __future__ import annotations

from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.wire import (
    DAY,
    EXCHANGE_AUDIENCE,
    LONG_AGO,
    STRANGER,
    SUBDOMAIN,
    agent,
    claims,
    entry,
    flip,
    moment,
    resign,
    segment,
    signing_key,
    tenant,
    visitor_token,
)
from tests.support import (
    AUDIENCE,
    ISSUER,
    KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    PINNED_SECRET,
    Service,
    refused,
)

OK: Final = (200, None)
INVALID: Final = (400, "invalid_token")
EXPIRED: Final = (400, "expired_token")
USED: Final = (400, "used_token")
SESSION_MEMBERS: Final = {
    "token",
    "token_type",
    "expires_in",
    "expires_at",
    "refresh_token",
    "refresh_expires_in",
    "session_id",
    "agent_id",
    "visitor",
    "server_time",
}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({}, 400, "missing_token", id="nothing"),
        pytest.param({"token": None}, 400, "missing_token", id="null"),
        pytest.param({"token": ""}, 400, "missing_token", id="empty"),
        pytest.param({"token": "", "user_token": None}, 400, "missing_token", id="both-empty"),
        pytest.param({"guest_token": "x"}, 400, "missing_token", id="guest-token-alone"),
        pytest.param({"refresh_token": "x"}, 400, "missing_token", id="refresh-token-alone"),
        pytest.param({"token": 1}, 400, "invalid_field", id="number"),
        pytest.param({"token": True}, 400, "invalid_field", id="true"),
        pytest.param({"token": ["x"]}, 400, "invalid_field", id="list"),
        pytest.param({"token": {"x": 1}}, 400, "invalid_field", id="object"),
        pytest.param({"user_token": 1}, 400, "invalid_field", id="number-other-spelling"),
        pytest.param(
            {"token": "a", "user_token": "b"}, 400, "invalid_field", id="spellings-differ"
        ),
        pytest.param({"token": "x"}, 400, "invalid_token", id="x"),
        pytest.param({"token": "..."}, 400, "invalid_token", id="dots"),
        pytest.param({"token": "a.b.c"}, 400, "invalid_token", id="three-words"),
        pytest.param({"token": "a.b.c.d.e"}, 400, "invalid_token", id="five-words"),
        pytest.param({"token": "\u00fc.\u00fc.\u00fc"}, 400, "invalid_token", id="not-ascii"),
        pytest.param({"token": " "}, 400, "invalid_token", id="blank"),
        pytest.param({"token": "x", "client_key": 1}, 400, "invalid_field", id="number-key"),
        pytest.param({"token": "x", "guest_token": 1}, 400, "invalid_field", id="number-guest"),
    ],
)
def test_a_body_is_judged(service: Service, body: dict[str, Any], status: int, code: str) -> None:
    """Each thing wrong with the body has its answer."""
    assert refused(service.exchange(**body)) == (status, code)


def test_a_users_session_to_the_field(service: Service) -> None:
    """The answer has exactly the promised members, with what the backend vouched for."""
    token = visitor_token(service, name="Ann Ünal", email="ann@acme.com")
    service.clock.move(60)
    answer = service.exchange(token=token)
    assert refused(answer) == OK
    body = answer.get_json()
    assert set(body) == SESSION_MEMBERS
    assert body["token_type"] == "Bearer"
    assert body["server_time"] == NOON + 60
    assert (body["expires_in"], body["expires_at"]) == (600, NOON + 660)
    assert body["refresh_expires_in"] == DAY
    assert body["session_id"].startswith("ses_")
    assert body["agent_id"] == "support"
    assert body["visitor"] == {
        "id": "user-7f3a9c42",
        "type": "user",
        "name": "Ann Ünal",
        "email": "ann@acme.com",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_users_token_says_who_and_where(service: Service) -> None:
    """The published keys alone let anybody read exactly the promised claims."""
    token = visitor_token(service, name="Ann", email="ann@acme.com", agent_id="account")
    service.clock.move(60)
    body = service.exchange(SUBDOMAIN, token=token).get_json()
    said = claims(service, body["token"])
    assert said.pop("jti") != claims(service, token, EXCHANGE_AUDIENCE)["jti"]
    assert said == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-7f3a9c42",
        "iat": NOON + 60,
        "exp": NOON + 660,
        "sid": body["session_id"],
        "tenant": "acme",
        "agent_id": "account",
        "client_key": KEY,
        "origin": SUBDOMAIN,
        "visitor_type": "user",
        "auth_time": NOON + 60,
        "name": "Ann",
        "email": "ann@acme.com",
    }
    header = jwt.get_unverified_header(body["token"])
    assert set(header) == {"alg", "kid", "typ"}
    assert header["typ"] == "widget-session+jwt"


def test_a_user_without_a_name(service: Service) -> None:
    """What the backend didn't say is null in the answer and absent from the token."""
    body = service.user_session()
    assert body["visitor"] == {"id": "user-7f3a9c42", "type": "user", "name": None, "email": None}
    assert not {"name", "email", "guest_id"} & set(claims(service, body["token"]))


@pytest.mark.parametrize(
    "spelled", [("token",), ("user_token",), ("token", "user_token")], ids="+".join
)
def test_both_spellings_are_read(service: Service, spelled: tuple[str, ...]) -> None:
    """The guide's `user_token` is read like the reference's `token`."""
    token = visitor_token(service)
    assert refused(service.exchange(**dict.fromkeys(spelled, token))) == OK


def test_two_spellings_that_differ_spend_nothing(service: Service) -> None:
    """Two different tokens in one call are refused, and both stay good."""
    one, other = visitor_token(service), visitor_token(service)
    assert refused(service.exchange(token=one, user_token=other)) == (400, "invalid_field")
    assert refused(service.exchange(token=one)) == OK
    assert refused(service.exchange(token=other)) == OK


def test_a_visitor_token_is_good_once(service: Service) -> None:
    """The second exchange is refused, from whichever page and however it is spelled."""
    token = visitor_token(service)
    assert refused(service.exchange(token=token)) == OK
    assert refused(service.exchange(token=token)) == USED
    assert refused(service.exchange(SUBDOMAIN, user_token=token)) == USED


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, OK), (299, OK), (299.9, OK), (300, EXPIRED), (301, EXPIRED), (10 * DAY, EXPIRED)],
)
def test_a_visitor_token_ends(
    service: Service, seconds: float, expected: tuple[int, str | None]
) -> None:
    """It is good until its `expires_at`, and not at it."""
    token = visitor_token(service)
    service.clock.move(seconds)
    assert refused(service.exchange(token=token)) == expected


def test_a_spent_token_is_remembered_until_it_has_expired(service: Service) -> None:
    """Up to its last instant it is `used_token`, then `expired_token`; never good again."""
    token = visitor_token(service)
    assert refused(service.exchange(token=token)) == OK
    service.clock.move(299)
    assert refused(service.exchange(token=token)) == USED
    service.clock.move(1)
    assert refused(service.exchange(token=token)) == EXPIRED


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda s, _: s.guest().get_json()["token"], id="guests-session-token"),
        pytest.param(lambda s, _: s.user_session()["token"], id="users-session-token"),
        pytest.param(lambda s, _: s.guest().get_json()["refresh_token"], id="refresh-token"),
        pytest.param(lambda _, t: t[:-5], id="cut"),
        pytest.param(lambda _, t: t + "A", id="longer"),
        pytest.param(lambda _, t: t + ".", id="a-fourth-part"),
        pytest.param(lambda _, t: f" {t}", id="blank-before"),
        pytest.param(lambda _, t: f"Bearer {t}", id="with-the-scheme"),
        pytest.param(lambda _, t: flip(t, 5), id="header-changed"),
        pytest.param(lambda _, t: flip(t, len(t) // 2), id="claims-changed"),
        pytest.param(lambda _, t: flip(t, -5), id="signature-changed"),
        pytest.param(lambda _, t: t.rpartition(".")[0] + ".", id="signature-gone"),
        pytest.param(lambda _, t: t.rpartition(".")[0], id="no-third-part"),
        pytest.param(
            lambda s, t: resign(s, t, key=generate_private_key(SECP256R1())), id="foreign-key"
        ),
        pytest.param(
            lambda s, t: resign(
                s, t, key=generate_private_key(SECP256R1()), header={"kid": "mine"}
            ),
            id="foreign-key-and-kid",
        ),
        pytest.param(lambda s, t: resign(s, t, header={"kid": None}), id="no-kid"),
        pytest.param(lambda s, t: resign(s, t, header={"typ": "JWT"}), id="type-jwt"),
        pytest.param(
            lambda s, t: resign(s, t, header={"typ": "widget-session+jwt"}), id="type-of-session"
        ),
        pytest.param(
            lambda s, t: resign(s, t, header={"typ": "WIDGET-VISITOR+JWT"}), id="type-upper-case"
        ),
        pytest.param(lambda s, t: resign(s, t, header={"jku": STRANGER}), id="key-by-url"),
        pytest.param(lambda s, t: resign(s, t, header={"crit": ["exp"]}), id="critical-extension"),
        pytest.param(lambda s, t: resign(s, t, aud=AUDIENCE), id="audience-of-session"),
        pytest.param(
            lambda s, t: resign(s, t, aud=[EXCHANGE_AUDIENCE, AUDIENCE]), id="two-audiences"
        ),
        pytest.param(lambda s, t: resign(s, t, aud=None), id="no-audience"),
        pytest.param(lambda s, t: resign(s, t, iss=STRANGER), id="another-issuer"),
        pytest.param(lambda s, t: resign(s, t, iss=f"{ISSUER}/"), id="issuer-with-slash"),
        pytest.param(lambda s, t: resign(s, t, iss=None), id="no-issuer"),
        pytest.param(lambda s, t: resign(s, t, exp=None), id="no-expiry"),
        pytest.param(lambda s, t: resign(s, t, exp="9999999999"), id="expiry-as-text"),
        pytest.param(lambda s, t: resign(s, t, exp=True), id="expiry-true"),
        pytest.param(lambda s, t: resign(s, t, exp=float("inf")), id="expiry-infinite"),
        pytest.param(lambda s, t: resign(s, t, iat=None), id="no-issue-time"),
        pytest.param(lambda s, t: resign(s, t, iat=int(NOON) + 3600), id="issued-in-the-future"),
        pytest.param(lambda s, t: resign(s, t, jti=None), id="no-id"),
        pytest.param(lambda s, t: resign(s, t, jti=7), id="id-a-number"),
        pytest.param(lambda s, t: resign(s, t, sub=None), id="no-subject"),
        pytest.param(lambda s, t: resign(s, t, sub=42), id="subject-a-number"),
        pytest.param(lambda s, t: resign(s, t, tenant=None), id="no-tenant"),
        pytest.param(lambda s, t: resign(s, t, client_key=None), id="no-client-key"),
    ],
)
def test_what_was_not_minted_for_the_exchange_is_refused(service: Service, forge: Any) -> None:
    """Another kind of token, a changed one and one of another maker are no visitor tokens."""
    forged = forge(service, visitor_token(service))
    answer = service.exchange(token=forged)
    assert refused(answer) == INVALID
    assert answer.text.startswith("Missing or expired token: ")
    assert forged not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "nOnE", "typ": "widget-visitor+jwt"},
        {"alg": "ES384"},
        {"alg": "EdDSA"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"kid": ["a"]},
        {"kid": {"a": 1}},
        {"kid": "\ud800"},
        {"kid": "../../keyring.json"},
        {"kid": "' OR 1=1 --"},
        [],
        "text",
        7,
        None,
        b"\xff\xfe",
        b"[" * 6000,
        b'{"a":' * 1500,
        b"NaN",
        b'{"alg":1e400}',
        b'{"alg":' + b"9" * 5000 + b"}",
        b"",
    ],
    ids=lambda header: repr(header)[:24],
)
def test_a_hostile_header_is_refused(service: Service, header: Any) -> None:
    """Whatever a token's header says, it is read without a fault and never believed."""
    whole = jwt.get_unverified_header(token := visitor_token(service))
    if isinstance(header, dict):
        header = whole | header
    _, body, signature = token.split(".")
    for forged in (f"{segment(header)}.{body}.{signature}", f"{segment(header)}.{body}."):
        assert refused(service.exchange(token=forged)) == INVALID


def test_the_public_key_is_no_shared_secret(service: Service) -> None:
    """A token signed by HMAC with the published key's text is refused (RFC 8725, 3.1)."""
    public = signing_key(service).public_key()
    token = visitor_token(service)
    header = jwt.get_unverified_header(token) | {"alg": "HS256"}
    body = token.split(".")[1]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signed = f"{segment(header)}.{body}"
    forged = f"{signed}.{segment(algorithm.sign(signed.encode(), pem))}"
    assert refused(service.exchange(token=forged)) == INVALID


def test_the_same_token_signed_anew_is_still_spent(service: Service) -> None:
    """It is the token's id that is spent, not its text."""
    token = visitor_token(service)
    again = resign(service, token)
    assert again != token
    assert refused(service.exchange(token=token)) == OK
    assert refused(service.exchange(token=again)) == USED


@pytest.mark.parametrize(
    ("members", "origin", "expected"),
    [
        pytest.param({"client_key": KEY}, ORIGIN, OK, id="same-key"),
        pytest.param({"client_key": None}, ORIGIN, OK, id="null-key"),
        pytest.param({"client_key": ""}, ORIGIN, OK, id="empty-key"),
        pytest.param(
            {"client_key": OTHER_KEY}, ORIGIN, (403, "client_key_mismatch"), id="others-key"
        ),
        pytest.param(
            {"client_key": PINNED_KEY}, ORIGIN, (403, "client_key_mismatch"), id="sibling-key"
        ),
        pytest.param(
            {"client_key": "pk_live_x"}, ORIGIN, (403, "client_key_mismatch"), id="no-such-key"
        ),
        pytest.param({}, SUBDOMAIN, OK, id="subdomain"),
        pytest.param({}, STRANGER, (403, "origin_not_allowed"), id="stranger"),
        pytest.param({}, None, (403, "origin_not_allowed"), id="no-origin"),
        pytest.param({}, "null", (403, "origin_not_allowed"), id="null-origin"),
    ],
)
def test_key_and_origin_are_held_against_the_token(
    service: Service,
    members: dict[str, Any],
    origin: str | None,
    expected: tuple[int, str | None],
) -> None:
    """The page's key must be the token's, and the page one of the key's."""
    answer = service.exchange(origin, token=visitor_token(service), **members)
    assert refused(answer) == expected


@pytest.mark.parametrize(
    ("refuse", "expected"),
    [
        pytest.param({"origin": STRANGER}, (403, "origin_not_allowed"), id="stranger"),
        pytest.param({"client_key": OTHER_KEY}, (403, "client_key_mismatch"), id="mismatch"),
        pytest.param({"client_key": 1}, (400, "invalid_field"), id="invalid-field"),
        pytest.param({"guest_token": []}, (400, "invalid_field"), id="invalid-guest-token"),
    ],
)
def test_a_refused_exchange_spends_nothing(
    service: Service, refuse: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Who mends what was wrong can use the same token."""
    token = visitor_token(service)
    assert refused(service.exchange(token=token, **refuse)) == expected
    assert refused(service.exchange(token=token)) == OK


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda s: entry(s).update(enabled=False), (403, "client_key_disabled"), id="key-off"
        ),
        pytest.param(
            lambda s: entry(s).update(not_after=LONG_AGO), (403, "client_key_disabled"), id="ended"
        ),
        pytest.param(
            lambda s: tenant(s)["keys"].remove(entry(s)), (403, "unknown_client_key"), id="gone"
        ),
        pytest.param(
            lambda s: entry(s).update(domain_allowlist=[]),
            (403, "origin_not_allowed"),
            id="origin-struck",
        ),
        pytest.param(
            lambda s: agent(s).update(widget_enabled=False), (403, "agent_disabled"), id="agent-off"
        ),
        pytest.param(
            lambda s: agent(s).update(auth_mode="guest"),
            (403, "auth_mode_forbidden"),
            id="guests-only",
        ),
        pytest.param(lambda s: entry(s).update(secrets=[]), OK, id="secret-struck"),
        pytest.param(
            lambda s: entry(s).update(sessions_not_before=moment(NOON + 5)), OK, id="old-cut-off"
        ),
    ],
)
def test_an_edit_between_mint_and_exchange_counts(
    service: Service, change: Any, expected: tuple[int, str | None]
) -> None:
    """The file in force at the exchange decides, not the one at the mint."""
    token = visitor_token(service)
    change(service)
    service.edit()
    assert refused(service.exchange(token=token)) == expected


def test_a_token_of_another_tenant_is_that_tenants(service: Service) -> None:
    """It begins a session of its own tenant, and none of the one whose key a page sends."""
    token = visitor_token(service, secret=OTHER_SECRET, client_key=OTHER_KEY)
    assert refused(service.exchange(token=token, client_key=KEY)) == (403, "client_key_mismatch")
    assert refused(service.exchange(SUBDOMAIN, token=token)) == (403, "origin_not_allowed")
    answer = service.exchange(token=token)
    said = claims(service, answer.get_json()["token"])
    assert (said["tenant"], said["client_key"], said["agent_id"]) == ("other", OTHER_KEY, "only")


@pytest.mark.parametrize(
    ("minted", "chosen"),
    [
        pytest.param({}, "support", id="default"),
        pytest.param({"agent_id": "account"}, "account", id="asked"),
        pytest.param(
            {"secret": PINNED_SECRET, "client_key": PINNED_KEY, "agent_id": "sales"},
            "account",
            id="pinned",
        ),
        pytest.param({"secret": OTHER_SECRET, "client_key": OTHER_KEY}, "only", id="only-one"),
    ],
)
def test_the_agent_is_resolved(service: Service, minted: dict[str, Any], chosen: str) -> None:
    """The session talks to the agent that the backend asked for, unless the key is pinned."""
    answer = service.exchange(token=visitor_token(service, **minted))
    assert answer.get_json()["agent_id"] == chosen


def test_a_page_cannot_choose_the_users_agent(service: Service) -> None:
    """What a page asks for at the exchange is ignored; the backend chose."""
    token = visitor_token(service, agent_id="account")
    assert service.exchange(token=token, agent_id="support").get_json()["agent_id"] == "account"


def test_a_page_cannot_choose_who_it_is(service: Service) -> None:
    """What a page says about its user is ignored; the backend vouched."""
    answer = service.exchange(
        token=visitor_token(service), user_id="admin", name="Root", email="r@x.y", sub="admin"
    )
    assert answer.get_json()["visitor"] == {
        "id": "user-7f3a9c42",
        "type": "user",
        "name": None,
        "email": None,
    }


# --- the guest that the user was


def test_a_guest_is_joined_to_its_user(service: Service) -> None:
    """A live guest token of the same key lets `/connect` join the two histories."""
    guest = service.guest().get_json()
    answer = service.exchange(token=visitor_token(service), guest_token=guest["token"])
    assert claims(service, answer.get_json()["token"])["guest_id"] == guest["visitor"]["id"]
    assert answer.get_json()["session_id"] != guest["session_id"]


@pytest.mark.parametrize(
    "guest_token",
    [
        pytest.param(
            lambda s: s.guest(client_key=OTHER_KEY).get_json()["token"], id="other-tenants-key"
        ),
        pytest.param(lambda s: s.user_session()["token"], id="a-users-session"),
        pytest.param(visitor_token, id="a-visitor-token"),
        pytest.param(lambda s: s.guest().get_json()["refresh_token"], id="a-refresh-token"),
        pytest.param(lambda s: flip(s.guest().get_json()["token"], -5), id="tampered"),
        pytest.param(lambda _: "garbage", id="garbage"),
        pytest.param(lambda _: "[" * 4000, id="brackets"),
        pytest.param(lambda _: None, id="null"),
        pytest.param(lambda _: "", id="empty"),
    ],
)
def test_no_other_token_joins_anybody(service: Service, guest_token: Any) -> None:
    """The user is signed in all the same; no guest is claimed that isn't proven."""
    answer = service.exchange(token=visitor_token(service), guest_token=guest_token(service))
    assert refused(answer) == OK
    assert "guest_id" not in claims(service, answer.get_json()["token"])


def test_a_guest_of_a_sibling_key_is_not_joined(service: Service) -> None:
    """The guest token must be of the very same key, not only of the same tenant."""
    entry(service, PINNED_KEY)["agent_id"] = "sales"
    service.edit()
    guest = service.guest(client_key=PINNED_KEY).get_json()
    answer = service.exchange(token=visitor_token(service), guest_token=guest["token"])
    assert "guest_id" not in claims(service, answer.get_json()["token"])


@pytest.mark.parametrize(("seconds", "joined"), [(599, True), (600, False)])
def test_an_expired_guest_is_not_joined(service: Service, seconds: int, *, joined: bool) -> None:
    """The guest's session token must be live."""
    guest = service.guest().get_json()
    service.clock.move(seconds)
    answer = service.exchange(token=visitor_token(service), guest_token=guest["token"])
    assert ("guest_id" in claims(service, answer.get_json()["token"])) is joined


def test_the_guests_session_goes_on(service: Service) -> None:
    """Signing in ends nothing: the guest's own session can be refreshed still."""
    guest = service.guest().get_json()
    service.exchange(token=visitor_token(service), guest_token=guest["token"])
    assert refused(service.refresh(guest["refresh_token"])) == OK


@pytest.mark.parametrize("token", ["x" * 12_289, "a\nb", "a\0b", "\ud800"], ids=repr)
def test_an_unreadable_token_is_a_clear_400(service: Service, token: str) -> None:
    """A token that is too long or has characters that none has is refused as what it is."""
    answer = service.exchange(token=token)
    assert answer.status_code == 400
    assert answer.headers["X-Error-Code"] in {"invalid_field", "invalid_token"}
