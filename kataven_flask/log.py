"""A line of the log: an event in words that stay the same, and what it is about in fields.

It goes by way of `logging`, so any handler takes it. As text it is the event and then logfmt:
`name=value`, the value in double quotes where it has more than plain characters. Strangers choose
some of the values, so nothing in one can end the line, begin a field, or drive a terminal.
"""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from kataven_flask.traces import trace_of

Field = str | int | float | bool
BELOW: Final = ("faults", "exception")
"""Fields that have lines of their own, below the others."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@*+\[\]-]+")
_UTF_16: Final = codecs.getencoder("utf-16-be")
"""Loaded now: a line about too many open files is written when no file can be opened."""
_SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a record of `logging` has for its message.

    Args:
        event: What has happened, in words that no value changes.
        fields: What it is about, in the order in which it is told.
    """

    event: str
    fields: Mapping[str, Field]

    def __str__(self) -> str:
        """Write it as text: one line, and those that stand below."""
        fields = {name: value for name, value in self.fields.items() if name not in BELOW}
        below = [str(self.fields[name]) for name in BELOW if name in self.fields]
        return "\n".join([" ".join([self.event, *map(_pair, fields.items())]), *below])


def _nobody_asked() -> None:
    return None


class Log:
    """Writes lines of one module.

    Args:
        name: The module's name.
    """

    request_id: ClassVar[Callable[[], str | None]] = _nobody_asked
    """Gives the id of the request that is being answered in this thread, if one is."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **fields: Field) -> None:
        """Write what an operator may like to know."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Write what an operator should look at some day."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Field) -> None:
        """Write what an operator should look at now."""
        self._write(logging.ERROR, event, fields)

    def fault(self, event: str, error: BaseException, **fields: Field) -> None:
        """Write a fault of ours, and where it was.

        Args:
            event: What failed.
            error: How; of its message nothing is told, as a secret may be in it.
            **fields: What it was about.
        """
        self._write(logging.ERROR, event, {**fields, "exception": trace_of(error)})

    def write(self, level: int, entry: Entry) -> None:
        """Write a line as it is.

        Args:
            level: How grave it is, as `logging` has it.
            entry: The line.
        """
        self._logger.log(level, entry)

    def _write(self, level: int, event: str, fields: Mapping[str, Field]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        request = Log.request_id()
        self.write(level, Entry(event, {**fields, "request_id": request} if request else fields))


def quoted(value: Field) -> str:
    """Write a value of logfmt: in quotes, unless every character is plain.

    Args:
        value: The value.

    Returns:
        Printable characters, in one line; what JSON reads where it is in quotes.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _pair(field: tuple[str, Field]) -> str:
    name, value = field
    return f"{name}={quoted(value)}"


def _escaped(character: str) -> str:
    """Write a character as JSON would, where it can't be printed or has a meaning."""
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    units, _ = _UTF_16(character, "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
