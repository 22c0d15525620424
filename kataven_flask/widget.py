"""The widget's script as it is served: its files joined, squeezed and packed, once at the start."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from zopfli.gzip import compress

from kataven_flask.assets import static_dir

try:
    import minify
except ImportError:  # it has no build for this system: the script works as it is, and is larger
    minify = None

SCRIPTS: Final = (
    "strings.js",
    "view.js",
    "widget.js",
    "elements.js",
    "store.js",
    "session.js",
    "requests.js",
    "page.js",
)
"""In this order: what is alike packs best side by side, and the last one begins."""
STYLE: Final = "style.css"
TYPES: Final = "v1.d.ts"
_WRAPPED: Final = "(() => {{ 'use strict'; const STYLE = {style}; {scripts} }})();"


@dataclass(frozen=True, slots=True)
class Script:
    """A script as browsers get it.

    Args:
        text: UTF-8.
        packed: The same as gzip (RFC 1952), by a packer that is slow and thorough.
        integrity: What a `<script integrity>` may demand (W3C, Subresource Integrity).
    """

    text: bytes
    packed: bytes
    integrity: str


@cache
def widget_script() -> Script:
    """Return the widget's script; every process of one version makes the same, to the byte."""
    return build(static_dir() / "widget")


def widget_types() -> bytes:
    """Return the types of what the script puts into a page, for a developer's TypeScript."""
    return (static_dir() / "widget" / TYPES).read_bytes()


def build(folder: Path) -> Script:
    """Join and squeeze the widget's files.

    Args:
        folder: Where they are.

    Raises:
        OSError: One can't be read.
        ValueError: One isn't JavaScript, or CSS.

    Returns:
        The script.
    """
    style = _squeezed("text/css", (folder / STYLE).read_text())
    scripts = "\n".join((folder / name).read_text() for name in SCRIPTS)
    source = _WRAPPED.format(style=json.dumps(style), scripts=scripts)
    text = _squeezed("application/javascript", source).encode()
    digest = base64.b64encode(hashlib.sha384(text).digest()).decode()
    return Script(text, compress(text), f"sha384-{digest}")


def _squeezed(kind: str, text: str) -> str:
    if minify is None:
        return text
    squeezed: str = minify.string(kind, text)
    return squeezed
