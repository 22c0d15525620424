"""`kataven-flask keys`: create, list, rotate and revoke client keys and the secrets behind them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from kataven_flask.cli.changes import TEST_ORIGINS, Editor, Pair, show_pair
from kataven_flask.cli.options import (
    config_option,
    dry_run_option,
    json_option,
    quiet_option,
    yes_option,
)
from kataven_flask.cli.output import print_json, table
from kataven_flask.editing import (
    SHORT_HASH,
    Edit,
    add_key,
    find_key,
    find_tenant,
    revoke_key,
    revoke_secret,
    rotate_secret,
)
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import generate_secret_key, hash_secret_key, parse_client_key
from kataven_flask.registry import KeyRecord, Registry, load_registry
from kataven_flask.tenants import ClientKey, Secret
from kataven_flask.times import iso_utc, utc_minute


@click.group()
def keys() -> None:
    """Create, list, rotate and revoke a tenant's keys.

    A client key pk_… is public and stands in the tenant's pages. A secret key sk_… is its
    backend's alone: it is shown once, and the file gets its hash.
    """


@keys.command()
@click.argument("tenant")
@click.option(
    "--origin", "origins", multiple=True, help="Where it works, as in `origins add`. Repeat it."
)
@click.option("--name", help="What you call it.  [default: its first origin]")
@click.option("--agent", help="Pin it: it always talks to this agent.")
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
      kataven-flask keys create acme --origin https://acme.com --origin "*.acme.com"
      kataven-flask keys create acme --test
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet, as_json)
    find_tenant(load_registry(config), tenant)  # before a pair is made of whatever was typed
    pair = Pair.make(tenant, "test" if test else "live")
    members = pair.members(name, origins or (TEST_ORIGINS if test else ()), agent)
    change = editor.change(lambda registry: add_key(registry, tenant, members))
    editor.say(f"Added a key to {change.file}; running servers have it in two seconds.\n")
    show_pair(editor, change, pair)


@keys.command("list")
@click.argument("tenant", required=False)
@config_option
@json_option
def list_(tenant: str | None, config: Path, *, as_json: bool) -> None:
    """List the client keys, of TENANT or of all.

    \b
    Examples:
      kataven-flask keys list
      kataven-flask keys list acme --json
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    registry, now = load_registry(config), datetime.now(UTC)
    if tenant is not None:
        find_tenant(registry, tenant)
    records = [r for r in registry.keys.values() if tenant in (None, r.tenant_id)]
    if as_json:
        print_json([_as_json(record, now) for record in records])
        return
    rows = [
        (record.key.client_key, record.key.name, _state(record.key, now), _secrets(record.key, now))
        for record in records
    ]
    click.echo(table(("CLIENT KEY", "NAME", "STATE", "SECRETS"), rows))


@keys.command()
@click.argument("client_key")
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
    name = parse_client_key(client_key)
    if name is None:
        raise ConfigurationError("that is no client key; see `kataven-flask keys list`")
    secret_key = generate_secret_key(name.tenant, name.mode)
    new_hash, overlap = hash_secret_key(secret_key), timedelta(hours=hours)
    change = editor.change(
        lambda registry: rotate_secret(find_key(registry, client_key), new_hash, now, overlap)
    )
    if dry_run:
        return
    secrets = change.registry.keys[client_key].key.secrets
    ends = None if len(secrets) == 1 else secrets[0].not_after
    if as_json:
        end = None if ends is None else iso_utc(ends.timestamp())
        print_json({"client_key": client_key, "secret_key": secret_key, "old_ends_at": end})
        return
    editor.say(f"Added a secret key to {client_key}; running servers have it in two seconds.\n")
    click.echo(f"  secret key   {secret_key}")
    editor.say("\nIt is for the tenant's backend alone; it is shown this once and kept nowhere.")
    if ends is not None:
        editor.say(f"The old one ends {utc_minute(ends.timestamp())}.")


@keys.command()
@click.argument("client_key")
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
        record = find_key(registry, client_key)
        return revoke_key(record) if secret is None else revoke_secret(record, secret)

    registry = load_registry(config)
    plan(registry)  # before a question is asked about what can't be done
    name = registry.keys[client_key].key.name
    what = f"{client_key} ({name})" if secret is None else f"secret {secret} of {client_key}"
    if not (yes or dry_run):
        click.confirm(f"End {what}?", abort=True, err=True)
    editor.change(plan)
    editor.say(f"Ended {what}; running servers know in two seconds.")


# --- words


def _state(key: ClientKey, now: datetime) -> str:
    if not key.enabled:
        return "off"
    if key.not_after is None:
        return "live"
    word = "until" if key.is_live(now) else "ended"
    return f"{word} {utc_minute(key.not_after.timestamp())}"


def _secrets(key: ClientKey, now: datetime) -> str:
    return ", ".join(_secret(secret, now) for secret in key.secrets) or "none"


def _secret(secret: Secret, now: datetime) -> str:
    name, ends = secret.digest[:SHORT_HASH], secret.not_after
    if ends is None:
        return name
    return f"{name} {'until' if secret.is_live(now) else 'ended'} {utc_minute(ends.timestamp())}"


def _as_json(record: KeyRecord, now: datetime) -> dict[str, Any]:
    key = record.key
    members = key.model_dump(mode="json")
    for member, secret in zip(members["secrets"], key.secrets, strict=True):
        member["live"] = secret.is_live(now)
    return {"tenant": record.tenant_id, "live": key.is_live(now), **members}
