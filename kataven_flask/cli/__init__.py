"""The command `kataven-flask`; one file a command group."""

from __future__ import annotations

import os
from typing import Any

import click

from kataven_flask.cli.agents import agents
from kataven_flask.cli.check import check
from kataven_flask.cli.demo import demo
from kataven_flask.cli.keys import keys
from kataven_flask.cli.origins import origins
from kataven_flask.cli.schema import schema
from kataven_flask.cli.serve import serve
from kataven_flask.cli.sessions import sessions
from kataven_flask.cli.signing_keys import signing_keys
from kataven_flask.cli.tenants import tenants
from kataven_flask.errors import KatavenError


class _Group(click.Group):
    """Shows the operator's mistakes as one clear message, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):  # whatever it says, as long as it says something
            ctx.color = False
        try:
            return super().invoke(ctx)
        except KatavenError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kataven-flask")
def main() -> None:
    """Sign-in for embeddable widgets, on your own server."""


for command in (
    serve,
    demo,
    check,
    schema,
    tenants,
    agents,
    keys,
    origins,
    sessions,
    signing_keys,
):
    main.add_command(command)
