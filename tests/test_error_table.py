"""Every row of the error table, from the real command over real HTTP."""

from __future__ import annotations

import dataclasses
import http.client
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.tokens import RefreshClaims, Tokens, VisitorClaims
from tests.openapi.on_the_wire import check_answer
from tests.running import BOUND, COMMAND, running
from tests.support import (
    API,
    AUDIENCE,
    ISSUER,
    KEY,
    NO_LIMITS,
    ORIGIN,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    PINNED_SECRET,
    SECRET,
    document,
    key,
)

OFF_KEY = "pk_live_acme_" + "O" * 22
RARE_KEY = "pk_live_rare_" + "R" * 22
MANY_KEY = "pk_live_many_" + "M" * 22


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    code: str | None
    text: str
    headers: http.client.HTTPMessage

    @property
    def json(self) -> dict[str, Any]:
        """The body's members."""
        members: dict[str, Any] = json.loads(self.text)
        return members


class Caller:
    """Calls the server, as a page or as a backend.

    Args:
        port: Where it listens.
        instance: Its instance folder.
    """

    def __init__(self, port: int, instance: Path) -> None:
        self._port = port
        self.tokens = Tokens(open_key_ring(instance), ISSUER, AUDIENCE)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; a body that isn't bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=BOUND)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if body is None else raw, names)
        response = connection.getresponse()
        read = response.read()
        check_answer(method, path, response, read)
        text = read.decode()
        connection.close()
        return Answer(response.status, response.headers["X-Error-Code"], text, response.headers)

    def page(self, action: str, body: Any, origin: str = ORIGIN) -> Answer:
        """Post to an endpoint for pages."""
        return self.call("POST", f"{API}/auth/{action}", body, Origin=origin)

    def config(self, query: str) -> Answer:
        """Ask for a config."""
        return self.call("GET", f"{API}/config?{query}", Origin=ORIGIN)

    def backend(self, body: Any, secret: str = SECRET, **headers: str) -> Answer:
        """Ask for a visitor token."""
        headers = {"Authorization": f"Bearer {secret}", **headers}
        return self.call("POST", f"{API}/auth/user-token", body, **headers)

    def visitor(self) -> str:
        """Return a fresh visitor token."""
        token: str = self.backend({"client_key": KEY, "user_id": "user-7f3a9c42"}).json["token"]
        return token

    def guest(self) -> dict[str, Any]:
        """Begin a guest's session."""
        return self.page("guest", {"client_key": KEY}).json

    def expired_visitor(self) -> str:
        """Return a visitor token that this server's key signed an hour ago."""
        then = int(time.time()) - 3600
        claims = VisitorClaims("user-7f3a9c42", "acme", KEY, "vis_old", iat=then, exp=then + 300)
        return self.tokens.mint_visitor(claims)

    def expired_refresh(self) -> str:
        """Return a refresh token of a live session whose idle time is over."""
        live = self.tokens.verify_refresh(self.guest()["refresh_token"])
        return self.tokens.mint_refresh(dataclasses.replace(live, exp=live.iat - 1))

    def rotated_long_ago(self) -> RefreshClaims:
        """Return a session's first refresh token, two rotations later."""
        first = self.guest()["refresh_token"]
        second = self.page("refresh", {"refresh_token": first}).json["refresh_token"]
        self.page("refresh", {"refresh_token": second})
        return self.tokens.verify_refresh(first)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the server runs in."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def caller(folder: Path) -> Iterator[Caller]:
    """Run one server for the whole table."""
    content = document(limits=NO_LIMITS)
    content["tenants"]["acme"]["keys"].append(key(OFF_KEY, "x", [ORIGIN], enabled=False))
    content["tenants"]["rare"] = {
        "name": "Rare",
        "agents": {"a": {"display_name": "A"}},
        "keys": [key(RARE_KEY, "y", [ORIGIN])],
        "limits": {"guest_per_minute": 1},
    }
    content["tenants"]["many"] = {
        "name": "Many",
        "agents": {"a": {"display_name": "A"}, "b": {"display_name": "B"}},
        "keys": [key(MANY_KEY, "z", [ORIGIN])],
    }
    (folder / "tenants.yaml").write_text(yaml.safe_dump(content))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--state", "sqlite:///s.db")
    with running(COMMAND, "serve", *arguments, cwd=folder) as server:
        yield Caller(server.port(), folder / "instance")


ROWS: list[tuple[int, str, str, Callable[[Caller], Answer]]] = [
    (400, "missing_client_key", "Missing client_key", lambda c: c.page("guest", {})),
    (400, "missing_client_key", "Missing client_key", lambda c: c.config("")),
    (
        400,
        "missing_field",
        "Missing client_key or user_id",
        lambda c: c.backend({"client_key": KEY}),
    ),
    (400, "missing_token", "Missing or expired token", lambda c: c.page("exchange", {})),
    (
        400,
        "invalid_token",
        "Missing or expired token",
        lambda c: c.page("exchange", {"token": c.guest()["token"]}),
    ),
    (
        400,
        "expired_token",
        "Missing or expired token",
        lambda c: c.page("exchange", {"token": c.expired_visitor()}),
    ),
    (
        400,
        "used_token",
        "Missing or expired token",
        lambda c: [c.page("exchange", {"token": t}) for t in [c.visitor()] * 2][1],
    ),
    (
        400,
        "missing_refresh_token",
        "Missing or expired refresh_token",
        lambda c: c.page("refresh", {}),
    ),
    (
        400,
        "invalid_refresh_token",
        "Missing or expired refresh_token",
        lambda c: c.page("refresh", {"refresh_token": "x.y"}),
    ),
    (
        400,
        "expired_refresh_token",
        "Missing or expired refresh_token",
        lambda c: c.page("refresh", {"refresh_token": c.expired_refresh()}),
    ),
    (
        400,
        "reused_refresh_token",
        "Missing or expired refresh_token",
        lambda c: c.page("refresh", {"refresh_token": c.tokens.mint_refresh(c.rotated_long_ago())}),
    ),
    (
        400,
        "revoked_session",
        "Missing or expired refresh_token",
        lambda c: [
            c.page(action, {"refresh_token": token})
            for token in [c.guest()["refresh_token"]]
            for action in ("logout", "refresh")
        ][1],
    ),
    (400, "invalid_body", "Invalid body", lambda c: c.page("guest", b"{")),
    (400, "invalid_field", "Invalid field", lambda c: c.page("guest", {"client_key": 1})),
    (400, "missing_agent_id", "Missing agent_id", lambda c: c.config(f"client_key={MANY_KEY}")),
    (
        400,
        "unknown_agent_id",
        "Unknown agent_id",
        lambda c: c.page("guest", {"client_key": KEY, "agent_id": "nobody"}),
    ),
    (401, "invalid_api_key", "Missing or invalid API key", lambda c: c.backend({}, "sk_wrong")),
    (
        403,
        "origin_not_allowed",
        "Origin not in allowlist for this client_key",
        lambda c: c.page("guest", {"client_key": KEY}, "https://evil.example"),
    ),
    (
        403,
        "origin_not_allowed",
        "Origin not in allowlist",
        lambda c: c.call("GET", f"{API}/config?client_key={KEY}", Origin="https://evil.example"),
    ),
    (
        403,
        "origin_not_allowed",
        "Origin not in allowlist for this client_key",
        lambda c: c.page("exchange", {"token": c.visitor()}, "https://evil.example"),
    ),
    (
        403,
        "origin_not_allowed",
        "Origin not in allowlist for this client_key",
        lambda c: c.page("refresh", {"refresh_token": c.guest()["refresh_token"]}, "null"),
    ),
    (
        403,
        "unknown_client_key",
        "Unknown client_key",
        lambda c: c.page("guest", {"client_key": "pk_live_acme_nobody"}),
    ),
    (
        403,
        "client_key_disabled",
        "client_key is disabled",
        lambda c: c.page("guest", {"client_key": OFF_KEY}),
    ),
    (
        403,
        "agent_disabled",
        "Agent is disabled",
        lambda c: c.page("guest", {"client_key": KEY, "agent_id": "night"}),
    ),
    (
        403,
        "auth_mode_forbidden",
        "Not allowed by the agent's auth_mode",
        lambda c: c.page("guest", {"client_key": PINNED_KEY}),
    ),
    (
        403,
        "client_key_mismatch",
        "client_key mismatch",
        lambda c: c.backend({"client_key": PINNED_KEY, "user_id": "user-7f3a9c42"}),
    ),
    (
        403,
        "client_key_mismatch",
        "client_key mismatch",
        lambda c: c.page("exchange", {"token": c.visitor(), "client_key": OTHER_KEY}),
    ),
    (
        403,
        "browser_forbidden",
        "Not for browsers",
        lambda c: c.backend(
            {"client_key": KEY, "user_id": "user-7f3a9c42"}, Sec_Fetch_Site="cross-site"
        ),
    ),
    (404, "not_found", "Not found", lambda c: c.call("GET", f"{API}/nowhere")),
    (405, "method_not_allowed", "Method not allowed", lambda c: c.call("GET", f"{API}/auth/guest")),
    (
        413,
        "body_too_large",
        "Body too large",
        lambda c: c.page("guest", {"client_key": KEY, "x": "x" * 16384}),
    ),
    (
        429,
        "rate_limited",
        "Too many requests",
        lambda c: [c.page("guest", {"client_key": RARE_KEY}) for _ in range(2)][1],
    ),
]


@pytest.mark.parametrize(
    ("status", "code", "words", "send"), ROWS, ids=[f"{n}-{row[1]}" for n, row in enumerate(ROWS)]
)
def test_a_row_of_the_error_table(
    caller: Caller, status: int, code: str, words: str, send: Callable[[Caller], Answer]
) -> None:
    """Each row has its status, its code and its first words, and a name to quote."""
    answer = send(caller)
    assert (answer.status, answer.code) == (status, code)
    assert answer.text == words or answer.text.startswith(f"{words}: ")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert (status == 401) == (answer.headers["WWW-Authenticate"] == "Bearer")
    assert (status == 429) == ("Retry-After" in answer.headers)


def test_a_store_out_of_reach(caller: Caller, folder: Path) -> None:
    """While the state can't be written nothing is spent; guests and backends don't notice."""
    token, refresh_token = caller.visitor(), caller.guest()["refresh_token"]
    lock = sqlite3.connect(folder / "s.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    answers = [
        caller.page("exchange", {"token": token}),
        caller.page("refresh", {"refresh_token": refresh_token}),
        caller.page("logout", {"refresh_token": refresh_token}),
        caller.call(
            "POST",
            f"{API}/auth/revoke",
            {"user_id": "user-7f3a9c42"},
            Authorization=f"Bearer {SECRET}",
        ),
    ]
    for answer in answers:
        assert (answer.status, answer.code) == (503, "state_unavailable")
        assert answer.text.startswith("State store unavailable: ")
        assert answer.headers["Retry-After"]
    assert caller.call("GET", "/readyz").status == 503
    assert caller.page("guest", {"client_key": KEY}).status == 200
    assert caller.config(f"client_key={KEY}").status == 200
    lock.execute("ROLLBACK")
    lock.close()
    assert caller.page("exchange", {"token": token}).status == 200
    assert caller.page("refresh", {"refresh_token": refresh_token}).status == 200


@pytest.mark.parametrize(
    ("client_key", "secret", "status"),
    [(PINNED_KEY, PINNED_SECRET, 200), (OTHER_KEY, OTHER_SECRET, 200)],
)
def test_what_is_not_in_the_table_is_answered(
    caller: Caller, client_key: str, secret: str, status: int
) -> None:
    """The same server mints for whoever has the right secret."""
    assert (
        caller.backend({"client_key": client_key, "user_id": "user-7f3a9c42"}, secret).status
        == status
    )
