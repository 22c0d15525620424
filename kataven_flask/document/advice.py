"""What an operator would want to know about a document that is sound; pure, no I/O.

Nothing here keeps a file from being used. Each piece of advice says what happens as the
file stands, and what to write if that isn't meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from kataven_flask.document.faults import DocumentPath, Fault, Marks
from kataven_flask.origins import DEFAULT_PORTS, OriginPattern, is_ip_address
from kataven_flask.registry import Registry
from kataven_flask.tenants import ClientKey, Secret, Tenant
from kataven_flask.times import duration, utc_minute

NEAR: Final = timedelta(days=14)
"""How long before its end a key is warned of: two weeks are enough to reach whoever has it."""

_Advice = Iterator[tuple[DocumentPath, str]]


def advice(registry: Registry, marks: Marks, now: datetime) -> tuple[Fault, ...]:
    """Find what an operator would want to know.

    Args:
        registry: The tenants.
        marks: Where their members stand in the files.
        now: The time, with its zone.

    Returns:
        The warnings, in the order of the files.
    """
    found = (
        marks.fault(("tenants", tenant_id, *path), message)
        for tenant_id, tenant in registry.tenants.items()
        for path, message in _of_tenant(tenant, now)
    )
    return tuple(sorted(set(found)))


def _of_tenant(tenant: Tenant, now: datetime) -> _Advice:
    live = [key for key in tenant.keys if key.is_live(now)]
    if live:
        yield from _of_agents(tenant, live)
        yield from _of_secrets(tenant, live, now)
    else:
        how = "none of its keys is live" if tenant.keys else "it has no key"
        yield (), f"{how}, so no page can use it; make one with `kataven-flask keys create`"
    for index, key in enumerate(tenant.keys):
        if key.enabled:  # what is switched off is meant to be off
            for path, message in _of_key(key, now):
                yield ("keys", index, *path), message


def _of_agents(tenant: Tenant, live: Iterable[ClientKey]) -> _Advice:
    """Find the agents that no key reaches: a key that pins none reaches all of them."""
    pinned = {key.agent_id for key in live}
    if None in pinned:
        if len(tenant.agents) > 1 and tenant.default_agent is None:
            yield (), _no_default(tenant)
        return
    led = {key.agent_id for key in tenant.keys}
    for agent_id, agent in tenant.agents.items():
        if agent.widget_enabled and agent_id not in pinned:
            dead = agent_id in led or None in led
            yield ("agents", agent_id), _DEAD_KEYS if dead else _OTHERS_PINNED


_DEAD_KEYS: Final = (
    "no live key reaches it: those that would are switched off or over; make a new one with"
    " `kataven-flask keys create`, or give one of those a later not_after or enabled: true"
)
_OTHERS_PINNED: Final = (
    "no live key reaches it: each pins another agent; take the agent_id out of a key, or make a"
    " key for it"
)


def _no_default(tenant: Tenant) -> str:
    enabled = (agent_id for agent_id, agent in tenant.agents.items() if agent.widget_enabled)
    return (
        "has several agents and no default_agent: a page that names none is refused; write"
        f" default_agent: {next(enabled, next(iter(tenant.agents)))}, or name one in every page"
    )


def _of_secrets(tenant: Tenant, live: Iterable[ClientKey], now: datetime) -> _Advice:
    """Find where users can't sign in, for want of a secret key in their backend's hands."""
    admits_users = any(a.admits("user") for a in tenant.agents.values() if a.widget_enabled)
    if admits_users and not any(_live_secrets(key, now) for key in live):
        message = (
            "no live key has a live secret, so its backend can't sign users in; make one with"
            " `kataven-flask keys rotate`, or write auth_mode: guest at its agents"
        )
        yield (), message
        return
    for index, key in enumerate(tenant.keys):
        agent = tenant.agents.get(key.agent_id or "")
        if agent is None or agent.auth_mode != "user" or _live_secrets(key, now):
            continue
        if agent.widget_enabled and key.is_live(now):
            message = (
                f"{key.agent_id} takes signed-in users alone, and this key has no live secret to"
                " sign them in with: nobody can use it; make one with `keys rotate`"
            )
            yield ("keys", index, "agent_id"), message


def _of_key(key: ClientKey, now: datetime) -> _Advice:
    yield from _of_end(key, now)
    for index, secret in enumerate(key.secrets):
        for path, message in _of_secret(secret, key, now):
            yield ("secrets", index, *path), message
    if key.sessions_not_before and key.sessions_not_before > now:
        until = utc_minute(key.sessions_not_before.timestamp())
        message = (
            f"lies ahead: until {until} no session can be refreshed; write a time that is over"
        )
        yield ("sessions_not_before",), message
    if not key.domain_allowlist:
        message = "is empty, so it admits no page; add an origin such as https://acme.com"
        yield ("domain_allowlist",), message
    for index, message in _of_allowlist(key.domain_allowlist):
        yield ("domain_allowlist", index), message


def _of_end(key: ClientKey, now: datetime) -> _Advice:
    if key.not_after is None or key.not_after > now + NEAR:
        return
    when = utc_minute(key.not_after.timestamp())
    if key.not_after <= now:
        message = f"is over since {when}: every page with this key is refused; take the key out"
    else:
        left = _left(key.not_after, now)
        message = f"ends in {left} ({when}), and its pages with it; give them another key"
    yield ("not_after",), f"{message}, or write a later time"


def _of_secret(secret: Secret, key: ClientKey, now: datetime) -> _Advice:
    """Warn of a secret's end where nothing comes after it; a rotation is meant to end one."""
    end = secret.not_after
    if end is None or end > now + NEAR:
        return
    when = utc_minute(end.timestamp())
    if end <= now:
        yield ("not_after",), f"is over since {when}: this secret key is refused; take it out"
    elif not any(other.not_after is None or other.not_after > end for other in key.secrets):
        message = (
            f"ends in {_left(end, now)} ({when}), and no other comes after it: its backend will be"
            " refused; make another with `kataven-flask keys rotate`"
        )
        yield ("not_after",), message


def _live_secrets(key: ClientKey, now: datetime) -> list[Secret]:
    return [s for s in key.secrets if s.not_after is None or now < s.not_after]


def _left(end: datetime, now: datetime) -> str:
    return duration((end - now).total_seconds())


# --- allowlists


def _of_allowlist(entries: tuple[OriginPattern, ...]) -> Iterator[tuple[int, str]]:
    for index, entry in enumerate(entries):
        if "http" in entry.schemes and not entry.is_loopback:
            secure = "https://" + entry.text.partition("://")[2].removesuffix(":80")
            message = (
                "http is open to anybody on the way, who can change the page and take its tokens;"
                f" write https: {secure}"
            )
            yield index, message
        if _is_single_label(entry):
            message = (
                f"{entry.host} has no dot, as no site on the internet is called; write its whole"
                f" name, such as {entry.host}.com, unless it is a host of your own network"
            )
            yield index, message
    for index, wider in shadowed(entries):
        other = entries[wider].text
        message = f"adds nothing: {other} admits all that it does; take it out, or the other"
        yield index, message


def _is_single_label(entry: OriginPattern) -> bool:
    web = entry.schemes <= DEFAULT_PORTS.keys() and not entry.is_loopback
    return web and "." not in entry.host and not is_ip_address(entry.host)


def shadowed(entries: tuple[OriginPattern, ...]) -> Iterator[tuple[int, int]]:
    """Find the entries of an allowlist that add nothing to it.

    Args:
        entries: The allowlist.

    Yields:
        The place of such an entry, and the place of one that admits all that it does; of two
        that admit the same, the later one.
    """
    by_host: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        by_host.setdefault(entry.host, []).append(index)
    for index, entry in enumerate(entries):
        for other in _related(entry, by_host):
            wider = other != index and covers(entries[other], entry)
            if wider and (other < index or not covers(entry, entries[other])):
                yield index, other
                break


def _related(entry: OriginPattern, by_host: dict[str, list[int]]) -> Iterator[int]:
    """Yield the entries of the same host and of the domains above it: no other can cover it."""
    labels = entry.host.split(".")
    for start in range(len(labels)):
        yield from by_host.get(".".join(labels[start:]), ())


def covers(wide: OriginPattern, narrow: OriginPattern) -> bool:
    """Tell whether an entry admits every origin that another admits.

    Args:
        wide: The one.
        narrow: The other.
    """
    return (
        narrow.schemes <= wide.schemes
        and _covers_hosts(wide, narrow)
        and (
            wide.any_port
            or (
                not narrow.any_port
                and all(_port(wide, scheme) == _port(narrow, scheme) for scheme in narrow.schemes)
            )
        )
    )


def _covers_hosts(wide: OriginPattern, narrow: OriginPattern) -> bool:
    same = wide.host == narrow.host and wide.subdomains == narrow.subdomains
    return same or (wide.subdomains and narrow.host.endswith(f".{wide.host}"))


def _port(pattern: OriginPattern, scheme: str) -> int | None:
    return DEFAULT_PORTS.get(scheme) if pattern.port is None else pattern.port
