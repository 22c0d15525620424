"""What stands between the fences of `docs/onboarding.md`, for the tests that run it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "onboarding.md").read_text()

FENCED: Final = [
    (match["language"], match["text"])
    for match in re.finditer(r"(?ms)^```(?P<language>\w*)\n(?P<text>.*?)^```$", PAGE)
]
"""Each block's language, empty for a drawing, and its text."""


def _named() -> dict[str, str]:
    first = re.compile(r"(?:#|//|<!--|<\?php //) (\S+\.\w+)")
    return {match[1]: text for _, text in FENCED if (match := first.match(text))}


FILES: Final = _named()
"""The blocks whose first line is a comment with a file's name, by that name."""


def write_file(folder: Path, name: str) -> Path:
    """Write a block into a folder as it stands on the page, under its name."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FILES[name], encoding="utf-8")
    return path
