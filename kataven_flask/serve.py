"""waitress as we run it: bounds on what it takes in, and an orderly end."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from waitress import wasyncore
from waitress.server import create_server

from kataven_flask.channels import (
    HEADER_LIMIT,
    SEND_AT_ONCE,
    Channel,
    MayWait,
    Tasks,
    always,
)
from kataven_flask.listening import BACKLOG
from kataven_flask.log import Log
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.places import Bounds, Places
from kataven_flask.seldom import Seldom
from kataven_flask.shares import Share

MAX_REQUEST_BODY: Final = 128 * 1024
"""Bytes that waitress takes in at all, as every connection may; the app's own limit is far lower.
Whoever sends more may be cut off before they have read why."""
DRAIN_TIMEOUT: Final = 10.0
"""Seconds that the requests in flight have to end after `stop`."""
SETTLE: Final = 0.2
"""Seconds after a connection's last byte, and after the end began, in which a request may still be
on its way: by then a proxy has noticed that nobody listens here, and looks elsewhere."""
HANDSHAKE: Final = 0.002
"""Seconds in which a connection that has begun is made: a round trip to a proxy close by."""
NEWCOMERS: Final = 64
"""Connections taken in by one turn while many come; those that wait longest see the queue end."""
SWEEP: Final = 1.0
"""Seconds between two looks at who takes too long."""
_BREATH: Final = 0.1
"""Seconds in which nobody is taken in after the system had no file for it."""
_COMPLAINTS: Final = 60.0
"""Seconds between two lines of the log about that."""
_OUT_OF_FILES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

WsgiApp = Callable[..., Any]

_log = Log(__name__)
logging.getLogger("waitress").setLevel(logging.WARNING)  # else a path for each who hangs up
logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it has a line for each that waits


class Server:
    """One waitress server that ends in order.

    Args:
        app: The WSGI app.
        listener: A listening socket.
        threads: How many requests that may wait it works on at once.
        may_wait: Tells which requests may wait; the others are answered one after another.
        share: This process' share of all connections, where others accept them, too.
        bounds: What clients are granted.
        observer: Who is told how much there is to do, and what no app was asked.
        settle: Seconds after the end began in which a request may still come on a kept connection.
    """

    def __init__(  # noqa: PLR0913 - an option each
        self,
        app: WsgiApp,
        listener: socket.socket,
        threads: int,
        *,
        may_wait: MayWait = always,
        share: Share | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        observer: Observer = NOBODY,
        settle: float = SETTLE,
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
            inbuf_overflow=MAX_REQUEST_BODY,  # no file for a body
            max_request_header_size=HEADER_LIMIT,
            connection_limit=sys.maxsize,  # ours are `bounds`, and so are the times
            channel_timeout=sys.maxsize,
            backlog=BACKLOG,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # the app itself chooses whom to believe
        )
        # Not as an option, of which waitress says that it will go; without it, two packets do.
        self._server.adj.send_bytes = SEND_AT_ONCE
        self._server.in_drain = False
        self._server.observer = self._observer = observer
        self._pull = self._server.pull_trigger
        self._server.pull_trigger = lambda: None if tasks.is_reader() else self._wake()
        self._waking = threading.RLock()  # one that a signal's handler may take once more
        self._ended = False
        # Not amid a turn: a newcomer may get the number of one who gave way, and what was
        # told of that one would be taken for theirs.
        self._server.handle_accept = self._note_newcomers
        self._newcomers = False
        self._tasks = tasks
        self._share = share
        self._settle = settle
        self._places = Places(self._server.active_channels, bounds)
        self._next_sweep = 0.0
        self._complain = Seldom(_log.error, _COMPLAINTS)
        self._stopping = False

    def run(self) -> None:
        """Serve until `stop` is called, then finish the requests in flight."""
        while not self._stopping:
            self._turn(SWEEP)
        self._server.in_drain = True
        self._accept_the_waiting()
        self._server.del_channel()  # stop accepting; what is open goes on
        self._server.socket.close()
        began = time.time()
        while self._in_flight(began) and time.time() < began + DRAIN_TIMEOUT:
            self._turn(0.05)
        self._close_idle()
        self._server.task_dispatcher.shutdown(timeout=1)
        with self._waking:
            self._ended = True
            wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler and from another thread."""
        if not self._stopping:  # a plain flag: a lock might be held where the signal comes
            self._stopping = True
            self._wake()

    def _wake(self) -> None:
        """Have `run` look again, unless it is over: its pipe may be another file by now."""
        with self._waking:
            if not self._ended:
                self._pull()

    def _turn(self, timeout: float) -> None:
        if self._share is not None:
            self._share.show(len(self._server.active_channels))
        tasks = self._tasks
        self._observer.loaded(len(self._server.active_channels), tasks.active_count, tasks.waiting)
        if (now := time.monotonic()) >= self._next_sweep:
            self._next_sweep = now + SWEEP
            self._places.end_the_late()
        is_short = not self._server.accepting
        wasyncore.loop(
            timeout=min(timeout, _BREATH) if is_short else timeout,
            use_poll=True,
            map=self._map,
            count=1,
        )
        self._server.accepting = self._server.accepting or is_short
        answered = self._tasks.answered()
        if self._newcomers:
            self._newcomers = False
            self._accept(1 + answered)

    def _note_newcomers(self) -> None:
        self._newcomers = True

    def _accept(self, most: int) -> None:
        """Take in who waits to be, as many as one turn can.

        waitress takes in one a turn, which is enough where threads answer. Here a turn is long
        once hundreds ask on kept connections, and who is new would wait for many of them: so one
        more comes in for each answer of the turn. To take in all at any time would give one
        worker what the others should have; it's right where most places are taken, as then
        thousands may stand before the one who has a request.
        """
        if self._places.is_crowded():
            most = max(most, NEWCOMERS)
        for _ in range(most):
            if self._share is not None:
                self._share.show(len(self._server.active_channels))
                if not self._server.in_drain and self._share.leaves_to_others():
                    os.sched_yield()
                    break
            if not self._accept_one():
                break

    def _accept_one(self) -> bool:
        """Take in who has waited longest; False where nobody does, or nobody can be."""
        try:
            taken = self._server.accept()
        except OSError as error:
            self._complain("can't take in a connection; trying on", error=str(error.strerror))
            if error.errno not in _OUT_OF_FILES or not self._places.make_room():
                self._server.accepting = False
            return False
        if taken is None:
            return False
        connection, address = taken
        try:
            self._server.set_socket_options(connection)
        except OSError:  # macOS, where it is closed again already
            connection.close()
            return True
        newcomer = Channel(self._server, connection, address, self._server.adj, self._map)
        self._places.admit(newcomer)
        return True

    def _accept_the_waiting(self) -> None:
        """Take in whoever has connected by now; closing the socket would cut them off."""
        made = time.monotonic() + HANDSHAKE
        while (left := made - time.monotonic()) > 0:
            self._turn(left)
        while self._accept_one():
            pass

    def _in_flight(self, began: float) -> bool:
        recently = time.time() - self._settle
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
