"""Every command and option, as click has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import click

from docsite.markdown import code, prose
from kataven_flask.cli import main

NAME: Final = "kataven-flask"
REQUIRED: Final = "**required**"
_DEFAULT: Final = re.compile(r"\s*\[default: (?P<default>.+)\]$")
_LITERAL: Final = re.compile(r"[^a-z\s]\S*")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command.

    Args:
        written: As it is typed, with what follows it.
        flag: Its long name.
        help: What it does.
        default: What it is without, as Markdown; empty where that goes without saying.
        variable: The environment variable that sets it; empty for none.
    """

    written: str
    flag: str
    help: str
    default: str
    variable: str

    @property
    def sentence(self) -> str:
        """Say what it does, and what it is without; for a cell of a table."""
        told = prose(self.help)
        if self.default == REQUIRED:
            return f"{told} Required."
        return f"{told.removesuffix('.')}. Default: {self.default}" if self.default else told


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Args:
        name: All of its words.
        usage: What follows them.
        help: What its help says, as it is laid out there.
        arguments: The names of what it is given by place.
        options: What it has of its own.
        is_group: Whether it only holds others.
    """

    name: str
    usage: str
    help: str
    arguments: tuple[str, ...]
    options: tuple[Option, ...]
    is_group: bool


def commands() -> Iterator[Command]:
    """Walk through all commands, in the order of the help."""
    yield from _walk(main, NAME, None)


def _walk(command: click.Command, word: str, parent: click.Context | None) -> Iterator[Command]:
    settings = command.context_settings
    with click.Context(command, info_name=word, parent=parent, **settings) as context:
        yield _described(command, context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from _walk(command.commands[name], name, context)


def _described(command: click.Command, context: click.Context) -> Command:
    params = command.get_params(context)
    return Command(
        name=context.command_path,
        usage=" ".join(command.collect_usage_pieces(context)),
        help=_dedented(command.help or ""),
        arguments=tuple(
            word
            for p in params
            if isinstance(p, click.Argument)
            for word in {p.human_readable_name.upper(), p.make_metavar(context).rstrip(".")}
        ),
        options=tuple(
            _option(p, context)
            for p in params
            if isinstance(p, click.Option) and not p.hidden and "--help" not in p.opts
        ),
        is_group=isinstance(command, click.Group),
    )


def _dedented(text: str) -> str:
    first, _, rest = text.partition("\n")
    lines = rest.splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in lines)]).strip()


def _option(option: click.Option, context: click.Context) -> Option:
    record = option.get_help_record(context)
    assert record  # noqa: S101 - None for hidden ones alone
    help_ = option.help or ""
    told = _DEFAULT.search(help_)
    return Option(
        written=record[0].replace("INTEGER RANGE", "NUMBER"),
        flag=max(option.opts, key=len),
        help=_with_range(_DEFAULT.sub("", help_), option.type),
        default=_told(told["default"]) if told else _default(option, context),
        variable=_variable(option, context),
    )


def _told(default: str) -> str:
    """Write what a help says of a default: a value as code, words as words."""
    return code(default) if _LITERAL.fullmatch(default) else prose(default)


def _default(option: click.Option, context: click.Context) -> str:
    if option.required:
        return REQUIRED
    if option.is_flag or not option.show_default:
        return ""
    return code(str(option.get_default(context)))


def _with_range(text: str, type_: Any) -> str:
    if not isinstance(type_, click.IntRange) or f"{type_.min} to {type_.max}" in text:
        return text
    return f"{text} {type_.min:,} to {type_.max:,}."


def _variable(option: click.Option, context: click.Context) -> str:
    if option.envvar:
        return option.envvar if isinstance(option.envvar, str) else option.envvar[0]
    if option.allow_from_autoenv and context.auto_envvar_prefix:
        return f"{context.auto_envvar_prefix}_{option.name}".upper()
    return ""
