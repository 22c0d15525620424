"""Flask, WSGI and ASGI, each asked in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import Client

from kataven_flask.verify import Session, SessionVerifier, asgi, wsgi
from kataven_flask.verify.flask import require_session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    headers: Headers
    body: bytes


Door: TypeAlias = Callable[[str, Mapping[str, str] | Headers], Reply]
"""Asks by a method with headers."""


def seen(session: Session) -> str:
    """Tell whom an app saw."""
    return f"{session.tenant} {session.visitor_id}"


def flask_door(verifier: SessionVerifier) -> Door:
    """Return a Flask app with a view behind the decorator."""
    app = Flask(__name__)

    @app.route("/connect", methods=["GET", "POST"])
    @require_session(verifier)
    def connect(session: Session) -> str:
        return seen(session)

    return _wsgi(app)


def wsgi_door(verifier: SessionVerifier) -> Door:
    """Return a WSGI app behind the middleware."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return [b"the app's own"]
        return [seen(wsgi.session_of(environ)).encode()]

    return _wsgi(wsgi.SessionMiddleware(app, verifier))


def asgi_door(verifier: SessionVerifier) -> Door:
    """Return an ASGI app behind the middleware."""

    async def app(scope: asgi.Scope, _receive: asgi.Receive, send: asgi.Send) -> None:
        body = b"the app's own"
        if scope["method"] != "OPTIONS":
            body = seen(asgi.session_of(scope)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    middleware = asgi.SessionMiddleware(app, verifier)
    return lambda method, headers: ask_asgi(middleware, method, headers)


DOORS: Final = {"Flask": flask_door, "WSGI": wsgi_door, "ASGI": asgi_door}


def _wsgi(app: Any) -> Door:
    client = Client(app)

    def ask(method: str, headers: Mapping[str, str] | Headers) -> Reply:
        response = client.open("/connect", method=method, headers=Headers(headers))
        return Reply(response.status_code, response.headers, response.data)

    return ask


def ask_asgi(
    app: asgi.App, method: str, headers: Mapping[str, str] | Headers, path: str = "/connect"
) -> Reply:
    """Ask an ASGI app as a server would."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[asgi.Message] = []

    async def receive() -> asgi.Message:
        return {"type": "http.request", "body": b""}

    async def send(message: asgi.Message) -> None:
        sent.append(message)

    async def call() -> None:
        await app(scope, receive, send)

    asyncio.run(call())
    start, *bodies = sent
    named = Headers([(name.decode(), value.decode()) for name, value in start["headers"]])
    return Reply(start["status"], named, b"".join(each["body"] for each in bodies))
