"""Web origins (RFC 6454) and the allowlist entries that admit them; pure, no I/O.

An entry is a CSP host-source (CSP Level 3, section 2.3.1) without a path. What is
stricter than CSP: a wildcard stands only for whole labels under a registrable
domain, and a bare host means https.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import idna
from publicsuffixlist import PSLFILE, PublicSuffixList

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""RFC 9110, sections 4.2.1 and 4.2.2."""
MAX_PORT: Final = 65535
MAX_ORIGIN_LENGTH: Final = 512
"""Characters; a host name has at most 253 (RFC 1035, section 2.3.4)."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEME = r"[a-z][a-z0-9+.-]*"
_ORIGIN = re.compile(
    rf"(?P<scheme>{_SCHEME})://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{{1,5}}))?"
)
_SERIALIZED_ORIGIN_OF_URL = re.compile(rf"{_SCHEME}://[^/?#\\@\s]+(?=[/?#]|$)", re.IGNORECASE)
_ENTRY = re.compile(
    rf"(?:(?P<scheme>{_SCHEME})://)?(?P<host>\[[^\]]*\]|[^:/?#@\[\]]+)(?::(?P<port>[^:]*))?",
    re.IGNORECASE,
)

_SLIPPED_MARK = re.compile(
    r"(?P<scheme>https?)(?!://[^/])(?:[:;.,]?/+:?|[:;,](?![0-9*]))(?P<host>[^/?#:;]+(?::[0-9*]+)?)",
    re.IGNORECASE,
)
"""`https//`, `https:/`, `https:///` and `https:` before a host; not `https:8443`, a port."""
_SCHEMES_WITHOUT_ORIGIN: Final = {"about", "blob", "data", "file", "filesystem", "javascript"}
"""Browsers serialize their origin as `null` (HTML, section 7.1.1)."""
_REGULAR_EXPRESSION: Final = frozenset("^$|\\()+{}")


class OriginPatternError(ValueError):
    """An allowlist entry can't be used; the message says why and what to write."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A (scheme, host, port) triple.

    Args:
        scheme: In lower case.
        host: In lower case and punycode; an IPv6 address in brackets.
        port: The effective port; None for a scheme that has none.
    """

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Read a serialized origin (RFC 6454, section 6.2), as in an `Origin` header.

        Args:
            text: One serialized origin and nothing else.

        Returns:
            The origin, or None for `null`, a list, or anything else that isn't one.
        """
        if len(text) > MAX_ORIGIN_LENGTH:
            return None
        match = _ORIGIN.fullmatch(text.lower())
        if match is None or not text.isascii():
            return None
        host = _canonical_host(match["host"])
        if host is None:
            return None
        scheme = match["scheme"]
        if match["port"] is None:
            return cls(scheme, host, DEFAULT_PORTS.get(scheme))
        port = _port_number(match["port"])
        return None if port is None else cls(scheme, host, port)

    @classmethod
    def of_url(cls, url: str) -> Origin | None:
        """Read the origin of an absolute URL, as in a `Referer` header.

        Args:
            url: The URL; one with user information is refused.

        Returns:
            Its origin, or None.
        """
        match = _SERIALIZED_ORIGIN_OF_URL.match(url)
        return None if match is None else cls.parse(match[0])

    @classmethod
    def of_request(cls, origin: str | None, referer: str | None) -> Origin | None:
        """Read the caller's origin from a request's headers.

        Args:
            origin: The `Origin` header. Where it stands, it alone counts.
            referer: The `Referer` header, read only where there is no `Origin`.

        Returns:
            The origin, or None.
        """
        if origin is not None:
            return cls.parse(origin)
        return None if referer is None else cls.of_url(referer)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can serve it (RFC 6761, section 6.3; RFC 8252, 8.3)."""
        return _is_loopback(self.host)

    def is_same_site(self, other: Origin) -> bool:
        """Tell whether a browser takes both for one site (HTML, section 7.1.1, "same site")."""
        sites = {(each.scheme, registrable_domain(each.host)) for each in (self, other)}
        return len(sites) == 1

    def __str__(self) -> str:
        """Serialize it as RFC 6454, section 6.2, does: without the scheme's own port."""
        if self.port is None or self.port == DEFAULT_PORTS.get(self.scheme):
            return f"{self.scheme}://{self.host}"
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """One allowlist entry.

    Args:
        text: The entry as it was written.
        schemes: The schemes that it admits.
        host: The host, or for a wildcard the domain under which any host is admitted.
        subdomains: Whether it is a wildcard.
        port: The one port; None for the scheme's own.
        any_port: Whether every port is admitted.
    """

    text: str
    schemes: frozenset[str]
    host: str
    subdomains: bool
    port: int | None
    any_port: bool

    @classmethod
    def parse(cls, text: str) -> OriginPattern:
        """Read an allowlist entry.

        Args:
            text: For example `https://acme.com`, `*.acme.com`, `localhost:*`.

        Raises:
            OriginPatternError: The entry admits everybody, can't match, or isn't one.

        Returns:
            The pattern.
        """
        match = _split(text)
        host, subdomains = _entry_host(match["host"], text)
        schemes = _entry_schemes(match["scheme"], host, subdomains=subdomains)
        if subdomains:
            _refuse_public_suffix(host)
        any_port = match["port"] == "*"
        port = None if any_port else _entry_port(match["port"])
        return cls(text, schemes, host, subdomains, port, any_port)

    def matches(self, origin: Origin) -> bool:
        """Tell whether this entry admits an origin."""
        return (
            origin.scheme in self.schemes
            and self.admits_host(origin.host)
            and self.admits_port(origin)
        )

    def admits_host(self, host: str) -> bool:
        """Tell whether this entry is for a host, whatever the scheme and the port."""
        return host.endswith("." + self.host) if self.subdomains else host == self.host

    def admits_port(self, origin: Origin) -> bool:
        """Tell whether this entry is for an origin's port, whatever the scheme and the host."""
        return self.any_port or origin.port == self.port_for(origin.scheme)

    def port_for(self, scheme: str) -> int | None:
        """Return the one port of this entry on a scheme; None where the scheme has none."""
        return DEFAULT_PORTS.get(scheme) if self.port is None else self.port

    @property
    def is_loopback(self) -> bool:
        """Whether it admits this machine's own hosts alone."""
        return _is_loopback(self.host) and self.schemes <= DEFAULT_PORTS.keys()


def to_ascii(host: str) -> str:
    """Turn a host into what browsers send (UTS 46, then IDNA 2008).

    Args:
        host: A host as a person writes it.

    Raises:
        OriginPatternError: It is no international host name.

    Returns:
        The host in ASCII; it may be no host name for other reasons.
    """
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        message = (
            f"not a valid international host name ({error}); check it, or write its punycode, xn--…"
        )
        raise OriginPatternError(message) from error


def registrable_domain(host: str) -> str:
    """Return the domain of a host that somebody has registered, for example `acme.co.uk`.

    Args:
        host: In lower case and punycode.

    Returns:
        The public suffix and one label more; the host itself where it has no such part.
    """
    if is_ip_address(host):
        return host
    suffixes, _ = _public_suffixes()
    return suffixes.privatesuffix(host) or host


def is_ip_address(host: str) -> bool:
    """Tell whether a host is an IPv4 address, or an IPv6 address in brackets or without."""
    return _ip_address(host) is not None


def _canonical_host(host: str) -> str | None:
    """Return a host as browsers write it, or None where it can't be one."""
    if host.startswith("["):
        if "%" in host:  # a zone is this machine's own business (RFC 4007, section 11)
            return None
        address = _ip_address(host)
        return f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else None
    if not _HOST.fullmatch(host):
        return None
    # What ends in a number is an IPv4 address or nothing (URL Standard, section 3.5).
    is_address = _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]) is not None
    return None if is_address and _ip_address(host) is None else host


def _port_number(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PORT))):
        return None
    return int(text) if 0 < int(text) <= MAX_PORT else None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _ip_address(host)
    return address is not None and address.is_loopback


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


# --- reading an entry


def _split(text: str) -> re.Match[str]:
    _refuse_what_is_no_host_source(text)
    match = _ENTRY.fullmatch(text)
    if match is None:
        message = "not an origin; write scheme://host or scheme://host:port"
        raise OriginPatternError(message)
    return match


def _refuse_what_is_no_host_source(text: str) -> None:
    """Name the common mistakes, so that the operator reads what to write instead."""
    rest = text.partition("://")[2] or text
    message = None
    if not text or text != text.strip() or any(c.isspace() for c in text):
        message = "empty, or has white space; write one origin an entry"
    elif text == "null":
        message = (
            "`null` is the origin of sandboxed and local pages: anybody can send it; name a host"
        )
    elif text == "*" or rest in {"*", "*:*"}:
        message = "`*` admits everybody; name the hosts, for example *.acme.com"
    elif _REGULAR_EXPRESSION & set(text) or ".*" in rest.replace(":*", ""):
        message = "entries are not regular expressions; write *.acme.com for every subdomain"
    elif "@" in text:
        message = "has user information; take out what stands before the @"
    elif meant := _meant(text):
        message = f"has a slip in what stands before the host; write {meant}"
    elif any(c in rest for c in "/?#"):
        origin = re.split(r"[/?#]", rest)[0]
        scheme = text[: len(text) - len(rest)]
        message = "has a path or a query; an origin has none"
        message += f": write {scheme}{origin}" if origin.rstrip(":") == origin != "" else ""
    if message is not None:
        raise OriginPatternError(message)


def _meant(text: str) -> str:
    """Return the origin that was meant by one whose scheme or `://` has a slip; else nothing."""
    if match := _SLIPPED_MARK.match(text):
        return f"{match['scheme'].lower()}://{match['host']}"
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() in DEFAULT_PORTS:
        return ""
    near = next((known for known in ("https", "http") if _one_slip(scheme.lower(), known)), "")
    return f"{near}://{re.split(r'[/?#]', rest)[0]}" if near else ""


def _one_slip(one: str, other: str) -> bool:
    """Tell whether a letter changed, added, left out or swapped makes one the other.

    No more than one: an app's page has a scheme of its own, such as capacitor.
    """
    pairs = enumerate(zip(one, other, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return swapped or one[1:] == other or one == other[1:] or one[1:] == other[1:]


def _entry_host(host: str, text: str) -> tuple[str, bool]:
    if host.endswith("."):
        message = "has a trailing dot; browsers send the host without it, so take it out"
        raise OriginPatternError(message)
    subdomains = host.startswith("*.")
    bare = host[2:] if subdomains else host
    if "*" in bare:
        message = "`*` may stand only first and alone, as in *.acme.com"
        raise OriginPatternError(message)
    if subdomains and _ip_address(bare) is not None:
        message = "an IP address has no subdomains; write the address without *."
        raise OriginPatternError(message)
    canonical = _canonical_host(to_ascii(bare))
    if canonical is None:
        message = f"{text!r} has no valid host name; write one such as https://acme.com"
        raise OriginPatternError(message)
    return canonical, subdomains


def _entry_schemes(scheme: str | None, host: str, *, subdomains: bool) -> frozenset[str]:
    if scheme is None:
        return frozenset({"http", "https"} if _is_loopback(host) else {"https"})
    scheme = scheme.lower()
    message = None
    if scheme in _SCHEMES_WITHOUT_ORIGIN:
        message = f"a page of {scheme}: has no origin of its own (it sends `null`); take this out"
    elif scheme in {"ws", "wss"}:
        message = "a page's origin is http or https, whatever it connects to; write https://"
    elif subdomains and scheme not in DEFAULT_PORTS:
        message = f"{scheme}:// entries are exact; a wildcard goes with http and https alone"
    if message is not None:
        raise OriginPatternError(message)
    return frozenset({scheme})


def _entry_port(text: str | None) -> int | None:
    if text is None:
        return None
    port = _port_number(text)
    if port is None:
        message = f"port {text!r} is not a number from 1 to {MAX_PORT}, nor `*`; write one of them"
        raise OriginPatternError(message)
    return port


def _refuse_public_suffix(domain: str) -> None:
    """Refuse `*.com`, `*.co.uk`, `*.vercel.app`: anybody can have a host under them.

    `*.amazonaws.com` too: it is no public suffix itself, and `s3.amazonaws.com` is one.
    """
    if _is_loopback(domain):
        return
    suffixes, above = _public_suffixes()
    if suffixes.is_public(domain) or domain in above:
        message = f"anybody can have a host under {domain} (public suffix list); name your own"
        raise OriginPatternError(message)


@cache
def _public_suffixes() -> tuple[PublicSuffixList, frozenset[str]]:
    """Read the public suffix list, and the domains that have a public suffix under them.

    The rules are put into ASCII here, as hosts are: few need it, and the library tries all.
    """
    with Path(PSLFILE).open(encoding="utf-8") as file:
        lines = map(str.strip, file)
        rules = [_in_ascii(line) for line in lines if line and not line.startswith("//")]
    above: set[str] = set()
    for rule in rules:
        domain = rule.lstrip("!*.")
        while domain := domain.partition(".")[2]:
            above.add(domain)
    return PublicSuffixList(rules, accept_encoded_idn=False), frozenset(above)


def _in_ascii(rule: str) -> str:
    if rule.isascii():
        return rule
    domain = rule.lstrip("!*.")
    return rule.removesuffix(domain) + to_ascii(domain)
