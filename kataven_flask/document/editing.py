"""Edits of the tenants' file: planned from what is in force, made in the text; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final, TypeAlias

from kataven_flask.document import yaml_splice
from kataven_flask.document.advice import covers
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import TENANT_ID
from kataven_flask.origins import OriginPattern, OriginPatternError
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.tenants import Secret, Tenant
from kataven_flask.times import utc_minute

NEW_DOCUMENT: Final = """\
# The tenants: who may embed the widget, where, and how it looks.
# A running server picks an edit up within two seconds; a faulty one changes nothing.
# Look before you save: kataven-flask check
version: 1

# The public address of the server, and the `iss` of every token; write it for production:
# issuer: https://widget.example.com

tenants: {}
"""
SHORT_HASH: Final = 12
"""Hex digits by which a person names a secret."""
_MIN_SHORT_HASH: Final = 6

_Step: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the document.

    Args:
        tenant_id: The tenant in whose file it is made.
        apply: Gives the file's new text for the old one.
        is_new_tenant: Whether the document doesn't have the tenant yet.
    """

    tenant_id: str
    apply: _Step
    is_new_tenant: bool = False


def add_tenant(registry: Registry, tenant_id: str, members: Mapping[str, Any]) -> Edit:
    """Plan a new tenant, or raise ConfigurationError where its id is taken or isn't one."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise ConfigurationError(f"{tenant_id!r} is not a tenant id: a-z, 0-9 and -, 2 to 32")
    if tenant_id in registry.tenants:
        raise ConfigurationError(f"tenant {tenant_id} stands already in the file")
    step = _put(("tenants", tenant_id), dict(members))
    return Edit(tenant_id, step, is_new_tenant=True)


def remove_tenant(registry: Registry, tenant_id: str) -> Edit:
    """Plan the end of a tenant, or raise ConfigurationError where there is none."""
    find_tenant(registry, tenant_id)
    return Edit(tenant_id, _remove(("tenants", tenant_id)))


def add_agent(
    registry: Registry, tenant_id: str, agent_id: str, members: Mapping[str, Any]
) -> Edit:
    """Plan a new agent of a tenant, or raise ConfigurationError where it has one of this id."""
    tenant, path = find_tenant(registry, tenant_id), ("tenants", tenant_id)
    if agent_id in tenant.agents:
        raise ConfigurationError(f"tenant {tenant_id} has an agent {agent_id} already")
    steps = [_put((*path, "agents", agent_id), dict(members))]
    if tenant.default_agent is None and len(tenant.agents) == 1:
        # Pages name no agent while there is only one; they go on with it.
        steps.append(_put((*path, "default_agent"), next(iter(tenant.agents))))
    return Edit(tenant_id, _in_turn(*steps))


def add_key(registry: Registry, tenant_id: str, members: Mapping[str, Any]) -> Edit:
    """Plan a new client key of a tenant, or raise ConfigurationError where there is no tenant."""
    find_tenant(registry, tenant_id)
    return Edit(tenant_id, _append(("tenants", tenant_id, "keys"), dict(members)))


def rotate_secret(record: KeyRecord, new_hash: str, now: datetime, overlap: timedelta) -> Edit:
    """Plan a second secret behind a client key, and the end of the first.

    Args:
        record: The client key.
        new_hash: The hash of the new secret key.
        now: The time; secrets that have ended by then make room.
        overlap: How long the first goes on; it is never made to last longer than it would.

    Raises:
        ConfigurationError: Two secrets are live.

    Returns:
        The edit.
    """
    path = (*_path(record), "secrets")
    ended = [i for i, secret in enumerate(record.key.secrets) if not secret.is_live(now)]
    live = [secret for secret in record.key.secrets if secret.is_live(now)]
    if len(live) > 1:
        raise ConfigurationError(_two_are_live(record, live))
    steps = [_remove((*path, index)) for index in reversed(ended)]
    if live and (live[0].not_after is None or live[0].not_after > now + overlap):
        steps.append(_put((*path, 0, "not_after"), (now + overlap).replace(microsecond=0)))
    steps.append(_append(path, {"hash": new_hash}))
    return Edit(record.tenant_id, _in_turn(*steps))


def revoke_key(record: KeyRecord) -> Edit:
    """Plan to switch a client key off."""
    return Edit(record.tenant_id, _put((*_path(record), "enabled"), value=False))


def revoke_secret(record: KeyRecord, short_hash: str) -> Edit:
    """Plan to remove a secret from behind a client key.

    Args:
        record: The client key.
        short_hash: The first hex digits of the secret's hash.

    Raises:
        ConfigurationError: They name no secret of this key, or more than one.

    Returns:
        The edit.
    """
    digits = short_hash.lower().removeprefix("sha256:")
    found = [i for i, s in enumerate(record.key.secrets) if s.digest.startswith(digits)]
    if len(found) != 1 or len(digits) < _MIN_SHORT_HASH:
        names = ", ".join(s.digest[:SHORT_HASH] for s in record.key.secrets) or "none"
        raise ConfigurationError(f"{short_hash}: not one of this key's secrets: {names}")
    return Edit(record.tenant_id, _remove((*_path(record), "secrets", found[0])))


def add_origins(record: KeyRecord, entries: tuple[str, ...]) -> Edit:
    """Plan more allowlist entries, or raise ConfigurationError where one is bad or there."""
    known = list(record.key.domain_allowlist)
    for text in entries:
        pattern = _parsed(text)
        if (there := _index(known, pattern)) is not None:
            raise ConfigurationError(f"{text}: stands there already, as {known[there].text}")
        known.append(pattern)
    path = (*_path(record), "domain_allowlist")
    return Edit(record.tenant_id, _in_turn(*(_append(path, text) for text in entries)))


def remove_origins(record: KeyRecord, entries: tuple[str, ...]) -> Edit:
    """Plan fewer allowlist entries, or raise ConfigurationError where one isn't there."""
    path = (*_path(record), "domain_allowlist")
    known = record.key.domain_allowlist
    indexes = set()
    for text in entries:
        if (there := _index(known, _parsed(text))) is None:
            names = ", ".join(entry.text for entry in known) or "nothing"
            raise ConfigurationError(f"{text}: is not in the allowlist; there is {names}")
        indexes.add(there)
    steps = (_remove((*path, index)) for index in sorted(indexes, reverse=True))
    return Edit(record.tenant_id, _in_turn(*steps))


def find_tenant(registry: Registry, tenant_id: str) -> Tenant:
    """Return a tenant, or raise ConfigurationError that names those there are."""
    try:
        return registry.tenants[tenant_id]
    except KeyError:
        there = ", ".join(registry.tenants) or "none; make one with `kataven-flask tenants add`"
        raise ConfigurationError(f"no tenant {tenant_id!r}; there is {there}") from None


# --- the steps in the text


def _append(path: yaml_splice.Path, value: object) -> _Step:
    return lambda text: yaml_splice.append(text, path, value)


def _put(path: yaml_splice.Path, value: object) -> _Step:
    return lambda text: yaml_splice.put(text, path, value)


def _remove(path: yaml_splice.Path) -> _Step:
    return lambda text: yaml_splice.remove(text, path)


def _in_turn(*steps: _Step) -> _Step:
    return lambda text: reduce(lambda so_far, step: step(so_far), steps, text)


def _path(record: KeyRecord) -> yaml_splice.Path:
    return ("tenants", record.tenant_id, "keys", record.tenant.keys.index(record.key))


def _parsed(text: str) -> OriginPattern:
    try:
        return OriginPattern.parse(text)
    except OriginPatternError as error:
        raise ConfigurationError(f"{text}: {error}") from error


def _index(entries: Sequence[OriginPattern], pattern: OriginPattern) -> int | None:
    """Return which entry admits the very same origins, however the two are written."""
    same = (i for i, e in enumerate(entries) if covers(e, pattern) and covers(pattern, e))
    return next(same, None)


def _two_are_live(record: KeyRecord, live: list[Secret]) -> str:
    first = live[0]
    when = "never" if first.not_after is None else utc_minute(first.not_after.timestamp())
    return (
        f"two secrets are live behind {record.key.client_key}; the first ends: {when}."
        " To end it now, once nobody uses it:"
        f" kataven-flask keys revoke {record.key.client_key} --secret {first.digest[:SHORT_HASH]}"
    )
