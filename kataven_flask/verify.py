"""What a `/connect` service needs: session tokens verified by the public keys alone.

It needs `PyJWT[crypto]` and imports nothing else of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any, Final

import jwt
from jwt.algorithms import has_crypto

SESSION_TYP: Final = "widget-session+jwt"
ALGORITHMS: Final = ("ES256", "EdDSA")
CLOCK_SKEW: Final = 10
"""Seconds that this host's clock may be off."""
JWKS_TIMEOUT: Final = 5
"""Seconds to wait for the public keys."""
_NO_KEYS: Final = (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, JSONDecodeError)
_NO_CRYPTOGRAPHY: Final = (
    "sessions can't be verified without cryptography: pip install 'pyjwt[crypto]'"
)
_REASONS: Final[Mapping[type[jwt.InvalidTokenError], str]] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet; compare the servers' clocks",
    jwt.InvalidAudienceError: "it is meant for another audience",
    jwt.InvalidIssuerError: "another issuer minted it",
    jwt.MissingRequiredClaimError: "it lacks a claim",
    jwt.InvalidSignatureError: "its signature is not valid",
    jwt.InvalidAlgorithmError: "its algorithm is not its key's",
}
_REQUIRED: Final = ["exp", "iat", "jti", "sub", "iss", "aud", "sid"]
_TEXTS: Final = ("sub", "sid", "tenant", "agent_id", "client_key", "origin", "visitor_type")
_OPTIONAL_TEXTS: Final = ("name", "email", "guest_id")
_TIMES: Final = ("exp", "iat", "auth_time")
_LAST: Final = 2**32
"""Seconds since the epoch (2106): a later time is a mistake, and may be no date."""


class InvalidSession(Exception):
    """The token is not a live session token of this issuer; answer 401."""


class KeysUnavailableError(Exception):
    """The public keys can't be fetched, so that nothing can be verified; answer 503."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is calling.

    Args:
        visitor_id: The user's id in the tenant's own terms, or a guest's.
        visitor_type: `guest` or `user`.
        session_id: The session's id.
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
    visitor_type: str
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


class SessionVerifier:
    """Verifies session tokens.

    Args:
        jwks_url: Where the sign-in service publishes its keys.
        issuer: The `iss` that it writes.
        audience: The `aud` that it writes.
        keys: The JWKS itself, where it has been fetched already; then nothing is fetched.

    Raises:
        ImportError: `cryptography` is missing. Without it every token looks like a bad one.
    """

    def __init__(
        self, jwks_url: str, issuer: str, audience: str, *, keys: Mapping[str, Any] | None = None
    ) -> None:
        if not has_crypto:
            raise ImportError(_NO_CRYPTOGRAPHY, name="cryptography")
        self._jwks = jwt.PyJWKClient(jwks_url, timeout=JWKS_TIMEOUT)
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def verify(self, unverified_jwt: str) -> Session:
        """Verify a session token (RFC 8725, section 3).

        Args:
            unverified_jwt: The bearer token of the request.

        Raises:
            InvalidSession: It is anything else than a live session token.
            KeysUnavailableError: The public keys can't be fetched.

        Returns:
            The session.
        """
        try:
            if jwt.get_unverified_header(unverified_jwt).get("typ") != SESSION_TYP:
                raise InvalidSession("not a session token")
            key = self._find_key(unverified_jwt)
            claims = self._decode(unverified_jwt, key)
            return _session(claims)
        except jwt.InvalidTokenError as error:
            # Without its cause, whose words a log would have, too.
            raise InvalidSession(f"not a live session token: {_why(error)}") from None
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError) as error:
            raise InvalidSession("not a live session token") from error

    def _find_key(self, unverified_jwt: str) -> jwt.PyJWK:
        try:
            if self._keys is not None:
                kid = jwt.get_unverified_header(unverified_jwt)["kid"]
                return jwt.PyJWKSet.from_dict(dict(self._keys))[kid]
            return self._jwks.get_signing_key_from_jwt(unverified_jwt)
        except (*_NO_KEYS, NotImplementedError, TypeError) as error:  # or of no known kind
            raise KeysUnavailableError("the sign-in service's keys can't be fetched") from error

    def _decode(self, unverified_jwt: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            unverified_jwt,
            key=key.key,
            algorithms=[key.algorithm_name] if key.algorithm_name in ALGORITHMS else [],
            audience=self._audience,
            issuer=self._issuer,
            leeway=CLOCK_SKEW,
            options={
                "verify_signature": True,
                "require": _REQUIRED,
                "verify_exp": True,
                "verify_iat": True,
                "verify_nbf": True,
                "verify_aud": True,
                "strict_aud": True,
                "verify_iss": True,
                "verify_sub": True,
                "verify_jti": True,
            },
        )


def _why(error: jwt.InvalidTokenError) -> str:
    """Say it in words of ours: the library's may repeat what a stranger wrote in the header."""
    known = (words for kind, words in _REASONS.items() if isinstance(error, kind))
    return next(known, "it is not a JWT as this service mints them")


def _session(claims: dict[str, Any]) -> Session:
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
    """Raise InvalidSession where a claim isn't of the type that `Session` promises."""
    texts = all(isinstance(claims[name], str) for name in _TEXTS)
    optional = all(isinstance(claims.get(name), str | None) for name in _OPTIONAL_TEXTS)
    times = all(type(claims[name]) is int and 0 <= claims[name] < _LAST for name in _TIMES)
    if not (texts and optional and times and claims["visitor_type"] in {"guest", "user"}):
        raise InvalidSession("not a live session token: a claim is of another type")
