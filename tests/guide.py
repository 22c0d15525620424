"""What stands between the fences of three pages of `docs/`, for the tests that run it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.docs.blocks import is_dead, name_of, read

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "onboarding.md").read_text()
WIDGET_PAGE: Final = (DOCS / "widget.md").read_text()


def _fenced(page: str) -> list[tuple[str, str]]:
    return [(block.language, block.text) for block in read("docs/page.md", page).blocks]


def _named(fenced: list[tuple[str, str]]) -> dict[str, str]:
    return {name: text for _, text in fenced if (name := name_of(text))}


FENCED: Final = _fenced(PAGE)
"""Each block's language, empty for a drawing, and its text."""
FILES: Final = _named(FENCED)
"""The blocks whose first line is a comment with a file's name, by that name."""
WIDGET_FENCED: Final = _fenced(WIDGET_PAGE)
WIDGET_FILES: Final = _named(WIDGET_FENCED)
VERIFY_FILES: Final = _named(_fenced((DOCS / "verify.md").read_text()))


def dead_links(text: str) -> list[str]:
    """Return the links of a page under `docs/` that lead nowhere; other sites aren't asked."""
    page = read("docs/page.md", text)
    return [target for target in page.links if is_dead(page, target)]


def write_file(folder: Path, name: str, files: Mapping[str, str] = FILES) -> Path:
    """Write a block into a folder as it stands on its page, under its name."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(files[name], encoding="utf-8")
    return path
