"""What a token's kind and claims mean, in a word or two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kataven_flask.inspection import Here, Inspection
from kataven_flask.keys import parse_client_key
from kataven_flask.recognition import Kind, Unverified
from kataven_flask.text import visible
from kataven_flask.times import span, utc_second

_LONGEST: Final = 200
"""Characters of a value; whatever is longer is cut."""
_LONGEST_NAME: Final = 24

_KINDS: Final = {
    Kind.VISITOR: "A visitor token: a backend minted it for one user, for one exchange.",
    Kind.SESSION: "A session token: what the widget shows to /connect.",
    Kind.REFRESH: "A refresh token: what the widget renews its session with.",
    Kind.OTHER_JWT: "A JWT, but of no type that this service mints.",
    Kind.ENCRYPTED_JWT: "An encrypted JWT: this service mints none.",
    Kind.BROKEN_TOKEN: "Like a token, but it can't be read: changed, or not copied whole.",
    Kind.CLIENT_KEY: "A client key, no token: it is public, and stands in the page's snippet.",
    Kind.SECRET_KEY: "A secret key, no token: it is for the customer's backend alone.",
    Kind.PRIVATE_KEY: "A private key, no token.",
    Kind.SECRET_HASH: "The hash of a secret key, no token: it stands in the tenants' file.",
    Kind.SESSION_ID: "A session's id, no token: `sessions revoke --session` ends the session.",
    Kind.EMAIL: "An e-mail address, no token.",
    Kind.JSON: "JSON, no token: give the member alone, as with `jq -r .token`.",
    Kind.EMPTY: "Nothing: no token was given.",
    Kind.UNKNOWN: "No token, and nothing else that this service knows.",
}
_HEADER: Final = {"alg": "signed how", "kid": "by which key", "typ": "which kind"}
_CLAIMS: Final = {
    "iss": "minted by",
    "aud": "meant for",
    "sub": "the visitor",
    "iat": "minted",
    "nbf": "valid from",
    "exp": "ends",
    "jti": "its own id",
    "sid": "the session",
    "tenant": "the tenant",
    "agent_id": "talks to",
    "client_key": "its key",
    "origin": "begun on",
    "visitor_type": "guest or user",
    "name": "the user's name",
    "email": "the user's e-mail",
    "guest_id": "was this guest",
    "auth_time": "session began",
    "began_ms": "session began",
    "generation": "refreshed, times",
}
_IMPERSONAL: Final = _CLAIMS.keys() - {"sub", "name", "email"}
_SECONDS: Final = {"iat", "nbf", "exp", "auth_time"}


def kind_in_words(inspection: Inspection) -> str:
    """Say in a sentence what a text is."""
    found = inspection.found
    words = _KINDS[found.kind]
    if found.kind is Kind.CLIENT_KEY and (name := parse_client_key(found.text)):
        return f"{words[:-1]}.\nIts tenant is {name.tenant}."
    return words


def is_personal(name: str, found: Unverified) -> bool:
    """Tell whether a claim may say who a person is: any may that isn't known to say none."""
    if name == "sub":
        return found.claims.get("visitor_type") != "guest"
    return name not in _IMPERSONAL


def header_rows(found: Unverified) -> list[tuple[str, str, str]]:
    """Lay a token's header out: for each member its name, what it is and its value."""
    return [_row(name, _HEADER, _plain(found.header[name])) for name in _sorted(found.header)]


def claim_rows(found: Unverified, now: float, *, personal: bool) -> list[tuple[str, str, str]]:
    """Lay a token's claims out.

    Args:
        found: The token.
        now: Seconds since the epoch.
        personal: Whether to show who it is about.

    Returns:
        For each its name, what it is and its value, fit for a terminal.
    """
    return [
        _row(
            name,
            _CLAIMS,
            "hidden; --personal shows it"
            if is_personal(name, found) and not personal
            else _in_words(name, found.claims[name], now),
        )
        for name in _sorted(found.claims)
    ]


def _sorted(members: Mapping[str, Any]) -> list[str]:
    """Return the known members in the order in which they are read, then the others."""
    known = [name for name in (*_HEADER, *_CLAIMS) if name in members]
    return [*known, *(name for name in members if name not in known)]


def _row(name: str, meanings: Mapping[str, str], value: str) -> tuple[str, str, str]:
    return _cut(visible(name), _LONGEST_NAME), meanings.get(name, ""), value


def _in_words(name: str, value: object, now: float) -> str:
    if type(value) is int and name in _SECONDS:
        return _time_in_words(value, now)
    if type(value) is int and name == "began_ms":
        return _time_in_words(value // 1000, now)
    return _plain(value)


def _time_in_words(at: int, now: float) -> str:
    try:
        time = utc_second(at)
    except ValueError:
        return f"{at} (no time from 1970 to 2106; is it in seconds?)"
    away = span(at - now)
    return f"{time}, in {away}" if at > now else f"{time}, {away} ago"


def _plain(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _cut(visible(text), _LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def what_else(inspection: Inspection, here: Here) -> Iterator[str]:
    """Say what the verdict leaves open.

    Args:
        inspection: What was found.
        here: What it was held against.

    Yields:
        Sentences.
    """
    kind, verifies = inspection.found.kind, inspection.verifies
    named = here.issuer or (here.registry and here.registry.issuer)
    if here.registry and not named and kind in {Kind.VISITOR, Kind.SESSION}:
        yield "The file names no issuer, so its iss was believed; --issuer compares it."
    if kind is Kind.VISITOR and verifies:
        yield "Whether it was spent, or its user revoked, the server's state store alone knows."
    if kind is Kind.REFRESH and verifies:
        yield "Whether it was rotated away, or its session ended, the state store alone knows."
    if kind is Kind.SESSION and verifies and inspection.at_refresh:
        yield "A /connect service takes the token itself until it ends."
