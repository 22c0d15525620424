"""Claims, and how they become tokens and come back; the one importer of jwt and itsdangerous.

Three kinds: the visitor token (JWT, spent once by `exchange`), the session token (JWT,
what `/connect` takes) and the refresh token (opaque, signed by itsdangerous). Each has
its own `typ` or salt, so that one never passes for another (RFC 8725, section 3.11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final, get_args

import jwt
import orjson
from itsdangerous import BadData, BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from kataven_flask.errors import KatavenError
from kataven_flask.signing import KeyRing, RefreshSecret, SigningKey
from kataven_flask.tenants import VisitorType
from kataven_flask.times import is_time

VISITOR_TYP: Final = "widget-visitor+jwt"
SESSION_TYP: Final = "widget-session+jwt"
CLOCK_SKEW: Final = 10
"""Seconds that two hosts' clocks may differ ("no more than a few minutes": RFC 7519, 4.1.4)."""
MAX_TOKEN_LENGTH: Final = 15 * 1024
"""Characters; a longer one was not minted here."""

_REFRESH_SALT: Final = b"kataven_flask.refresh-token.v1"
_HEADER_MEMBERS: Final = {"alg", "kid", "typ"}
_ALWAYS_REQUIRED: Final = ["exp", "iat", "jti", "sub", "iss", "aud"]
_MAX_GENERATION: Final = 2**31
"""Rotations; one a second for 68 years."""
_VISITOR_TYPES: Final = get_args(VisitorType)


class BadTokenError(KatavenError):
    """The token was not minted here for this use; the message says why, without its text."""


class TokenExpiredError(BadTokenError):
    """The token was minted here, and its time is over."""


@dataclass(frozen=True, slots=True)
class VisitorClaims:
    """What the tenant's backend vouches for: one visitor, for one exchange.

    Args:
        sub: The user's id in the tenant's own terms.
        tenant: The tenant's id.
        client_key: The client key it may be exchanged with.
        jti: Its own id, by which it is spent.
        iat: When it was minted, in seconds since the epoch.
        exp: When it ends, in seconds since the epoch.
        agent_id: The agent asked for, if any.
        name: The user's name, if given.
        email: The user's e-mail address, if given.
    """

    sub: str = field(repr=False)
    tenant: str
    client_key: str
    jti: str
    iat: int
    exp: int
    agent_id: str | None = None
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A session's identity: what no refresh changes.

    Args:
        sid: The session's id, `ses_…`.
        sub: The visitor's id.
        tenant: The tenant's id.
        agent_id: The agent that the visitor talks to.
        client_key: The client key it was begun with.
        origin: The serialized origin it was begun on, the only one that may refresh it.
        visitor_type: `guest` or `user`.
        began_ms: When it began, in milliseconds since the epoch.
        name: The user's name, if given.
        email: The user's e-mail address, if given.
        guest_id: The guest that this user was before, if that is known.
    """

    sid: str
    sub: str = field(repr=False)
    tenant: str
    agent_id: str
    client_key: str
    origin: str
    visitor_type: VisitorType
    began_ms: int
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    guest_id: str | None = None

    @property
    def auth_time(self) -> int:
        """When the session began, in seconds since the epoch (OpenID Connect Core, section 2)."""
        return self.began_ms // 1000


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """A verified session token.

    Args:
        session: The session it stands for.
        jti: Its own id.
        iat: When it was minted, in seconds since the epoch.
        exp: When it ends, in seconds since the epoch.
    """

    session: Session
    jti: str
    iat: int
    exp: int


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a refresh token carries.

    Args:
        session: The session that it renews.
        generation: How many rotations the session has behind it.
        iat: When it was minted, in seconds since the epoch.
        exp: When it ends, in seconds since the epoch.
    """

    session: Session
    generation: int
    iat: int
    exp: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Mints and verifies.

    Args:
        ring: The keys.
        issuer: The `iss` of every token.
        audience: The `aud` of session tokens.
        look_again: Gives the keys anew; asked where none of `ring` signed a token, which another
            host may have signed with one that was made this moment.
    """

    ring: KeyRing
    issuer: str
    audience: str
    look_again: Callable[[], KeyRing] | None = field(default=None, repr=False)

    @property
    def exchange_audience(self) -> str:
        """The `aud` of visitor tokens: the one endpoint that takes them."""
        return f"{self.issuer}/api/v1/widget/auth/exchange"

    def mint_visitor(self, claims: VisitorClaims) -> str:
        """Return a visitor token."""
        return self._sign(_without_none(_as_dict(claims)), VISITOR_TYP, self.exchange_audience)

    def mint_session(self, claims: SessionClaims) -> str:
        """Return a session token."""
        members = _without_none(_as_dict(claims.session))
        members["auth_time"] = members.pop("began_ms") // 1000
        members |= {"jti": claims.jti, "iat": claims.iat, "exp": claims.exp}
        return self._sign(members, SESSION_TYP, self.audience)

    def mint_refresh(self, claims: RefreshClaims) -> str:
        """Return a refresh token; the same claims give the same token."""
        members = {**_as_dict(claims), "session": _as_dict(claims.session)}
        payload = orjson.dumps(members)
        signer = _refresh_signer(self.ring.refresh_secret(claims.iat))
        return signer.sign(base64_encode(payload)).decode("ascii")

    def verify_visitor(self, unverified_jwt: str, now: float) -> VisitorClaims:
        """Verify a visitor token.

        Args:
            unverified_jwt: The text that the caller sent.
            now: Seconds since the epoch.

        Raises:
            TokenExpiredError: It was minted here, and its time is over.
            BadTokenError: It is anything else than a visitor token minted here.

        Returns:
            Its claims.
        """
        claims = self._verify(unverified_jwt, VISITOR_TYP, self.exchange_audience, now)
        try:
            visitor = VisitorClaims(**_members(claims, VisitorClaims))
        except TypeError as error:
            raise BadTokenError("it lacks a claim") from error
        _require_texts(visitor)
        return visitor

    def verify_session(self, unverified_jwt: str, now: float) -> SessionClaims:
        """Verify a session token.

        Args:
            unverified_jwt: The text that the caller sent.
            now: Seconds since the epoch.

        Raises:
            TokenExpiredError: It was minted here, and its time is over.
            BadTokenError: It is anything else than a session token minted here.

        Returns:
            Its claims.
        """
        claims = self._verify(unverified_jwt, SESSION_TYP, self.audience, now)
        auth_time = claims.get("auth_time")
        if not is_time(auth_time):
            raise BadTokenError("its auth_time is not in whole seconds of 1970 to 2106")
        try:
            session = Session(**_members(claims, Session), began_ms=auth_time * 1000)
        except TypeError as error:
            raise BadTokenError("it lacks a claim") from error
        _require_texts(session)
        return SessionClaims(session, claims["jti"], claims["iat"], claims["exp"])

    def verify_refresh(self, unverified_token: str) -> RefreshClaims:
        """Verify a refresh token's signature; whether its time is over is for the caller.

        Args:
            unverified_token: The text that the caller sent.

        Raises:
            BadTokenError: It was not signed here.

        Returns:
            What it carries.
        """
        try:
            payload = base64_decode(self._unsigned(unverified_token))
            members: dict[str, Any] = orjson.loads(payload)
            session = Session(**members.pop("session"))
            claims = RefreshClaims(session=session, **members)
        except (BadData, ValueError, TypeError, LookupError, AttributeError) as error:
            raise BadTokenError("it was not signed here") from error
        _require_texts(session)
        _require_numbers(claims)
        return claims

    def is_signed(self, unverified_jwt: str) -> bool:
        """Tell whether the key that a JWT names signed it, to explain a refusal, and no more.

        What is signed may have ended, or be meant for something else: a token that is to be
        accepted is verified.

        Args:
            unverified_jwt: The text that somebody asks about.

        Returns:
            Whether the signature is that of the key of ours that the header names.
        """
        try:
            key = self._find_key(jwt.get_unverified_header(unverified_jwt).get("kid"))
            if key is None:
                return False
            public_key = key.private_key.public_key()
            jwt.PyJWS().decode(unverified_jwt, key=public_key, algorithms=[key.alg])
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return True

    def _unsigned(self, unverified_token: str) -> bytes:
        """Return what a secret of ours signed, or raise BadSignature."""
        try:
            return _refresh_signer(*self.ring.refresh_secrets).unsign(unverified_token)
        except BadSignature:
            ring = self._newer_ring()
            if ring is None:
                raise
            return _refresh_signer(*ring.refresh_secrets).unsign(unverified_token)

    def _find_key(self, kid: object) -> SigningKey | None:
        key = self.ring.find(kid)
        if key is None and (ring := self._newer_ring()) is not None:
            key = ring.find(kid)
        return key

    def _newer_ring(self) -> KeyRing | None:
        ring = self.ring if self.look_again is None else self.look_again()
        return None if ring is self.ring else ring

    def _sign(self, members: Mapping[str, Any], typ: str, audience: str) -> str:
        # By the token's own time, so that hosts whose clocks differ agree on who signs it.
        key = self.ring.signing_key(members["iat"])
        payload = orjson.dumps({"iss": self.issuer, "aud": audience, **members})
        signed = _header_segment(key.alg, key.kid, typ) + base64_encode(payload)
        signature = jwt.get_algorithm_by_name(key.alg).sign(signed, key.private_key)
        return (signed + b"." + base64_encode(signature)).decode("ascii")

    def _verify(self, unverified_jwt: str, typ: str, audience: str, now: float) -> dict[str, Any]:
        """Verify all that RFC 8725 asks for; times are held against the clock passed in."""
        if len(unverified_jwt) > MAX_TOKEN_LENGTH or not unverified_jwt.isascii():
            raise BadTokenError("it is not a JWT")
        try:
            header = jwt.get_unverified_header(unverified_jwt)
            key = self._find_key(header.get("kid"))
            if key is None:
                raise BadTokenError("no key of this server signed it")
            if set(header) != _HEADER_MEMBERS or header["typ"] != typ:
                raise BadTokenError(f"its type is not {typ}")
            claims = jwt.decode(
                unverified_jwt,
                key=key.private_key.public_key(),
                algorithms=[key.alg],
                audience=audience,
                issuer=self.issuer,
                options={
                    "verify_signature": True,
                    "require": _ALWAYS_REQUIRED,
                    "verify_aud": True,
                    "strict_aud": True,
                    "verify_iss": True,
                    "verify_sub": True,
                    "verify_jti": True,
                    # Times are verified below, by the clock of the caller.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise BadTokenError(_why(error)) from error
        except (ValueError, RecursionError) as error:
            raise BadTokenError("it is not a JWT") from error
        _verify_times(claims, now)
        return claims


_NUMBERS: Final = {"iat", "exp", "began_ms"}
_OPTIONAL: Final = {
    cls: {each.name for each in fields(cls) if each.default is None}
    for cls in (VisitorClaims, Session)
}


@lru_cache(maxsize=8)
def _header_segment(alg: str, kid: str, typ: str) -> bytes:
    """Return how every JWT of a key and a type begins (RFC 7515, section 7.1)."""
    return base64_encode(orjson.dumps({"alg": alg, "kid": kid, "typ": typ})) + b"."


@lru_cache(maxsize=8)
def _refresh_signer(*secrets: RefreshSecret) -> Signer:
    """Return what signs with the last of these secrets, and verifies by any."""
    return Signer(
        [secret.secret for secret in secrets],
        salt=_REFRESH_SALT,
        key_derivation="hmac",
        digest_method=hashlib.sha256,
    )


def _require_texts(claims: VisitorClaims | Session) -> None:
    """Raise BadTokenError where a member isn't text: whoever has a key can sign anything."""
    optional = _OPTIONAL[type(claims)]
    for name in claims.__slots__:
        value = getattr(claims, name)
        is_absent = value is None and name in optional
        if type(value) is not str and name not in _NUMBERS and not is_absent:
            raise BadTokenError(f"its {name} is not text")
    if isinstance(claims, Session) and claims.visitor_type not in _VISITOR_TYPES:
        raise BadTokenError("its visitor_type is not guest or user")


def _require_numbers(claims: RefreshClaims) -> None:
    """Raise BadTokenError where a number isn't one that is ever minted."""
    generation, began_ms = claims.generation, claims.session.began_ms
    if not (is_time(claims.iat) and is_time(claims.exp)):
        raise BadTokenError("its times are not whole seconds of 1970 to 2106")
    if type(began_ms) is not int or not is_time(began_ms // 1000):
        raise BadTokenError("its session began at no time")
    if type(generation) is not int or not 0 <= generation < _MAX_GENERATION:
        raise BadTokenError("its generation is not a number of rotations")


def _verify_times(claims: Mapping[str, Any], now: float) -> None:
    """Hold `iat` and `exp` against the clock (RFC 7519, sections 4.1.4 and 4.1.6)."""
    iat, exp = claims["iat"], claims["exp"]
    if not (is_time(iat) and is_time(exp)):
        raise BadTokenError("its times are not whole seconds of 1970 to 2106")
    if iat > now + CLOCK_SKEW:
        raise BadTokenError("it was minted in the future; compare the servers' clocks")
    if exp <= now:
        raise TokenExpiredError("it has expired")


def _why(error: jwt.InvalidTokenError) -> str:
    match error:
        case jwt.InvalidAudienceError():
            return "it is meant for another audience"
        case jwt.InvalidIssuerError():
            return "another issuer minted it"
        case jwt.MissingRequiredClaimError():
            return "it lacks a claim"
        case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError():
            return "its signature is not valid"
        case _:
            return "it is not a JWT"


def _as_dict(claims: VisitorClaims | Session | RefreshClaims) -> dict[str, Any]:
    """Return the members in their order; `dataclasses.asdict` copies each deeply, and is slow."""
    return {name: getattr(claims, name) for name in claims.__slots__}


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _members(claims: Mapping[str, Any], cls: type[VisitorClaims | Session]) -> dict[str, Any]:
    return {name: claims[name] for name in cls.__dataclass_fields__ if name in claims}
