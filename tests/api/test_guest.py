"""`POST /api/v1/widget/auth/guest`: a guest's session."""

from __future__ import annotations

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
    moment,
    tenant,
)
from tests.support import (
    AUDIENCE,
    ISSUER,
    KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    PINNED_KEY,
    Service,
    refused,
)

OK: Final = (200, None)
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
GUEST_CLAIMS: Final = {
    "iss",
    "aud",
    "sub",
    "iat",
    "exp",
    "jti",
    "sid",
    "tenant",
    "agent_id",
    "client_key",
    "origin",
    "visitor_type",
    "auth_time",
}


@pytest.mark.parametrize(
    ("body", "origin", "status", "code"),
    [
        pytest.param({"client_key": None}, ORIGIN, 400, "missing_client_key", id="null-key"),
        pytest.param({"client_key": ""}, ORIGIN, 400, "missing_client_key", id="empty-key"),
        pytest.param({"client_key": 1}, ORIGIN, 400, "invalid_field", id="number-key"),
        pytest.param({"client_key": 0}, ORIGIN, 400, "invalid_field", id="zero-key"),
        pytest.param({"client_key": False}, ORIGIN, 400, "invalid_field", id="false-key"),
        pytest.param({"client_key": [KEY]}, ORIGIN, 400, "invalid_field", id="list-key"),
        pytest.param({"client_key": {}}, ORIGIN, 400, "invalid_field", id="object-key"),
        pytest.param({"client_key": "\ud800"}, ORIGIN, 400, "invalid_field", id="surrogate-key"),
        pytest.param({"client_key": KEY + "\0"}, ORIGIN, 400, "invalid_field", id="null-byte"),
        pytest.param({"client_key": "k" * 9999}, ORIGIN, 400, "invalid_field", id="long-key"),
        pytest.param({"client_key": KEY[:-1]}, ORIGIN, 403, "unknown_client_key", id="cut-key"),
        pytest.param({"client_key": KEY + " "}, ORIGIN, 403, "unknown_client_key", id="blank"),
        pytest.param({"agent_id": 1}, ORIGIN, 400, "invalid_field", id="number-agent"),
        pytest.param({"agent_id": ["support"]}, ORIGIN, 400, "invalid_field", id="list-agent"),
        pytest.param({"agent_id": "nobody"}, ORIGIN, 400, "unknown_agent_id", id="no-such-agent"),
        pytest.param({"agent_id": "only"}, ORIGIN, 400, "unknown_agent_id", id="others-agent"),
        pytest.param({"agent_id": "night"}, ORIGIN, 403, "agent_disabled", id="agent-off"),
        pytest.param({"agent_id": "account"}, ORIGIN, 403, "auth_mode_forbidden", id="users-only"),
        pytest.param({"client_key": PINNED_KEY}, ORIGIN, 403, "auth_mode_forbidden", id="pinned"),
        pytest.param(
            {"client_key": PINNED_KEY, "agent_id": "sales"},
            ORIGIN,
            403,
            "auth_mode_forbidden",
            id="pinned-whatever-is-asked",
        ),
        pytest.param({}, None, 403, "origin_not_allowed", id="no-origin"),
        pytest.param({}, STRANGER, 403, "origin_not_allowed", id="stranger"),
    ],
)
def test_a_guest_is_refused(
    service: Service, body: dict[str, Any], origin: str | None, status: int, code: str
) -> None:
    """Each thing wrong with the body or the origin has its answer."""
    assert refused(service.guest(origin, **body)) == (status, code)


@pytest.mark.parametrize("origin", [None, STRANGER])
def test_a_body_supplies_no_origin(service: Service, origin: str | None) -> None:
    """The caller's origin is in the headers, whatever the body says."""
    body = {"client_key": KEY, "origin": ORIGIN, "referer": ORIGIN}
    assert refused(service.post("guest", body, origin)) == (403, "origin_not_allowed")


def test_a_guests_session_to_the_field(service: Service) -> None:
    """The answer has exactly the promised members, and its times agree."""
    service.clock.move(0.75)
    answer = service.guest()
    assert refused(answer) == OK
    body = answer.get_json()
    assert set(body) == SESSION_MEMBERS
    assert body["token_type"] == "Bearer"
    assert body["server_time"] == NOON
    assert (body["expires_in"], body["expires_at"]) == (600, NOON + 600)
    assert body["refresh_expires_in"] == DAY
    assert body["session_id"].startswith("ses_")
    assert body["agent_id"] == "support"
    visitor = body["visitor"]
    assert visitor["id"].startswith("guest_")
    assert visitor == {"id": visitor["id"], "type": "guest", "name": None, "email": None}
    whole = ("expires_in", "expires_at", "refresh_expires_in", "server_time")
    assert all(type(body[name]) is int for name in whole)


def test_a_guests_session_is_kept_by_no_cache(service: Service) -> None:
    """What carries a token says `no-store`."""
    answer = service.guest()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers


def test_a_guests_token_says_who_and_where(service: Service) -> None:
    """The published keys alone let anybody read exactly the promised claims."""
    body = service.guest(SUBDOMAIN).get_json()
    said = claims(service, body["token"])
    assert set(said) == GUEST_CLAIMS
    assert said | {"jti": "", "sub": "", "sid": ""} == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "",
        "jti": "",
        "sid": "",
        "iat": NOON,
        "exp": NOON + 600,
        "tenant": "acme",
        "agent_id": "support",
        "client_key": KEY,
        "origin": SUBDOMAIN,
        "visitor_type": "guest",
        "auth_time": NOON,
    }
    assert (said["sub"], said["sid"]) == (body["visitor"]["id"], body["session_id"])


def test_no_two_guests_are_the_same(service: Service) -> None:
    """Each call is a visitor, a session and a token of its own."""
    bodies = [service.guest().get_json() for _ in range(10)]
    assert len({each["visitor"]["id"] for each in bodies}) == 10
    assert len({each["session_id"] for each in bodies}) == 10
    assert len({claims(service, each["token"])["jti"] for each in bodies}) == 10


@pytest.mark.parametrize(
    ("client_key", "asked", "chosen"),
    [
        pytest.param(KEY, None, "support", id="default"),
        pytest.param(KEY, "", "support", id="asked-for-none"),
        pytest.param(KEY, "sales", "sales", id="asked"),
        pytest.param(OTHER_KEY, None, "only", id="only-one"),
    ],
)
def test_the_agent_is_resolved(
    service: Service, client_key: str, asked: str | None, chosen: str
) -> None:
    """What is asked wins over the default, and the only agent needs no asking."""
    answer = service.guest(client_key=client_key, agent_id=asked)
    assert answer.get_json()["agent_id"] == chosen
    assert claims(service, answer.get_json()["token"])["agent_id"] == chosen


def test_a_pin_wins(service: Service) -> None:
    """A key that is pinned talks to its own agent, whatever a page asks for."""
    entry(service)["agent_id"] = "sales"
    service.edit()
    answer = service.guest(agent_id="support")
    assert answer.get_json()["agent_id"] == "sales"


def test_of_several_agents_one_must_be_named(service: Service) -> None:
    """Without a pin and a default the page is told to name one."""
    del tenant(service)["default_agent"]
    service.edit()
    answer = service.guest()
    assert refused(answer) == (400, "missing_agent_id")
    assert answer.text.startswith("Missing agent_id")
    assert refused(service.guest(agent_id="sales")) == OK


@pytest.mark.parametrize(
    ("auth_mode", "expected"),
    [("guest", OK), ("both", OK), ("user", (403, "auth_mode_forbidden"))],
)
def test_the_agent_decides_whether_it_takes_guests(
    service: Service, auth_mode: str, expected: tuple[int, str | None]
) -> None:
    """A guest gets in where the agent's auth_mode is guest or both."""
    agent(service)["auth_mode"] = auth_mode
    service.edit()
    assert refused(service.guest()) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"enabled": False}, (403, "client_key_disabled"), id="disabled"),
        pytest.param({"not_after": LONG_AGO}, (403, "client_key_disabled"), id="ended"),
        pytest.param({"not_after": moment(NOON)}, (403, "client_key_disabled"), id="ends-now"),
        pytest.param({"not_after": moment(NOON + 1)}, OK, id="ends-soon"),
        pytest.param({"not_after": None}, OK, id="never-ends"),
        pytest.param({"domain_allowlist": []}, (403, "origin_not_allowed"), id="empty-allowlist"),
        pytest.param({"secrets": []}, OK, id="no-secrets"),
        pytest.param({"sessions_not_before": moment(NOON + 9)}, OK, id="old-sessions-cut-off"),
    ],
)
def test_the_keys_entry_decides(
    service: Service, members: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    """A key that is off, past its time or without origins begins no session."""
    entry(service).update(members)
    service.edit()
    assert refused(service.guest()) == expected


@pytest.mark.parametrize(
    ("policy", "expires_in", "refresh_expires_in"),
    [
        pytest.param({}, 600, DAY, id="defaults"),
        pytest.param({"session_ttl": "1m"}, 60, DAY, id="shortest-token"),
        pytest.param({"session_ttl": "15m"}, 900, DAY, id="longest-token"),
        pytest.param({"refresh_ttl": "1h"}, 600, 3600, id="short-refresh"),
        pytest.param({"refresh_ttl": "30d"}, 600, DAY, id="no-longer-than-the-session"),
        pytest.param({"guest_max_age": "5m"}, 300, 300, id="all-end-with-the-session"),
    ],
)
def test_the_policy_sets_the_lifetimes(
    service: Service, policy: dict[str, str], expires_in: int, refresh_expires_in: int
) -> None:
    """Tokens live as the file says, and none longer than its session."""
    service.document["tokens"] = policy
    service.edit()
    body = service.guest().get_json()
    assert (body["expires_in"], body["refresh_expires_in"]) == (expires_in, refresh_expires_in)
    assert body["expires_at"] == body["server_time"] + expires_in
    assert claims(service, body["token"])["exp"] == body["expires_at"]


def test_a_tenant_may_have_a_policy_of_its_own(service: Service) -> None:
    """A member that a tenant writes wins; the others stay the document's."""
    service.document["tokens"] = {"session_ttl": "2m", "refresh_ttl": "2h"}
    tenant(service)["tokens"] = {"session_ttl": "5m"}
    service.edit()
    ours, theirs = service.guest().get_json(), service.guest(client_key=OTHER_KEY).get_json()
    assert (ours["expires_in"], ours["refresh_expires_in"]) == (300, 7200)
    assert (theirs["expires_in"], theirs["refresh_expires_in"]) == (120, 7200)


def test_who_says_to_be_a_user_stays_a_guest(service: Service) -> None:
    """A page can't name its visitor: what it claims about itself is ignored."""
    body = service.guest(user_id="admin", name="Ann", email="a@b.c", visitor_type="user").get_json()
    assert body["visitor"]["type"] == "guest"
    assert body["visitor"]["name"] is None
    assert "name" not in claims(service, body["token"])


def test_a_secret_key_changes_nothing(service: Service) -> None:
    """An Authorization header is neither needed nor read."""
    service.client.environ_base["HTTP_AUTHORIZATION"] = "Bearer nonsense"
    assert refused(service.guest()) == OK
