"""`docs/cli.md`: every command, made from what click knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from docsite.markdown import anchor, code, fenced, head, prose, table
from docsite.options import NAME, Command, Option, commands
from kataven_flask.cli.manners import EXIT_CODES

_OPTIONS: Final = ("option", "what it does", "variable")
_EXAMPLES: Final = re.compile(r"Examples?:[ \n]")


def page() -> str:
    """Return the page."""
    all_ = [command for command in commands() if command.name != NAME]
    own = [command for command in all_ if not command.is_group]
    begin = head("cli").format(
        name=NAME, commands="".join(map(_line, own)), codes=table(["code", "means"], _codes())
    )
    return "\n".join([begin, *(_section(command) for command in all_)])


def _line(command: Command) -> str:
    short = command.name.removeprefix(f"{NAME} ")
    first = command.help.split("\n\n")[0].rstrip(".")
    return f"| [{code(short)}](#{anchor(short)}) | {prose(first, command.arguments)} |\n"


def _codes() -> Iterator[tuple[str, str]]:
    for number, words in re.findall(r"(?m)^\s+(\d+)\s+(.+)$", EXIT_CODES):
        yield code(number), prose(words)


def _section(command: Command) -> str:
    short = command.name.removeprefix(f"{NAME} ")
    heading = f"{'###' if ' ' in short else '##'} {short}\n"
    parts = [heading, *_body(command)]
    if not command.is_group:
        parts.insert(1, fenced(f"{command.name} {command.usage}", "text"))
        parts.append(table(_OPTIONS, map(_row, command.options)))
    return "\n".join(parts)


def _body(command: Command) -> Iterator[str]:
    """Write a command's help: sentences as sentences, what is laid out by hand as it is."""
    for paragraph in re.split(r"\n\s*\n", command.help):
        by_hand = paragraph.startswith("\b")
        text = paragraph.removeprefix("\b\n")
        if examples := _EXAMPLES.match(text):
            yield "For example:\n\n" + fenced(_flush(text[examples.end() :]), "sh")
        elif by_hand:
            yield fenced(_flush(text), "text")
        else:
            yield prose(text, command.arguments) + "\n"


def _flush(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    return "\n".join(line[margin:] for line in lines)


def _row(option: Option) -> tuple[str, str, str]:
    link = option.variable and f"[{code(option.variable)}](environment.md)"
    return code(option.written), option.sentence, link
