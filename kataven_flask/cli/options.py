"""Options that several commands share; each is read from the environment too."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.settings import DEFAULT_CONFIG

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    envvar="KATAVEN_CONFIG",
    show_envvar=True,
    help="The tenants' file, or a folder of such files.",
)
