"""The widget's script squeezed and packed: thoroughly, which takes time, memory and two libraries.

A server doesn't do it: what was packed is beside the widget's source.
"""

from __future__ import annotations

import json
from typing import Final

from zopfli.gzip import compress

try:
    import minify
except ImportError:  # it has no build for this system: the script works as it is, and is larger
    minify = None

_WRAPPED: Final = "(() => {{ 'use strict'; const STYLE = {style}; {scripts} }})();"


def pack(style: str, scripts: str) -> bytes:
    """Join, squeeze and pack; the same always gives the same, to the byte.

    Args:
        style: The style sheet.
        scripts: The scripts, in their order.

    Raises:
        ValueError: One isn't JavaScript, or CSS.

    Returns:
        The script in UTF-8, as gzip (RFC 1952).
    """
    literal = json.dumps(_squeezed("text/css", style))
    source = _WRAPPED.format(style=literal, scripts=scripts)
    packed: bytes = compress(_squeezed("application/javascript", source).encode())
    return packed


def _squeezed(kind: str, text: str) -> str:
    if minify is None:
        return text
    squeezed: str = minify.string(kind, text)
    return squeezed
