"""The limit: two bytes for an answer, by a bare WSGI callable and by a bare Flask route."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

flask = Flask(__name__)


@flask.get("/")
def ok() -> str:
    """Answer two bytes."""
    return "ok"


def wsgi(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer two bytes."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
