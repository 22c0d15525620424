"""Several processes on one listening socket: started, replaced and ended by their parent."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Final, NoReturn

from kataven_flask.listening import turn_away
from kataven_flask.log import Log
from kataven_flask.serve import Server

POLL_INTERVAL: Final = 0.25
"""Seconds between two looks of the parent at its workers."""
RESTART_PAUSE: Final = 0.5
"""Seconds before a worker that died is replaced, so that a fault at the start doesn't spin."""
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What one process is for.

    Args:
        name: What the log calls it.
        listener: The listening socket that it serves; others may serve it, too.
        make_server: Makes the server; called in the process that runs it.
    """

    name: str
    listener: socket.socket
    make_server: Callable[[], Server]


def run_workers(
    jobs: Sequence[Job],
    *,
    ready: Callable[[], None],
    idle: Callable[[], None],
    died: Callable[[], None],
) -> int:
    """Run a server in this process, or several in a process each.

    Args:
        jobs: One is done in this process; several get one each.
        ready: Called once a signal would end it in order.
        idle: Called now and then in the parent of several, so that a worker that is started
            later begins with what holds by then.
        died: Called in the parent of several for each that has ended unasked.

    Returns:
        The exit status.
    """
    if len(jobs) == 1:
        (job,) = jobs
        _run_until_signal(job.make_server(), partial(turn_away, job.listener), ready)
        return 0
    return _Parent(jobs, idle, died).run(ready)


def _nothing() -> None:
    pass


def _run_until_signal(
    server: Server, ending: Callable[[], None] = _nothing, ready: Callable[[], None] = _nothing
) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        ending()
        server.stop()

    for number in _ENDING:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # blocked around the fork
    ready()
    server.run()
    _ignore_signals()


def _exit(status: int) -> NoReturn:
    """End a process that was forked; what its parent has open, and tidies up, isn't its own."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: it was closed from the start
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _ignore_signals() -> None:
    """Let no second Ctrl-C cut short an end that is already in order."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


class _Parent:
    """Starts the workers, replaces one that dies, and ends them all on a signal."""

    def __init__(
        self, jobs: Sequence[Job], idle: Callable[[], None], died: Callable[[], None]
    ) -> None:
        self._jobs = jobs
        self._listeners = {job.listener for job in jobs}
        self._idle = idle
        self._died = died
        self._children: dict[int, Job] = {}
        self._stopping = False
        # Its writing end is open as long as this process lives, however it ends.
        self._alive, self._life = os.pipe()

    def run(self, ready: Callable[[], None]) -> int:
        for number in _ENDING:
            signal.signal(number, self._stop)
        for job in self._jobs:
            self._fork(job)
        ready()
        while self._children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                self._idle()
                time.sleep(POLL_INTERVAL)
                continue
            if child not in self._children:
                continue  # another's, such as what reads the tenants' files
            job = self._children.pop(child)
            if not self._stopping:
                self._died()
                code = os.waitstatus_to_exitcode(status)
                _log.error(
                    "a process ended; starting another", job=job.name, child=child, status=code
                )
                time.sleep(RESTART_PAUSE)
                self._fork(job)
        _ignore_signals()
        return 0

    def _fork(self, job: Job) -> None:
        # A signal that comes between the fork and the entry would miss the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        if not self._stopping:
            child = os.fork()
            if child == 0:
                self._be_worker(job)
            self._children[child] = job
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def _be_worker(self, job: Job) -> NoReturn:
        status = 1
        try:
            os.close(self._life)
            for listener in self._listeners - {job.listener}:
                listener.close()  # who connects there is to wait for nobody but its own server
            server = job.make_server()
            threading.Thread(target=self._stop_with_parent, args=(server, job), daemon=True).start()
            _run_until_signal(server)
            status = 0
        except Exception as error:  # noqa: BLE001 - the parent gets the status, the log the rest
            _log.fault("a process failed", error, job=job.name)
        finally:
            _exit(status)

    def _stop_with_parent(self, server: Server, job: Job) -> None:
        os.read(self._alive, 1)  # returns at the end of the file alone
        turn_away(job.listener)  # as the other workers do, now
        server.stop()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for listener in self._listeners:
            if listener.fileno() != -1:
                turn_away(listener)
            listener.close()  # the workers' copies go too, and then nobody is kept waiting
        for child in self._children:
            with suppress(ProcessLookupError):  # it has ended, and wasn't waited for yet
                os.kill(child, signal.SIGTERM)
