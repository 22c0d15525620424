"""Tenants made in a test: what is wished for, as an entry of the tenants' file, and its keys."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kataven_flask.keys import (
    Mode,
    generate_client_key,
    generate_secret_key,
    hash_secret_key,
    mode_of,
)
from kataven_flask.origins import Origin, OriginPattern, OriginPatternError
from kataven_flask.snippet import snippet

Agents = Mapping[str, Mapping[str, Any]] | Sequence[str]
"""Agents by their ids, each with the members that the tenants' file has; or their ids alone."""

DEFAULT_AGENTS: Final = ("support",)
OWN_PAGE: Final = "/connect"
"""Where messages go if the test doesn't say: a path of the page's own site."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the server.

    Args:
        id: Its id.
        client_key: Its public key; of several, the first.
        secret_key: The secret key of its backend.
        origins: The entries of the allowlist.
        snippet: The lines of HTML that it pastes into its pages.
    """

    id: str
    client_key: str
    secret_key: str = field(repr=False)
    origins: tuple[str, ...]
    snippet: str = field(repr=False)

    @property
    def origin(self) -> str:
        """The first origin that an entry names in full; a page of it may use the key.

        Raises:
            LookupError: There are only patterns, such as `*.acme.com`.
        """
        return first_origin(self.id, map(OriginPattern.parse, self.origins))


def first_origin(tenant_id: str, allowlist: Iterable[OriginPattern]) -> str:
    """Return the first origin that an entry names in full; a loopback host's is by http.

    Raises:
        LookupError: There are only patterns.
    """
    for entry in allowlist:
        if not (entry.subdomains or entry.any_port):
            scheme = min(entry.schemes)  # of http and https the former
            return str(Origin(scheme, entry.host, entry.port_for(scheme)))
    raise LookupError(f"tenant {tenant_id} names no origin in full: give one with origin=…")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a test wishes a tenant to be; see `Kataven.tenant`."""

    id: str
    origins: Sequence[str] = ()
    name: str | None = None
    agents: Agents = DEFAULT_AGENTS
    branding: Mapping[str, Any] | None = None
    tokens: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None
    guests: bool = True
    users: bool = True
    enabled: bool = True
    connect_url: str = OWN_PAGE

    def changed(self, wishes: Mapping[str, Any]) -> Wish:
        """Return it with other wishes.

        Raises:
            TypeError: There is no such wish.
        """
        return replace(self, **wishes)

    def entry(self, client_key: str, secret_key: str) -> dict[str, Any]:
        """Return the tenant's entry in the tenants' file.

        Raises:
            ValueError: It is to admit nobody at all, or the origins are one text.
        """
        if isinstance(self.origins, str):
            raise ValueError(f"origins={self.origins!r}: write a list of them")  # noqa: TRY004
        if not (self.guests or self.users):
            raise ValueError("guests=False, users=False: then nobody is admitted; leave one out")
        mode = "both" if self.guests and self.users else "guest" if self.guests else "user"
        agents = _agents(self.agents, mode)
        key = {
            "name": "for tests",
            "client_key": client_key,
            "secrets": [{"hash": hash_secret_key(secret_key)}],
            "domain_allowlist": [*self.origins],
            "enabled": self.enabled,
        }
        return {
            "name": self.name or self.id.replace("-", " ").title(),
            "default_agent": next(iter(agents), None),
            "agents": agents,
            "branding": dict(self.branding or {}),
            "tokens": dict(self.tokens or {}),
            "limits": dict(self.limits or {}),
            "keys": [key],
        }

    def tenant(self, client_key: str, secret_key: str, url: str) -> Tenant:
        """Return what the test is given of it."""
        lines = snippet(client_key, url, connect_url=self.connect_url)
        return Tenant(self.id, client_key, secret_key, tuple(self.origins), lines)


def fresh_keys(tenant_id: str, origins: Sequence[str]) -> tuple[str, str]:
    """Return a new pair: of test keys, where all origins are ones that these may serve."""
    mode: Mode = "test" if origins and all(map(_is_loopback, origins)) else "live"
    return generate_client_key(tenant_id, mode), generate_secret_key(tenant_id, mode)


def free_id(taken: Iterable[str]) -> str:
    """Return an id for a tenant that the test gives none: `tenant`, `tenant-2` and so on."""
    known, number = set(taken), 1
    while (name := "tenant" if number == 1 else f"tenant-{number}") in known:
        number += 1
    return name


def adopted(tenant_id: str, entry: Mapping[str, Any], url: str) -> tuple[dict[str, Any], Tenant]:
    """Give a tenant of a user's file a secret key that the test knows.

    Args:
        tenant_id: Its id.
        entry: What the file has of it; one client key at least.
        url: The server.

    Returns:
        The entry with one more secret, in place of the second where there were two; the tenant.
    """
    own = copy.deepcopy(dict(entry))
    key = own["keys"][0]
    secret_key = generate_secret_key(tenant_id, mode_of(key["client_key"]))
    key["secrets"] = [*(key.get("secrets") or [])[:1], {"hash": hash_secret_key(secret_key)}]
    wish = Wish(tenant_id, key["domain_allowlist"])
    return own, wish.tenant(key["client_key"], secret_key, url)


def _agents(agents: Agents, auth_mode: str) -> dict[str, dict[str, Any]]:
    given = agents if isinstance(agents, Mapping) else {name: {} for name in agents}
    return {
        name: {"display_name": str(name).title(), "auth_mode": auth_mode, **members}
        for name, members in given.items()
    }


def _is_loopback(entry: str) -> bool:
    try:
        return OriginPattern.parse(entry).is_loopback
    except (OriginPatternError, TypeError, AttributeError):
        return False
