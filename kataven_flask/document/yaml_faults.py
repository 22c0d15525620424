"""What the YAML parser refuses, in the operator's words: the place to mend, and what to write.

The parser stops where it can't go on, which may be far behind the slip: a quote that is
never closed ends at the next quote of the file. So the lines are looked at again. It is
read at a fault alone, so it may take its time.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import yaml

MAX_DEPTH: Final = 64
"""Levels of a file; the deepest member of a tenants' file stands on the eighth."""
_BASE: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_BASE):  # type: ignore[misc, valid-type]  # whichever of the two there is
    """Reads YAML, but no nesting without end: the C loader goes down until the process crashes."""

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, _current_index: object) -> None:
        """Go down a level; it is called before each node."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = current_node.start_mark if current_node else None
            raise yaml.composer.ComposerError(
                problem=f"nested over {MAX_DEPTH} levels deep", problem_mark=mark
            )

    def ascend_resolver(self) -> None:
        """Come up a level."""
        self._depth -= 1


_HINTS: Final = {
    "tab": "indent with spaces",
    "mapping values": "text with `: ` in it goes in quotes, and a name is followed by `: `",
    "alphabetic": "text with a * or & at its start goes in quotes",
    "undefined alias": "text with a * at its start goes in quotes",
    "start any token": "text that begins with @, ` or % goes in quotes",
    "expected ':'": "write a colon and a space after the member's name, here or on the line above",
    "another document": "write one document a file, without a second ---",
    "escape character": r"write \\ for a backslash between double quotes",
    "expected ','": "close the bracket before, or write a comma",
    "expected key": "check the quotes and the indentation, here and on the lines above",
    "'-' indicator": "check the indentation, here and on the lines above",
    "node content": "write a value, or close the bracket before",
    "levels deep": "write fewer levels",
}
"""What to do, by a few words of what the YAML parser says."""
_HINT: Final = "text with a special character in it goes in quotes"

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""YAML 1.1, section 4.2 (b-break)."""
_COLON = re.compile(r"^ *(?:- +)*[\w-]+:([^\S \t]|[\u200b-\u200d\u2060\ufeff])")
_CONTENT = re.compile(r" *[^ #]")
_MEMBER = re.compile(r" *(?:- +)*[\w-]+:(?: |$)")
_TENANT = re.compile(r" +(?:name|agents|keys):")
_INVISIBLE: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff")
_FEW_LINES: Final = 3
"""So far behind a quote that closes in the wrong place does the parser stumble over what follows:
what stands behind the quote may be a comment to it."""


@dataclass(frozen=True, slots=True)
class YamlFault:
    """Why a text is no YAML.

    Args:
        line: Where, from 1; 0 where that isn't known.
        column: Where, from 1; 0 where that isn't known.
        message: What is wrong and what to write instead.
    """

    line: int
    column: int
    message: str


def lines_of(raw: bytes) -> list[str]:
    """Split a file into lines as YAML does."""
    return _BREAK.split(raw.decode("utf-8-sig", "replace"))


def odd_blank(text: str) -> str:
    """Name what looks like a blank at the start of a text, and is no space and no tab."""
    first = text.lstrip(" \t")[:1]
    if not first or not (first.isspace() or first in _INVISIBLE):
        return ""
    name = unicodedata.name(first, "blank").lower()
    return f"U+{ord(first):04X} ({name}) in the indentation; indent with plain spaces"


def yaml_fault(error: yaml.MarkedYAMLError, raw: bytes) -> YamlFault:
    """Tell what the parser refused.

    Args:
        error: What it said.
        raw: The whole file.

    Returns:
        The likely cause, where it stands.
    """
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context)
    if mark is None:
        return YamlFault(0, 0, f"{problem}; {_HINT}")
    lines = [*lines_of(raw), ""]
    at = min(mark.line, len(lines) - 1)
    return (
        _blank(lines[at], at, mark.column, problem)
        or _behind_colon(lines, at)
        or _open_quote(error, raw)
        or _left_margin(lines, at)
        or _between(lines, at, mark.column, problem)
        or YamlFault(at + 1, mark.column + 1, f"{problem}; {_hint(problem)}")
    )


def _hint(problem: str) -> str:
    return next((hint for words, hint in _HINTS.items() if words in problem), _HINT)


def _blank(line: str, at: int, column: int, problem: str) -> YamlFault | None:
    """Find a tab or an odd blank where spaces belong."""
    if line[column : column + 1] == "\t" and "start any token" in problem:
        return YamlFault(at + 1, column + 1, "found a tab here; indent with spaces")
    if words := odd_blank(line):
        return YamlFault(at + 1, line.index(line.lstrip(" \t")[0]) + 1, words)
    return None


def _behind_colon(lines: list[str], at: int) -> YamlFault | None:
    """Find what looks like the space behind a colon, here or on the line above."""
    for line in range(at, max(at - 2, -1), -1):
        if found := _COLON.search(lines[line]):
            message = f"U+{ord(found[1]):04X} behind a colon looks like a space; write a plain one"
            return YamlFault(line + 1, found.start(1) + 1, message)
    return None


# --- quotes


def _open_quote(error: yaml.MarkedYAMLError, raw: bytes) -> YamlFault | None:
    """Find the quote that was never closed: it swallowed members, up to another text's quote."""
    problem, start = error.problem_mark, error.context_mark
    never = start is not None and "quoted scalar" in str(error.context)
    never = never and "escape" not in str(error.problem)
    stumbled = start if never else problem
    if stumbled is None:
        return None
    swallowing = [
        token
        for token in _quoted(raw, stumbled)
        if token.start_mark.line < token.end_mark.line
        and 0 <= stumbled.line - token.end_mark.line <= _FEW_LINES
        and _holds_members(raw, token)
    ]
    if swallowing:
        first, end = swallowing[-1].start_mark, swallowing[-1].end_mark.line + 1
        message = f"the quote that opens here is closed on line {end} only"
        return YamlFault(first.line + 1, first.column + 1, f"{message}; close it behind its text")
    if never and start is not None:
        message = "this quote is never closed; close it behind its text"
        return YamlFault(start.line + 1, start.column + 1, message)
    return None


def _quoted(raw: bytes, stumbled: yaml.Mark) -> list[yaml.ScalarToken]:
    """Return the quoted texts, up to where the parser or the scanner can't go on."""
    found: list[yaml.ScalarToken] = []
    with suppress(yaml.YAMLError):
        for token in yaml.scan(raw, Loader=Loader):
            if token.start_mark.index > stumbled.index:
                break  # what follows may be nested without end, and is scanned ever slower
            if isinstance(token, yaml.ScalarToken) and not token.plain:
                found.append(token)
    return found


def _holds_members(raw: bytes, token: yaml.ScalarToken) -> bool:
    inside = lines_of(raw)[token.start_mark.line + 1 : token.end_mark.line + 1]
    return token.style in {"'", '"'} and any(map(_MEMBER.match, inside))


# --- indentation


def _left_margin(lines: list[str], at: int) -> YamlFault | None:
    """Find the tenant at the left margin that ends the mapping of tenants."""
    if not lines[at].startswith(" "):
        return None
    top = next((i for i in range(at, -1, -1) if re.match(r"[\w-]+:", lines[i])), None)
    if top is None or lines[top].startswith("tenants:"):
        return None
    if not any(map(_TENANT.match, lines[top:at])):
        return None
    name = lines[top].partition(":")[0]
    return YamlFault(top + 1, 1, f"{name} looks like a tenant: indent it, to stand under tenants")


def _between(lines: list[str], at: int, column: int, problem: str) -> YamlFault | None:
    """Tell of a line that is indented like none above it."""
    if not ("expected key" in problem or "'-' indicator" in problem):
        return None
    if lines[at][:column].strip(" "):
        return None  # the trouble is in the line, not before it
    open_at = _open_indents(lines, at)
    for inner, outer in pairwise(open_at):
        if outer < column < inner:
            message = f"indented by {column}, which fits no line above; write {outer} or {inner}"
            return YamlFault(at + 1, column + 1, f"{message} spaces")
    return None


def _open_indents(lines: list[str], at: int) -> list[int]:
    """Return the indentation of the lines above that hold one another, the innermost first."""
    found: list[int] = []
    for line in reversed(lines[:at]):
        if _CONTENT.match(line):
            indent = len(line) - len(line.lstrip(" "))
            if not found or indent < found[-1]:
                found.append(indent)
    return found
