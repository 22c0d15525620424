"""Who forges JWTs: with the server's own keys, where a check is aimed at; else with theirs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.vectors.generate import Forge


def part(value: Any) -> str:
    """Return a JWT's part of any JSON, or of bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class Attacker:
    """Who forges, and what for.

    Args:
        forge: What has the server's keys, and the attacker's own.
        typ: The type of the token that is wanted.
        claims: The claims of a good one.
    """

    forge: Forge
    typ: str
    claims: Mapping[str, Any]

    @property
    def kid(self) -> str:
        """The id of the server's key."""
        return self.forge.ours.newest.kid

    def good(self) -> str:
        """Return the very token that the others are made from."""
        return self.signed()

    def signed(self, **members: Any) -> str:
        """Sign by the server's key, with other members in the header."""
        return self.forge.token(
            self.forge.header(**{"typ": self.typ, **members}), dict(self.claims)
        )

    def claiming(self, **claims: Any) -> str:
        """Sign by the server's key, with other claims."""
        return self.forge.token(self.forge.header(self.typ), {**self.claims, **claims})

    def payload(self, raw: bytes) -> str:
        """Sign by the server's key, whatever the payload is."""
        return self.forge.token(self.forge.header(self.typ), raw)

    def by_stranger(self, **members: Any) -> str:
        """Sign by the attacker's key, with other members in the header."""
        header = self.forge.header(**{"typ": self.typ, **members})
        return self.forge.token(header, dict(self.claims), self.forge.theirs)

    def unsigned(self, header: Any) -> str:
        """Return what is to be signed."""
        return f"{part(header)}.{part(dict(self.claims))}"
