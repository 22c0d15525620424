"""What a person types or pastes for a page's origin, read as a browser would; pure, no I/O."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from kataven_flask.origins import MAX_PORT, Origin, OriginPatternError, to_ascii

_HEADER = re.compile(r"origin:\s+", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_WEB_SCHEME = re.compile(r"(https?):/*", re.IGNORECASE)
_OPAQUE = re.compile(r"(about|data|file|filesystem|javascript):", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)

_FORM: Final = "give the address of the page, as in https://acme.com"
_NOTHING: Final = f"a request without Origin and Referer is refused by every key; {_FORM}"
_NULL: Final = (
    "`null` is what a sandboxed iframe and a page opened from a file send, anybody's among them:"
    ' no allowlist admits it; serve the page by https, or give its iframe "allow-same-origin"'
)
_WILDCARD: Final = (
    "a browser sends no wildcard: give one page's address, as in https://shop.acme.com"
)
_DOT: Final = "its host ends in a dot, and no entry admits that; open the page without the dot"


@dataclass(frozen=True, slots=True)
class TypedOrigin:
    """What was typed, as a browser would send it.

    Args:
        origin: The origin; None where no page has one such.
        fault: Why there is none; empty where there is one.
        notes: What was read otherwise than it was typed.
    """

    origin: Origin | None
    fault: str = ""
    notes: tuple[str, ...] = ()


class _NoOriginError(ValueError):
    """What was typed is no origin; the message says why."""


def read_typed_origin(text: str) -> TypedOrigin:
    """Read what a person gives for a page's origin.

    Args:
        text: An origin, a URL with whatever follows, a bare host, a line of a browser's tools.

    Returns:
        The origin, or why there is none. No part of the text that could be a secret (user
        information, a path, a query) is in it.
    """
    notes: list[str] = []
    try:
        origin = _read(text, notes)
    except (_NoOriginError, OriginPatternError) as error:
        return TypedOrigin(None, str(error))
    return TypedOrigin(origin, notes=tuple(notes))


def _read(text: str, notes: list[str]) -> Origin:
    rest = _HEADER.sub("", text.strip().replace("\\", "/"), count=1)
    if rest.lower().startswith("blob:"):  # it has the origin of the page that made it
        rest = rest[len("blob:") :]
    if not rest:
        raise _NoOriginError(_NOTHING)
    if rest.lower() == "null":
        raise _NoOriginError(_NULL)
    scheme, rest = _without_scheme(rest)
    host, port = _host_and_port(_authority(rest, notes))
    host = _as_sent(host, notes)
    if scheme is None:
        bare = Origin.parse(f"https://{host}")
        scheme = "http" if bare is not None and bare.is_loopback else "https"
        notes.append(f"no scheme was given: taken for {scheme}://")
    origin = Origin.parse(f"{scheme}://{host}" + (f":{port}" if port else ""))
    if origin is None:
        raise _NoOriginError(f"not an origin: {_FORM}")
    return origin


def _without_scheme(text: str) -> tuple[str | None, str]:
    opaque = _OPAQUE.match(text)
    if opaque is not None:
        scheme = opaque[1].lower()
        raise _NoOriginError(f"a page of {scheme}: has no origin: it sends `null`, or nothing")
    match = _SCHEME.match(text) or _WEB_SCHEME.match(text)
    if match is None:
        return None, text.removeprefix("//")
    scheme = match[1].lower()
    if scheme in {"ws", "wss"}:
        raise _NoOriginError(f"{scheme}:// is what a page connects to; give the page's own address")
    return scheme, text[match.end() :]


def _authority(text: str, notes: list[str]) -> str:
    authority = re.split(r"[/?#]", text, maxsplit=1)[0]
    after = text[len(authority) :]
    if after == "/":
        notes.append("read without the slash at its end: an origin has none")
    elif after:
        notes.append("read without its path: a browser sends the origin alone")
    if "," in authority or any(c.isspace() for c in authority):
        raise _NoOriginError("more than one word: give one origin")
    if "@" in authority:
        notes.append("read without its user information: a browser leaves it out")
    return authority.rpartition("@")[2]


def _host_and_port(authority: str) -> tuple[str, str]:
    if "*" in authority:
        raise _NoOriginError(_WILDCARD)
    if _is_ipv6(authority):
        return f"[{authority}]", ""
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not match["host"]:
        raise _NoOriginError(f"it has no host: {_FORM}")
    port = match["port"] or ""
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= MAX_PORT):
        raise _NoOriginError(f"its port is not a number from 1 to {MAX_PORT}")
    return match["host"], port.lstrip("0")


def _as_sent(host: str, notes: list[str]) -> str:
    """Turn a host into what a browser makes of it."""
    sent = to_ascii(host)
    if not host.isascii():
        notes.append(f"browsers send this host as {sent}")
    if sent.endswith("."):
        raise _NoOriginError(_DOT)
    address = _loose_ipv4(sent)
    if address not in {None, sent}:
        notes.append(f"browsers send this host as {address}")
    return address or sent


def _loose_ipv4(host: str) -> str | None:
    """Read an IPv4 address with fewer parts, in hex or octal (URL Standard, section 3.5)."""
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(host)))
    except (OSError, ValueError):
        return None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
