"""A JWK set (RFC 7517) to the keys that verify session tokens; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import jwt

ALGORITHMS: Final[Mapping[tuple[object, object], str]] = {
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""By `kty` and `crv`, the one algorithm that a key is used with, whatever a token's header says
(RFC 8725, sections 3.1 and 3.2)."""
MAX_KID: Final = 256
"""Characters of a key's id."""
_PRIVATE: Final = "d"
"""The member that only a private key has (RFC 7518, section 6.2.2; RFC 8037, section 2)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies.

    Args:
        key: The key.
        alg: The one algorithm it is used with.
    """

    key: Any = field(repr=False)
    alg: str


@dataclass(frozen=True, slots=True)
class KeySet:
    """What a JWK set has of use.

    Args:
        keys: The keys by their ids.
        leaked: How many private keys it has; none of them is used.
    """

    keys: Mapping[str, PublicKey]
    leaked: int = 0


def parse_jwks(document: object) -> KeySet:
    """Read a JWK set.

    Symmetric and private keys, keys for another use or algorithm, and whatever is no key at all
    are left out; of two with one id, the second is.

    Args:
        document: The JSON, parsed.

    Raises:
        ValueError: It isn't a JWK set.

    Returns:
        The keys that verify session tokens; there may be none.
    """
    members = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(members, list):
        raise ValueError("it isn't a JWK set")  # noqa: TRY004 - of what was sent, not of a caller
    keys: dict[str, PublicKey] = {}
    leaked = 0
    for member in members:
        if not isinstance(member, Mapping):
            continue
        leaked += _PRIVATE in member
        kid = member.get("kid")
        if isinstance(kid, str) and 0 < len(kid) <= MAX_KID and kid not in keys:
            key = _public_key(member)
            if key is not None:
                keys[kid] = key
    return KeySet(MappingProxyType(keys), leaked)


def read_jwks(text: bytes) -> KeySet:
    """Read a JWK set as it was sent.

    Raises:
        ValueError: It isn't one.
    """
    try:
        return parse_jwks(json.loads(text))
    except RecursionError as error:
        raise ValueError("it isn't a JWK set") from error


def _public_key(jwk: Mapping[str, Any]) -> PublicKey | None:
    """Return what verifies by a JWK, or None where nothing may."""
    kind = jwk.get("kty"), jwk.get("crv")
    alg = ALGORITHMS.get(kind) if all(isinstance(each, str) for each in kind) else None
    if alg is None or _PRIVATE in jwk or not _is_for_verifying(jwk, alg):
        return None
    try:
        return PublicKey(jwt.PyJWK(dict(jwk), alg).key, alg)
    except Exception:  # noqa: BLE001 - not on the curve, not text; or this system doesn't know it
        return None


def _is_for_verifying(jwk: Mapping[str, Any], alg: str) -> bool:
    """Tell whether it is meant for that (RFC 7517, sections 4.2 to 4.4)."""
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and jwk.get("alg", alg) == alg
        and isinstance(operations, list)
        and "verify" in operations
    )
