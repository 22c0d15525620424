"""How commands print: a table, JSON, a note; results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Final, Literal

import click

from kataven_flask.keys import redacted
from kataven_flask.text import printable

Tone = Literal["good", "bad", "warn", "dim", "strong"]

_STYLES: Final[dict[Tone, dict[str, Any]]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warn": {"fg": "magenta"},  # yellow can't be read on white
    "dim": {"dim": True},
    "strong": {"bold": True},
}
_GAP: Final = "  "


def styled(text: str, tone: Tone) -> str:
    """Color a text; click takes the color out again where it isn't for a terminal.

    Args:
        text: The text.
        tone: What it means, whatever the color.

    Returns:
        The text with terminal codes around it.
    """
    return click.style(text, **_STYLES[tone])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out columns, each as wide as its widest cell.

    Args:
        headings: One a column, in capitals.
        rows: The cells, without color; a line break or the like in one is shown as an escape.

    Returns:
        The lines, without a newline at the end.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    columns = zip_longest(headings, *rows, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    lines = [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    ]
    return "\n".join([styled(lines[0], "dim"), *lines[1:]])


def counted(number: int, thing: str) -> str:
    """Write how many there are of something, for example `1 tenant` or `2 tenants`."""
    return f"{number} {thing}{'s' * (number != 1)}"


def fit(text: str) -> str:
    """Make lines fit to be shown, whoever wrote them: no secret key, nothing a terminal obeys."""
    return "\n".join(
        "\t".join(printable(part) for part in line.split("\t"))
        for line in redacted(text).split("\n")
    )


def print_json(value: object) -> None:
    """Print one JSON value for a script, with escapes for what a terminal would obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    click.echo("".join(c if c == "\n" or c.isprintable() else _json_escape(c) for c in text))


def note(text: str) -> None:
    """Tell a person something beside the result, on stderr."""
    click.echo(text, err=True)


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]
