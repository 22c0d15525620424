"""Sentences of the code, written as Markdown that reads well in a repository and on the site."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

_WORDS: Final = frozenset(
    {"iss", "aud", "sub", "null", "true", "false", "-", "#", "memory:", "sha256:"}
)
_CODE: Final = re.compile(
    r"--[a-z]|/[a-z]|X-[A-Z]|[A-Z]+:[A-Z]+$|[0-9.]+[0-9]\.[0-9]|.*(?:[*<>_{}|]|://)"
    r"|(?:[\w-]+\.)+(?:com|example|net|localhost)\b|[\w./-]+\.(?:db|yaml|json)$"
)
_TOKEN: Final = re.compile(r"(?P<before>[(“]*)(?P<word>.*?)(?P<after>[,.;)”?!]*|:)")


def head(page: str) -> str:
    """Return what a page begins with: written by hand, with places for what is made."""
    return (Path(__file__).parent / "pages" / f"{page}.md").read_text(encoding="utf-8")


def prose(text: str, words: Collection[str] = ()) -> str:
    """Write plain text as Markdown: what is a name, an option or an address is set as code.

    Args:
        text: The text, in which `backticks` may stand already.
        words: More words that are names.
    """
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else _marked(part, words) for part in parts)


def _marked(text: str, words: Collection[str]) -> str:
    return " ".join(_mark(token, words) for token in text.split(" "))


def _mark(token: str, words: Collection[str]) -> str:
    if token in _WORDS:
        return code(token)
    match = _TOKEN.fullmatch(token)
    assert match  # noqa: S101 - any text matches
    word = match["word"]
    if word in _WORDS or word in words or _CODE.match(word):
        return f"{match['before']}{code(word)}{match['after']}"
    return token


def code(text: str) -> str:
    """Set a text as code, in a cell of a table too."""
    return f"`{text}`".replace("|", r"\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, without the columns that have nothing in any row; none without rows."""
    rows = list(rows)
    if not rows:
        return ""
    kept = [number for number, _ in enumerate(head) if any(row[number] for row in rows)]
    lines = [[each[number] for number in kept] for each in (head, *rows)]
    lines.insert(1, ["---"] * len(kept))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fenced(text: str, language: str) -> str:
    """Write a block of code."""
    return f"```{language}\n{text.strip()}\n```\n"


def anchor(heading: str) -> str:
    """Return the name that a heading is linked by."""
    return re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
