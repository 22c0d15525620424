"""`kataven-flask keys`: create, list, rotate and revoke client keys and the secrets behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from kataven_flask.cli.changes import (
    TEST_ORIGINS,
    Editor,
    Pair,
    require_yes,
    show_pair,
    shown_once,
)
from kataven_flask.cli.complete import complete_agent, complete_client_key, complete_tenant
from kataven_flask.cli.key_choice import find_record
from kataven_flask.cli.options import (
    config_option,
    dry_run_option,
    json_option,
    quiet_option,
    yes_option,
)
from kataven_flask.cli.output import print_json, table
from kataven_flask.cli.reading import read_tenants
from kataven_flask.document.editing import (
    SHORT_HASH,
    Edit,
    add_key,
    find_tenant,
    revoke_key,
    revoke_secret,
    rotate_secret,
)
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import generate_secret_key, hash_secret_key, mode_of
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.tenants import ClientKey, Secret
from kataven_flask.text import printable
from kataven_flask.times import iso_utc, utc_minute


@click.group()
def keys() -> None:
    """Create, list, rotate and revoke a tenant's keys.

    A client key pk_… is public and stands in the tenant's pages. A secret key sk_… is its
    backend's alone: it is shown once, and the file gets its hash.
    """


@keys.command(short_help="Make a pair of keys, and show it this once.")
@click.argument("tenant", shell_complete=complete_tenant)
@click.option(
    "--origin", "origins", multiple=True, help="Where it works, as in `origins add`. Repeat it."
)
@click.option("--name", help="What you call it.  [default: its first origin]")
@click.option(
    "--agent", shell_complete=complete_agent, help="Pin it: it always talks to this agent."
)
@click.option("--test", is_flag=True, help="A test key, for this machine's own sites alone.")
@config_option
@dry_run_option
@json_option
@quiet_option
def create(  # noqa: PLR0913 - an option each
    tenant: str,
    origins: tuple[str, ...],
    name: str | None,
    agent: str | None,
    config: Path,
    *,
    test: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a pair of keys for TENANT, and show it and the snippet to paste, this once.

    \b
    Examples:
      kataven-flask keys create acme --origin https://acme.com
      kataven-flask keys create acme --test
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet, as_json)
    find_tenant(read_tenants(config), tenant)  # before a pair is made of whatever was typed
    pair = Pair.make(tenant, "test" if test else "live")
    members = pair.members(name, origins or (TEST_ORIGINS if test else ()), agent)
    change = editor.change(lambda registry: add_key(registry, tenant, members))
    with shown_once(editor, pair.client_key):
        editor.say(f"Added a key to {change.file}; servers have it in two seconds.\n")
        show_pair(editor, change, pair)


@keys.command("list")
@click.argument("tenant", required=False, shell_complete=complete_tenant)
@config_option
@json_option
def list_(tenant: str | None, config: Path, *, as_json: bool) -> None:
    """List the client keys, of TENANT or of all.

    \b
    Examples:
      kataven-flask keys list
      kataven-flask keys list acme --json
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    registry, now = read_tenants(config), datetime.now(UTC)
    if tenant is not None:
        find_tenant(registry, tenant)
    records = [r for r in registry.keys.values() if tenant in (None, r.tenant_id)]
    if as_json:
        print_json([_as_json(record, now) for record in records])
        return
    rows = [row for record in records for row in _rows(record.key, now)]
    click.echo(table(("CLIENT KEY", "STATE", "NAME"), rows))


@keys.command(short_help="Make a second secret key; the first goes on for a day.")
@click.argument("client_key", shell_complete=complete_client_key)
@click.option(
    "--hours",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    help="How long the old secret key goes on, 0 to 168.",
)
@config_option
@dry_run_option
@json_option
@quiet_option
def rotate(  # noqa: PLR0913 - an option each
    client_key: str, hours: int, config: Path, *, dry_run: bool, as_json: bool, quiet: bool
) -> None:
    """Make a second secret key behind CLIENT_KEY, and give the first 24 hours.

    Within them the tenant puts the new one into its backend; nothing has to stop. A third is
    refused while two are live. After a leak: --hours 0.

    \b
    Examples:
      kataven-flask keys rotate pk_live_acme_…
      kataven-flask keys rotate pk_live_acme_… --hours 0
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor, now = Editor(config, dry_run, quiet, as_json), datetime.now(UTC)
    record = find_record(read_tenants(config), client_key)
    client_key = record.key.client_key
    secret_key = generate_secret_key(record.tenant_id, mode_of(client_key))
    new_hash, overlap = hash_secret_key(secret_key), timedelta(hours=hours)
    change = editor.change(
        lambda registry: rotate_secret(find_record(registry, client_key), new_hash, now, overlap)
    )
    if dry_run:
        return
    secrets = change.registry.keys[client_key].key.secrets
    ends = None if len(secrets) == 1 else secrets[0].not_after
    with shown_once(editor, client_key):
        editor.say(f"Added a secret key to {change.file}; servers have it in two seconds.\n")
        if as_json:
            end = None if ends is None else iso_utc(ends.timestamp())
            print_json({"client_key": client_key, "secret_key": secret_key, "old_ends_at": end})
        else:
            click.echo(f"  secret key   {secret_key}")
    editor.say("\nIt is for the tenant's backend alone; it is shown this once and kept nowhere.")
    if ends is not None:
        when = "has ended" if ends <= now else f"ends {utc_minute(ends.timestamp())}"
        editor.say(f"The old one {when}.")


@keys.command()
@click.argument("client_key", shell_complete=complete_client_key)
@click.option("--secret", metavar="DIGITS", help="Remove this secret alone; see `keys list`.")
@config_option
@dry_run_option
@yes_option
@quiet_option
def revoke(  # noqa: PLR0913 - an option each
    client_key: str, secret: str | None, config: Path, *, dry_run: bool, yes: bool, quiet: bool
) -> None:
    """Switch CLIENT_KEY off, or remove one of the secrets behind it.

    A key that is off is refused everywhere, and its sessions end at their next refresh. Its
    entry stays, with `enabled: false`, so that the file says why.

    \b
    Examples:
      kataven-flask keys revoke pk_live_acme_…
      kataven-flask keys revoke pk_live_acme_… --secret 56a92e29c7db
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)

    def plan(registry: Registry) -> Edit:
        record = find_record(registry, client_key)
        return revoke_key(record) if secret is None else revoke_secret(record, secret)

    registry = read_tenants(config)
    key = find_record(registry, client_key).key
    typed, client_key, name = client_key, key.client_key, key.name
    plan(registry)  # before a question is asked about what can't be done
    what = (
        f"{client_key} ({printable(name)})"
        if secret is None
        else f"secret {secret} of {client_key}"
    )
    if yes and typed != client_key:
        raise ConfigurationError("with --yes, write the whole client key: nobody is asked")
    if not (yes or dry_run):
        require_yes(f"End {what}?")
    editor.change(plan)
    editor.say(f"Ended {what}; running servers know in two seconds.")


# --- words


def _state(key: ClientKey | Secret, now: datetime) -> str:
    if isinstance(key, ClientKey) and not key.enabled:
        return "off"
    if key.not_after is None:
        return "live"
    word = "until" if key.is_live(now) else "ended"
    return f"{word} {utc_minute(key.not_after.timestamp())}"


def _rows(key: ClientKey, now: datetime) -> Iterator[tuple[str, str, str]]:
    yield key.client_key, _state(key, now), key.name
    for secret in key.secrets:
        state = _state(secret, now) if key.enabled else "off"
        yield f"  secret {secret.digest[:SHORT_HASH]}", state, ""


def _as_json(record: KeyRecord, now: datetime) -> dict[str, Any]:
    key = record.key
    members = key.model_dump(mode="json")
    for member, secret in zip(members["secrets"], key.secrets, strict=True):
        member["live"] = secret.is_live(now)
    return {"tenant": record.tenant_id, "live": key.is_live(now), **members}
