"""The command `kataven-flask`; one file a command group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from importlib import import_module
from typing import Final

import click

from kataven_flask.cli.manners import EXIT_CODES, PoliteGroup

_COMMANDS: Final = (
    "serve",
    "demo",
    "check",
    "schema",
    "tenants",
    "agents",
    "keys",
    "origins",
    "snippet",
    "doctor",
    "tokens",
    "sessions",
    "signing-keys",
    "completion",
)
"""In the order in which the help lists them."""


class _Commands(MutableMapping[str, click.Command]):
    """Reads a command's module when it is asked for, so that no command waits for the others."""

    def __init__(self, names: Iterable[str]) -> None:
        self._read: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        command = self._read[name]
        if command is None:
            module = name.replace("-", "_")
            command = getattr(import_module(f"kataven_flask.cli.{module}"), module)
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


@click.group(
    cls=PoliteGroup,
    commands=_Commands(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="kataven-flask")
def main() -> None:
    """Sign-in for embeddable widgets, on your own server."""
