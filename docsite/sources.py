"""Where the site's pages come from: `docs/` and the files beside it, read where they lie.

A page keeps its place in the repository, so that its links are right there; in the site all pages
lie side by side. A link to a file that is no page gives the file itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.project import Project

ROOT: Final = Path(__file__).parent.parent
START: Final = "index"
CONTENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "Use it": {
        "onboarding": "docs/onboarding.md",
        "widget": "docs/widget.md",
        "protocol": "docs/protocol.md",
        "verify": "docs/verify.md",
        "testing": "docs/testing.md",
    },
    "Run it": {
        "deployment": "docs/deployment.md",
        "runbook": "docs/runbook.md",
        "configuration": "docs/configuration.md",
        "cli": "docs/cli.md",
        "environment": "docs/environment.md",
        "security": "docs/security.md",
    },
    "Measured": {
        "benchmarks": "docs/benchmarks.md",
        "performance": "docs/performance.md",
        "scale": "docs/scale.md",
        "browsers": "docs/browsers.md",
    },
    "The project": {
        "readme": "README.md",
        "changelog": "CHANGELOG.md",
        "versioning": "docs/versioning.md",
        "architecture": "ARCHITECTURE.md",
        "contributing": "CONTRIBUTING.md",
        "reporting": "SECURITY.md",
    },
}
"""The list beside every page: each page's name in the site, and its file."""
TITLES: Final = {
    "readme": "Overview",
    "versioning": "Versions",
}
"""Names in that list, where a page's own title wouldn't do."""
FILES: Final = {START: "docs/index.md"} | {
    page: file for pages in CONTENTS.values() for page, file in pages.items()
}


class Pages(Project):
    """Which file is which page; asked by Sphinx for every link."""

    def discover(
        self, exclude_paths: Iterable[str] = (), include_paths: Iterable[str] = ("**",)
    ) -> set[str]:
        """Return the names of the pages; one whose file is missing is missed by who links to it."""
        del exclude_paths, include_paths
        self.docnames = {page for page, file in FILES.items() if (ROOT / file).is_file()}
        return self.docnames

    def path2doc(self, filename: str | os.PathLike[str]) -> str | None:
        """Return the name of the page that a file is, or None."""
        path = os.path.relpath(ROOT / filename, ROOT)
        return next((page for page, file in FILES.items() if file == path), None)

    def doc2path(self, docname: str, absolute: bool) -> Any:  # noqa: FBT001 - as it is called
        """Return the file of a page."""
        file = FILES.get(docname, f"{docname}.md")
        return type(self.srcdir)(ROOT / file if absolute else file)


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx read the pages where they lie."""
    app.connect("builder-inited", _find_pages)
    app.connect("source-read", _add_contents)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _find_pages(app: Sphinx) -> None:
    app.project = app.env.project = Pages(app.srcdir, app.config.source_suffix)


def _add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Add what the list of pages is made of; in the repository nobody wants to see it."""
    del app
    if page == START:
        source[0] += "".join(map(_toctree, CONTENTS))


def _toctree(caption: str) -> str:
    entries = [f"{TITLES[p]} <{p}>" if p in TITLES else p for p in CONTENTS[caption]]
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *entries, "```", ""])
