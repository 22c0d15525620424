"""`kataven-flask snippet`: the lines of HTML that a tenant pastes into its pages."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.changes import tell_what_to_fill_in
from kataven_flask.cli.complete import complete_client_key
from kataven_flask.cli.key_choice import find_record
from kataven_flask.cli.options import config_option
from kataven_flask.cli.reading import read_tenants
from kataven_flask.errors import ConfigurationError
from kataven_flask.snippet import snippet as html


@click.command()
@click.argument("client_key", shell_complete=complete_client_key)
@click.option("--agent", help="Name this agent in it; it is asked for.")
@click.option("--connect-url", metavar="URL", help="Where the widget sends what visitors write.")
@config_option
def snippet(client_key: str, agent: str | None, connect_url: str | None, config: Path) -> None:
    """Print the snippet that a tenant pastes into its pages.

    The server's address in it is the file's `issuer`.

    \b
    Examples:
      kataven-flask snippet pk_live_acme_…
      kataven-flask snippet pk_live_acme_… --connect-url https://acme.com/connect
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    registry = read_tenants(config)
    record = find_record(registry, client_key)
    key, agents = record.key, record.tenant.agents
    if agent is not None and agent not in agents:
        raise ConfigurationError(f"no agent {agent!r}; this tenant has {', '.join(agents)}")
    click.echo(html(key.client_key, registry.issuer, agent, connect_url))
    tell_what_to_fill_in(registry, config, connect_url)
