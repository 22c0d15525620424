"""Tokens in any state: minted by the real code, and brought into that state by it where it can."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn, get_args

from itsdangerous.encoding import base64_decode, base64_encode

from kataven_flask.checks import resolve_agent
from kataven_flask.durations import HOUR
from kataven_flask.registry import KeyRecord
from kataven_flask.sessions import new_id, new_session_id, user_digest
from kataven_flask.signing import KeyRing, make_pair
from kataven_flask.testing.server import RunningServer
from kataven_flask.tokens import (
    RefreshClaims,
    Session,
    SessionClaims,
    Tokens,
    VisitorClaims,
)

VisitorState = Literal[
    "good", "expired", "spent", "revoked", "not_yet", "foreign", "tampered", "unsigned"
]
"""Of a visitor token."""
SessionState = Literal[
    "good",
    "expired",
    "not_yet",
    "foreign",
    "tampered",
    "unsigned",
    "wrong_audience",
    "wrong_issuer",
]
"""Of a session token."""
RefreshState = Literal["good", "expired", "rotated", "in_grace", "revoked", "foreign", "tampered"]
"""Of a refresh token."""

_AGO: Final = 2
"""Seconds since a token was minted that was revoked since: times in it are whole seconds."""
_ELSEWHERE: Final = "https://elsewhere.example"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a token is to speak for; see `Kataven.user_token`."""

    user_id: str | None = field(repr=False)
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Mint:
    """Mints for one client key, at the server's time.

    Args:
        server: The server.
        record: The key.
        agent_id: The agent that is asked for; None for the tenant's own.
    """

    server: RunningServer
    record: KeyRecord
    agent_id: str | None

    def visitor(self, person: Person, state: str) -> str:
        """Return a visitor token in a state."""
        _require(state, VisitorState)
        ttl = self.record.tokens.visitor_ttl
        iat = self._minted_at(state, ttl)
        claims = VisitorClaims(
            sub=person.user_id or "",
            tenant=self.record.tenant_id,
            client_key=self.record.key.client_key,
            jti=new_id("vis"),
            iat=iat,
            exp=iat + ttl,
            agent_id=self.agent_id,
            name=person.name,
            email=person.email,
        )
        if state == "spent":
            self.server.sessions.spend(claims)
        elif state == "revoked":
            self.server.sessions.end_user(claims.tenant, claims.sub)
        return _JWT_HARM.get(state, _unharmed)(self._tokens(state).mint_visitor(claims))

    def session(self, person: Person, origin: str, state: str) -> str:
        """Return a session token in a state."""
        _require(state, SessionState)
        ttl = self.record.tokens.session_ttl
        iat = self._minted_at(state, ttl)
        claims = SessionClaims(self._begun(person, origin, iat), new_id("tok"), iat, iat + ttl)
        return _JWT_HARM.get(state, _unharmed)(self._tokens(state).mint_session(claims))

    def refresh(self, person: Person, origin: str, state: str) -> str:
        """Return a refresh token in a state."""
        _require(state, RefreshState)
        ttl = self.record.tokens.refresh_ttl
        iat = self._minted_at(state, ttl)
        claims = RefreshClaims(self._begun(person, origin, iat), 0, iat, iat + ttl)
        sessions = self.server.sessions
        if state == "revoked":
            sessions.end(claims)
        elif state in {"rotated", "in_grace"}:
            sessions.rotate(self.record, claims)
        if state == "rotated":
            sessions.rotate(self.record, replace(claims, generation=1))
        token = self._tokens(state).mint_refresh(claims)
        return _tampered_refresh(token) if state == "tampered" else token

    def _begun(self, person: Person, origin: str, at: int) -> Session:
        agent_id, _ = resolve_agent(self.record, self.agent_id)
        user = person.user_id
        digest = None if user is None else user_digest(self.record.tenant_id, user)
        return Session(
            sid=new_session_id(digest),
            sub=user or new_id("guest"),
            tenant=self.record.tenant_id,
            agent_id=agent_id,
            client_key=self.record.key.client_key,
            origin=origin,
            visitor_type="guest" if user is None else "user",
            began_ms=at * 1000,
            name=person.name,
            email=person.email,
        )

    def _minted_at(self, state: str, ttl: int) -> int:
        """Return when a token was minted: far enough away for whoever lets clocks differ."""
        now = int(self.server.clock())
        away = {"expired": -2 * ttl, "not_yet": HOUR, "revoked": -_AGO}
        return max(0, now + away.get(state, 0))

    def _tokens(self, state: str) -> Tokens:
        tokens = self.server.tokens
        match state:
            case "foreign":
                key, secret = make_pair(tokens.ring.newest.alg, 0)
                return replace(tokens, ring=KeyRing((key,), (secret,)))
            case "wrong_audience":
                return replace(tokens, audience=_ELSEWHERE)
            case "wrong_issuer":
                return replace(tokens, issuer=_ELSEWHERE)
            case _:
                return tokens


def _unharmed(token: str) -> str:
    return token


def _tampered(jwt: str) -> str:
    """Have it speak for somebody else, with the signature that it had."""
    header, payload, signature = jwt.split(".")
    members = json.loads(base64_decode(payload))
    return f"{header}.{_segment({**members, 'sub': 'somebody-else'})}.{signature}"


def _unsigned(jwt: str) -> str:
    """Have it say that it needs no signature (RFC 8725, section 2.1)."""
    header, payload, _ = jwt.split(".")
    members = json.loads(base64_decode(header))
    return f"{_segment({**members, 'alg': 'none'})}.{payload}."


def _tampered_refresh(token: str) -> str:
    payload, _, signature = token.rpartition(".")
    members = json.loads(base64_decode(payload))
    members["session"]["sub"] = "somebody-else"
    return f"{_segment(members)}.{signature}"


_JWT_HARM: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {"tampered": _tampered, "unsigned": _unsigned}
)


def _segment(members: Mapping[str, Any]) -> str:
    return base64_encode(json.dumps(members)).decode("ascii")


def _require(state: str, states: Any) -> None:
    """Raise ValueError where there is no such state, and say which there are."""
    known = get_args(states)
    if state not in known:
        _refuse_state(state, known)


def _refuse_state(state: str, known: tuple[str, ...]) -> NoReturn:
    near = get_close_matches(str(state), known, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    listed = ", ".join(map(repr, known))
    raise ValueError(f"no such token is ever in the state {state!r}{guess} There are: {listed}")
