"""CORS: every page may read every answer of a browser route; the allowlist is the boundary."""

from __future__ import annotations

import re
from typing import Final

from flask import Flask
from flask_cors import CORS

API: Final = "/api/v1/widget"
PREFLIGHT_MAX_AGE: Final = 7200
"""Seconds that a preflight's answer is kept; browsers cap it here (Fetch, section 4.9)."""

_BROWSER_PATHS: Final = (
    rf"(?s)^({API}/(?!auth/(user-token|revoke)\b).*|/widget/.*|/\.well-known/.*|/openapi\.json)$"
)
_EXPOSED: Final = [
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Error-Code",
    "X-Request-Id",
]
READABLE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(_EXPOSED),
}
"""What flask-cors adds for a page. It leaves an answer alone that has it, and is no work there."""


def is_for_pages(path: str) -> bool:
    """Tell whether a page may call a path and read the answer.

    `user-token` and `revoke` are no page's business.
    """
    return re.match(_BROWSER_PATHS, path) is not None


def open_cors(app: Flask) -> None:
    """Let every page read every answer of a browser route.

    It is laid over the whole app, so that a 404 or a 405 is readable too. No pattern of
    origins is given to flask-cors, which would match it unanchored.

    Args:
        app: The app.
    """
    CORS(
        app,
        resources={_BROWSER_PATHS: {}},
        origins="*",
        send_wildcard=True,
        supports_credentials=False,
        methods=["GET", "POST"],
        allow_headers="*",
        expose_headers=_EXPOSED,
        max_age=PREFLIGHT_MAX_AGE,
    )
