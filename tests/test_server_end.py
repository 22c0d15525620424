"""A server's end, where another thread has asked for it, or is still at work."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from tests.running import BOUND


def app(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer nothing much."""
    start_response("204 No Content", [])
    return []


def test_who_asks_for_the_end_may_come_too_late_to_wake_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may notice by itself, and be over: whose file its pipe's number is then gets no byte."""
    listener = bind(Address("127.0.0.1", 0))
    server = Server(app, listener, threads=1, settle=0)
    ours = _woken_by(server)
    running = threading.Thread(target=server.run)
    pull = server._pull  # noqa: SLF001 - who wakes it isn't public

    def too_late() -> None:
        running.start()  # it finds that it is to end, and does
        running.join(0.1)
        pull()

    monkeypatch.setattr(server, "_pull", too_late)
    server.stop()
    running.join(BOUND)
    assert not running.is_alive()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ours)


def test_an_answer_after_the_end_wakes_nobody() -> None:
    """A thread that is done when its server is long over writes into no file of another's."""
    server = Server(app, bind(Address("127.0.0.1", 0)), threads=1, settle=0)
    taken = _woken_by(server)
    server.stop()
    server.run()
    theirs, other = socket.socketpair()
    with theirs, other, suppress(BlockingIOError):
        other.setblocking(False)
        os.dup2(theirs.fileno(), taken)  # as the system does with the lowest number that is free
        try:
            server._server.pull_trigger()  # noqa: SLF001 - who wakes it isn't public
            assert other.recv(1) == b""
        finally:
            os.close(taken)


def _woken_by(server: Server) -> int:
    """Return the number of the file that wakes it."""
    number: int = server._server.trigger.trigger  # noqa: SLF001 - who wakes it isn't public
    return number
