"""waitress as we run it: one listening socket, one or several workers, and an orderly end."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, NoReturn

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from kataven_flask import errors
from kataven_flask.api import BROWSER_PATHS, EXPOSED, new_request_id
from kataven_flask.body import BODY_LIMIT
from kataven_flask.errors import ConfigurationError

MAX_REQUEST_BODY: Final = 1024 * 1024
"""Bytes that waitress takes in at all; the app's own limit is far lower and explains itself."""
MAX_REQUEST_HEADERS: Final = 32 * 1024
CONNECTION_LIMIT: Final = 1000
IDLE_TIMEOUT: Final = 30
"""Seconds without a byte until a connection is closed."""
BACKLOG: Final = 1024
DRAIN_TIMEOUT: Final = 10.0
"""Seconds that the requests in flight have to end after a signal."""
RESTART_PAUSE: Final = 0.5
"""Seconds before a worker that died is replaced, so that a fault at the start doesn't spin."""
_POLL: Final = 1.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)
WsgiApp = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Args:
        host: A host name or an IP address; an IPv6 address without brackets.
        port: The port; 0 for a free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`.

        Raises:
            ConfigurationError: It isn't one.
        """
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
            raise ConfigurationError(
                f"--listen {text}: write HOST:PORT, for example 127.0.0.1:8000"
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def bind(address: Address) -> socket.socket:
    """Open the listening socket.

    Args:
        address: Where to listen.

    Raises:
        ConfigurationError: It is taken, not ours, or not an address.

    Returns:
        The socket, bound and not yet listening.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(f"can't listen on {address}: {error.strerror}") from error
    return listener


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what waitress refuses before the app sees it, so that a page can read that too."""

    def execute(self) -> None:
        error = self.request.error
        too_large = error.code == errors.BodyTooLarge.status
        refusal = (
            errors.BodyTooLarge(BODY_LIMIT) if too_large else errors.InvalidRequest(error.body)
        )
        body = refusal.text.encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Error-Code", refusal.code),
            ("X-Request-Id", new_request_id()),
        ]
        if re.match(BROWSER_PATHS, getattr(self.request, "path", "")):
            self.response_headers.append(("Access-Control-Allow-Origin", "*"))
            self.response_headers.append(("Access-Control-Expose-Headers", ", ".join(EXPOSED)))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _ErrorTask


class Server:
    """One waitress server that ends in order.

    Args:
        app: The WSGI app.
        listener: A bound socket.
        threads: How many requests it works on at once.
        trusted_proxy: The address of the reverse proxy whose `X-Forwarded-For` and
            `X-Forwarded-Proto` are believed; None for none.
    """

    def __init__(
        self, app: WsgiApp, listener: socket.socket, threads: int, trusted_proxy: str | None = None
    ) -> None:
        self._map: dict[int, Any] = {}
        proxy: dict[str, Any] = {}
        if trusted_proxy is not None:
            headers = {"x-forwarded-for", "x-forwarded-proto"}
            proxy = {"trusted_proxy": trusted_proxy, "trusted_proxy_headers": headers}
        self._server = create_server(
            app,
            map=self._map,
            sockets=[listener],
            threads=threads,
            ident="kataven-flask",
            expose_tracebacks=False,
            max_request_body_size=MAX_REQUEST_BODY,
            max_request_header_size=MAX_REQUEST_HEADERS,
            connection_limit=CONNECTION_LIMIT,
            channel_timeout=IDLE_TIMEOUT,
            backlog=BACKLOG,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            **proxy,
        )
        self._server.channel_class = _Channel
        self._stopping = threading.Event()

    def run(self) -> None:
        """Serve until `stop` is called, then finish the requests in flight."""
        while not self._stopping.is_set():
            self._turn(_POLL)
        self._server.del_channel()  # stop accepting; what is open goes on
        self._server.socket.close()
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while self._in_flight() and time.monotonic() < deadline:
            self._turn(0.05)
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler and from another thread."""
        self._stopping.set()
        self._server.pull_trigger()

    def _turn(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)

    def _in_flight(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(c.requests or c.request or c.total_outbufs_len for c in channels)


def run_workers(make_server: Callable[[], Server], listener: socket.socket, workers: int) -> int:
    """Run the server in this process, or in several that share its listening socket.

    Args:
        make_server: Makes the server; called in the process that runs it.
        listener: The listening socket.
        workers: How many processes; 1 for this one.

    Returns:
        The exit status.
    """
    if workers == 1:
        _run_until_signal(make_server())
        return 0
    return _Parent(make_server, listener, workers).run()


def _run_until_signal(server: Server) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    for number in _ENDING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # blocked around the fork
    server.run()


class _Parent:
    """Starts the workers, replaces one that dies, and ends them all on a signal."""

    def __init__(
        self, make_server: Callable[[], Server], listener: socket.socket, workers: int
    ) -> None:
        self._make_server = make_server
        self._listener = listener
        self._workers = workers
        self._children: set[int] = set()
        self._stopping = False
        # Its writing end is open as long as this process lives, however it ends.
        self._alive, self._life = os.pipe()

    def run(self) -> int:
        for number in _ENDING:
            signal.signal(number, self._stop)
        for _ in range(self._workers):
            self._fork()
        while self._children:
            child, status = os.wait()  # waits on through a signal (PEP 475)
            self._children.discard(child)
            if not self._stopping:
                code = os.waitstatus_to_exitcode(status)
                _log.error("worker %d ended (%d); starting another", child, code)
                time.sleep(RESTART_PAUSE)
                self._fork()
        return 0

    def _fork(self) -> None:
        # A signal that comes between the fork and the entry would miss the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        if not self._stopping:
            child = os.fork()
            if child == 0:
                self._be_worker()
            self._children.add(child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def _be_worker(self) -> NoReturn:
        status = 1
        try:
            os.close(self._life)
            server = self._make_server()
            threading.Thread(target=self._stop_with_parent, args=(server,), daemon=True).start()
            _run_until_signal(server)
            status = 0
        except Exception:  # noqa: BLE001 - the parent gets the status, the log the rest
            _log.exception("worker failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _stop_with_parent(self, server: Server) -> None:
        os.read(self._alive, 1)  # returns at the end of the file alone
        server.stop()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._listener.close()  # the workers' copies go too, and then nobody is kept waiting
        for child in self._children:
            os.kill(child, signal.SIGTERM)
