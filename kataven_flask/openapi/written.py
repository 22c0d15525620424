"""The description and its page as they are served, written when they are first asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from kataven_flask.assets import static_dir
from kataven_flask.openapi.document import document
from kataven_flask.openapi.keeping import DOCS_FILES, PAGE_POLICY, Kept
from kataven_flask.openapi.page import page


@lru_cache(maxsize=8)
def written(name: str) -> Kept:
    """Return a file by its name.

    Args:
        name: `openapi.json`, `page.html`, or one of `DOCS_FILES`.
    """
    return _WRITERS[name]()


def _description() -> Kept:
    text = json.dumps(document(), ensure_ascii=False, separators=(",", ":"))
    return Kept.of("application/json", text.encode())


def _page() -> Kept:
    return Kept.of("text/html; charset=utf-8", page(document()).encode(), PAGE_POLICY)


def _file(name: str) -> Callable[[], Kept]:
    return lambda: Kept.of(DOCS_FILES[name], (static_dir() / "docs" / name).read_bytes())


_WRITERS: Final[Mapping[str, Callable[[], Kept]]] = {
    "openapi.json": _description,
    "page.html": _page,
    **{name: _file(name) for name in DOCS_FILES},
}
