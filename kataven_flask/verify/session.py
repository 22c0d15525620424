"""What a session token says of its visitor, once it is verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from kataven_flask.verify.refusals import InvalidSession

VisitorType: TypeAlias = Literal["guest", "user"]

_TEXTS: Final = ("sub", "sid", "tenant", "agent_id", "client_key", "origin", "visitor_type")
_OPTIONAL_TEXTS: Final = ("name", "email", "guest_id")
_TIMES: Final = ("exp", "iat", "auth_time")
_LAST: Final = 2**32
"""Seconds since the epoch (2106): a later time is a mistake, and may be no date."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is calling.

    Args:
        visitor_id: The user's id in the tenant's own terms, or a guest's.
        visitor_type: `guest` or `user`.
        session_id: The session's id; it stays when tokens are renewed.
        tenant: The tenant's id.
        agent_id: The agent that the visitor talks to.
        client_key: The client key that the session was begun with.
        origin: The origin that the session was begun on.
        auth_time: When the session began, in seconds since the epoch.
        expires_at: When the token ends, in seconds since the epoch.
        name: The user's name, if given.
        email: The user's e-mail address, if given.
        guest_id: The guest that this user was before, if that is known.
    """

    visitor_id: str = field(repr=False)
    visitor_type: VisitorType
    session_id: str
    tenant: str
    agent_id: str
    client_key: str
    origin: str
    auth_time: int
    expires_at: int
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    guest_id: str | None = None


def check_origin(session: Session, origin: str | None) -> None:
    """Hold that a session is used on the page that it was made for.

    Args:
        session: The session.
        origin: The request's `Origin` header. None where it has none, as a browser sends it
            with every `POST` and every WebSocket, and an app that is no page needn't.

    Raises:
        InvalidSession: A page of another origin sent it.
    """
    if origin is not None and origin != session.origin:
        raise InvalidSession("this session token was made for another origin")


def read_claims(claims: dict[str, Any]) -> Session:
    """Return the session that verified claims tell of.

    Raises:
        InvalidSession: One of them isn't of the type that `Session` promises.
        KeyError: One is missing.
    """
    _require_types(claims)
    return Session(
        visitor_id=claims["sub"],
        visitor_type=claims["visitor_type"],
        session_id=claims["sid"],
        tenant=claims["tenant"],
        agent_id=claims["agent_id"],
        client_key=claims["client_key"],
        origin=claims["origin"],
        auth_time=claims["auth_time"],
        expires_at=claims["exp"],
        name=claims.get("name"),
        email=claims.get("email"),
        guest_id=claims.get("guest_id"),
    )


def _require_types(claims: dict[str, Any]) -> None:
    texts = all(isinstance(claims[name], str) for name in _TEXTS)
    optional = all(isinstance(claims.get(name), str | None) for name in _OPTIONAL_TEXTS)
    times = all(type(claims[name]) is int and 0 <= claims[name] < _LAST for name in _TIMES)
    if not (texts and optional and times and claims["visitor_type"] in {"guest", "user"}):
        raise InvalidSession("not a live session token: a claim is of another type")
