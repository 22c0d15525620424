"""`kataven-flask demo`: the API, a shop that embeds the widget, a stranger's site and an agent."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from kataven_flask.assets import example_config
from kataven_flask.demo.run import DemoSites, run_demo
from kataven_flask.log_format import log_to


@click.command(short_help="Show the whole handshake in your browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65532),
    default=8000,
    show_default=True,
    help="The API's port; the sites take the three after it. 0 takes free ones.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Another tenants' file that has the demo's key.  [default: the shipped example]",
)
def demo(port: int, config: Path | None) -> None:
    """Show the whole handshake in your browser, on this machine alone.

    It serves the API, a shop that embeds the widget, a site that copied the shop's snippet,
    and an agent that the widget talks to. Beside the shop stands what goes over the wire. The
    tenants' file is copied, and nothing is kept.

    Example: kataven-flask demo --port 8000
    """
    log_to(sys.stderr, "console", logging.getLogger())
    run_demo(config or example_config(), port, _announce)


def _announce(sites: DemoSites) -> None:
    click.echo("The demo is up, on this machine alone. Open the shop and follow its text.\n")
    told = (
        ("the shop", sites.shop, "embeds the widget; sign in there"),
        ("a stranger", sites.stranger, "copied the snippet; is refused"),
        ("the agent", sites.connect, "verifies sessions by the public keys"),
        ("the sign-in API", sites.api, "says who is who; its own page is at /docs"),
    )
    width = max(len(address) for _, address, _ in told)
    for name, address, what in told:
        click.echo(f"  {name:<15}  {address:<{width}}  {what}")
    click.echo(f"  its tenants      {sites.config}  a copy to edit; see it followed\n")
    click.echo(
        f"No browser for *.localhost names? Open {sites.shop_plain} instead. Ctrl-C stops it."
    )
