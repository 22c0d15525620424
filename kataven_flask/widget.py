"""The widget's script as it is served, and its types.

The script is packed once for all hosts, when the widget is changed (`make widget`), and lies
beside its source under a name that says which source it is of.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kataven_flask.assets import static_dir

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
PACKED: Final = "v1.{digest}.js.gz"


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
    """Return the widget's script; every process of one version has the same, to the byte."""
    return read(static_dir() / "widget")


def widget_types() -> bytes:
    """Return the types of what the script puts into a page, for a developer's TypeScript."""
    return (static_dir() / "widget" / TYPES).read_bytes()


def read(folder: Path) -> Script:
    """Read the script; where its source was changed since it was packed, pack it anew.

    Args:
        folder: Where the widget is.

    Raises:
        OSError: A file can't be read.
        ValueError: One isn't JavaScript, or CSS.

    Returns:
        The script.
    """
    style, scripts = _source(folder)
    try:
        packed = packed_file(folder).read_bytes()
    except FileNotFoundError:
        from kataven_flask.packing import pack  # noqa: PLC0415 - no server needs it

        packed = pack(style, scripts)
    text = gzip.decompress(packed)
    digest = base64.b64encode(hashlib.sha384(text).digest()).decode()
    return Script(text, packed, f"sha384-{digest}")


def packed_file(folder: Path) -> Path:
    """Return where the script is, packed, of the source that is in a folder."""
    digest = hashlib.sha256("\0".join(_source(folder)).encode()).hexdigest()
    return folder / PACKED.format(digest=digest[:16])


def _source(folder: Path) -> tuple[str, str]:
    style = (folder / STYLE).read_text("utf-8")
    return style, "\n".join((folder / name).read_text("utf-8") for name in SCRIPTS)


if __name__ == "__main__":
    packed_file(static_dir() / "widget").write_bytes(widget_script().packed)
