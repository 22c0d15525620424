"""A request that fails several checks at once is told of the first, for every pair of checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from tests.api.wire import (
    STRANGER,
    SUBDOMAIN,
    agent,
    bearer,
    entry,
    no_limits,
    tenant,
    visitor_token,
)
from tests.support import API, KEY, ORIGIN, OTHER_KEY, OTHER_SECRET, SECRET, Service, refused


@dataclass
class Request:
    """A request that would be served, to be spoilt in one way or several."""

    service: Service
    action: str
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes | None = None
    edits: list[Callable[[], object]] = field(default_factory=list)

    def send(self) -> TestResponse:
        """Edit the file as asked for, and send it."""
        for edit in self.edits:
            edit()
        self.service.edit()
        if self.action == "config":
            query = {name: value for name, value in self.body.items() if value is not None}
            return self.service.client.get(
                f"{API}/config", query_string=query, headers=self.headers
            )
        path = f"{API}/auth/{self.action}"
        if self.raw is not None:
            return self.service.client.post(path, data=self.raw, headers=self.headers)
        return self.service.client.post(path, json=self.body, headers=self.headers)


Spoil = Callable[[Request], object]
Fault = tuple[str, Spoil]
"""A code, and what earns it."""


def _member(name: str, value: Any) -> Spoil:
    return lambda request: request.body.update({name: value})


def _header(name: str, value: str | None) -> Spoil:
    def spoil(request: Request) -> None:
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value

    return spoil


def _edit(change: Callable[[Service], object]) -> Spoil:
    return lambda request: request.edits.append(lambda: change(request.service))


def _not_json(request: Request) -> None:
    request.raw = b"nonsense"


def _forget_key(service: Service) -> None:
    # Another edit of the same request may still look its entry up.
    entry(service)["client_key"] = KEY[:-4] + "gone"


def _forget_agent(service: Service) -> None:
    agents = tenant(service)["agents"]
    agents["renamed"] = agents["support"]
    tenant(service)["default_agent"] = "renamed"
    service.document["tenants"]["acme"]["agents"] = {
        name: each for name, each in agents.items() if name != "support"
    }


def _spend(request: Request) -> None:
    assert request.service.exchange(token=request.body["token"]).status_code == 200


def _expire_visitor(request: Request) -> None:
    request.service.clock.move(400)


def _expire_session(request: Request) -> None:
    request.service.clock.move(40 * 86_400)


def _end(request: Request) -> None:
    answer = request.service.logout(request.body["refresh_token"])
    assert answer.status_code == 204


def _rotate_away(request: Request) -> None:
    first = request.body["refresh_token"]
    assert request.service.refresh(first).status_code == 200
    request.service.clock.move(60)


KEY_OFF: Final = _edit(lambda s: s.document["tenants"]["acme"]["keys"][0].update(enabled=False))
NO_ORIGINS: Final = _edit(
    lambda s: s.document["tenants"]["acme"]["keys"][0].update(domain_allowlist=[])
)
AGENT_OFF: Final = _edit(lambda s: agent(s).update(widget_enabled=False))
USERS_ONLY: Final = _edit(lambda s: agent(s).update(auth_mode="user"))
GUESTS_ONLY: Final = _edit(lambda s: agent(s).update(auth_mode="guest"))

CONFIG: Final[list[Fault]] = [
    ("invalid_field", _member("client_key", "a\0b")),
    ("missing_client_key", _member("client_key", None)),
    ("unknown_client_key", _member("client_key", "pk_live_x")),
    ("client_key_disabled", KEY_OFF),
    ("origin_not_allowed", _header("Origin", STRANGER)),
    ("unknown_agent_id", _member("agent_id", "nobody")),
    ("agent_disabled", AGENT_OFF),
]
GUEST: Final[list[Fault]] = [
    ("invalid_body", _not_json),
    ("invalid_field", _member("agent_id", 7)),
    *CONFIG[1:],
    ("auth_mode_forbidden", USERS_ONLY),
]
USER_TOKEN: Final[list[Fault]] = [
    ("browser_forbidden", _header("Sec-Fetch-Site", "cross-site")),
    ("invalid_api_key", _header("Authorization", "Bearer sk_live_x")),
    ("invalid_body", _not_json),
    ("invalid_field", _member("name", 7)),
    ("missing_field", _member("user_id", None)),
    ("client_key_mismatch", _member("client_key", OTHER_KEY)),
    ("client_key_disabled", KEY_OFF),
    ("unknown_agent_id", _member("agent_id", "nobody")),
    ("agent_disabled", AGENT_OFF),
    ("auth_mode_forbidden", GUESTS_ONLY),
]
EXCHANGE: Final[list[Fault]] = [
    ("invalid_body", _not_json),
    ("invalid_field", _member("guest_token", 7)),
    ("missing_token", _member("token", None)),
    ("invalid_token", _member("token", "garbage")),
    ("expired_token", _expire_visitor),
    ("unknown_client_key", _edit(_forget_key)),
    ("client_key_disabled", KEY_OFF),
    ("client_key_mismatch", _member("client_key", OTHER_KEY)),
    ("origin_not_allowed", _header("Origin", STRANGER)),
    ("unknown_agent_id", _edit(_forget_agent)),
    ("agent_disabled", AGENT_OFF),
    ("auth_mode_forbidden", GUESTS_ONLY),
    ("used_token", _spend),
]
REFRESH: Final[list[Fault]] = [
    ("invalid_body", _not_json),
    ("missing_refresh_token", _member("refresh_token", None)),
    ("invalid_refresh_token", _member("refresh_token", "garbage")),
    ("expired_refresh_token", _expire_session),
    ("unknown_client_key", _edit(_forget_key)),
    ("client_key_disabled", KEY_OFF),
    ("origin_not_allowed", _header("Origin", SUBDOMAIN)),
    ("origin_not_allowed", NO_ORIGINS),
    ("unknown_agent_id", _edit(_forget_agent)),
    ("agent_disabled", AGENT_OFF),
    ("auth_mode_forbidden", USERS_ONLY),
    ("revoked_session", _end),
    ("reused_refresh_token", _rotate_away),
]
LOGOUT: Final[list[Fault]] = [
    ("invalid_body", _not_json),
    ("missing_refresh_token", _member("refresh_token", None)),
    ("invalid_refresh_token", _member("refresh_token", "garbage")),
    ("origin_not_allowed", _header("Origin", SUBDOMAIN)),
]
REVOKE: Final[list[Fault]] = [
    ("browser_forbidden", _header("Origin", ORIGIN)),
    ("invalid_api_key", _header("Authorization", None)),
    ("invalid_body", _not_json),
    ("missing_field", _member("user_id", None)),
]
ORDERS: Final = {
    "config": CONFIG,
    "guest": GUEST,
    "user-token": USER_TOKEN,
    "exchange": EXCHANGE,
    "refresh": REFRESH,
    "logout": LOGOUT,
    "revoke": REVOKE,
}
ACTS_AT_ONCE: Final = {_spend, _end, _rotate_away}
"""What has to happen while the request is still whole."""


def sound(service: Service, action: str) -> Request:
    """Return a request that is served."""
    headers = {"Origin": ORIGIN}
    body: dict[str, Any] = {}
    match action:
        case "config" | "guest":
            body = {"client_key": KEY, "agent_id": "support"}
        case "user-token":
            body = {"client_key": KEY, "user_id": "user-7f3a9c42", "agent_id": "support"}
            headers = bearer(SECRET)
        case "revoke":
            body, headers = {"user_id": "user-7f3a9c42"}, bearer(SECRET)
        case "exchange":
            body = {"token": visitor_token(service, agent_id="support"), "client_key": KEY}
        case _:
            body = {"refresh_token": service.guest().get_json()["refresh_token"]}
    return Request(service, action, body, headers)


PAIRS: Final = [
    pytest.param(action, earlier, later, id=f"{action}-{i}-{earlier[0]}-before-{j}-{later[0]}")
    for action, faults in ORDERS.items()
    for (i, earlier), (j, later) in combinations(enumerate(faults), 2)
]


@pytest.mark.parametrize("action", ORDERS)
def test_the_request_is_sound_before_it_is_spoilt(service: Service, action: str) -> None:
    """What the pairs spoil would be served as it stands."""
    no_limits(service)
    assert sound(service, action).send().status_code in {200, 204}


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        pytest.param(action, fault, id=f"{action}-{i}-{fault[0]}")
        for action, faults in ORDERS.items()
        for i, fault in enumerate(faults)
    ],
)
def test_each_fault_earns_its_code_alone(service: Service, action: str, fault: Fault) -> None:
    """Each of the faults is one by itself."""
    request = sound(service, action)
    code, spoil = fault
    spoil(request)
    assert refused(request.send())[1] == code


@pytest.mark.parametrize(("action", "earlier", "later"), PAIRS)
def test_the_first_failing_check_is_told(
    service: Service, action: str, earlier: Fault, later: Fault
) -> None:
    """Of two faults the one whose check comes first is the answer."""
    no_limits(service)
    request = sound(service, action)
    (code, first), (_, second) = earlier, later
    # What stands earlier is laid over what stands later, where both change the same member.
    for spoil in sorted((second, first), key=lambda each: each not in ACTS_AT_ONCE):
        spoil(request)
    assert refused(request.send())[1] == code


@pytest.mark.parametrize("action", ORDERS)
def test_all_faults_at_once_are_the_first(service: Service, action: str) -> None:
    """However much is wrong, the first check answers."""
    no_limits(service)
    request = sound(service, action)
    faults = ORDERS[action]
    spoils = [spoil for _, spoil in reversed(faults)]
    for spoil in sorted(spoils, key=lambda each: each not in ACTS_AT_ONCE):
        if spoil is not _rotate_away:  # it can't be rotated once it is ended
            spoil(request)
    assert refused(request.send())[1] == faults[0][0]


def test_a_foreign_secret_is_a_mismatch_before_the_key_is_looked_at(service: Service) -> None:
    """Whose a client key is comes before whether it is on."""
    entry(service)["enabled"] = False
    service.edit()
    assert refused(service.user_token(OTHER_SECRET)) == (403, "client_key_mismatch")
