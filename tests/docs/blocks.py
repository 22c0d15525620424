"""What stands on the pages, as a Markdown parser reads it: blocks, inline code, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parents[2]
PLACES: Final = ("*.md", "docs/**/*.md", "examples/**/*.md")
"""Where pages are. `benchmarks/*.md` are what two pages of `docs/` are made from."""
_NAME: Final = re.compile(r"(?:#|//|<!--|<\?php //) (\S+\.\w+)(?: -->)?\s*$")
_TARGETS: Final = {"link_open": "href", "image": "src"}
_PARSER: Final = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences.

    Args:
        page: The page's path from the top of the repository.
        line: Where its text begins on the page, from 1.
        language: The word behind the fence; empty where there is none.
        text: What stands in it, without the indentation of a list.
        trail: The headings that it stands under, the page's title first.
    """

    page: str
    line: int
    language: str
    text: str
    trail: tuple[str, ...]

    @property
    def first(self) -> str:
        """Its first line."""
        return self.text.partition("\n")[0]

    @property
    def name(self) -> str:
        """The file that its first line, a comment, names; empty where it names none."""
        return name_of(self.text)

    def __str__(self) -> str:
        """Where it is, as an editor opens it."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, read.

    Args:
        path: Its path from the top of the repository.
        blocks: What stands between its fences.
        code: What stands between backticks in its lines.
        links: Where its links and pictures lead.
        anchors: What its headings can be linked by.
    """

    path: str
    blocks: tuple[Block, ...]
    code: tuple[str, ...]
    links: tuple[str, ...]
    anchors: frozenset[str]


@cache
def pages() -> dict[str, Page]:
    """Return all pages by their paths."""
    found = {path for place in PLACES for path in ROOT.glob(place)}
    names = sorted(path.relative_to(ROOT).as_posix() for path in found)
    return {name: read(name, (ROOT / name).read_text()) for name in names if _is_ours(name)}


def blocks() -> tuple[Block, ...]:
    """Return the blocks of all pages."""
    return tuple(block for page in pages().values() for block in page.blocks)


def read(path: str, text: str) -> Page:
    """Read a page."""
    tokens = _PARSER.parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    code = tuple(token.content for token in inner if token.type == "code_inline")
    targets = [token.attrGet(_TARGETS.get(token.type, "")) for token in inner]
    links = tuple(str(target) for target in targets if target)
    return Page(path, tuple(_blocks(path, tokens)), code, links, frozenset(_anchors(tokens)))


def is_dead(page: Page, target: str) -> bool:
    """Tell whether a link of a page leads to no page, file or heading of ours."""
    if re.match(r"[a-z]+:", target):
        return False
    name, _, anchor = target.partition("#")
    place = (ROOT / page.path).parent / name
    if not place.exists():
        return True
    path = place.resolve().relative_to(ROOT).as_posix()
    if not anchor:
        return False
    there = page if not name else pages().get(path)
    return there is None or anchor not in there.anchors


def name_of(text: str) -> str:
    """Return the file that a text's first line names, in the comment of any language."""
    found = _NAME.match(text.partition("\n")[0])
    return found[1] if found else ""


def _is_ours(name: str) -> bool:
    return not {"node_modules", ".venv", "_build"} & set(name.split("/"))


def _blocks(path: str, tokens: list[Token]) -> Iterator[Block]:
    trail: list[str] = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            level = int(token.tag[1:])
            del trail[level - 1 :]
            trail += [""] * (level - 1 - len(trail)) + [_words(tokens[number + 1])]
        elif token.type in {"fence", "code_block"}:
            line = (token.map or [0])[0] + (2 if token.type == "fence" else 1)
            language = (token.info.split() or [""])[0]
            yield Block(path, line, language, token.content, tuple(filter(None, trail)))


def _anchors(tokens: list[Token]) -> Iterator[str]:
    """Name each heading as GitHub does; of two with the same words the second gets a number."""
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            words = _words(tokens[number + 1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            count = seen[anchor] = seen.get(anchor, -1) + 1
            yield f"{anchor}-{count}" if count else anchor


def _words(inline: Token) -> str:
    """Return a heading's words without what makes them bold, code or a link."""
    return "".join(child.content for child in inline.children or ())
