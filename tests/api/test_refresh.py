"""`POST /api/v1/widget/auth/refresh`: the same session, new tokens."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from tests.api.wire import (
    DAY,
    LONG_AGO,
    STRANGER,
    SUBDOMAIN,
    agent,
    claims,
    entry,
    flip,
    moment,
    tenant,
    visitor_token,
)
from tests.support import KEY, NOON, ORIGIN, OTHER_KEY, PINNED_KEY, Service, refused

OK: Final = (200, None)
INVALID: Final = (400, "invalid_refresh_token")
EXPIRED: Final = (400, "expired_refresh_token")
REUSED: Final = (400, "reused_refresh_token")
REVOKED: Final = (400, "revoked_session")
STRANGE: Final = (403, "origin_not_allowed")
CHANGING: Final = {"jti", "iat", "exp"}


@pytest.mark.parametrize(
    ("refresh_token", "status", "code"),
    [
        pytest.param(None, 400, "missing_refresh_token", id="null"),
        pytest.param("", 400, "missing_refresh_token", id="empty"),
        pytest.param(1, 400, "invalid_field", id="number"),
        pytest.param(False, 400, "invalid_field", id="false"),
        pytest.param([], 400, "invalid_field", id="list"),
        pytest.param({}, 400, "invalid_field", id="object"),
        pytest.param("x", 400, "invalid_refresh_token", id="x"),
        pytest.param(".", 400, "invalid_refresh_token", id="dot"),
        pytest.param("a.b", 400, "invalid_refresh_token", id="two-words"),
        pytest.param("a.b.c", 400, "invalid_refresh_token", id="three-words"),
        pytest.param("\u00fc.\u00fc", 400, "invalid_refresh_token", id="not-ascii"),
        pytest.param("=" * 4000, 400, "invalid_refresh_token", id="equals"),
    ],
)
def test_a_body_is_judged(service: Service, refresh_token: Any, status: int, code: str) -> None:
    """Each thing wrong with the body has its answer."""
    assert refused(service.refresh(refresh_token)) == (status, code)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda s: s.guest().get_json()["token"], id="session-token"),
        pytest.param(visitor_token, id="visitor-token"),
        pytest.param(lambda s: s.guest().get_json()["refresh_token"][:-1], id="cut"),
        pytest.param(lambda s: s.guest().get_json()["refresh_token"] + "A", id="longer"),
        pytest.param(lambda s: " " + s.guest().get_json()["refresh_token"], id="blank-before"),
        pytest.param(lambda s: flip(s.guest().get_json()["refresh_token"], 20), id="tampered"),
        pytest.param(lambda s: flip(s.guest().get_json()["refresh_token"], -8), id="signature"),
        pytest.param(
            lambda s: "." + s.guest().get_json()["refresh_token"].rpartition(".")[2],
            id="no-payload",
        ),
        pytest.param(
            lambda s: s.guest().get_json()["refresh_token"].rpartition(".")[0] + ".",
            id="no-signature",
        ),
    ],
)
def test_what_was_not_signed_here_is_refused(service: Service, forge: Any) -> None:
    """Another kind of token and a changed one are no refresh tokens."""
    forged = forge(service)
    answer = service.refresh(forged)
    assert refused(answer) == INVALID
    assert answer.text.startswith("Missing or expired refresh_token: ")
    assert forged not in answer.text


@pytest.mark.parametrize(
    ("member", "value"),
    [("generation", 5), ("exp", 9_999_999_999)],
)
def test_a_refresh_token_cannot_be_promoted(service: Service, member: str, value: int) -> None:
    """Its payload can be read, and no change to it passes the signature."""
    payload, _, signature = service.guest().get_json()["refresh_token"].rpartition(".")
    members = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    members[member] = value
    forged = base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
    assert refused(service.refresh(f"{forged}.{signature}")) == INVALID


def test_a_refresh_renews_the_tokens_and_not_the_identity(service: Service) -> None:
    """All claims stay but jti, iat and exp; the answer has the same members as the first."""
    guest = service.guest().get_json()
    first = service.exchange(
        SUBDOMAIN,
        token=visitor_token(service, name="Ann", email="ann@acme.com", agent_id="account"),
        guest_token=guest["token"],
    ).get_json()
    service.clock.move(540.25)
    answer = service.refresh(first["refresh_token"], SUBDOMAIN)
    assert refused(answer) == OK
    second = answer.get_json()
    assert set(second) == set(first)
    for name in ("session_id", "agent_id", "visitor", "token_type", "expires_in"):
        assert second[name] == first[name]
    assert second["refresh_token"] != first["refresh_token"]
    assert second["server_time"] == NOON + 540
    assert second["expires_at"] == NOON + 1140
    assert second["refresh_expires_in"] == DAY
    before, after = claims(service, first["token"]), claims(service, second["token"])
    assert before["guest_id"] == guest["visitor"]["id"]
    assert set(before) == set(after)
    assert {name for name in before if before[name] != after[name]} == CHANGING
    assert (after["iat"], after["exp"], after["auth_time"]) == (NOON + 540, NOON + 1140, NOON)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_session_goes_on_and_on(service: Service) -> None:
    """Each refresh token serves for the next; the session stays one."""
    session = service.user_session()
    sid, tokens = session["session_id"], set()
    for _ in range(10):
        service.clock.move(500)
        session = service.refresh(session["refresh_token"]).get_json()
        tokens.add(session["refresh_token"])
        assert session["session_id"] == sid
    assert len(tokens) == 10


# --- the token just rotated away


def test_a_lost_answer_is_given_again(service: Service) -> None:
    """Within the grace the token before gets the very successor, not a new branch."""
    first = service.guest().get_json()["refresh_token"]
    answer = service.refresh(first).get_json()
    service.clock.move(29)
    again = service.refresh(first).get_json()
    assert again["refresh_token"] == answer["refresh_token"]
    assert again["session_id"] == answer["session_id"]
    assert again["refresh_expires_in"] == answer["refresh_expires_in"] - 29
    assert (again["server_time"], again["expires_at"]) == (NOON + 29, NOON + 629)
    assert refused(service.refresh(again["refresh_token"])) == OK


def test_two_tabs_renew_at_once(service: Service) -> None:
    """Both tabs present the same token, both go on with the same one, nobody is signed out."""
    shared = service.user_session()["refresh_token"]
    for _ in range(5):
        service.clock.move(500)
        one, other = service.refresh(shared).get_json(), service.refresh(shared).get_json()
        assert one["refresh_token"] == other["refresh_token"]
        shared = one["refresh_token"]


def test_the_grace_does_not_grow_by_being_used(service: Service) -> None:
    """It counts from the rotation, however often the token before comes back."""
    first = service.guest().get_json()["refresh_token"]
    service.refresh(first)
    for _ in range(2):
        service.clock.move(14)
        assert refused(service.refresh(first)) == OK
    service.clock.move(14)
    assert refused(service.refresh(first)) == REUSED


@pytest.mark.parametrize(
    ("grace", "seconds", "expected"),
    [
        pytest.param("30s", 29.9, OK, id="within"),
        pytest.param("30s", 30.1, REUSED, id="after"),
        pytest.param("60s", 59.9, OK, id="longest-within"),
        pytest.param("60s", 60.1, REUSED, id="longest-after"),
        pytest.param("1s", 1.1, REUSED, id="short-after"),
        pytest.param("0s", 0.1, REUSED, id="none-soon-after"),
        pytest.param("0s", 0, REUSED, id="none-at-once"),
    ],
)
def test_the_grace_ends(
    service: Service, grace: str, seconds: float, expected: tuple[int, str | None]
) -> None:
    """The token before is taken for as long as the file says, and with `0s` never."""
    service.document["tokens"] = {"refresh_grace": grace}
    service.edit()
    first = service.guest().get_json()["refresh_token"]
    assert refused(service.refresh(first)) == OK
    service.clock.move(seconds)
    assert refused(service.refresh(first)) == expected


def test_a_reused_token_ends_the_whole_session(service: Service) -> None:
    """After it neither the newest token nor any older one is good, for good."""
    first = service.guest().get_json()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    service.clock.move(31)
    assert refused(service.refresh(first)) == REUSED
    assert refused(service.refresh(second)) == REVOKED
    assert refused(service.refresh(first)) == REVOKED
    service.clock.move(3600)
    assert refused(service.refresh(second)) == REVOKED


def test_the_grandparent_has_no_grace(service: Service) -> None:
    """Two generations old, even at once, is a copied token."""
    first = service.guest().get_json()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    third = service.refresh(second).get_json()["refresh_token"]
    assert refused(service.refresh(first)) == REUSED
    assert refused(service.refresh(third)) == REVOKED


def test_a_stolen_session_ends_no_other(service: Service) -> None:
    """Reuse revokes the session it belongs to, not the visitor's others."""
    stolen, kept = service.user_session(), service.user_session()
    service.refresh(stolen["refresh_token"])
    service.clock.move(31)
    assert refused(service.refresh(stolen["refresh_token"])) == REUSED
    assert refused(service.refresh(kept["refresh_token"])) == OK


@pytest.mark.parametrize("origin", [STRANGER, SUBDOMAIN, None])
def test_a_refused_origin_burns_nothing(service: Service, origin: str | None) -> None:
    """A thief on another page can neither use a session nor end it."""
    first = service.guest().get_json()["refresh_token"]
    second = service.refresh(first).get_json()["refresh_token"]
    service.clock.move(31)
    for token in (first, second):
        assert refused(service.refresh(token, origin)) == STRANGE
    assert refused(service.refresh(second)) == OK


# --- how long


@pytest.mark.parametrize(
    ("seconds", "expected"), [(DAY - 1, OK), (DAY - 0.5, OK), (DAY, EXPIRED), (9 * DAY, EXPIRED)]
)
def test_an_idle_session_ends(
    service: Service, seconds: float, expected: tuple[int, str | None]
) -> None:
    """A refresh token is good until its `refresh_expires_in` is over."""
    refresh_token = service.user_session()["refresh_token"]
    service.clock.move(seconds)
    assert refused(service.refresh(refresh_token)) == expected


def test_a_session_in_use_outlives_the_idle_time(service: Service) -> None:
    """Each refresh starts the idle time anew."""
    session = service.user_session()
    for _ in range(5):
        service.clock.move(DAY - 60)
        session = service.refresh(session["refresh_token"]).get_json()
        assert session["refresh_expires_in"] == DAY


@pytest.mark.parametrize(
    ("policy", "begin", "age"),
    [
        pytest.param({}, lambda s: s.guest().get_json(), DAY, id="guest"),
        pytest.param(
            {"guest_max_age": "2h"}, lambda s: s.guest().get_json(), 7200, id="short-guest"
        ),
        pytest.param({"user_max_age": "3h"}, Service.user_session, 3 * 3600, id="short-user"),
        pytest.param({"guest_max_age": "5m"}, Service.user_session, 30 * DAY, id="user"),
    ],
)
def test_a_session_ends_however_often_refreshed(
    service: Service, policy: dict[str, str], begin: Any, age: int
) -> None:
    """No token outlives its session's end, and none is given after it."""
    service.document["tokens"] = policy
    service.edit()
    session = begin(service)
    step = min(age // 4, DAY // 2)
    while service.clock.now + step < NOON + age:
        service.clock.move(step)
        session = service.refresh(session["refresh_token"]).get_json()
        left = NOON + age - session["server_time"]
        assert session["expires_in"] == min(600, left)
        assert session["refresh_expires_in"] == min(DAY, left)
    service.clock.now = NOON + age - 1
    last = service.refresh(session["refresh_token"]).get_json()
    assert (last["expires_in"], last["refresh_expires_in"]) == (1, 1)
    service.clock.move(1)
    assert refused(service.refresh(last["refresh_token"])) == EXPIRED


def test_a_shorter_age_in_the_file_counts_at_once(service: Service) -> None:
    """A session older than the age that is in force now is over."""
    session = service.user_session()
    service.clock.move(3600)
    service.document["tokens"] = {"user_max_age": "30m"}
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == EXPIRED


# --- what an edit of the file ends


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda s: entry(s).update(enabled=False), (403, "client_key_disabled"), id="key-off"
        ),
        pytest.param(
            lambda s: entry(s).update(not_after=LONG_AGO),
            (403, "client_key_disabled"),
            id="key-ended",
        ),
        pytest.param(
            lambda s: tenant(s)["keys"].remove(entry(s)), (403, "unknown_client_key"), id="key-gone"
        ),
        pytest.param(
            lambda s: entry(s).update(domain_allowlist=["*.acme.com"]), STRANGE, id="origin-struck"
        ),
        pytest.param(
            lambda s: agent(s).update(widget_enabled=False), (403, "agent_disabled"), id="agent-off"
        ),
        pytest.param(
            lambda s: agent(s).update(auth_mode="guest"),
            (403, "auth_mode_forbidden"),
            id="auth-mode",
        ),
        pytest.param(
            lambda s: entry(s).update(sessions_not_before=moment(NOON + 1)), REVOKED, id="cut-off"
        ),
        pytest.param(
            lambda s: entry(s).update(sessions_not_before=moment(NOON)), OK, id="cut-off-before"
        ),
        pytest.param(lambda s: tenant(s).update(default_agent="sales"), OK, id="other-default"),
        pytest.param(lambda s: entry(s).update(agent_id="support"), OK, id="pinned-to-its-own"),
        pytest.param(lambda s: entry(s).update(secrets=[]), OK, id="secrets-struck"),
        pytest.param(lambda s: entry(s).update(name="renamed"), OK, id="renamed"),
        pytest.param(lambda s: entry(s).update(not_after=moment(NOON + 99)), OK, id="ends-later"),
    ],
)
def test_an_edit_ends_the_sessions_it_covers(
    service: Service, change: Any, expected: tuple[int, str | None]
) -> None:
    """At its next refresh a session meets the file in force, and only what it covers ends."""
    session = service.user_session()
    change(service)
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == expected


def test_a_pin_to_another_agent_ends_the_session(service: Service) -> None:
    """A session never moves to another agent; the page begins a new one."""
    session = service.user_session()
    entry(service)["agent_id"] = "account"
    service.edit()
    answer = service.refresh(session["refresh_token"])
    assert answer.status_code == 403
    assert answer.headers["X-Error-Code"] in {"agent_disabled", "auth_mode_forbidden"}


def test_an_agent_that_is_gone_ends_the_session(service: Service) -> None:
    """A session's agent that the file no longer has can't be talked to."""
    session = service.guest(agent_id="sales").get_json()
    del tenant(service)["agents"]["sales"]
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == (400, "unknown_agent_id")


def test_an_edit_taken_back_lets_the_session_go_on(service: Service) -> None:
    """A refusal by the file moves nothing: with the key on again the same token is good."""
    session = service.user_session()
    entry(service)["enabled"] = False
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == (403, "client_key_disabled")
    entry(service)["enabled"] = True
    service.edit()
    assert refused(service.refresh(session["refresh_token"])) == OK


def test_a_guests_agent_that_turns_to_users_alone(service: Service) -> None:
    """auth_mode is held against the session's own kind of visitor."""
    guest, user = service.guest().get_json(), service.user_session()
    agent(service)["auth_mode"] = "user"
    service.edit()
    assert refused(service.refresh(guest["refresh_token"])) == (403, "auth_mode_forbidden")
    assert refused(service.refresh(user["refresh_token"])) == OK


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param(ORIGIN, OK, id="own"),
        pytest.param("https://ACME.com:443", OK, id="own-otherwise-written"),
        pytest.param(SUBDOMAIN, STRANGE, id="another-of-the-allowlist"),
        pytest.param(STRANGER, STRANGE, id="stranger"),
        pytest.param("http://acme.com", STRANGE, id="http"),
        pytest.param("https://acme.com:8443", STRANGE, id="other-port"),
        pytest.param("null", STRANGE, id="null"),
        pytest.param(None, STRANGE, id="none"),
    ],
)
def test_a_session_is_refreshed_where_it_began(
    service: Service, origin: str | None, expected: tuple[int, str | None]
) -> None:
    """Only a page of the session's own origin may renew it."""
    refresh_token = service.guest().get_json()["refresh_token"]
    assert refused(service.refresh(refresh_token, origin)) == expected


def test_a_referer_stands_for_the_origin(service: Service) -> None:
    """Without an `Origin` header that of the `Referer` counts."""
    refresh_token = service.guest().get_json()["refresh_token"]
    service.client.environ_base["HTTP_REFERER"] = f"{ORIGIN}/pricing?x=1"
    assert refused(service.refresh(refresh_token, None)) == OK


@pytest.mark.parametrize("client_key", [KEY, OTHER_KEY])
def test_a_page_cannot_move_a_session_to_another_key(service: Service, client_key: str) -> None:
    """What else a page sends with a refresh token is ignored."""
    refresh_token = service.guest().get_json()["refresh_token"]
    body = {
        "refresh_token": refresh_token,
        "client_key": client_key,
        "agent_id": "account",
        "user_id": "admin",
        "origin": STRANGER,
    }
    answer = service.post("refresh", body)
    said = claims(service, answer.get_json()["token"])
    assert (said["client_key"], said["agent_id"]) == (KEY, "support")
    assert said["sub"].startswith("guest_")


def test_a_pinned_keys_session_is_refreshed(service: Service) -> None:
    """A session of a pinned key goes on with the agent of the pin."""
    secret = "sk_live_acme_" + "p" * 43
    session = service.user_session(secret=secret, client_key=PINNED_KEY, agent_id="sales")
    assert session["agent_id"] == "account"
    assert service.refresh(session["refresh_token"]).get_json()["agent_id"] == "account"
