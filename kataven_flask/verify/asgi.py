"""An ASGI middleware: an app that is called with the session in its scope, or not at all.

HTTP and WebSocket, on asyncio, for every framework: it imports none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

from kataven_flask.verify.aio import AsyncSessionVerifier
from kataven_flask.verify.answers import is_preflight, read_public, refuse
from kataven_flask.verify.bearer import bearer
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError
from kataven_flask.verify.session import Session, check_origin
from kataven_flask.verify.sockets import Socket, close, read_handshake
from kataven_flask.verify.verifier import SessionVerifier

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION: Final = "kataven_session"
"""Where the session is in `scope["state"]`; `request.state` in Starlette and FastAPI."""


class SessionMiddleware:
    """Lets a request or a WebSocket through to an app once its session is verified.

    A request without one is answered by a 401, or a 503 where nobody can tell. A browser's
    preflight is the app's own to answer, as it has no token. A WebSocket without one is closed
    with a code that a page can read, and one that has one is closed when its token ends.

    Args:
        app: The app.
        verifier: What verifies the token.
        public: The paths that need no session, each as a whole, such as `/healthz`.
    """

    def __init__(
        self, app: App, verifier: SessionVerifier, *, public: Collection[str] = ()
    ) -> None:
        self._app = app
        self._verifier = AsyncSessionVerifier(verifier)
        self._public = read_public(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a WebSocket."""
        if scope["type"] == "lifespan" or scope["path"] in self._public:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            raise ValueError("this is neither HTTP nor WebSocket")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked_method = _header(scope, b"access-control-request-method")
        if not is_preflight(scope["method"], asked_method):
            try:
                session = await self._verify(scope, bearer(_header(scope, b"authorization")))
            except (InvalidSession, KeysUnavailableError) as error:
                await _refuse(send, error, with_body=scope["method"] != "HEAD")
                return
            _keep(scope, session)
        await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        handshake = read_handshake(scope, _header(scope, b"authorization"))
        try:
            session = await self._verify(scope, bearer(handshake.authorization))
        except (InvalidSession, KeysUnavailableError) as error:
            await receive()
            await send({"type": "websocket.accept", "subprotocol": handshake.subprotocol})
            await send(close(error))
            return
        _keep(scope, session)
        left = self._verifier.seconds_left(session)
        async with Socket(receive, send, handshake, left) as socket:
            await self._app(scope, socket.receive, socket.send)

    async def _verify(self, scope: Scope, unverified_jwt: str) -> Session:
        session = await self._verifier.verify(unverified_jwt)
        check_origin(session, _header(scope, b"origin"))
        return session


def session_of(scope: Mapping[str, Any]) -> Session:
    """Return the session of a request or a WebSocket.

    Raises:
        LookupError: It has none: its path is public, or there is no middleware before the app.
    """
    session: Session | None = scope.get("state", {}).get(SESSION)
    if session is None:
        raise LookupError("this request has no session")
    return session


def _keep(scope: Scope, session: Session) -> None:
    # In a state of its own: where a server has one for all requests, it would be everybody's.
    scope["state"] = {**scope.get("state", {}), SESSION: session}


def _header(scope: Scope, name: bytes) -> str | None:
    """Return a header; of one that was sent twice both, as one text that is neither."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
    return ", ".join(values) if values else None


async def _refuse(
    send: Send, error: InvalidSession | KeysUnavailableError, *, with_body: bool
) -> None:
    answer = refuse(error)
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
