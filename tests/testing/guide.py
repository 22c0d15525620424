"""What stands on `docs/testing.md`, for the tests that run it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
FENCED: Final = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", PAGE)
"""Each block's language and its text."""
_NAMED: Final = re.compile(r"(?:#|//) (\S+\.\w+)\n")
FILES: Final = {match[1]: text for _, text in FENCED if (match := _NAMED.match(text))}
"""The blocks that begin with a comment of a file's name, by that name."""


def table(heading: str) -> list[list[str]]:
    """Return the cells of each row of the first table below a heading, without its head."""
    below = PAGE.partition(f"\n## {heading}\n")[2]
    found = re.search(r"(?m)^(?:\|.*\n)+", below)
    assert found, heading
    rows = found[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
