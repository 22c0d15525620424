"""Who sends what no browser would: others are served all the same, and no two take turns."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, Final

import pytest

from kataven_flask.channels import Tasks
from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from tests.test_channels import BOUND, THREADS, Desk, Line

AT_MOST: Final = 0.5
"""Seconds that a turn waits where all may have been done in fewer."""
ABOVE_WATERMARK: Final = 28 * 1024 * 1024
"""Bytes; where more than 16 MiB are left to send, waitress has whoever writes wait for that."""


@contextmanager
def serving(app: Callable[..., Iterable[bytes]]) -> Iterator[int]:
    """Serve an app, all of whose paths but `/waits` wait for nothing; yield the port."""
    listener = bind(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(app, listener, THREADS, may_wait=lambda path: path.startswith("/waits"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join(BOUND)
        assert not thread.is_alive()


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a server that answers every path with its name."""
    desk = Desk()
    desk.may_answer.set()
    with serving(desk) as port:
        yield port


def said(port: int, *parts: bytes, half_closed: bool = False) -> bytes:
    """Send bytes as they are, and return all that comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        for part in parts:
            connection.sendall(part)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def request(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return a request's header."""
    return "\r\n".join((f"{method} {path} HTTP/{version}", "Host: x", *lines, "", "")).encode()


LAST: Final = request("/last", "Connection: close")


def test_what_a_thread_hands_over_is_left_to_threads() -> None:
    """A thread may be done before the read returns that brought the requests; none is lost."""
    tasks = Tasks(0, may_wait=lambda _path: False)
    channel: Any = SimpleNamespace(requests=[SimpleNamespace(path="/next")], total_outbufs_len=0)

    def read() -> None:
        other = threading.Thread(target=tasks.add_task, args=(channel,))
        other.start()
        other.join(BOUND)

    tasks.read(channel, read)  # would fail to answer: the channel has no such methods
    assert list(tasks.queue) == [channel]


def test_newcomers_are_let_in_as_fast_as_others_are_answered() -> None:
    """Whoever connects while many ask on kept connections waits for no more than their turn."""
    listener = bind(Address("127.0.0.1", 0))
    server = Server(Desk(), listener, THREADS, may_wait=lambda _path: False)
    turn = server._turn  # noqa: SLF001 - one by one, so that they can be counted
    with ExitStack() as stack:
        port = listener.getsockname()[1]
        kept = [stack.enter_context(Line(port)) for _ in range(8)]
        for _ in kept:
            turn(BOUND)
        for line in kept:
            line.send("/prompt")
        new = [stack.enter_context(Line(port)) for _ in range(8)]
        for line in new:
            line.send("/prompt")
        for _ in range(3):  # one is let in while the others are answered; the rest; their answers
            turn(AT_MOST)
        assert [line.answer()[0] for line in kept + new] == ["200 OK"] * 16
        server.stop()
        server.run()


def test_an_answer_of_any_size_keeps_nobody_waiting() -> None:
    """Who asks for much, and at once for more, doesn't stop the thread that would send it."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        size = ABOVE_WATERMARK if environ["PATH_INFO"] == "/large" else 2
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"x" * size]

    with serving(app) as port, Line(port) as greedy, Line(port) as line:
        greedy.send("/large", "/next")
        assert line.ask("/prompt")[0] == "200 OK"
        assert [len(greedy.answer()[1]) for _ in range(2)] == [ABOVE_WATERMARK, 2]


@pytest.mark.parametrize("path", ["/prompt", "/waits"])
@pytest.mark.parametrize("split", [False, True])
def test_a_body_is_asked_for_once(port: int, path: str, *, split: bool) -> None:
    """`Expect: 100-continue` is met before the answer, whoever gives it."""
    lines = ("Expect: 100-continue", "Content-Length: 4", "Connection: close")
    header = request(path, *lines, method="POST")
    answer = said(port, header, b"body") if split else said(port, header + b"body")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1") == 2


def test_no_body_is_asked_for_where_there_is_none(port: int) -> None:
    """Such a request is answered by itself, and isn't mixed with the one that follows."""
    answer = said(port, request("/first", "Expect: 100-continue"), LAST)
    assert b"100 Continue" not in answer
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"/first") < answer.index(b"/last")


def test_no_body_is_asked_for_that_is_refused(port: int) -> None:
    """What is too large is refused before it is sent."""
    lines = ("Expect: 100-continue", "Content-Length: 9999999")
    assert said(port, request("/first", *lines, method="POST")).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/prompt", "/waits", "/204", "/304"])
def test_who_says_that_they_are_done_is_answered(port: int, path: str) -> None:
    """A client may close its sending half after the request."""
    assert said(port, request(path), half_closed=True).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("between", ["/prompt", "/waits", "/204", "/304"])
def test_no_answer_to_head_has_a_body(port: int, between: str) -> None:
    """What follows on the connection begins where the header ended."""
    first = request("/204", method="HEAD")
    answer = said(port, first + request(between) + LAST)
    assert answer.count(b"HTTP/1.1 ") == 3
    assert answer.split(b"\r\n\r\n")[1].startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    "smuggler",
    [
        pytest.param(
            request("/first", "Content-Length: 4", "Transfer-Encoding: chunked", method="POST"),
            id="both-lengths",
        ),
        pytest.param(
            request("/first", "Transfer-Encoding: chunked", "Content-Length: 4", method="POST"),
            id="both-lengths-the-other-way",
        ),
        pytest.param(
            request(
                "/first",
                "Connection: keep-alive",
                "Transfer-Encoding: chunked",
                method="POST",
                version="1.0",
            ),
            id="chunks-in-http-1.0",
        ),
        pytest.param(request("http://[::1/first"), id="half-an-address"),
        pytest.param(request("/first", f"Content-Length: {'9' * 5000}"), id="endless-length"),
        pytest.param(request("/first", "Content-Length: 1", "Content-Length: 2"), id="lengths"),
        pytest.param(b"GET /first HTTP/1.1\nHost: x\n\r\n\r\n", id="bare-line-feeds"),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(
    port: int, smuggler: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a 400 that ends the connection; what was asked before is answered, and no log fills."""
    answer = said(port, request("/before") + smuggler + b"0\r\n\r\n" + LAST)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"/before" in answer
    assert b" 400 Bad Request\r\n" in answer
    assert b"/first" not in answer
    assert b"/last" not in answer
    assert not caplog.records
