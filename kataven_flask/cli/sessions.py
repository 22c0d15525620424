"""`kataven-flask sessions`: end sessions, and find a user's in the log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from kataven_flask.cli.complete import complete_client_key, complete_tenant
from kataven_flask.cli.options import config_option, instance_option, state_option
from kataven_flask.cli.output import table
from kataven_flask.cli.reading import read_tenants
from kataven_flask.errors import ConfigurationError
from kataven_flask.key_ring_file import as_owner_of, read_key_ring
from kataven_flask.messages import MAX_USER_ID
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.sessions import Sessions, is_session_id
from kataven_flask.settings import Settings
from kataven_flask.signing import KeyRing
from kataven_flask.store import Store, public_url, store_from_url
from kataven_flask.text import has_control_characters
from kataven_flask.times import utc_minute
from kataven_flask.user_hash import user_hash

_HASH_HEADINGS: Final = ("USER", "IN LINES FROM", "TO")
_WHICH: Final = "name what to end: --tenant and --user, or --session, or --key"


@click.group()
def sessions() -> None:
    """End sessions, or find a user's lines in the log."""


@sessions.command(short_help="End sessions that were begun before now.")
@click.option("--tenant", shell_complete=complete_tenant, help="The tenant of the user.")
@click.option("--user", help="The user's id in the tenant's own terms: all their sessions.")
@click.option("--session", help="One session, ses_…, as the log names it.")
@click.option(
    "--key",
    shell_complete=complete_client_key,
    help="A client key, pk_…: all sessions that were begun with it.",
)
@config_option
@instance_option
@state_option
def revoke(  # noqa: PLR0913, PLR0917 - an option each
    tenant: str | None,
    user: str | None,
    session: str | None,
    key: str | None,
    config: Path,
    instance: Path,
    state: str | None,
) -> None:
    """End sessions that were begun before now: none of them can be refreshed any more.

    Give the same --instance and --state as to the server.

    \b
    Examples:
      kataven-flask sessions revoke --tenant acme --user 42
      kataven-flask sessions revoke --session ses_3fV1StGXR8Z5jdHi6BmyTAbQ
      kataven-flask sessions revoke --key pk_live_acme_…
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    settings = Settings(config=config, instance=instance, state=state)
    ending = _ending(read_tenants(config), tenant, user, session, key)
    with closing(_shared_store(settings)) as store:
        _require_used(store, settings)
        ending.carry_out(Sessions(store, time.time))
    click.echo(f"Ended {ending.what}, in {public_url(settings.state_url)}.")
    minutes = -(-max(record.tokens.session_ttl for record in ending.records) // 60)
    click.echo(f"Session tokens that are out run on until they end, in {minutes} min at most.")


@sessions.command("user-hash", short_help="Tell what the log has for a user.")
@click.option(
    "--tenant", required=True, shell_complete=complete_tenant, help="The tenant of the user."
)
@click.option(
    "--user", help="The user's id in the tenant's own terms.  [default: a line of standard input]"
)
@config_option
@instance_option
def user_hash_(tenant: str, user: str | None, config: Path, instance: Path) -> None:
    """Tell what the log has for a user, whose id is in no line of it.

    The log's usr_… comes from the user's id and the keys, so it changes when these are rotated.
    It is told for as long as the old keys are kept. Without --user the id is asked for, and stays
    out of the shell's history.

    Example: kataven-flask sessions user-hash --tenant acme
    """
    _require_tenant(read_tenants(config), tenant)
    user = _read_user() if user is None else user
    _require_user_id(user)
    with as_owner_of(instance):
        ring = read_key_ring(instance)
    click.echo(table(_HASH_HEADINGS, _hashes(ring, tenant, user, time.time())))


def _read_user() -> str:
    if sys.stdin is None:  # closed by whoever started this
        return ""
    if sys.stdin.isatty():
        text: str = click.prompt("User id", err=True)
        return text
    return sys.stdin.readline().removesuffix("\n")


def _hashes(ring: KeyRing, tenant: str, user: str, now: float) -> list[tuple[str, str, str]]:
    """Return the user's hashes, the present one first, and which lines have each."""
    rows = []
    until = "now"
    for secret in reversed(ring.refresh_secrets):
        if secret.signs_from <= now or secret is ring.refresh_secret(now):
            since = utc_minute(secret.signs_from)
            rows.append((user_hash(secret, tenant, user), since, until))
            until = since
    return rows


@dataclass(frozen=True, slots=True)
class _Ending:
    what: str = field(repr=False)
    records: Collection[KeyRecord]
    carry_out: Callable[[Sessions], None]


def _ending(
    registry: Registry, tenant: str | None, user: str | None, session: str | None, key: str | None
) -> _Ending:
    match tenant, user, session, key:
        case str(), str(), None, None:
            _require_user_id(user)
            return _Ending(
                f"every session that user {user} of {tenant} began before now",
                _keys_of(registry, tenant),
                lambda sessions: sessions.end_user(tenant, user),
            )
        case None, None, str(), None:
            if not is_session_id(session):
                raise ConfigurationError("--session: not a session's id; copy ses_… from the log")
            return _Ending(
                f"session {session}",
                registry.keys.values(),
                lambda sessions: sessions.end_session(session),
            )
        case None, None, None, str():
            if key not in registry.keys:
                raise ConfigurationError("--key: no tenant has this client key; copy it again")
            return _Ending(
                f"every session that was begun with {key} before now",
                [registry.keys[key]],
                lambda sessions: sessions.end_key(key),
            )
        case _:
            raise ConfigurationError(_WHICH)


def _require_user_id(user: str) -> None:
    """Refuse what no `user-token` would have taken, so that a slip is not taken for a success."""
    try:
        user.encode()
        is_one = 0 < len(user) <= MAX_USER_ID and not has_control_characters(user)
    except UnicodeError:
        is_one = False
    if not is_one or user != user.strip():
        raise ConfigurationError("--user: not a user's id; is the variable empty?")


def _require_tenant(registry: Registry, tenant: str) -> None:
    if tenant not in registry.tenants:
        raise ConfigurationError(
            f"--tenant {tenant}: there is no such tenant, but {', '.join(registry.tenants)}"
        )


def _keys_of(registry: Registry, tenant: str) -> list[KeyRecord]:
    _require_tenant(registry, tenant)
    records = [record for record in registry.keys.values() if record.tenant_id == tenant]
    if not records:
        raise ConfigurationError(f"--tenant {tenant}: it has no keys, so it has no sessions")
    return records


def _shared_store(settings: Settings) -> Store:
    if settings.state_url == "memory:":
        raise ConfigurationError("--state memory: is inside the server; restart it to end sessions")
    return store_from_url(settings.state_url)


def _require_used(store: Store, settings: Settings) -> None:
    """Refuse a store that no server looks at: what is ended there is ended nowhere."""
    if store.since_ms() is None:
        raise ConfigurationError(
            f"{public_url(settings.state_url)}: no server has used this state store;"
            " give the --state and the --instance of the server"
        )
