"""A session token verified, by the public keys alone (RFC 8725, section 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from jwt.algorithms import has_crypto

from kataven_flask.verify.fetching import FetchError, check_url, fetch
from kataven_flask.verify.jwks import KeySet, PublicKey, parse_jwks, read_jwks
from kataven_flask.verify.key_cache import MAX_OFFLINE, OFFLINE, FixedKeys, KeyCache
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError
from kataven_flask.verify.session import Session, read_claims

SESSION_TYP: Final = "widget-session+jwt"
CLOCK_SKEW: Final = 10
"""Seconds that this host's clock may be off."""
MAX_TOKEN: Final = 15 * 1024
"""Characters; a longer one was not minted by the service."""
_NO_CRYPTOGRAPHY: Final = (
    "sessions can't be verified without cryptography: pip install 'pyjwt[crypto]'"
)
_REASONS: Final[Mapping[type[jwt.InvalidTokenError], str]] = {
    jwt.InvalidAudienceError: "it is meant for another audience",
    jwt.InvalidIssuerError: "another issuer minted it",
    jwt.MissingRequiredClaimError: "it lacks a claim",
    jwt.InvalidSignatureError: "its signature is not valid",
    jwt.InvalidAlgorithmError: "its algorithm is not its key's",
}
_SLEEPS: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""The clock that goes on while the machine sleeps, where the system has one."""
_REQUIRED: Final = ["exp", "iat", "jti", "sub", "iss", "aud", "sid"]


class SessionVerifier:
    """Verifies session tokens, for all threads of a process: make one, and keep it.

    Args:
        jwks_url: Where the sign-in service publishes its keys: `https://`, or `http://` on
            this host.
        issuer: The `iss` that it writes.
        audience: The `aud` that it writes.
        keys: The JWKS itself, where it has been fetched already; then nothing is fetched.
        offline: Seconds that the last keys are used while they can't be fetched, to a day.
        allow_http: Whether `jwks_url` may be `http://` on another host, where nobody can
            stand between.
        clock: Tells seconds since the epoch, for tests; the system's unless given.

    Raises:
        ImportError: `cryptography` is missing. Without it every token looks like a bad one.
        ValueError: `jwks_url` or `offline` is none that may be; `issuer` or `audience` is missing.
        KeysUnavailableError: `keys` isn't a JWKS.
    """

    def __init__(  # noqa: PLR0913 - all but three are by name, and for the few
        self,
        jwks_url: str,
        issuer: str,
        audience: str,
        *,
        keys: Mapping[str, Any] | None = None,
        offline: float = OFFLINE,
        allow_http: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not has_crypto:
            raise ImportError(_NO_CRYPTOGRAPHY, name="cryptography")
        if not 0 <= offline <= MAX_OFFLINE:
            raise ValueError(f"offline is 0 to {MAX_OFFLINE} seconds")
        self._issuer = _text("issuer", issuer)
        self._audience = _text("audience", audience)
        self._clock = clock or time.time
        self._keys: FixedKeys | KeyCache
        if keys is None:
            check_url(jwks_url, allow_http=allow_http)
            self._keys = KeyCache(lambda: _fetched(jwks_url), clock or _uptime, offline)
        else:
            self._keys = FixedKeys(_given(keys))

    def fetch_keys(self) -> None:
        """Fetch the keys where there are no fresh ones: at the start, before anybody waits.

        Raises:
            KeysUnavailableError: They can't be had; the words say why.
        """
        self._keys.fetch()

    def verify(self, unverified_jwt: str) -> Session:
        """Verify a session token; where keys have to be fetched first, wait for them.

        Args:
            unverified_jwt: The bearer token of the request.

        Raises:
            InvalidSession: It is anything else than a live session token.
            KeysUnavailableError: The public keys can't be had.

        Returns:
            The session.
        """
        return self._verify(unverified_jwt, self._keys.find(_kid(unverified_jwt)))

    def verify_at_once(self, unverified_jwt: str) -> Session | None:
        """Verify a session token without waiting, as an event loop has to.

        Args:
            unverified_jwt: The bearer token of the request.

        Raises:
            InvalidSession: It is anything else than a live session token.
            KeysUnavailableError: The public keys can't be had.

        Returns:
            The session; None where keys have to be fetched first: then call `verify`, in a thread.
        """
        key = self._keys.find_at_once(_kid(unverified_jwt))
        return None if key is None else self._verify(unverified_jwt, key)

    def seconds_left(self, session: Session) -> float:
        """Tell how long a session's token goes on to be taken, as for what stays connected.

        Args:
            session: The session.

        Returns:
            Seconds; 0 where it isn't taken any more.
        """
        return max(0.0, session.expires_at + CLOCK_SKEW - self._clock())

    def _verify(self, unverified_jwt: str, key: PublicKey) -> Session:
        try:
            claims = self._decode(unverified_jwt, key)
            self._check_times(claims)
            return read_claims(claims)
        except jwt.InvalidTokenError as error:
            # Without its cause, whose words a log would have, too.
            raise InvalidSession(f"not a live session token: {_why(error)}") from None
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError) as error:
            raise InvalidSession("not a live session token") from error

    def _decode(self, unverified_jwt: str, key: PublicKey) -> dict[str, Any]:
        return jwt.decode(
            unverified_jwt,
            key=key.key,
            algorithms=[key.alg],
            audience=self._audience,
            issuer=self._issuer,
            options={
                "verify_signature": True,
                "require": _REQUIRED,
                "verify_exp": False,  # these three by our own clock
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": True,
                "strict_aud": True,
                "verify_iss": True,
                "verify_sub": True,
                "verify_jti": True,
            },
        )

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        begins = [claims["iat"], claims.get("nbf", 0)]
        if not all(type(each) is int for each in [claims["exp"], *begins]):
            raise InvalidSession("not a live session token: a time is no whole number")
        if claims["exp"] <= now - CLOCK_SKEW:
            raise InvalidSession("not a live session token: it has expired")
        if max(begins) > now + CLOCK_SKEW:
            raise InvalidSession(
                "not a live session token: it is not valid yet; compare the servers' clocks"
            )


def _text(name: str, value: object) -> str:
    """Hold that there is something to compare with: by None, the library compares nothing."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is a text, and not an empty one: write the one of the service")
    return value


def _uptime() -> float:
    """Return seconds that only grow, also while the machine sleeps."""
    return time.monotonic() if _SLEEPS is None else time.clock_gettime(_SLEEPS)


def _fetched(jwks_url: str) -> KeySet:
    try:
        return read_jwks(fetch(jwks_url))
    except ValueError:
        raise FetchError("it sent something else than a JWK set") from None


def _given(keys: Mapping[str, Any]) -> Mapping[str, PublicKey]:
    try:
        return parse_jwks(keys).keys
    except ValueError as error:
        raise KeysUnavailableError("the sign-in service's keys are no JWK set") from error


def _kid(unverified_jwt: str) -> str:
    """Return the id of the key that a session token says it was signed by."""
    if len(unverified_jwt) > MAX_TOKEN:
        raise InvalidSession("not a live session token: it is too long")
    try:
        header = jwt.get_unverified_header(unverified_jwt)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidSession("not a JWT") from None
    kid = header.get("kid")
    if header.get("typ") != SESSION_TYP or not isinstance(kid, str):
        raise InvalidSession("not a session token")
    return kid


def _why(error: jwt.InvalidTokenError) -> str:
    """Say it in words of ours: the library's may repeat what a stranger wrote in the header."""
    known = (words for kind, words in _REASONS.items() if isinstance(error, kind))
    return next(known, "it is not a JWT as this service mints them")
