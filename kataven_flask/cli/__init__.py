"""The command `kataven-flask`; one file a command group."""

from __future__ import annotations

import click

from kataven_flask.cli.check import check
from kataven_flask.cli.completion import completion
from kataven_flask.cli.demo import demo
from kataven_flask.cli.keys import keys
from kataven_flask.cli.manners import EXIT_CODES, PoliteGroup
from kataven_flask.cli.serve import serve
from kataven_flask.cli.sessions import sessions
from kataven_flask.cli.signing_keys import signing_keys
from kataven_flask.cli.tokens import tokens


@click.group(
    cls=PoliteGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="kataven-flask")
def main() -> None:
    """Sign-in for embeddable widgets, on your own server."""


for command in (serve, demo, check, keys, sessions, signing_keys, tokens, completion):
    main.add_command(command)
