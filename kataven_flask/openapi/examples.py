"""Answers that were given once, by keys that are published: they verify by the JWKS among them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from kataven_flask.assets import static_dir

EXAMPLES_FILE: Final = "docs/examples.json"


@cache
def examples() -> dict[str, Any]:
    """Return all of them: `answers` by operation, and `refusals` by operation and code."""
    content: dict[str, Any] = json.loads((static_dir() / EXAMPLES_FILE).read_text("utf-8"))
    return content
