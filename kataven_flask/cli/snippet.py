"""`kataven-flask snippet`: the lines of HTML that a tenant pastes into its pages."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.changes import tell_what_to_fill_in
from kataven_flask.cli.complete import complete_client_key
from kataven_flask.cli.key_choice import find_record
from kataven_flask.cli.options import config_option, quiet_option
from kataven_flask.cli.output import note
from kataven_flask.cli.reading import read_tenants
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import KeyRecord
from kataven_flask.snippet import EXAMPLE_CONNECT_URL, EXAMPLE_SERVER, content_security_policy
from kataven_flask.snippet import snippet as html
from kataven_flask.widget import widget_script


@click.command()
@click.argument("client_key", shell_complete=complete_client_key)
@click.option("--agent", help="Name this agent in it; it is asked for.")
@click.option("--connect-url", metavar="URL", help="Where the widget sends what visitors write.")
@click.option(
    "--integrity",
    is_flag=True,
    help="Pin the script's hash; the page must then follow each new version of the server.",
)
@quiet_option
@config_option
def snippet(  # noqa: PLR0913, PLR0917 - an option each
    client_key: str,
    agent: str | None,
    connect_url: str | None,
    integrity: bool,  # noqa: FBT001 - click passes it by name
    quiet: bool,  # noqa: FBT001
    config: Path,
) -> None:
    """Print the snippet that a tenant pastes into its pages.

    The server's address in it is the file's `issuer`. What a Content-Security-Policy of the
    page has to allow, and the script's hash, are told beside it.

    \b
    Examples:
      kataven-flask snippet pk_live_acme_…
      kataven-flask snippet pk_live_acme_… --connect-url https://acme.com/connect
      kataven-flask snippet pk_live_acme_… --integrity
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    registry = read_tenants(config)
    record = find_record(registry, client_key)
    key, agents = record.key, record.tenant.agents
    if agent is not None and agent not in agents:
        raise ConfigurationError(f"no agent {agent!r}; this tenant has {', '.join(agents)}")
    policy = content_security_policy(
        registry.issuer or EXAMPLE_SERVER, connect_url or EXAMPLE_CONNECT_URL, _pictures(record)
    )
    script = widget_script()
    digest = script.integrity if integrity else None
    click.echo(html(key.client_key, registry.issuer, agent, connect_url, digest))
    if quiet:
        return
    tell_what_to_fill_in(registry, config, connect_url)
    note("Note: a Content-Security-Policy of the page has to allow")
    for directive in policy:
        note(f"      {directive};")
    note(f"Note: this version's script is {script.integrity}.")
    note("      --integrity pins it; each new version of the server then needs another page.")


def _pictures(record: KeyRecord) -> list[str]:
    tenant = record.tenant
    faces = [agent.avatar_url for agent in tenant.agents.values()]
    return [url for url in (tenant.branding.logo_url, *faces) if url]
