"""A WebSocket's token, and its end.

A page can't set a WebSocket's `Authorization`. What it can name are subprotocols, so the token is
one of them, `kataven.token.<token>`, beside `kataven`, which the server picks. It never stands in
the address, which goes into logs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SUBPROTOCOL: Final = "kataven"
TOKEN_PREFIX: Final = "kataven.token."  # noqa: S105 - what stands before one
UNAUTHORIZED: Final = 3000
"""The registered close code for it (IANA, WebSocket Close Code Number Registry)."""
TRY_AGAIN_LATER: Final = 1013
_HEADER: Final = b"sec-websocket-protocol"
_ENDED: Final = "the session token has ended"
_MAX_REASON: Final = 123
"""Bytes of a close frame's reason (RFC 6455, section 5.5)."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a WebSocket is begun.

    Args:
        authorization: An `Authorization` header, or what stands for one.
        subprotocol: The subprotocol that is picked, unless the app picks another.
    """

    authorization: str | None = field(repr=False)
    subprotocol: str | None


def read_handshake(scope: MutableMapping[str, Any], authorization: str | None) -> Handshake:
    """Read a handshake, and take the token out of its subprotocols.

    Args:
        scope: The scope; the app that comes after sees no token in it.
        authorization: Its `Authorization` header, or None. It wins.
    """
    offered: list[str] = list(scope.get("subprotocols", ()))
    tokens = [name.removeprefix(TOKEN_PREFIX) for name in offered if _is_token(name)]
    if tokens:
        left = [name for name in offered if not _is_token(name)]
        scope["subprotocols"] = left
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"] if name.lower() != _HEADER),
            *([(_HEADER, ", ".join(left).encode("latin-1"))] if left else []),
        ]
        authorization = authorization or f"Bearer {' '.join(tokens)}"
    return Handshake(authorization, SUBPROTOCOL if SUBPROTOCOL in offered else None)


def close(error: InvalidSession | KeysUnavailableError) -> Message:
    """Return the message that closes a WebSocket which isn't let in.

    It is sent after the WebSocket was accepted: of one that wasn't, a page learns nothing.
    """
    if isinstance(error, KeysUnavailableError):
        return _close(TRY_AGAIN_LATER, "sessions can't be verified at the moment; try again")
    return _close(UNAUTHORIZED, str(error))


class Socket:
    """What an app receives and sends through, until its visitor's token ends.

    Args:
        receive: Where messages come from.
        send: Where messages go.
        handshake: How the WebSocket was begun.
        left: Seconds until the token ends.
    """

    def __init__(self, receive: Receive, send: Send, handshake: Handshake, left: float) -> None:
        self._receive = receive
        self._send = send
        self._subprotocol = handshake.subprotocol
        self._ends = asyncio.get_running_loop().time() + left
        self._receives = False
        self._closed = False
        self._over = False

    async def __aenter__(self) -> Self:
        """Set the timer."""
        self._timer = asyncio.create_task(self._end_unless_receiving())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the timer."""
        self._timer.cancel()
        await asyncio.gather(self._timer, return_exceptions=True)

    async def receive(self) -> Message:
        """Return the next message; once the token has ended, that nobody is there any more."""
        await self._end_in_time()
        if not self._over:
            self._receives = True
            try:
                async with asyncio.timeout_at(self._ends) as timeout:
                    return await self._receive()
            except TimeoutError:
                if not timeout.expired():
                    raise
                await self._end()
            finally:
                self._receives = False
        return {"type": "websocket.disconnect", "code": UNAUTHORIZED, "reason": _ENDED}

    async def send(self, message: Message) -> None:
        """Pass a message on.

        Raises:
            ConnectionError: The token has ended, and the WebSocket with it.
        """
        await self._end_in_time()
        if self._over:
            if message["type"] == "websocket.close":
                return
            raise ConnectionError(_ENDED)
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message["subprotocol"] = self._subprotocol
        self._closed = self._closed or message["type"] == "websocket.close"
        await self._send(message)

    async def _end_in_time(self) -> None:
        """End it at its time, even of somebody who never stops talking."""
        if not self._over and asyncio.get_running_loop().time() >= self._ends:
            await self._end()

    async def _end_unless_receiving(self) -> None:
        """End it at its time. A server may not close before its `receive` is done: that ends it."""
        await asyncio.sleep(self._ends - asyncio.get_running_loop().time())
        if not self._receives:
            await self._end()

    async def _end(self) -> None:
        self._over = True
        if not self._closed:
            self._closed = True
            # The other side may have gone, which each server tells in its own way.
            with contextlib.suppress(OSError, RuntimeError):
                await self._send(_close(UNAUTHORIZED, _ENDED))


def _close(code: int, reason: str) -> Message:
    return {"type": "websocket.close", "code": code, "reason": reason[:_MAX_REASON]}


def _is_token(name: str) -> bool:
    return name.startswith(TOKEN_PREFIX)
