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
