"""What counts as text that a person wrote."""

from __future__ import annotations

import unicodedata
from typing import Final

_CONTROLS: Final = {"Cc", "Cs"}
"""Control characters, and halves of surrogate pairs, which are no characters at all."""


def has_control_characters(text: str, *, but: str = "") -> bool:
    """Tell whether a text has control characters.

    Args:
        text: The text.
        but: The control characters that are welcome.

    Returns:
        Whether it has others.
    """
    return any(unicodedata.category(c) in _CONTROLS and c not in but for c in text)


def printable(text: str, limit: int) -> str:
    """Write a text so that a terminal or a log shows it and does nothing else.

    Args:
        text: The text, whoever wrote it.
        limit: The most characters to keep.

    Returns:
        One line: what isn't a visible character stands as its escape, what is too long is cut.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
