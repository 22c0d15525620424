"""How to earn each refusal of each endpoint: what the tables of errors and of CORS go through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from werkzeug.test import TestResponse

from tests.api.wire import (
    DAY,
    LONG_AGO,
    MAX_BODY,
    STRANGER,
    SUBDOMAIN,
    agent,
    bearer,
    entry,
    no_limits,
    send,
    tenant,
    visitor_token,
)
from tests.support import (
    API,
    KEY,
    ORIGIN,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_SECRET,
    SECRET,
    Service,
)

TOKEN_WORDS: Final = "Missing or expired token"
REFRESH_WORDS: Final = "Missing or expired refresh_token"
ORIGIN_WORDS: Final = "Origin not in allowlist"
KEY_ORIGIN_WORDS: Final = "Origin not in allowlist for this client_key"
FIELD_WORDS: Final = "Missing client_key or user_id"
API_KEY_WORDS: Final = "Missing or invalid API key"


@dataclass(frozen=True)
class Recipe:
    """One way to be refused.

    Args:
        endpoint: Whose refusal it is.
        case: What is wrong.
        status: The status that is promised.
        code: The code that is promised.
        earn: Earns it; its last request is the refused one.
        words: The first words that are promised; empty where they are the code's own.
    """

    endpoint: str
    case: str
    status: int
    code: str
    earn: Callable[[Service], TestResponse]
    words: str = ""

    @property
    def id(self) -> str:
        """Name it in a test's report."""
        return f"{self.endpoint}-{self.case}"

    @property
    def of_browser(self) -> bool:
        """Whether a page may read it."""
        return self.endpoint not in {"user-token", "revoke"}


def _edited(
    change: Callable[[Service], object], then: Callable[[Service], TestResponse]
) -> Callable[[Service], TestResponse]:
    def earn(service: Service) -> TestResponse:
        change(service)
        service.edit()
        return then(service)

    return earn


def _disable_key(service: Service) -> None:
    entry(service)["enabled"] = False


def _end_key(service: Service) -> None:
    entry(service)["not_after"] = LONG_AGO


def _forget_key(service: Service) -> None:
    tenant(service)["keys"].remove(entry(service))


def _strike_origin(service: Service) -> None:
    entry(service)["domain_allowlist"] = ["https://elsewhere.acme.com"]


def _switch_agent_off(service: Service) -> None:
    agent(service)["widget_enabled"] = False


def _no_default_agent(service: Service) -> None:
    del tenant(service)["default_agent"]


def _forget_agent(service: Service) -> None:
    del tenant(service)["agents"]["support"]
    tenant(service)["default_agent"] = "sales"


def _guests_only(service: Service) -> None:
    agent(service)["auth_mode"] = "guest"


def _end_secret(service: Service) -> None:
    entry(service)["secrets"][0]["not_after"] = LONG_AGO


def _one_a_minute(service: Service) -> None:
    names = ("guest", "exchange", "refresh", "config", "user_token")
    service.document["limits"] = {f"{name}_per_minute": 1 for name in names}


def _too_large(action: str) -> Callable[[Service], TestResponse]:
    def earn(service: Service) -> TestResponse:
        no_limits(service)
        backend = action in {"user-token", "revoke"}
        headers, origin = (bearer(SECRET), None) if backend else ({}, ORIGIN)
        return send(service, action, b" " * (MAX_BODY + 1), origin=origin, headers=headers)

    return earn


def _wrong_method(path: str) -> Callable[[Service], TestResponse]:
    return lambda service: service.client.delete(path, headers={"Origin": ORIGIN})


def _with_token(
    change: Callable[[Service], object], origin: str | None = ORIGIN
) -> Callable[[Service], TestResponse]:
    def earn(service: Service) -> TestResponse:
        token = visitor_token(service, agent_id="support")
        change(service)
        service.edit()
        return service.exchange(token=token, origin=origin)

    return earn


def _with_session(
    change: Callable[[Service], object], origin: str | None = ORIGIN
) -> Callable[[Service], TestResponse]:
    def earn(service: Service) -> TestResponse:
        refresh_token = service.user_session(agent_id="support")["refresh_token"]
        change(service)
        service.edit()
        return service.refresh(refresh_token, origin=origin)

    return earn


def _later(seconds: float) -> Callable[[Service], object]:
    return lambda service: service.clock.move(seconds)


def _used(service: Service) -> TestResponse:
    token = visitor_token(service)
    assert service.exchange(token=token).status_code == 200
    return service.exchange(token=token)


def _mismatch(service: Service) -> TestResponse:
    return service.exchange(token=visitor_token(service), client_key=OTHER_KEY)


def _reused(service: Service) -> TestResponse:
    first = service.guest().get_json()["refresh_token"]
    assert service.refresh(first).status_code == 200
    service.clock.move(61)
    return service.refresh(first)


def _logged_out(service: Service) -> TestResponse:
    refresh_token = service.guest().get_json()["refresh_token"]
    assert service.logout(refresh_token).status_code == 204
    return service.refresh(refresh_token)


def _twice(call: Callable[[Service], TestResponse]) -> Callable[[Service], TestResponse]:
    def earn(service: Service) -> TestResponse:
        _one_a_minute(service)
        service.edit()
        assert call(service).status_code in {200, 204}
        return call(service)

    return earn


def _refresh_twice(service: Service) -> TestResponse:
    one, other = (service.guest().get_json()["refresh_token"] for _ in range(2))
    _one_a_minute(service)
    service.edit()
    assert service.refresh(one).status_code == 200
    return service.refresh(other)


def _logout_twice(service: Service) -> TestResponse:
    refresh_token = service.guest().get_json()["refresh_token"]
    _one_a_minute(service)
    service.edit()
    assert service.logout(refresh_token).status_code == 204
    return service.logout(refresh_token)


def _exchange_twice(service: Service) -> TestResponse:
    one, other = visitor_token(service), visitor_token(service)
    _one_a_minute(service)
    service.edit()
    assert service.exchange(token=one).status_code == 200
    return service.exchange(token=other)


def _foreign_logout(service: Service) -> TestResponse:
    return service.logout(service.guest().get_json()["refresh_token"], origin=SUBDOMAIN)


def _from_page(action: str, header: str, value: str) -> Callable[[Service], TestResponse]:
    body = b'{"client_key":"%s","user_id":"user-7f3a9c42"}' % KEY.encode()
    headers = {**bearer(SECRET), header: value}
    return lambda service: send(service, action, body, origin=None, headers=headers)


CONFIG: Final = [
    Recipe("config", *rest)
    for rest in (
        (
            "no-key",
            400,
            "missing_client_key",
            lambda s: s.config(client_key=None),
            "Missing client_key",
        ),
        (
            "empty-key",
            400,
            "missing_client_key",
            lambda s: s.config(client_key=""),
            "Missing client_key",
        ),
        ("long-key", 400, "invalid_field", lambda s: s.config(client_key="p" * 5000)),
        ("unknown-key", 403, "unknown_client_key", lambda s: s.config(client_key="pk_live_x")),
        ("disabled-key", 403, "client_key_disabled", _edited(_disable_key, Service.config)),
        ("ended-key", 403, "client_key_disabled", _edited(_end_key, Service.config)),
        ("stranger", 403, "origin_not_allowed", lambda s: s.config(origin=STRANGER), ORIGIN_WORDS),
        ("no-origin", 403, "origin_not_allowed", lambda s: s.config(origin=None), ORIGIN_WORDS),
        ("no-agent", 400, "missing_agent_id", _edited(_no_default_agent, Service.config)),
        ("unknown-agent", 400, "unknown_agent_id", lambda s: s.config(agent_id="nobody")),
        ("agent-off", 403, "agent_disabled", lambda s: s.config(agent_id="night")),
        ("too-many", 429, "rate_limited", _twice(Service.config)),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/config")),
    )
]
GUEST: Final = [
    Recipe("guest", *rest)
    for rest in (
        ("not-json", 400, "invalid_body", lambda s: send(s, "guest", b"client_key=pk")),
        ("wrong-type", 400, "invalid_field", lambda s: s.guest(client_key=7)),
        ("no-key", 400, "missing_client_key", lambda s: s.post("guest", {}), "Missing client_key"),
        (
            "null-key",
            400,
            "missing_client_key",
            lambda s: s.guest(client_key=None),
            "Missing client_key",
        ),
        ("unknown-key", 403, "unknown_client_key", lambda s: s.guest(client_key="pk_live_x")),
        ("disabled-key", 403, "client_key_disabled", _edited(_disable_key, Service.guest)),
        ("ended-key", 403, "client_key_disabled", _edited(_end_key, Service.guest)),
        (
            "stranger",
            403,
            "origin_not_allowed",
            lambda s: s.guest(origin=STRANGER),
            KEY_ORIGIN_WORDS,
        ),
        ("no-origin", 403, "origin_not_allowed", lambda s: s.guest(origin=None), KEY_ORIGIN_WORDS),
        ("no-agent", 400, "missing_agent_id", _edited(_no_default_agent, Service.guest)),
        ("unknown-agent", 400, "unknown_agent_id", lambda s: s.guest(agent_id="nobody")),
        ("agent-off", 403, "agent_disabled", lambda s: s.guest(agent_id="night")),
        ("users-only", 403, "auth_mode_forbidden", lambda s: s.guest(agent_id="account")),
        ("too-large", 413, "body_too_large", _too_large("guest")),
        ("too-many", 429, "rate_limited", _twice(Service.guest)),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/guest")),
    )
]
USER_TOKEN: Final = [
    Recipe("user-token", *rest)
    for rest in (
        ("origin", 403, "browser_forbidden", _from_page("user-token", "Origin", ORIGIN)),
        ("null-origin", 403, "browser_forbidden", _from_page("user-token", "Origin", "null")),
        (
            "sec-fetch",
            403,
            "browser_forbidden",
            _from_page("user-token", "Sec-Fetch-Site", "same-origin"),
        ),
        ("no-secret", 401, "invalid_api_key", lambda s: s.user_token(secret=None), API_KEY_WORDS),
        (
            "wrong-secret",
            401,
            "invalid_api_key",
            lambda s: s.user_token(secret="sk_live_acme_x"),
            API_KEY_WORDS,
        ),
        (
            "ended-secret",
            401,
            "invalid_api_key",
            _edited(_end_secret, Service.user_token),
            API_KEY_WORDS,
        ),
        (
            "not-json",
            400,
            "invalid_body",
            lambda s: send(s, "user-token", b"{", origin=None, headers=bearer(SECRET)),
        ),
        ("wrong-type", 400, "invalid_field", lambda s: s.user_token(user_id=42)),
        ("no-key", 400, "missing_field", lambda s: s.user_token(client_key=None), FIELD_WORDS),
        ("no-user", 400, "missing_field", lambda s: s.user_token(user_id=None), FIELD_WORDS),
        ("empty-user", 400, "missing_field", lambda s: s.user_token(user_id=""), FIELD_WORDS),
        (
            "other-keys-secret",
            403,
            "client_key_mismatch",
            lambda s: s.user_token(secret=PINNED_SECRET),
        ),
        (
            "other-tenants-secret",
            403,
            "client_key_mismatch",
            lambda s: s.user_token(secret=OTHER_SECRET),
        ),
        ("disabled-key", 403, "client_key_disabled", _edited(_disable_key, Service.user_token)),
        ("ended-key", 403, "client_key_disabled", _edited(_end_key, Service.user_token)),
        ("no-agent", 400, "missing_agent_id", _edited(_no_default_agent, Service.user_token)),
        ("unknown-agent", 400, "unknown_agent_id", lambda s: s.user_token(agent_id="nobody")),
        ("agent-off", 403, "agent_disabled", lambda s: s.user_token(agent_id="night")),
        ("guests-only", 403, "auth_mode_forbidden", lambda s: s.user_token(agent_id="sales")),
        ("too-large", 413, "body_too_large", _too_large("user-token")),
        ("too-many", 429, "rate_limited", _twice(Service.user_token)),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/user-token")),
    )
]
EXCHANGE: Final = [
    Recipe("exchange", *rest)
    for rest in (
        ("not-json", 400, "invalid_body", lambda s: send(s, "exchange", b"")),
        ("wrong-type", 400, "invalid_field", lambda s: s.exchange(token=["x"])),
        ("no-token", 400, "missing_token", Service.exchange, TOKEN_WORDS),
        ("empty-token", 400, "missing_token", lambda s: s.exchange(token=""), TOKEN_WORDS),
        ("garbage", 400, "invalid_token", lambda s: s.exchange(token="garbage"), TOKEN_WORDS),
        ("expired", 400, "expired_token", _with_token(_later(300)), TOKEN_WORDS),
        ("used", 400, "used_token", _used, TOKEN_WORDS),
        ("unknown-key", 403, "unknown_client_key", _with_token(_forget_key)),
        ("disabled-key", 403, "client_key_disabled", _with_token(_disable_key)),
        ("ended-key", 403, "client_key_disabled", _with_token(_end_key)),
        ("mismatch", 403, "client_key_mismatch", _mismatch),
        ("stranger", 403, "origin_not_allowed", _with_token(_later(0), STRANGER), KEY_ORIGIN_WORDS),
        ("no-origin", 403, "origin_not_allowed", _with_token(_later(0), None), KEY_ORIGIN_WORDS),
        ("agent-gone", 400, "unknown_agent_id", _with_token(_forget_agent)),
        ("agent-off", 403, "agent_disabled", _with_token(_switch_agent_off)),
        ("guests-only", 403, "auth_mode_forbidden", _with_token(_guests_only)),
        ("too-large", 413, "body_too_large", _too_large("exchange")),
        ("too-many", 429, "rate_limited", _exchange_twice),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/exchange")),
    )
]
REFRESH: Final = [
    Recipe("refresh", *rest)
    for rest in (
        ("not-json", 400, "invalid_body", lambda s: send(s, "refresh", b"[]")),
        ("wrong-type", 400, "invalid_field", lambda s: s.refresh({"a": 1})),
        ("no-token", 400, "missing_refresh_token", lambda s: s.refresh(None), REFRESH_WORDS),
        ("empty-token", 400, "missing_refresh_token", lambda s: s.refresh(""), REFRESH_WORDS),
        ("garbage", 400, "invalid_refresh_token", lambda s: s.refresh("garbage"), REFRESH_WORDS),
        ("expired", 400, "expired_refresh_token", _with_session(_later(DAY)), REFRESH_WORDS),
        ("reused", 400, "reused_refresh_token", _reused, REFRESH_WORDS),
        ("revoked", 400, "revoked_session", _logged_out, REFRESH_WORDS),
        ("unknown-key", 403, "unknown_client_key", _with_session(_forget_key)),
        ("disabled-key", 403, "client_key_disabled", _with_session(_disable_key)),
        ("ended-key", 403, "client_key_disabled", _with_session(_end_key)),
        (
            "stranger",
            403,
            "origin_not_allowed",
            _with_session(_later(0), STRANGER),
            KEY_ORIGIN_WORDS,
        ),
        (
            "other-origin",
            403,
            "origin_not_allowed",
            _with_session(_later(0), SUBDOMAIN),
            KEY_ORIGIN_WORDS,
        ),
        ("no-origin", 403, "origin_not_allowed", _with_session(_later(0), None), KEY_ORIGIN_WORDS),
        (
            "origin-struck",
            403,
            "origin_not_allowed",
            _with_session(_strike_origin),
            KEY_ORIGIN_WORDS,
        ),
        ("agent-gone", 400, "unknown_agent_id", _with_session(_forget_agent)),
        ("agent-off", 403, "agent_disabled", _with_session(_switch_agent_off)),
        ("guests-only", 403, "auth_mode_forbidden", _with_session(_guests_only)),
        ("too-large", 413, "body_too_large", _too_large("refresh")),
        ("too-many", 429, "rate_limited", _refresh_twice),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/refresh")),
    )
]
LOGOUT: Final = [
    Recipe("logout", *rest)
    for rest in (
        ("not-json", 400, "invalid_body", lambda s: send(s, "logout", b"null")),
        ("wrong-type", 400, "invalid_field", lambda s: s.logout(1)),
        ("no-token", 400, "missing_refresh_token", lambda s: s.logout(None), REFRESH_WORDS),
        ("garbage", 400, "invalid_refresh_token", lambda s: s.logout("garbage"), REFRESH_WORDS),
        ("other-origin", 403, "origin_not_allowed", _foreign_logout, ORIGIN_WORDS),
        (
            "no-origin",
            403,
            "origin_not_allowed",
            lambda s: s.logout(s.guest().get_json()["refresh_token"], origin=None),
            ORIGIN_WORDS,
        ),
        ("too-large", 413, "body_too_large", _too_large("logout")),
        ("too-many", 429, "rate_limited", _logout_twice),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/logout")),
    )
]
REVOKE: Final = [
    Recipe("revoke", *rest)
    for rest in (
        ("origin", 403, "browser_forbidden", _from_page("revoke", "Origin", STRANGER)),
        (
            "sec-fetch",
            403,
            "browser_forbidden",
            _from_page("revoke", "Sec-Fetch-Site", "cross-site"),
        ),
        (
            "no-secret",
            401,
            "invalid_api_key",
            lambda s: s.revoke(secret=None, user_id="user-7f3a9c42"),
            API_KEY_WORDS,
        ),
        (
            "wrong-secret",
            401,
            "invalid_api_key",
            lambda s: s.revoke(secret="sk_live_acme_x", user_id="user-7f3a9c42"),
            API_KEY_WORDS,
        ),
        (
            "not-json",
            400,
            "invalid_body",
            lambda s: send(s, "revoke", b"user_id=42", origin=None, headers=bearer(SECRET)),
        ),
        ("wrong-type", 400, "invalid_field", lambda s: s.revoke(user_id=42)),
        ("no-user", 400, "missing_field", Service.revoke),
        ("too-large", 413, "body_too_large", _too_large("revoke")),
        ("too-many", 429, "rate_limited", _twice(lambda s: s.revoke(user_id="user-7f3a9c42"))),
        ("method", 405, "method_not_allowed", _wrong_method(f"{API}/auth/revoke")),
    )
]
PUBLIC: Final = [
    Recipe(
        "unknown-path",
        "api",
        404,
        "not_found",
        lambda s: s.client.get(f"{API}/nothing", headers={"Origin": ORIGIN}),
    ),
    Recipe(
        "unknown-path",
        "auth",
        404,
        "not_found",
        lambda s: s.client.post(f"{API}/auth/nothing", headers={"Origin": ORIGIN}),
    ),
    Recipe(
        "unknown-path",
        "slash",
        404,
        "not_found",
        lambda s: s.client.get(f"{API}/config/", headers={"Origin": ORIGIN}),
    ),
    Recipe(
        "unknown-path",
        "widget",
        404,
        "not_found",
        lambda s: s.client.get("/widget/v2.js", headers={"Origin": ORIGIN}),
    ),
    Recipe("widget", "method", 405, "method_not_allowed", _wrong_method("/widget/v1.js")),
    Recipe("jwks", "method", 405, "method_not_allowed", _wrong_method("/.well-known/jwks.json")),
]
ALL: Final = [
    *CONFIG,
    *GUEST,
    *USER_TOKEN,
    *EXCHANGE,
    *REFRESH,
    *LOGOUT,
    *REVOKE,
    *PUBLIC,
]
