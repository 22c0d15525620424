"""Several processes on one listening socket: started, replaced and ended by their parent."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from kataven_flask.serve import Server

POLL_INTERVAL: Final = 0.25
"""Seconds between two looks of the parent at its workers."""
RESTART_PAUSE: Final = 0.5
"""Seconds before a worker that died is replaced, so that a fault at the start doesn't spin."""
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


def run_workers(
    make_server: Callable[[], Server],
    listener: socket.socket,
    workers: int,
    *,
    ready: Callable[[], None],
    idle: Callable[[], None],
) -> int:
    """Run the server in this process, or in several that share its listening socket.

    Args:
        make_server: Makes the server; called in the process that runs it.
        listener: The listening socket.
        workers: How many processes; 1 for this one.
        ready: Called once a signal would end it in order.
        idle: Called now and then in the parent of several, so that a worker that is started
            later begins with what holds by then.

    Returns:
        The exit status.
    """
    if workers == 1:
        _run_until_signal(make_server(), ready)
        return 0
    return _Parent(make_server, listener, workers, idle).run(ready)


def _run_until_signal(server: Server, ready: Callable[[], None] = lambda: None) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    for number in _ENDING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # blocked around the fork
    ready()
    server.run()
    _ignore_signals()


def _ignore_signals() -> None:
    """Let no second Ctrl-C cut short an end that is already in order."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


class _Parent:
    """Starts the workers, replaces one that dies, and ends them all on a signal."""

    def __init__(
        self,
        make_server: Callable[[], Server],
        listener: socket.socket,
        workers: int,
        idle: Callable[[], None],
    ) -> None:
        self._make_server = make_server
        self._listener = listener
        self._workers = workers
        self._idle = idle
        self._children: set[int] = set()
        self._stopping = False
        # Its writing end is open as long as this process lives, however it ends.
        self._alive, self._life = os.pipe()

    def run(self, ready: Callable[[], None]) -> int:
        for number in _ENDING:
            signal.signal(number, self._stop)
        for _ in range(self._workers):
            self._fork()
        ready()
        while self._children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                self._idle()
                time.sleep(POLL_INTERVAL)
                continue
            self._children.discard(child)
            if not self._stopping:
                code = os.waitstatus_to_exitcode(status)
                _log.error("worker %d ended (%d); starting another", child, code)
                time.sleep(RESTART_PAUSE)
                self._fork()
        _ignore_signals()
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
            with suppress(ProcessLookupError):  # it has ended, and wasn't waited for yet
                os.kill(child, signal.SIGTERM)
