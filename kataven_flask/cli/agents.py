"""`kataven-flask agents`: add agents to tenants."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from kataven_flask.cli.changes import Editor
from kataven_flask.cli.complete import complete_tenant
from kataven_flask.cli.options import config_option, dry_run_option, quiet_option
from kataven_flask.document.editing import add_agent
from kataven_flask.tenants import AuthMode


@click.group()
def agents() -> None:
    """Add what a tenant's visitors talk to."""


@agents.command()
@click.argument("tenant", shell_complete=complete_tenant)
@click.argument("agent")
@click.option("--name", help="What visitors see.  [default: the agent's id]")
@click.option("--greeting", help="Its first words.")
@click.option(
    "--auth-mode",
    type=click.Choice(get_args(AuthMode)),
    default="both",
    show_default=True,
    help="Whom it talks to.",
)
@config_option
@dry_run_option
@quiet_option
def add(  # noqa: PLR0913, PLR0917 - an option each
    tenant: str,
    agent: str,
    name: str | None,
    greeting: str | None,
    auth_mode: AuthMode,
    config: Path,
    *,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Add AGENT, an id of a-z, 0-9, _ and -, to TENANT.

    \b
    Examples:
      kataven-flask agents add acme returns --name "Acme Returns" --auth-mode user
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)
    members = {"display_name": name or agent, "auth_mode": auth_mode}
    if greeting is not None:
        members["greeting"] = greeting
    change = editor.change(lambda registry: add_agent(registry, tenant, agent, members))
    editor.say(f"Added agent {agent} to {tenant} in {change.file}.")
    default = change.registry.tenants[tenant].default_agent
    if default is not None:
        editor.say(f"{default} stays the default.")
    editor.say(f'A page asks for it by data-agent="{agent}"; a key pins it by `agent_id: {agent}`.')
    editor.warn(change, tenant)
