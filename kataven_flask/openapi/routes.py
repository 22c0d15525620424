"""The routes of the description and of its page; neither is read before it is asked for."""

from __future__ import annotations

from functools import partial

from flask import Flask, Response, request

from kataven_flask import answers
from kataven_flask.openapi.keeping import DOCS_CACHE, DOCS_FILES


def add_docs_routes(app: Flask) -> None:
    """Add them.

    Args:
        app: The app.
    """

    @app.get("/openapi.json")
    def openapi() -> Response:
        return _kept("openapi.json")

    @app.get("/docs")
    def docs() -> Response:
        return _kept("page.html")

    for name in DOCS_FILES:
        app.get(f"/docs/{name}", endpoint=name.replace(".", "-"))(partial(_kept, name))


def _kept(name: str) -> Response:
    from kataven_flask.openapi.written import written  # noqa: PLC0415 - no start pays for it

    file = written(name)
    packed = request.accept_encodings["gzip"] > 0
    body, tag = (file.packed, file.tags[1]) if packed else (file.text, file.tags[0])
    response = Response(body, content_type=file.content_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    if file.policy:
        response.headers["Content-Security-Policy"] = file.policy
    response.vary.add("Accept-Encoding")
    response.set_etag(tag)
    response.headers["Cache-Control"] = DOCS_CACHE
    return answers.unless_known(response, tag)
