"""What an attacker would try next, kept as tests."""

from __future__ import annotations

import base64
import json
import random
from typing import Any, Final
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kataven_flask.store import PresentedVisitor, Spending
from kataven_flask.store.memory import MemoryStore
from tests.api.wire import (
    EXCHANGE_AUDIENCE,
    MAX_BODY,
    STRANGER,
    SUBDOMAIN,
    bearer,
    claims,
    entry,
    no_limits,
    resign,
    segment,
    send,
    tenant,
    visitor_token,
)
from tests.support import (
    API,
    AUDIENCE,
    KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    OTHER_SECRET,
    SECRET,
    Service,
    refused,
)

OK: Final = (200, None)
ORDER_OF_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, section 2.4.2."""


def raw(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_mirrored_signature_spends_no_token_twice(service: Service) -> None:
    """ECDSA lets anybody make a second valid signature; the token is spent all the same."""
    token = visitor_token(service)
    signed, _, signature = token.rpartition(".")
    r, s = (int.from_bytes(half) for half in (raw(signature)[:32], raw(signature)[32:]))
    mirrored = r.to_bytes(32) + (ORDER_OF_P256 - s).to_bytes(32)
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    twin = f"{signed}.{segment(mirrored)}"
    assert twin != token
    got = [refused(service.exchange(token=each)) for each in (token, twin, token)]
    assert got[0] == OK
    assert OK not in got[1:]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_in_another_spelling_is_spent_once(service: Service, part: int) -> None:
    """Base64 has spare bits in its last character: no spelling of a token makes a second."""
    token = visitor_token(service)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = token.split(".")
    last = alphabet.index(parts[part][-1])
    others = [alphabet[last ^ bit] for bit in (1, 2, 3)]
    spellings = [
        ".".join([*parts[:part], parts[part][:-1] + other, *parts[part + 1 :]]) for other in others
    ] + [token + "=", token + "=="]
    served = [refused(service.exchange(token=each)) for each in [token, *spellings]]
    assert served.count(OK) == 1


def test_a_refresh_token_in_another_spelling_is_no_second_one(service: Service) -> None:
    """A refresh token's signature in another spelling opens no second branch."""
    first = service.guest().get_json()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    service.clock.move(60)
    for twin in (first + "=", first[:-1] + chr(ord(first[-1]) ^ 1), first + "\n", first + "."):
        assert service.refresh(twin).status_code == 400
    assert refused(service.refresh(second))[1] in {None, "revoked_session"}


def test_no_session_token_is_good_for_a_visitor(service: Service) -> None:
    """Though one key signs both, a session's claims under the visitor's type are refused."""
    session = service.user_session()["token"]
    retyped = resign(service, session, header={"typ": "widget-visitor+jwt"})
    assert refused(service.exchange(token=retyped)) == (400, "invalid_token")


def test_no_visitor_token_is_good_for_a_session(service: Service) -> None:
    """What a backend mints for the exchange passes no verifier of sessions."""
    token = visitor_token(service)
    with pytest.raises(jwt.InvalidAudienceError):
        claims(service, token, AUDIENCE)
    with pytest.raises(jwt.InvalidAudienceError):
        claims(service, service.guest().get_json()["token"], EXCHANGE_AUDIENCE)


def test_a_users_id_of_a_guests_shape_stays_a_user(service: Service) -> None:
    """A backend that vouches for `guest_…` makes a user; the types keep them apart."""
    guest = service.guest().get_json()["visitor"]["id"]
    session = service.user_session(user_id=guest)
    said = claims(service, session["token"])
    assert (said["sub"], said["visitor_type"]) == (guest, "user")
    service.clock.move(1)
    assert service.revoke(user_id=guest).status_code == 204
    assert refused(service.refresh(session["refresh_token"])) == (400, "revoked_session")


@pytest.mark.parametrize(
    "user_id",
    [
        "' OR '1'='1",
        "'; DROP TABLE session; --",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "%s%s%n",
        "<script>alert(1)</script>",
        "a" * 256,
        "\u202e\u200bzero",
        "\ufeff42",
        "42\u00a0",
        "\u0130\u0131\u1e9e",
        "-1",
        "null",
        "true",
    ],
    ids=ascii,
)
def test_a_strange_user_id_is_a_user_like_any_other(service: Service, user_id: str) -> None:
    """An id is text: it comes back as it went in, and is revoked alone."""
    session = service.user_session(user_id=user_id, name=user_id, email=user_id)
    assert session["visitor"] == {
        "id": user_id,
        "type": "user",
        "name": user_id,
        "email": user_id,
    }
    assert claims(service, session["token"])["sub"] == user_id
    neighbour = service.user_session(user_id="42-neighbour")
    service.clock.move(1)
    assert service.revoke(user_id=user_id).status_code == 204
    assert refused(service.refresh(session["refresh_token"])) == (400, "revoked_session")
    assert refused(service.refresh(neighbour["refresh_token"])) == OK


def test_composed_and_decomposed_ids_are_two_users(service: Service) -> None:
    """Ids are compared as they are: the tenant's own terms aren't normalised."""
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    session = service.user_session(user_id=composed)
    service.clock.move(1)
    service.revoke(user_id=decomposed)
    assert refused(service.refresh(session["refresh_token"])) == OK


@pytest.mark.parametrize("action", ["guest", "exchange", "refresh", "logout", "config"])
@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-Method-Override", "_method"])
def test_no_header_changes_the_method(service: Service, action: str, override: str) -> None:
    """A method is what the request line says."""
    path = f"{API}/config" if action == "config" else f"{API}/auth/{action}"
    method = "PUT"
    wanted = "GET" if action == "config" else "POST"
    answer = service.client.open(path, method=method, headers={override: wanted})
    assert refused(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize("query", ["?debug=1", "?__debugger__=yes&cmd=resource&f=style.css"])
def test_there_is_no_debugger(service: Service, query: str) -> None:
    """Nothing is served to who asks for a framework's inside."""
    assert refused(service.client.get(f"/console{query}")) == (404, "not_found")
    assert service.client.get(f"{API}/config{query}").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        f"/{API}/config",
        f"{API}//config",
        f"{API}/config//",
        "/widget//v1.js",
    ],
)
def test_a_doubled_slash_sends_nobody_elsewhere(service: Service, path: str) -> None:
    """A path is looked up as it is: no redirect is built from what a stranger sent as Host."""
    answer = service.client.get(path, headers={"Host": "evil.example", "Origin": ORIGIN})
    assert "Location" not in answer.headers
    assert refused(answer) == (404, "not_found")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:99999", "", "a b", "[::1", "x" * 999]
)
def test_the_host_header_decides_nothing(service: Service, host: str) -> None:
    """Issuer and audience are configured; no Host header moves them or is a fault of ours."""
    answer = service.client.post(
        f"{API}/auth/guest",
        json={"client_key": KEY},
        headers={"Origin": ORIGIN},
        environ_overrides={"HTTP_HOST": host},
    )
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert claims(service, answer.get_json()["token"])["iss"] == "https://widget.example.com"


def test_a_response_header_is_never_split(service: Service) -> None:
    """What a stranger sends is in no header of the answer."""
    hostile = quote("x\r\nSet-Cookie: a=b")
    for path in (f"{API}/config?client_key={hostile}", f"/{hostile}", f"{API}/{hostile}"):
        answer = service.client.get(path, headers={"Origin": ORIGIN})
        assert "Set-Cookie" not in answer.headers
        assert answer.status_code in {400, 404}


def test_no_answer_sets_a_cookie(service: Service) -> None:
    """Nothing rides along with a browser: there is no cookie to ride on."""
    session = service.user_session()
    answers = [
        service.guest(),
        service.config(),
        service.refresh(session["refresh_token"]),
        service.logout(session["refresh_token"]),
        service.guest(origin=STRANGER),
        service.client.get("/nothing"),
    ]
    assert not any("Set-Cookie" in each.headers for each in answers)


def test_a_cookie_is_not_read(service: Service) -> None:
    """A token in a cookie or a header stands for none in the body."""
    token = visitor_token(service)
    service.client.set_cookie("token", token)
    service.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    assert refused(service.exchange()) == (400, "missing_token")


def test_a_secret_key_gives_a_page_nothing_more(service: Service) -> None:
    """A browser's endpoint that is sent a secret key still needs the origin."""
    body = json.dumps({"client_key": KEY}).encode()
    answer = send(service, "guest", body, origin=None, headers=bearer(SECRET))
    assert refused(answer) == (403, "origin_not_allowed")


def test_another_tenant_cannot_vouch_across(service: Service) -> None:
    """No member of a body makes a tenant's secret mint for another tenant."""
    for body in (
        {"client_key": KEY},
        {"client_key": KEY, "tenant": "other"},
        {"client_key": KEY, "tenant": "acme", "agent_id": "support"},
    ):
        assert refused(service.user_token(OTHER_SECRET, **body)) == (403, "client_key_mismatch")
    token = visitor_token(service, secret=OTHER_SECRET, client_key=OTHER_KEY, tenant="acme")
    assert claims(service, token, EXCHANGE_AUDIENCE)["tenant"] == "other"


def test_a_key_does_not_say_whether_it_is_nearly_right(service: Service) -> None:
    """All unknown keys get one answer, word for word."""
    texts = {service.guest(client_key=KEY[:cut]).text for cut in (8, 14, 20, 34)}
    assert len(texts) == 1


def test_wrong_secrets_get_one_answer(service: Service) -> None:
    """All unknown secret keys get one answer, word for word; what is told apart is their look."""
    secrets = ("sk_live_acme_x", SECRET[:-1], SECRET + "x", "sk_test_zzz_1")
    assert len({service.user_token(secret).text for secret in secrets}) == 1
    assert len({service.user_token(other).text for other in ("garbage", KEY, "x" * 56)}) == 1


def test_a_session_is_not_moved_by_the_body(service: Service) -> None:
    """A stolen refresh token can't be used by saying where it is from."""
    refresh_token = service.guest().get_json()["refresh_token"]
    body = {"refresh_token": refresh_token, "origin": ORIGIN, "Origin": ORIGIN}
    assert refused(service.post("refresh", body, STRANGER)) == (403, "origin_not_allowed")
    assert refused(service.post("refresh", body, None)) == (403, "origin_not_allowed")


def test_grace_is_no_way_to_keep_two_branches(service: Service) -> None:
    """Thief and owner who both renew within the grace share one line, and are found out."""
    first = service.user_session()["refresh_token"]
    owner = service.refresh(first).get_json()["refresh_token"]
    thief = service.refresh(first).get_json()["refresh_token"]
    assert owner == thief
    service.clock.move(600)
    owner = service.refresh(owner).get_json()["refresh_token"]
    service.clock.move(600)
    assert refused(service.refresh(thief)) == (400, "reused_refresh_token")
    assert refused(service.refresh(owner)) == (400, "revoked_session")


@pytest.mark.parametrize("overtaken", ["before", "after"])
def test_a_revocation_during_an_exchange_is_not_slipped_past(
    service: Service, monkeypatch: pytest.MonkeyPatch, overtaken: str
) -> None:
    """A backend that revokes while an old visitor token is being spent ends that session too."""
    token = visitor_token(service)
    service.clock.move(5)
    spend = MemoryStore.spend

    def revoke() -> None:
        service.clock.move(0.25)
        assert service.revoke(user_id="user-7f3a9c42").status_code == 204
        service.clock.move(0.25)

    def spend_and_be_overtaken(store: MemoryStore, presented: PresentedVisitor) -> Spending:
        monkeypatch.setattr(MemoryStore, "spend", spend)
        if overtaken == "before":
            revoke()
            return spend(store, presented)
        spending = spend(store, presented)
        revoke()
        return spending

    monkeypatch.setattr(MemoryStore, "spend", spend_and_be_overtaken)
    answer = service.exchange(token=token)
    if overtaken == "before":
        assert refused(answer) == (400, "invalid_token")
    else:
        refresh_token = answer.get_json()["refresh_token"]
        assert refused(service.refresh(refresh_token)) == (400, "revoked_session")


def test_a_long_life_has_no_weak_hour(service: Service) -> None:
    """Through a month of renewals an old token is found out at every age."""
    service.document["tokens"] = {"refresh_ttl": "30d"}
    service.edit()
    session = service.user_session()
    first = session["refresh_token"]
    for _ in range(28):
        service.clock.move(86_400)
        session = service.refresh(session["refresh_token"]).get_json()
    assert refused(service.refresh(first)) == (400, "reused_refresh_token")
    assert refused(service.refresh(session["refresh_token"])) == (400, "revoked_session")


def test_a_logged_out_session_stays_out_past_its_record(service: Service) -> None:
    """Busy months later a logged-out session's token is still no good."""
    service.document["tokens"] = {"refresh_ttl": "30d", "user_max_age": "90d"}
    service.edit()
    session = service.user_session()
    service.logout(session["refresh_token"])
    for _ in range(10):
        service.clock.move(3 * 86_400 - 9)
        no_limits(service)
        for _ in range(30):
            service.refresh(service.guest().get_json()["refresh_token"])
        assert service.refresh(session["refresh_token"]).status_code == 400


@pytest.mark.parametrize("seconds", [-3600, -11, -1, 0, 1])
def test_a_clock_that_steps_back_gives_no_fault(service: Service, seconds: float) -> None:
    """Tokens of a clock that was ahead are refused or served, never a fault of ours."""
    session, token = service.user_session(), visitor_token(service)
    service.clock.move(seconds)
    for answer in (
        service.exchange(token=token),
        service.refresh(session["refresh_token"]),
        service.logout(session["refresh_token"]),
    ):
        assert answer.status_code in {200, 204, 400}


def test_a_session_of_a_renamed_agent_cannot_be_kept(service: Service) -> None:
    """An agent's new name is a new agent: sessions of the old one end."""
    session = service.guest().get_json()
    agents = tenant(service)["agents"]
    agents["helpdesk"] = agents.pop("support")
    tenant(service)["default_agent"] = "helpdesk"
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == (400, "unknown_agent_id")


def test_a_wildcard_does_not_admit_its_own_session_elsewhere(service: Service) -> None:
    """A session begun on one subdomain is not renewed on its sibling."""
    session = service.guest(SUBDOMAIN).get_json()
    sibling = "https://blog.acme.com"
    assert refused(service.guest(sibling)) == OK
    assert refused(service.refresh(session["refresh_token"], sibling)) == (
        403,
        "origin_not_allowed",
    )
    assert refused(service.logout(session["refresh_token"], sibling)) == (
        403,
        "origin_not_allowed",
    )


def test_the_allowlist_of_a_reused_key_text_is_the_new_one(service: Service) -> None:
    """After an edit the cached config is of the new revision, for every agent."""
    assert service.config(agent_id="sales").get_json()["agent"]["display_name"] == "Acme Sales"
    tenant(service)["agents"]["sales"]["display_name"] = "New Sales"
    entry(service)["domain_allowlist"] = [SUBDOMAIN]
    service.edit()
    assert refused(service.config(agent_id="sales")) == (403, "origin_not_allowed")
    assert (
        service.config(SUBDOMAIN, agent_id="sales").get_json()["agent"]["display_name"]
        == "New Sales"
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_bodies_are_never_a_fault_of_ours(service: Service, seed: int) -> None:
    """Whatever bytes and values arrive, the answer is a refusal with a code."""
    no_limits(service)
    random_ = random.Random(seed)  # noqa: S311 - the same bodies each time
    names = [
        "client_key", "agent_id", "token", "user_token", "guest_token", "refresh_token",
        "user_id", "external_user_id", "name", "display_name", "email", "\ud800", "",
    ]  # fmt: skip
    values: list[Any] = [
        None, True, 0, -1, 1e308, "", " ", "\0", "\ud800", [], {}, [[]], {"a": {}}, KEY,
        OTHER_KEY, "x" * 300, "\U0001f600" * 300, "a.b.c", "..", "ü" * 64, NOON,
    ]  # fmt: skip
    for _ in range(40):
        members = {random_.choice(names): random_.choice(values) for _ in range(4)}
        body = json.dumps(members).encode()[:MAX_BODY]
        if random_.random() < 0.3:
            cut = bytearray(body)
            cut[random_.randrange(len(cut))] = random_.randrange(256)
            body = bytes(cut)
        for action in ("guest", "exchange", "refresh", "logout"):
            answer = send(service, action, body)
            assert answer.status_code in {200, 204, 400, 403}
            assert "Traceback" not in answer.text
        for action in ("user-token", "revoke"):
            answer = send(service, action, body, origin=None, headers=bearer(SECRET))
            assert answer.status_code in {200, 204, 400, 403}
