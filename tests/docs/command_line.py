"""A command line as the command itself reads it, without doing what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from kataven_flask.cli import main

OMITTED: Final = "…"
"""Stands on a page for what its reader knows."""


def parse(words: Sequence[str]) -> None:
    """Have the command read a line; refuse it as the command would.

    A command that is only named, or whose arguments are left out by a `…`, need not be whole.

    Args:
        words: What stands behind `kataven-flask`.

    Raises:
        click.ClickException: It would be refused.
        AssertionError: There is no such command or option.
    """
    command: click.Command = main
    name, rest = "", list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        assert name in command.commands, f"there is no command {name!r}"
        command = command.commands[name]
    if not rest or isinstance(command, click.Group):
        return
    is_cut = "--help" in rest or OMITTED in rest
    # Without a parent the command would forget its `-h`, for all tests of this process.
    parent = click.Context(main, **main.context_settings)
    command.make_context(name, list(rest), parent=parent, resilient_parsing=is_cut)
    known = {option for each in command.params for option in each.opts} | {"--help", "-h"}
    unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - known
    assert not unknown, f"there is no option {unknown}"
