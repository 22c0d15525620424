"""Children of a flow (`[…]`, `{…}`) in a YAML text: one put in, one taken out.

A flow may stand on several lines, each child with a comment behind it. A comment stays
with its child: it goes where its child goes, and never with another one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

Span: TypeAlias = tuple[int, int]
"""Where something begins, and where it ends."""

_COMMA: Final = re.compile(r"(?:\s|#[^\n]*+)*+,")
"""The comma after a child: white space and comments may stand before it."""
_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")
_SPACES: Final = re.compile(r"[ \t]*(?!#)")
"""A comment keeps a space before it."""


def add_child(text: str, start: int, spans: Sequence[Span], words: str) -> str:
    """Write a child behind the last one, on a line of its own if that one has its own.

    Args:
        text: The whole YAML text.
        start: Where the flow begins.
        spans: Where its children stand.
        words: The new child.

    Returns:
        The new text.
    """
    if not spans:
        return f"{text[: start + 1]}{words}{text[start + 1 :]}"
    last = spans[-1]
    end = last[1]
    comma = _comma_behind(text, end)
    line = _own_lines(text, last, comma)
    if line is None:
        return f"{text[:end]}, {words}{text[end:]}"
    indent = text[line[0] : last[0]]
    first, behind = ("", ",") if comma else (",", "")
    return f"{text[:end]}{first}{text[end : line[1]]}{indent}{words}{behind}\n{text[line[1] :]}"


def cut_child(text: str, spans: Sequence[Span], index: int) -> str:
    """Take out a child with its comma and, where it has lines of its own, with these.

    Args:
        text: The whole YAML text.
        spans: Where the children stand.
        index: Which of them goes.

    Returns:
        The new text.
    """
    span = spans[index]
    comma = _comma_behind(text, span[1])
    other = comma
    if comma is None and index:  # the last one: without it, the comma before is one too many
        other = _comma_behind(text, spans[index - 1][1])
    cut = _own_lines(text, span, comma) or _within_line(text, span, comma)
    for start, end in sorted({cut, other or cut}, reverse=True):
        if (start, end) == cut or not cut[0] <= start < cut[1]:
            text = text[:start] + text[end:]
    return text


def _comma_behind(text: str, end: int) -> Span | None:
    found = _COMMA.match(text, end)
    return (found.end() - 1, found.end()) if found else None


def _own_lines(text: str, span: Span, comma: Span | None) -> Span | None:
    """Return the lines that a child has for itself, its comma and its comment; None if none."""
    start = text.rfind("\n", 0, span[0]) + 1
    rest = _REST_OF_LINE.match(text, _end(text, span, comma))
    return (start, rest.end()) if rest and not text[start : span[0]].strip() else None


def _within_line(text: str, span: Span, comma: Span | None) -> Span:
    """Return a child, its comma and the spaces that set it off from the others."""
    start, end = span[0], _end(text, span, comma)
    if comma is None:
        return len(text[:start].rstrip(" \t")), end
    spaces = _SPACES.match(text, end)
    return start, spaces.end() if spaces else end


def _end(text: str, span: Span, comma: Span | None) -> int:
    """Return where a child ends, with its comma if that stands in the same line."""
    return comma[1] if comma and "\n" not in text[span[1] : comma[0]] else span[1]
