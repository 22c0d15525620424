"""`kataven-flask tenants`: add, list, show and remove tenants."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from kataven_flask.cli.changes import TEST_ORIGINS, Editor, Pair, require_yes, show_pair, shown_once
from kataven_flask.cli.complete import complete_tenant
from kataven_flask.cli.options import (
    config_option,
    dry_run_option,
    json_option,
    quiet_option,
    yes_option,
)
from kataven_flask.cli.output import counted, print_json, styled, table
from kataven_flask.cli.reading import read_tenants
from kataven_flask.document.editing import add_tenant, find_tenant, remove_tenant
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.tenants import AuthMode, Tenant, TokenPolicy
from kataven_flask.text import printable
from kataven_flask.times import duration

Mode = click.Choice(get_args(AuthMode))


@click.group()
def tenants() -> None:
    """Add, list, show and remove tenants.

    Each command edits the file that --config names and leaves every comment of it where it
    is. What would not load is not written.
    """


@tenants.command(short_help="Add a tenant, an agent, and a pair of keys.")
@click.argument("tenant")
@click.option("--name", help="What it is called.  [default: the id]")
@click.option("--agent", default="support", show_default=True, help="The id of its first agent.")
@click.option("--agent-name", help="What the agent is called.  [default: the tenant's name]")
@click.option(
    "--auth-mode", type=Mode, default="both", show_default=True, help="Whom the agent talks to."
)
@click.option(
    "--origin", "origins", multiple=True, help="A site of it: makes a key for it. Repeat for more."
)
@click.option("--test", is_flag=True, help="Make a test key, for this machine's own sites alone.")
@config_option
@dry_run_option
@json_option
@quiet_option
def add(  # noqa: PLR0913, PLR0917 - an option each
    tenant: str,
    name: str | None,
    agent: str,
    agent_name: str | None,
    auth_mode: AuthMode,
    origins: tuple[str, ...],
    config: Path,
    *,
    test: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Add a tenant with its first agent, and with a pair of keys where an origin is given.

    TENANT is its id: a-z, 0-9 and -, 2 to 32 characters. Where there is no file yet, it is made.

    \b
    Examples:
      kataven-flask tenants add bikes --origin https://bikes.example
      kataven-flask tenants add bikes --test
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet, as_json)
    members: dict[str, Any] = {
        "name": name or tenant,
        "default_agent": agent,
        "agents": {agent: {"display_name": agent_name or name or tenant, "auth_mode": auth_mode}},
    }
    pair = Pair.make(tenant, "test" if test else "live") if test or origins else None
    if pair:
        members["keys"] = [pair.members(None, origins or TEST_ORIGINS, None)]
    change = editor.change(lambda registry: add_tenant(registry, tenant, members))
    told = f"Added tenant {tenant} to {change.file}; servers have it in two seconds.\n"
    if pair:
        with shown_once(editor, pair.client_key):
            editor.say(told)
            show_pair(editor, change, pair)
        return
    editor.say(told)
    if as_json and not dry_run:
        print_json(_as_json(tenant, change.registry))
    else:
        editor.say(f"Next: {editor.command('keys', 'create', tenant, '--origin', 'https://…')}")


@tenants.command("list")
@config_option
@json_option
def list_(config: Path, *, as_json: bool) -> None:
    """List the tenants.

    Example: kataven-flask tenants list
    """
    registry = read_tenants(config)
    if as_json:
        print_json([_as_json(tenant_id, registry) for tenant_id in registry.tenants])
        return
    rows = [
        (tenant_id, tenant.name, str(len(tenant.agents)), str(len(tenant.keys)), _origins(tenant))
        for tenant_id, tenant in registry.tenants.items()
    ]
    click.echo(table(("TENANT", "NAME", "AGENTS", "KEYS", "ORIGINS"), rows))


@tenants.command()
@click.argument("tenant", shell_complete=complete_tenant)
@config_option
@json_option
def show(tenant: str, config: Path, *, as_json: bool) -> None:
    """Show all of a tenant.

    Its agents, its keys, where they work, and how long things live.

    Example: kataven-flask tenants show acme
    """
    registry = read_tenants(config)
    found = find_tenant(registry, tenant)
    if as_json:
        print_json(_as_json(tenant, registry))
        return
    click.echo(f"{styled(tenant, 'strong')}  {printable(found.name)}")
    _show_agents(found)
    records = _records(registry, tenant)
    for record in records:
        _show_key(record)
    if records:
        _show_times(records[0].tokens)
        click.echo("\nWhat the tenant pastes: kataven-flask snippet CLIENT_KEY")


@tenants.command()
@click.argument("tenant", shell_complete=complete_tenant)
@config_option
@dry_run_option
@yes_option
@quiet_option
def remove(tenant: str, config: Path, *, dry_run: bool, yes: bool, quiet: bool) -> None:
    """Remove a tenant, its agents and its keys.

    Its widget stops at once, and its sessions end at their next refresh.

    \b
    Examples:
      kataven-flask tenants remove bikes --dry-run
      kataven-flask tenants remove bikes
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)
    keys = len(find_tenant(read_tenants(config), tenant).keys)
    if not (yes or dry_run):
        require_yes(f"Remove {tenant} and its {counted(keys, 'client key')}?")
    change = editor.change(lambda registry: remove_tenant(registry, tenant))
    editor.say(f"Removed tenant {tenant} from {change.file}.")


# --- words


def _records(registry: Registry, tenant_id: str) -> list[KeyRecord]:
    return [record for record in registry.keys.values() if record.tenant_id == tenant_id]


def _origins(tenant: Tenant) -> str:
    """Name the first of a tenant's origins; `tenants show` has all of them."""
    names = [*dict.fromkeys(e.text for key in tenant.keys for e in key.domain_allowlist)]
    return f"{names[0]} and {len(names) - 1} more" if names[1:] else "".join(names)


def _show_agents(tenant: Tenant) -> None:
    rows = [
        (
            agent_id + " (default)" * (agent_id == tenant.default_agent),
            agent.display_name,
            {"both": "guests and users", "guest": "guests", "user": "users"}[agent.auth_mode],
            "" if agent.widget_enabled else "switched off",
        )
        for agent_id, agent in tenant.agents.items()
    ]
    click.echo(_indented("\n" + table(("AGENT", "NAME", "TALKS TO", ""), rows)))


def _show_key(record: KeyRecord) -> None:
    key, now = record.key, datetime.now(UTC)
    state = "" if key.is_live(now) else styled("  switched off", "bad")
    secrets = sum(secret.is_live(now) for secret in key.secrets)
    click.echo(f"\n  {key.client_key}{state}")
    click.echo(f"    name      {printable(key.name)}")
    click.echo(f"    works on  {', '.join(e.text for e in key.domain_allowlist) or 'nothing'}")
    click.echo(f"    agent     {key.agent_id or 'any'}")
    click.echo(f"    secrets   {secrets} live")


def _show_times(tokens: TokenPolicy) -> None:
    click.echo(f"\n  tokens    session {duration(tokens.session_ttl)}", nl=False)
    click.echo(f", visitor {duration(tokens.visitor_ttl)}, refresh {duration(tokens.refresh_ttl)}")
    click.echo(f"  sessions  guests {duration(tokens.guest_max_age)}", nl=False)
    click.echo(f", users {duration(tokens.user_max_age)}")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


def _as_json(tenant_id: str, registry: Registry) -> dict[str, Any]:
    """Return a tenant as the file has it, with all defaults, and with what is in force for it."""
    tenant = registry.tenants[tenant_id]
    record = next(iter(_records(registry, tenant_id)), None)
    members = tenant.model_dump(mode="json", exclude={"tokens", "limits"})
    if record is not None:
        members |= {"tokens": record.tokens.model_dump(), "limits": record.limits.model_dump()}
    return {"id": tenant_id, **members}
