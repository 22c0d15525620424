"""`kataven-flask check`: read the tenants' file as the server would."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.options import config_option
from kataven_flask.faults import FaultyDocumentError
from kataven_flask.registry import load_registry


@click.command()
@config_option
def check(config: Path) -> None:
    """Print every fault of the tenants' file with its place; exit 1 if there is one."""
    try:
        registry = load_registry(config)
    except FaultyDocumentError as error:
        click.echo(str(error))
        count = len(error.faults)
        raise click.ClickException(f"{count} fault{'s' * (count > 1)} in {config}") from error
    click.echo(
        f"{config} is sound: {len(registry.tenants)} tenants, {len(registry.keys)} client keys"
        f" (revision {registry.revision})"
    )
