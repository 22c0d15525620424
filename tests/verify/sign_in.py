"""A sign-in service that mints what a test asks for, and a server of keys that misbehaves."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from kataven_flask.tokens import Session, SessionClaims, Tokens
from tests.support import KEY, ORIGIN
from tests.vectors import VectorKeys, load_keys
from tests.vectors.generate import Forge

NOW = int(time.time())
"""A verifier reads the system's clock, as a `/connect` service has no other."""
HOUR = 3600

USER = Session(
    sid="ses_1",
    sub="42",
    tenant="acme",
    agent_id="support",
    client_key=KEY,
    origin=ORIGIN,
    visitor_type="user",
    began_ms=NOW * 1000,
    name="Ada Lovelace",
    email="ada@acme.com",
    guest_id="guest_1",
)
GUEST = dataclasses.replace(
    USER, sub="guest_1", visitor_type="guest", name=None, email=None, guest_id=None
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A running sign-in service.

    Args:
        url: Where it is served.
        tokens: Mints as it does.
    """

    url: str
    tokens: Tokens

    @property
    def jwks_url(self) -> str:
        """Where it publishes its keys."""
        return f"{self.url}/.well-known/jwks.json"

    def mint(self, session: Session = USER, exp: int = NOW + HOUR) -> str:
        """Mint a session token."""
        return self.tokens.mint_session(SessionClaims(session, "tok_1", NOW, exp))

    def forge(self) -> Forge:
        """Return what makes any token out of its key."""
        return Forge(VectorKeys(self.tokens.ring, load_keys().theirs, b""))

    def session(self, **claims: Any) -> str:
        """Sign a session token by its key with claims laid over the good ones."""
        good = {"auth_time": NOW, "iat": NOW, "exp": NOW + HOUR}
        return self.forge().session(**{**good, **claims})
