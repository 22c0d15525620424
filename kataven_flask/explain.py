"""Why an allowlist admits an origin, or doesn't, and what would; pure, no I/O."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kataven_flask.look_alikes import (
    as_shown,
    odd_letters,
    skeleton,
    within_slips,
    without_accents,
)
from kataven_flask.origins import (
    Origin,
    OriginPattern,
    OriginPatternError,
    is_ip_address,
    registrable_domain,
)


class Kind(StrEnum):
    """What an origin and an entry differ in; of hosts, the nearest comes first."""

    SCHEME = "scheme"
    PORT = "port"
    WWW = "www"
    APEX = "apex"
    LOOPBACK = "loopback"
    SUBDOMAIN = "subdomain"
    PARENT = "parent"
    SIBLING = "sibling"
    ACCENTS = "accents"
    TYPO = "typo"
    ENDING = "ending"
    LOOK_ALIKE = "look_alike"
    ODD_ENTRY = "odd_entry"
    EMBEDDED = "embedded"
    OTHER = "other_host"


ALARMING: Final = frozenset({Kind.LOOK_ALIKE, Kind.ODD_ENTRY, Kind.EMBEDDED})
"""One of the two may be made to be taken for the other."""
_NEARNESS: Final = {kind: rank for rank, kind in enumerate(Kind)}
_THIS_MACHINE: Final = {"0.0.0.0", "[::]"}  # noqa: S104 - compared, not bound
_WHOLE_NAME: Final = 4
"""Letters that a name has at least for one of them to be a slip, and twice that for two."""
_NOWHERE: Final = ".invalid"
_NO_PAGE: Final = (
    "no page can be on a host under .invalid (RFC 6761, section 6.4); `kataven-flask doctor` asks"
    " from one, to see it refused"
)
_USE_LOCALHOST: Final = "a pk_test_ key takes loopback hosts alone; open the page on localhost"
_TEST_KEY: Final = "a pk_test_ key takes loopback hosts alone; use the tenant's pk_live_ key there"


@dataclass(frozen=True, slots=True)
class Difference:
    """One reason why an entry doesn't admit an origin.

    Args:
        kind: What differs.
        words: How, in a few words in ASCII.
    """

    kind: Kind
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one entry makes of an origin.

    Args:
        entry: The entry.
        differences: Why it doesn't admit the origin; empty where it does.
    """

    entry: OriginPattern
    differences: tuple[Difference, ...]

    @property
    def admits(self) -> bool:
        """Whether the entry admits the origin."""
        return not self.differences

    @property
    def kind(self) -> Kind:
        """What differs first of all; asked where something does."""
        return self.differences[0].kind

    @property
    def name(self) -> str:
        """The entry as it was written, and as browsers send its host where that differs."""
        text = self.entry.text
        if text.isascii():
            return text
        return f"{''.join(c for c in text if c.isprintable())} ({self.entry.host})"

    @property
    def why_not(self) -> str:
        """All that differs, in words."""
        return "; ".join(difference.words for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an allowlist makes of an origin.

    Args:
        origin: The origin.
        verdicts: One an entry, in the allowlist's order.
        entry: The entry to add so that it is admitted; None where there can't be one.
        obstacle: Why there can't be one; empty where there can.
    """

    origin: Origin
    verdicts: tuple[Verdict, ...]
    entry: str | None
    obstacle: str

    @property
    def admitted_by(self) -> Verdict | None:
        """The first entry that admits the origin."""
        return next((verdict for verdict in self.verdicts if verdict.admits), None)

    @property
    def nearest(self) -> Verdict | None:
        """The entry that misses the origin by least; None where it is admitted, or none is near."""
        if self.admitted_by is not None:
            return None
        far = {*ALARMING, Kind.OTHER}
        near = [verdict for verdict in self.verdicts if verdict.kind not in far]
        return min(near, key=_distance, default=None)

    @property
    def alarm(self) -> Verdict | None:
        """An entry that the origin may be taken for; one of the two may be an imitation."""
        kinds = ALARMING if self.admitted_by is None else ALARMING - {Kind.EMBEDDED}
        refusing = (verdict for verdict in self.verdicts if not verdict.admits)
        return next((verdict for verdict in refusing if verdict.kind in kinds), None)

    @property
    def offer(self) -> str | None:
        """The entry to add where nothing speaks against it; None where something does."""
        return self.entry if self.admitted_by is None and self.alarm is None else None

    @property
    def summary(self) -> str:
        """Why it isn't admitted, in a few words for a log."""
        if self.alarm is not None:
            return f"perhaps a phishing page: {self.alarm.why_not} (entry {self.alarm.name})"
        if self.nearest is not None:
            return f"the nearest entry is {self.nearest.name}: {self.nearest.why_not}"
        return "no entry is near it" if self.verdicts else "the allowlist is empty"


def explain(
    entries: Sequence[OriginPattern], origin: Origin, *, loopback_only: bool = False
) -> Explanation:
    """Hold an origin against an allowlist.

    Args:
        entries: The allowlist.
        origin: The origin.
        loopback_only: Whether only loopback hosts may stand in the list, as for a test key.

    Returns:
        What each entry makes of it, and the entry that would admit it.
    """
    verdicts = tuple(Verdict(entry, tuple(_differences(origin, entry))) for entry in entries)
    try:
        proposed = OriginPattern.parse(str(origin))
    except OriginPatternError as error:
        return Explanation(origin, verdicts, None, str(error))
    if origin.host.endswith(_NOWHERE):
        return Explanation(origin, verdicts, None, _NO_PAGE)
    if loopback_only and not proposed.is_loopback:
        obstacle = _USE_LOCALHOST if origin.host in _THIS_MACHINE else _TEST_KEY
        return Explanation(origin, verdicts, None, obstacle)
    return Explanation(origin, verdicts, proposed.text, "")


def add_command(client_key: str, entry: str, config: str | None = None) -> str:
    """Write the command that adds an entry to a key's allowlist, to be pasted into a shell.

    Args:
        client_key: The `pk_…` key.
        entry: The entry.
        config: The tenants' file; None for the default one.

    Returns:
        The command.
    """
    where = [] if config is None else ["--config", config]
    return shlex.join(["kataven-flask", "origins", "add", client_key, entry, *where])


def _distance(verdict: Verdict) -> tuple[int, int]:
    return len(verdict.differences), _NEARNESS[verdict.kind]


# --- what differs


def _differences(origin: Origin, entry: OriginPattern) -> Iterator[Difference]:
    if not entry.admits_host(origin.host):
        kind = _host_kind(origin, entry)
        yield Difference(kind, _host_words(kind, origin.host, entry.host))
        if kind is Kind.OTHER or kind in ALARMING:
            return  # the rest is of no interest
    scheme = origin.scheme if origin.scheme in entry.schemes else min(entry.schemes)
    if origin.scheme != scheme:
        schemes = " and ".join(sorted(entry.schemes))
        yield Difference(Kind.SCHEME, f"it is {origin.scheme}, the entry is for {schemes}")
    port = entry.port_for(scheme)
    if not entry.admits_port(origin) and origin.port != port:
        words = f"its port is {origin.port or 'none'}, the entry's {port or 'none'}"
        yield Difference(Kind.PORT, words)


def _host_kind(origin: Origin, entry: OriginPattern) -> Kind:
    host, wanted = origin.host, entry.host
    both_loopback = entry.is_loopback and (origin.is_loopback or host in _THIS_MACHINE)
    is_www = host == f"www.{wanted}" or wanted == f"www.{host}"
    kinds = {
        Kind.APEX: host == wanted,  # a wildcard's
        Kind.WWW: is_www and not entry.subdomains,
        Kind.SUBDOMAIN: host.endswith(f".{wanted}"),
        Kind.PARENT: wanted.endswith(f".{host}"),
        Kind.LOOPBACK: both_loopback,
        Kind.OTHER: is_ip_address(host) or entry.is_loopback != origin.is_loopback,
    }
    return next((kind for kind, holds in kinds.items() if holds), None) or _domain_kind(
        host, wanted
    )


def _domain_kind(host: str, wanted: str) -> Kind:
    ours, theirs = registrable_domain(host), registrable_domain(wanted)
    if ours == theirs:
        return Kind.SIBLING
    one, other = as_shown(ours), as_shown(theirs)
    name, other_name = one.partition(".")[0], other.partition(".")[0]
    slips = min(2, min(len(name), len(other_name)) // _WHOLE_NAME)
    same_name = slips > 0 and name == other_name
    looks_same = slips > 0 and skeleton(name) == skeleton(other_name) and not same_name
    if looks_same or skeleton(one) == skeleton(other):
        return Kind.ODD_ENTRY if one.isascii() and not other.isascii() else Kind.LOOK_ALIKE
    if f".{theirs}." in f".{host}" and not ours.startswith(f"{theirs}."):
        return Kind.EMBEDDED
    if without_accents(one) == without_accents(other):
        return Kind.ACCENTS
    if within_slips(one, other, slips):
        return Kind.TYPO
    return Kind.ENDING if same_name else Kind.OTHER


_WORDS: Final = {
    Kind.WWW: "the entry has a www., it has none",
    Kind.APEX: "it is {wanted} itself, the wildcard is for hosts under it",
    Kind.LOOPBACK: "this machine too, but a browser tells {host} from {wanted}",
    Kind.SUBDOMAIN: "it is a subdomain, the entry is for {wanted} alone",
    Kind.PARENT: "the entry is for {wanted}, under it",
    Kind.SIBLING: "another host of {domain}",
    Kind.ACCENTS: "it differs from {domain} in its accents",
    Kind.TYPO: "it is a letter or two off {domain}",
    Kind.ENDING: "it has the name of {domain} and another ending",
    Kind.LOOK_ALIKE: "it looks like {domain}, with {letters}",
    Kind.ODD_ENTRY: "the entry looks like it, with {letters}",
    Kind.EMBEDDED: "it has {domain} in it, and belongs to {owner}",
    Kind.OTHER: "another host",
}


def _host_words(kind: Kind, host: str, wanted: str) -> str:
    if host == f"www.{wanted}":
        return "it has a www., the entry has none"
    domain, owner = registrable_domain(wanted), registrable_domain(host)
    letters = odd_letters(domain if kind is Kind.ODD_ENTRY else owner)
    return _WORDS[kind].format(
        host=host, wanted=wanted, domain=domain, owner=owner, letters=letters
    )
