"""The page that shows the description to a person."""

from __future__ import annotations

from typing import Any


def page(description: dict[str, Any]) -> str:
    """Return the page, as HTML."""
    return str(description)
