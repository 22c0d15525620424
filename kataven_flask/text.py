"""What counts as text that a person wrote."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Final

_escape: Final = codecs.getencoder("unicode_escape")
"""Loaded now: what is to be told may be that no file can be opened."""
_CONTROLS: Final = {"Cc", "Cs"}
"""Control characters, and halves of surrogate pairs, which are no characters at all."""
_UNSEEN: Final = _CONTROLS | {"Cf", "Cn", "Co", "Zl", "Zp"}
"""With these, what has no look of its own: what turns the direction of writing (Unicode
Standard, annex 9), what is invisible, what isn't assigned, and the ends of lines."""


def has_control_characters(text: str, *, but: str = "") -> bool:
    """Tell whether a text has control characters.

    Args:
        text: The text.
        but: The control characters that are welcome.

    Returns:
        Whether it has others.
    """
    if text.isprintable():  # nearly all texts are, and that is told faster
        return False
    return any(unicodedata.category(c) in _CONTROLS and c not in but for c in text)


def printable(text: str, limit: int | None = None) -> str:
    """Write a text so that a terminal or a log shows it and obeys none of it.

    Args:
        text: The text, whoever wrote it.
        limit: The most characters to keep; None for all.

    Returns:
        One line, with escapes, as a string in Python has them, for what isn't seen.
    """
    cut = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    return "".join(
        _escape(c)[0].decode("ascii") if unicodedata.category(c) in _UNSEEN else c for c in cut
    )


def visible(text: str) -> str:
    """Write a stranger's text as `printable` does, and so that no escape can be one of theirs.

    Args:
        text: The text.

    Returns:
        One line, in which a backslash of the stranger's is doubled.
    """
    return printable(text.replace("\\", "\\\\"))
