"""What a text is that somebody takes for a token, before anything of it is believed.

It looks, and verifies nothing. Whatever the text, it is read without a fault: tokens
come from strangers, and who inspects one expects a hostile one.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from kataven_flask.keys import SECRET_HASH, parse_client_key
from kataven_flask.tokens import MAX_TOKEN_LENGTH, SESSION_TYP, VISITOR_TYP

MAX_DEPTH: Final = 16
"""Levels of members within members; ours have two."""
_MAX_DIGITS: Final = 20
"""Of a number that is read as one; times have ten."""
_REFRESH_PARTS: Final = 2
_JWT_PARTS: Final = 3
"""RFC 7515, section 7.1."""
_JWE_PARTS: Final = 5
"""RFC 7516, section 7.1."""

_BEARER: Final = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
_SECRET_KEY: Final = re.compile(r"sk_[A-Za-z0-9_-]{8,}")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SESSION_ID: Final = re.compile(r"ses_[A-Za-z0-9_-]{8,40}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_TOKEN: Final = re.compile(r"eyJ|e[wy3][A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.")
"""`{"` in base64 is `eyJ`; with white space after the brace, or none at all, something near it."""


class Kind(StrEnum):
    """What a text turns out to be."""

    VISITOR = "visitor_token"
    SESSION = "session_token"
    REFRESH = "refresh_token"
    OTHER_JWT = "other_jwt"
    ENCRYPTED_JWT = "encrypted_jwt"
    BROKEN_TOKEN = "broken_token"  # noqa: S105 - a kind, not a token
    CLIENT_KEY = "client_key"
    SECRET_KEY = "secret_key"  # noqa: S105 - a kind
    PRIVATE_KEY = "private_key"
    SECRET_HASH = "secret_hash"  # noqa: S105 - a kind
    SESSION_ID = "session_id"
    EMAIL = "email"
    JSON = "json"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Unverified:
    """A text, and what it says of itself; none of it is to be believed.

    Args:
        kind: What it is.
        text: The text without what was around it.
        header: The members of a JWT's header.
        claims: The members of its payload; a refresh token's are those of its session too.
        oddities: What is strange about its writing, for a person to read.
    """

    kind: Kind
    text: str = field(repr=False)
    header: Mapping[str, Any] = field(default_factory=dict, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    oddities: tuple[str, ...] = ()


def recognise(text: str) -> Unverified:
    """Tell what a text is.

    Args:
        text: Anything.

    Returns:
        What it is, and what it says of itself.
    """
    unquoted = text.strip().strip("\"'").strip()
    bare = _BEARER.sub("", unquoted, count=1)
    joined = "".join(bare.split())
    oddities = ("it was given with Bearer before it; in a body it stands alone",) * (
        bare != unquoted
    ) + ("it was given with white space in it; a server takes it without",) * (joined != bare)
    if _TOKEN.match(joined):
        return _token(joined, oddities)
    return Unverified(_kind_of_text(bare), bare)


def _kind_of_text(text: str) -> Kind:
    kinds = (
        (Kind.EMPTY, not text),
        (Kind.PRIVATE_KEY, _PRIVATE_KEY.search(text)),
        (Kind.SECRET_KEY, _SECRET_KEY.search(text)),
        (Kind.CLIENT_KEY, parse_client_key(text) or text.startswith("pk_")),
        (Kind.SECRET_HASH, SECRET_HASH.fullmatch(text)),
        (Kind.SESSION_ID, _SESSION_ID.fullmatch(text)),
        (Kind.JSON, text.startswith(("{", "["))),
        (Kind.EMAIL, _EMAIL.fullmatch(text)),
    )
    return next((kind for kind, fits in kinds if fits), Kind.UNKNOWN)


# --- tokens


def _token(text: str, oddities: tuple[str, ...]) -> Unverified:
    if len(text) > MAX_TOKEN_LENGTH:
        oddities += (f"it is longer than any of ours: {len(text):,} characters",)
        return Unverified(Kind.BROKEN_TOKEN, text, oddities=oddities)
    parts = text.split(".")
    first = _Members(parts[0], "content" if len(parts) == _REFRESH_PARTS else "header")
    if len(parts) == _JWE_PARTS:
        return Unverified(Kind.ENCRYPTED_JWT, text, first.members, oddities=oddities)
    if len(parts) == _JWT_PARTS:
        payload = _Members(parts[1], "payload")
        oddities += (*first.oddities, *payload.oddities)
        kind = _jwt_kind(first) if payload.readable and first.readable else Kind.BROKEN_TOKEN
        return Unverified(kind, text, first.members, payload.members, oddities)
    oddities += first.oddities
    content = first.members
    if len(parts) == _REFRESH_PARTS and isinstance(content.get("session"), dict):
        return Unverified(Kind.REFRESH, text, claims=_flat(content), oddities=oddities)
    oddities += (f"a JWT has {_JWT_PARTS} parts with dots between, and this has {len(parts)}",)
    return Unverified(Kind.BROKEN_TOKEN, text, first.members, oddities=oddities)


def _jwt_kind(header: _Members) -> Kind:
    match header.members.get("typ"):
        case str(typ) if typ == VISITOR_TYP:
            return Kind.VISITOR
        case str(typ) if typ == SESSION_TYP:
            return Kind.SESSION
        case _:
            return Kind.OTHER_JWT


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a refresh token's own members over those of its session."""
    own = {name: value for name, value in content.items() if name != "session"}
    return {**content["session"], **own}


class _Members:
    """A part of a token that should be a JSON object in base64url.

    Args:
        part: The part.
        name: What it is called.
    """

    def __init__(self, part: str, name: str) -> None:
        self._name = name
        self._twice: list[str] = []
        self.oddities: tuple[str, ...] = ()
        self.members: dict[str, Any] = {}
        self.readable = False
        value = self._value(part)
        if isinstance(value, dict):
            self.members, self.readable = value, True
        elif not self.oddities:
            self._odd("is no JSON object")
        for member in dict.fromkeys(self._twice):
            self._odd(f"has {member!r} twice; the last one counts")

    def _value(self, part: str) -> object:
        try:
            value: object = json.loads(
                _decoded(part),
                object_pairs_hook=self._object,
                parse_float=_number,
                parse_int=_whole_number,
                parse_constant=str,
            )
            if _depth(value) <= MAX_DEPTH:
                return value
            self._odd("is nested too deep")
        except RecursionError:
            self._odd("is nested too deep")
        except UnicodeError:
            self._odd("is not UTF-8")
        except ValueError as error:
            what = "JSON" if isinstance(error, json.JSONDecodeError) else "base64url"
            self._odd(f"is not {what}; was it copied whole?")
        return None

    def _object(self, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members:
                self._twice.append(name)
            members[name] = value
        return members

    def _odd(self, what: str) -> None:
        self.oddities += (f"its {self._name} {what}",)


def _decoded(part: str) -> str:
    if not _BASE64URL.fullmatch(part):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def _number(text: str) -> float | str:
    """Read a number; one that no machine holds stays text."""
    value = float(text)
    return value if math.isfinite(value) else text


def _whole_number(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _depth(value: object) -> int:
    """Count the levels of a value, without a call a level."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    return depth
