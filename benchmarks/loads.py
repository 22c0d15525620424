"""What the servers are asked: each load tries its request once, and then says it to wrk."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.kinds import HOST
from benchmarks.servers import Server
from benchmarks.world import API, AUDIENCE, CLIENT_KEY, ISSUER, ORIGIN, SECRET_KEY, TENANT
from benchmarks.wrk import Shot, VoidError
from kataven_flask.key_ring_file import read_key_ring
from kataven_flask.tokens import Tokens, VisitorClaims

MOST_A_SECOND: Final = 6_000
"""Exchanges that there are tokens for; more run out of them, and don't count."""
SESSIONS: Final = 64
"""That are refreshed in turns: more than there are connections."""
_TIMEOUT: Final = 20.0
_PAGE: Final = {"Origin": ORIGIN}
_JSON: Final = {"Content-Type": "application/json"}
_BACKEND: Final = {"Authorization": f"Bearer {SECRET_KEY}", **_JSON}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the status that it should be answered with."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its length with its header, its entity tag, its body."""

    size: int
    etag: str
    body: bytes


def two_bytes(server: Server, _seconds: int) -> Shot:
    """Ask for the two bytes of a bare server."""
    return _same(server, Ask("/"))


def config_200(server: Server, _seconds: int) -> Shot:
    """Ask for what a widget needs to draw itself."""
    return _same(server, _config())


def config_304(server: Server, _seconds: int) -> Shot:
    """Ask for the same, and have it already."""
    etag = asked(server, _config()).etag
    known = {**_PAGE, "If-None-Match": etag}
    return _same(server, Ask(_config().path, headers=known, status=304))


def guest(server: Server, _seconds: int) -> Shot:
    """Begin guests' sessions."""
    return _same(server, _guest())


def user_token(server: Server, _seconds: int) -> Shot:
    """Mint visitor tokens, as a customer's backend does."""
    user = {"client_key": CLIENT_KEY, "user_id": "42", "name": "Ada", "email": "ada@acme.com"}
    return _same(server, Ask(f"{API}/auth/user-token", "POST", _BACKEND, json.dumps(user)))


def exchange(server: Server, seconds: int) -> Shot:
    """Exchange visitor tokens for users' sessions, each token once."""
    first, *bodies = _exchanges(server, 1 + seconds * MOST_A_SECOND)
    ask = Ask(f"{API}/auth/exchange", "POST", {**_PAGE, **_JSON}, first)
    file = _listed(server.folder / "exchanges", bodies)
    return _shot(server, ask, "once.lua", file)


def refresh(server: Server, _seconds: int) -> Shot:
    """Renew sessions, each by the newest of its refresh tokens."""
    first, *tokens = (_session(server)["refresh_token"] for _ in range(1 + SESSIONS))
    body = json.dumps({"refresh_token": first})
    ask = Ask(f"{API}/auth/refresh", "POST", {**_PAGE, **_JSON}, body)
    file = _listed(server.folder / "refreshes", tokens)
    return _shot(server, ask, "refresh.lua", file)


def asked(server: Server, ask: Ask) -> Answer:
    """Send one request.

    Raises:
        VoidError: It was not answered as it should be.
    """
    try:
        with closing(http.client.HTTPConnection(HOST, server.port, timeout=_TIMEOUT)) as line:
            line.request(ask.method, ask.path, ask.body or None, dict(ask.headers))
            response = line.getresponse()
            body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise VoidError(f"{ask.path}: {error}") from error
    if response.status != ask.status:
        raise VoidError(f"{ask.path}: {response.status} {body[:200].decode(errors='replace')}")
    lines = [f"{name}: {value}\r\n" for name, value in response.getheaders()]
    start = f"HTTP/1.1 {response.status} {response.reason}\r\n"
    return Answer(
        size=len(start) + sum(map(len, lines)) + 2 + len(body),
        etag=response.headers.get("ETag", ""),
        body=body,
    )


def _config() -> Ask:
    return Ask(f"{API}/config?client_key={CLIENT_KEY}", headers=_PAGE)


def _guest() -> Ask:
    body = json.dumps({"client_key": CLIENT_KEY})
    return Ask(f"{API}/auth/guest", "POST", {**_PAGE, **_JSON}, body)


def _session(server: Server) -> dict[str, Any]:
    session: dict[str, Any] = json.loads(asked(server, _guest()).body)
    return session


def _same(server: Server, ask: Ask) -> Shot:
    return _shot(server, ask, "same.lua", ask.method, *([ask.body] if ask.body else []))


def _shot(server: Server, ask: Ask, script: str, *arguments: str) -> Shot:
    size = asked(server, ask).size
    return Shot(f"{server.url}{ask.path}", dict(ask.headers), script, list(arguments), size)


def _exchanges(server: Server, count: int) -> list[str]:
    """Mint visitor tokens with the server's own keys; through its API it takes far longer."""
    tokens = Tokens(read_key_ring(server.folder / "instance"), ISSUER, AUDIENCE)
    now = int(time.time())
    visitors = (
        VisitorClaims(
            sub=f"user-{number}",
            tenant=TENANT,
            client_key=CLIENT_KEY,
            jti=f"tok_{secrets.token_urlsafe(16)}",
            iat=now,
            exp=now + 600,
            name="Ada",
            email="ada@acme.com",
        )
        for number in range(count)
    )
    return [json.dumps({"token": tokens.mint_visitor(visitor)}) for visitor in visitors]


def _listed(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)
