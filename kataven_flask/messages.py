"""What goes into the handshake and what comes out of it, whatever carries it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final

from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.tokens import Session

MAX_USER_ID: Final = 256
"""Characters."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as its headers tell.

    Args:
        origin: The web origin; None where the request has none, or one that isn't readable.
        address: The client's network address.
        is_browser: Whether only a browser would have sent these headers.
        secret_key: The bearer token of the request, unverified.
    """

    origin: Origin | None
    address: str
    is_browser: bool = False
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Backend:
    """A tenant's backend that has shown its secret key.

    Args:
        registry: The registry that it was found in; the whole request is answered by this one.
        record: The client key that the secret key belongs to.
    """

    registry: Registry
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class UserTokenRequest:
    """What the tenant's backend asks for."""

    client_key: str | None
    user_id: str | None = field(repr=False)
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """A minted visitor token.

    Args:
        token: The JWT.
        expires_in: Its lifetime in seconds.
        expires_at: Its end in seconds since the epoch.
    """

    token: str = field(repr=False)
    expires_in: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """A session's tokens, fresh.

    Args:
        session: The session.
        token: The session token.
        expires_at: Its end in seconds since the epoch.
        refresh_token: The refresh token.
        refresh_expires_at: Its end in seconds since the epoch.
        server_time: The present in seconds since the epoch.
    """

    session: Session
    token: str = field(repr=False)
    expires_at: int
    refresh_token: str = field(repr=False)
    refresh_expires_at: int
    server_time: int


@dataclass(frozen=True, slots=True)
class WidgetConfig:
    """What a widget needs to draw itself.

    Args:
        body: The JSON document, rendered.
        etag: Its entity tag, without quotes (RFC 9110, section 8.8.3).
    """

    body: bytes
    etag: str

    @classmethod
    def render(cls, record: KeyRecord, agent_id: str) -> WidgetConfig:
        """Write what a page may know of a key's tenant and agent."""
        agent = record.tenant.agents[agent_id]
        document = {
            "client_key": record.key.client_key,
            "tenant": {"id": record.tenant_id, "name": record.tenant.name},
            "agent": {
                "id": agent_id,
                "display_name": agent.display_name,
                "greeting": agent.greeting,
                "avatar_url": agent.avatar_url,
                "auth_mode": agent.auth_mode,
            },
            "branding": record.tenant.branding.model_dump(mode="json"),
        }
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(body, hashlib.sha256(body).hexdigest()[:32])
