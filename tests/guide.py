"""What stands between the fences of two pages of `docs/`, for the tests that run it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "onboarding.md").read_text()
WIDGET_PAGE: Final = (DOCS / "widget.md").read_text()


def _fenced(page: str) -> list[tuple[str, str]]:
    fence = re.compile(r"(?ms)^```(?P<language>\w*)\n(?P<text>.*?)^```$")
    return [(match["language"], match["text"]) for match in fence.finditer(page)]


def _named(fenced: list[tuple[str, str]]) -> dict[str, str]:
    first = re.compile(r"(?:#|//|<!--|<\?php //) (\S+\.\w+)")
    return {match[1]: text for _, text in fenced if (match := first.match(text))}


FENCED: Final = _fenced(PAGE)
"""Each block's language, empty for a drawing, and its text."""
FILES: Final = _named(FENCED)
"""The blocks whose first line is a comment with a file's name, by that name."""
WIDGET_FENCED: Final = _fenced(WIDGET_PAGE)
WIDGET_FILES: Final = _named(WIDGET_FENCED)


def anchors(text: str) -> set[str]:
    """Return the names that a page's headings can be linked by."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}


def dead_links(page: str) -> list[str]:
    """Return the links of a page under `docs/` that lead nowhere."""
    dead = []
    for target in re.findall(r"\]\(([^)]+)\)", page):
        name, _, anchor = target.partition("#")
        file = DOCS / name
        there = not name or file.is_file()
        if not there or (anchor and anchor not in anchors(file.read_text() if name else page)):
            dead.append(target)
    return dead


def write_file(folder: Path, name: str, files: Mapping[str, str] = FILES) -> Path:
    """Write a block into a folder as it stands on its page, under its name."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(files[name], encoding="utf-8")
    return path
