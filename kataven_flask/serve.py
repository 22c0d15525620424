"""waitress as we run it: bounds on what it takes in, and an orderly end."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from waitress import wasyncore
from waitress.server import create_server

from kataven_flask.channels import SEND_AT_ONCE, Channel, MayWait, Tasks, always
from kataven_flask.listening import BACKLOG
from kataven_flask.shares import Share

MAX_REQUEST_BODY: Final = 1024 * 1024
"""Bytes that waitress takes in at all; the app's own limit is far lower and explains itself."""
MAX_REQUEST_HEADERS: Final = 32 * 1024
CONNECTION_LIMIT: Final = 1000
IDLE_TIMEOUT: Final = 30
"""Seconds without a byte until a connection is closed."""
DRAIN_TIMEOUT: Final = 10.0
"""Seconds that the requests in flight have to end after `stop`."""
SETTLE: Final = 0.2
"""Seconds after a connection's last byte, and after the end began, in which a request may still be
on its way: by then a proxy has noticed that nobody listens here, and looks elsewhere."""
HANDSHAKE: Final = 0.002
"""Seconds in which a connection that has begun is made: a round trip to a proxy close by."""
_POLL: Final = 1.0

WsgiApp = Callable[..., Any]

logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it has a line for each that waits


class Server:
    """One waitress server that ends in order.

    Args:
        app: The WSGI app.
        listener: A listening socket.
        threads: How many requests that may wait it works on at once.
        may_wait: Tells which requests may wait; the others are answered one after another.
        share: This process' share of all connections, where others accept them, too.
    """

    def __init__(
        self,
        app: WsgiApp,
        listener: socket.socket,
        threads: int,
        *,
        may_wait: MayWait = always,
        share: Share | None = None,
    ) -> None:
        self._map: dict[int, Any] = {}
        tasks = Tasks(threads, may_wait)
        self._server = create_server(
            app,
            map=self._map,
            _dispatcher=tasks,
            sockets=[listener],
            ident="kataven-flask",
            expose_tracebacks=False,
            max_request_body_size=MAX_REQUEST_BODY,
            max_request_header_size=MAX_REQUEST_HEADERS,
            connection_limit=CONNECTION_LIMIT,
            channel_timeout=IDLE_TIMEOUT,
            backlog=BACKLOG,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # the app itself chooses whom to believe
        )
        # Not as an option, of which waitress says that it will go; without it, two packets do.
        self._server.adj.send_bytes = SEND_AT_ONCE
        self._server.channel_class = Channel
        self._server.in_drain = False
        self._wake = self._server.pull_trigger
        self._server.pull_trigger = lambda: None if tasks.is_reader() else self._wake()
        self._accept_one = self._server.handle_accept
        self._server.handle_accept = self._accept
        self._tasks = tasks
        self._share = share
        self._given = 0
        self._stopping = False

    def run(self) -> None:
        """Serve until `stop` is called, then finish the requests in flight."""
        while not self._stopping:
            self._turn(_POLL)
        self._server.in_drain = True
        self._accept_the_waiting()
        self._server.del_channel()  # stop accepting; what is open goes on
        self._server.socket.close()
        began = time.time()
        while self._in_flight(began) and time.time() < began + DRAIN_TIMEOUT:
            self._turn(0.05)
        self._close_idle()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler and from another thread."""
        if not self._stopping:  # a plain flag: a lock might be held where the signal comes
            self._stopping = True
            self._wake()

    def _turn(self, timeout: float) -> None:
        self._given = self._tasks.answered()
        if self._share is not None:
            self._share.show(len(self._server.active_channels))
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)

    def _accept(self) -> None:
        """Take in one connection, and one more for each answer that the last turn gave.

        waitress takes in one a turn, which is enough where threads answer. Here a turn is long
        once hundreds ask on kept connections, and who is new would wait for many of them. To take
        in all at any time would give one worker what the others should have.
        """
        room = CONNECTION_LIMIT - len(self._map)
        for _ in range(max(1, min(1 + self._given, room))):
            known = len(self._server.active_channels)
            if self._share is not None:
                self._share.show(known)
                if not self._server.in_drain and self._share.leaves_to_others():
                    os.sched_yield()
                    break
            self._accept_one()
            if len(self._server.active_channels) == known:
                break

    def _accept_the_waiting(self) -> None:
        """Take in whoever has connected by now; closing the socket would cut them off."""
        made = time.monotonic() + HANDSHAKE
        while (left := made - time.monotonic()) > 0:
            self._turn(left)
        known = -1
        while known < len(self._server.active_channels):
            known = len(self._server.active_channels)
            self._server.handle_accept()

    def _in_flight(self, began: float) -> bool:
        recently = time.time() - SETTLE
        return any(
            _is_busy(channel) or max(channel.last_activity, began) > recently
            for channel in list(self._server.active_channels.values())
        )

    def _close_idle(self) -> None:
        """Close at once what might get a request that nobody would answer any more."""
        for channel in list(self._server.active_channels.values()):
            if not _is_busy(channel):
                channel.handle_close()


def _is_busy(channel: Channel) -> bool:
    return bool(channel.requests or channel.request or channel.total_outbufs_len)
