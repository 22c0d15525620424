"""The command `kataven-flask`; one file a command group."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import Final

import click

from kataven_flask.cli.environment import RULE, add_variables
from kataven_flask.cli.manners import EXIT_CODES, PoliteGroup

_COMMANDS: Final = {
    "serve": "Serve the sign-in endpoints until Ctrl-C or SIGTERM.",
    "demo": "Show the whole handshake in your browser.",
    "check": "Print every fault of the tenants' file.",
    "schema": "Write the file's JSON Schema, for editors.",
    "tenants": "Add, list, show and remove tenants.",
    "agents": "Add what a tenant's visitors talk to.",
    "keys": "Create, list, rotate and revoke a tenant's keys.",
    "origins": "Say where a client key may be used; ask why it may not.",
    "snippet": "Print the snippet that a tenant pastes into its pages.",
    "doctor": "Find out why the widget doesn't come up.",
    "tokens": "Read tokens, and say why one is refused.",
    "sessions": "End sessions, or find a user's lines in the log.",
    "signing-keys": "See, rotate and prune the keys that sign tokens.",
    "completion": "Complete commands in bash, zsh or fish.",
}
"""In the order in which the help lists them, each with its own first line."""


class _Commands(MutableMapping[str, click.Command]):
    """Reads a command's module when it is asked for, so that no command waits for the others."""

    def __init__(self, names: Iterable[str]) -> None:
        self._read: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        command = self._read[name]
        if command is None:
            module = name.replace("-", "_")
            gc.disable()  # what is imported stays: to look for garbage in it takes its time
            command = getattr(import_module(f"kataven_flask.cli.{module}"), module)
            gc.freeze()
            gc.enable()
            add_variables(command, name)
            self._read[name] = command
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._read[name] = command

    def __delitem__(self, name: str) -> None:
        del self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


class _Main(PoliteGroup):
    """Lists and completes its commands by their names and first lines, and reads none for it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return what stands for a command until it is run."""
        del ctx
        help_ = _COMMANDS.get(cmd_name)
        return None if help_ is None else click.Command(cmd_name, help=help_)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command itself, which is to be run."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if name is None or found is None else self.commands[name], rest


@click.group(
    cls=_Main,
    commands=_Commands(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"{EXIT_CODES}\n\n{RULE}",
)
@click.version_option(package_name="kataven-flask")
def main() -> None:
    """Sign-in for embeddable widgets, on your own server."""
