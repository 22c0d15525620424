"""A chat over WebSocket whose visitors sign in by their first message.

A page can't set a WebSocket's `Authorization` header, and a token in the address would stand in
every log on the way. So the first message has the token; whoever sends none in time is sent off.

A token ends after some minutes and a chat may take hours: before the end the server asks for the
next token, which has to be of the same session, and closes the socket where none comes.

    pip install websockets 'pyjwt[crypto]>=2.15'
    pip install --no-deps ../../dist/*.whl  # after `make wheel`: kataven_flask.verify
    JWKS_URL=https://widget.example.com/.well-known/jwks.json ISSUER=https://widget.example.com \
      python server.py

Messages are JSON. From the page: {"type": "token", "token": "…"} and {"type": "say", "text": "…"};
to it: {"type": "welcome", "visitor": "…"}, {"type": "reply", "text": "…"} and {"type": "renew"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from kataven_flask.verify import (
    InvalidSession,
    KeysUnavailableError,
    Session,
    SessionVerifier,
    check_origin,
)
from kataven_flask.verify.aio import AsyncSessionVerifier

UNAUTHORIZED = 3000
"""The registered close code for it; a page reads it, and comes back with a new token."""
TRY_AGAIN_LATER = 1013
NOT_UNDERSTOOD = 1008
FIRST_SECONDS = float(os.environ.get("FIRST_SECONDS", "10"))
"""Seconds that somebody may stay without having sent a token."""
ASK_SECONDS = 30
"""Seconds before a token's end at which the next is asked for."""
MAX_MESSAGE = 32 * 1024
"""Bytes; a session token has 15 KiB at most."""

Message = dict[str, object]

verifier = AsyncSessionVerifier(
    SessionVerifier(
        os.environ["JWKS_URL"],
        issuer=os.environ["ISSUER"],
        audience=os.environ.get("AUDIENCE", "kataven:connect"),
    )
)


class Refused(Exception):
    """The socket is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def chat(socket: ServerConnection) -> None:
    """Serve one visitor."""
    try:
        session = await sign_in(socket)
        await send(socket, {"type": "welcome", "visitor": session.visitor_id})
        async for message in messages(socket, session):
            await send(socket, {"type": "reply", "text": f"You said: {message.get('text')}"})
    except Refused as refused:
        await socket.close(refused.code, refused.reason)
    except ConnectionClosed:
        pass  # the visitor has left


async def sign_in(socket: ServerConnection) -> Session:
    """Return the session of the first message."""
    try:
        async with asyncio.timeout(FIRST_SECONDS):
            return await verified(socket, await receive(socket))
    except TimeoutError:
        raise Refused(UNAUTHORIZED, "no session token came in time") from None


async def messages(socket: ServerConnection, session: Session) -> AsyncIterator[Message]:
    """Yield what the visitor says; ask for the next token in time, and end with the last."""
    asked = False
    while True:
        left = verifier.seconds_left(session)
        message = await receive_within(socket, left if asked else left - ASK_SECONDS)
        if message is None and asked:
            raise Refused(UNAUTHORIZED, "the session token has ended")
        if message is None:
            asked = True
            await send(socket, {"type": "renew"})
        elif message.get("type") == "token":
            session = await renewed(socket, message, session)
            asked = False
        else:
            yield message


async def renewed(socket: ServerConnection, message: Message, before: Session) -> Session:
    """Return the session of the next token; who signs in as somebody else connects anew."""
    session = await verified(socket, message)
    if session.session_id != before.session_id:
        raise Refused(UNAUTHORIZED, "this token is of another session")
    return session


async def verified(socket: ServerConnection, message: Message) -> Session:
    """Return the session of a message with a token; `Origin` tells whose page sent it."""
    unverified_jwt = message.get("token")
    if message.get("type") != "token" or not isinstance(unverified_jwt, str):
        raise Refused(UNAUTHORIZED, "send a session token first")
    request = socket.request
    origins = request.headers.get_all("Origin") if request is not None else []
    try:
        session = await verifier.verify(unverified_jwt)
        check_origin(session, ", ".join(origins) if origins else None)
    except InvalidSession as error:
        raise Refused(UNAUTHORIZED, str(error)) from None
    except KeysUnavailableError:
        raise Refused(TRY_AGAIN_LATER, "sessions can't be verified at the moment") from None
    return session


async def receive_within(socket: ServerConnection, seconds: float) -> Message | None:
    """Return the next message, or None where none comes in time."""
    if seconds > 0:  # a message that has come already is returned whatever the time
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await receive(socket)
    return None


async def receive(socket: ServerConnection) -> Message:
    """Return the next message."""
    try:
        message = json.loads(await socket.recv())
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Refused(NOT_UNDERSTOOD, "a message is a JSON object")
    return message


async def send(socket: ServerConnection, message: Message) -> None:
    """Send a message."""
    await socket.send(json.dumps(message))


async def main() -> None:
    """Serve until the process is ended."""
    port = int(os.environ.get("PORT", "8765"))
    async with serve(chat, "127.0.0.1", port, max_size=MAX_MESSAGE) as server:
        listening = server.sockets[0].getsockname()[1]
        print(f"listens on ws://127.0.0.1:{listening}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
