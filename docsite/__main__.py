"""Writes the pages of `docs/` that are made from the code.

python -m docsite
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docsite import cli, configuration, environment

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": cli.page,
    "configuration.md": configuration.page,
    "environment.md": environment.page,
}
"""Each page, and what makes it."""

if __name__ == "__main__":
    for name, made in PAGES.items():
        (DOCS / name).write_text(made(), encoding="utf-8")
