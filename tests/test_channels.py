"""What waits for nobody is answered where it is read; the rest keeps nobody waiting."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final, Self

import pytest

from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from tests.running import wait_until

THREADS: Final = 2
BOUND: Final = 10.0
"""Seconds that an answer may take before the test fails."""
LARGE: Final = 8 * 1024 * 1024


class Desk:
    """A WSGI app that tells which thread answers; `/waits` answers once it may."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer by the path."""
        path = environ["PATH_INFO"]
        if path.startswith("/waits"):
            self.arrived.release()
            assert self.may_answer.wait(BOUND)
        if path == "/fails":
            raise RuntimeError("as it was told to")
        if path in {"/204", "/304"}:
            start_response(f"{path[1:]} x", [])
            return []
        body = b"x" * LARGE if path == "/large" else f"{path} {threading.get_ident()}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def desk() -> Desk:
    """Return the app."""
    return Desk()


@pytest.fixture
def reader(desk: Desk) -> Iterator[tuple[int, int]]:
    """Return the port of a server and the thread that reads there."""
    listener = bind(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(desk, listener, THREADS, may_wait=lambda path: path.startswith("/waits"))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert thread.ident is not None
    yield port, thread.ident
    desk.may_answer.set()
    server.stop()
    thread.join(BOUND)
    assert not thread.is_alive()


class Line:
    """A connection that is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=BOUND)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        """Leave it open for the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()

    def send(self, *paths: str, version: str = "1.1", more: str = "") -> None:
        """Send requests in one go."""
        requests = (f"GET {path} HTTP/{version}\r\nHost: x\r\n{more}\r\n" for path in paths)
        self._socket.sendall("".join(requests).encode())

    def answer(self) -> tuple[str, bytes]:
        """Return the next answer's status and body; the status is empty where it hangs up."""
        status = self._answers.readline().decode().partition(" ")[2].strip()
        length = 0
        while (line := self._answers.readline().strip()) != b"":
            name, _, value = line.partition(b": ")
            length = int(value) if name == b"Content-Length" else length
        return status, self._answers.read(length)

    def at_once(self) -> bytes:
        """Return what one read gives."""
        return self._socket.recv(65_536)

    def ask(self, path: str, version: str = "1.1", more: str = "") -> tuple[str, bytes]:
        """Send one request, and return the answer's status and body."""
        self.send(path, version=version, more=more)
        return self.answer()


def who(answer: tuple[str, bytes]) -> int:
    """Return the thread that an answer is from."""
    return int(answer[1].split()[1])


def test_what_waits_for_nobody_is_answered_where_it_is_read(
    desk: Desk, reader: tuple[int, int]
) -> None:
    """One thread reads and answers it; what may wait is answered by another."""
    port, reading = reader
    desk.may_answer.set()
    with Line(port) as line:
        assert who(line.ask("/prompt")) == reading
        assert who(line.ask("/waits")) != reading
        assert who(line.ask("/prompt")) == reading


def test_whoever_waits_holds_nobody_up(desk: Desk, reader: tuple[int, int]) -> None:
    """While every thread waits, and more requests for one, the others are answered."""
    port, _ = reader
    with ExitStack() as stack:
        waiting = [stack.enter_context(Line(port)) for _ in range(THREADS + 2)]
        for line in waiting:
            line.send("/waits")
        for _ in range(THREADS):
            assert desk.arrived.acquire(timeout=BOUND)
        with Line(port) as line:
            for _ in range(50):
                assert line.ask("/prompt")[0] == "200 OK"
        desk.may_answer.set()
        assert [line.answer()[0] for line in waiting] == ["200 OK"] * len(waiting)


def test_requests_sent_in_one_go_are_answered_in_their_order(
    desk: Desk, reader: tuple[int, int]
) -> None:
    """Whichever thread answers which, a connection's answers come as they were asked for."""
    port, _ = reader
    desk.may_answer.set()
    paths = ["/prompt/1", "/waits/2", "/prompt/3", "/prompt/4", "/waits/5", "/waits/6", "/prompt/7"]
    with Line(port) as line:
        for _ in range(20):
            line.send(*paths)
            assert [line.answer()[1].split()[0].decode() for _ in paths] == paths


def test_many_requests_in_one_go_leave_others_their_turn(
    desk: Desk, reader: tuple[int, int]
) -> None:
    """Who sends more requests at once than they read answers of doesn't stop the server."""
    port, _ = reader
    desk.may_answer.set()
    with Line(port) as greedy, Line(port) as line:
        greedy.send(*["/large"] * 20)
        assert line.ask("/prompt")[0] == "200 OK"
        assert line.ask("/waits")[0] == "200 OK"
        for _ in range(20):
            assert len(greedy.answer()[1]) == LARGE


def test_a_large_answer_arrives_whole(reader: tuple[int, int]) -> None:
    """An answer that doesn't fit into the socket at once is sent to its end."""
    port, _ = reader
    with Line(port) as line:
        assert line.ask("/large") == ("200 OK", b"x" * LARGE)
        assert line.ask("/prompt")[0] == "200 OK"


@pytest.mark.parametrize("path", ["/prompt", "/waits"])
def test_an_answer_leaves_in_one_piece(desk: Desk, reader: tuple[int, int], path: str) -> None:
    """Header and body of a short answer come with one read."""
    port, _ = reader
    desk.may_answer.set()
    with Line(port) as line:
        line.send(path)
        head, _, body = line.at_once().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert body.startswith(path.encode())


def test_a_fault_ends_no_more_than_its_request(reader: tuple[int, int]) -> None:
    """An app that raises where it is read is a 500, and the server goes on."""
    port, _ = reader
    with Line(port) as line:
        assert line.ask("/fails")[0].startswith("500")
    with Line(port) as line:
        assert line.ask("/prompt")[0] == "200 OK"


def test_who_hangs_up_disturbs_nobody(desk: Desk, reader: tuple[int, int]) -> None:
    """A connection that goes while its answer is awaited, or unread, leaves the server at work."""
    port, _ = reader
    for path in ("/waits", "/prompt", "/large"):
        with Line(port) as line:
            line.send(path)
    assert desk.arrived.acquire(timeout=BOUND)
    desk.may_answer.set()
    with Line(port) as line:
        assert line.ask("/prompt")[0] == "200 OK"


@pytest.mark.parametrize("path", ["/204", "/304"])
@pytest.mark.parametrize(
    ("version", "more", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: keep-alive\r\n", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.0", "", False),
    ],
)
def test_a_connection_outlives_an_answer_without_a_body(
    reader: tuple[int, int], path: str, version: str, more: str, *, kept: bool
) -> None:
    """204 and 304 need no length, so they end no connection unless the caller wants that."""
    port, _ = reader
    with Line(port) as line:
        assert line.ask(path, version, more)[0].startswith(path[1:])
        if kept:
            assert line.ask("/prompt")[0] == "200 OK"
        else:
            assert line.at_once() == b""


def test_its_end_waits_for_both_kinds(desk: Desk) -> None:
    """A server that is stopped gives the answers it owes, and then hangs up."""
    listener = bind(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(desk, listener, THREADS, may_wait=lambda path: path == "/waits")
    thread = threading.Thread(target=server.run)
    thread.start()
    with Line(port) as kept, Line(port) as waiting:
        assert kept.ask("/prompt")[0] == "200 OK"
        waiting.send("/waits")
        assert desk.arrived.acquire(timeout=BOUND)
        server.stop()
        wait_until(lambda: listener.fileno() == -1, "it listens no more")
        desk.may_answer.set()
        assert waiting.answer()[0] == "200 OK"
        assert kept.at_once() == b""
    thread.join(BOUND)
    assert not thread.is_alive()
