"""Clients that take their time, or all places: they are waited for so long, and others served."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kataven_flask.channels import SEND_AT_ONCE
from kataven_flask.listening import Address, bind
from kataven_flask.places import AT_ONCE, Bounds
from kataven_flask.serve import Server
from tests.running import COMMAND, running, wait_until
from tests.support import API, KEY, ORIGIN, document
from tests.test_channels import BOUND, LARGE, THREADS, Desk, Line

PROMISED: Final = 1.0
"""Seconds within which a good request is answered, whatever the others do."""
SOON: Final = 0.4
"""Seconds; a bound that a test can wait for."""
BEGUN: Final = b"POST " + API.encode() + b"/auth/guest HTTP/1.1\r\nHost: x\r\n"
HALF_A_HEADER: Final = BEGUN + b"X-Slow: "
HALF_A_BODY: Final = BEGUN + b"Content-Length: 9000\r\n\r\n"


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have servers look every moment at who takes too long."""
    monkeypatch.setattr("kataven_flask.serve.SWEEP", 0.05)


@contextmanager
def serving(app: Callable[..., Iterable[bytes]], **bounds: float) -> Iterator[tuple[int, Server]]:
    """Serve an app to clients that are granted so much; yield the port and the server."""
    listener = bind(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    granted = Bounds(**bounds)  # type: ignore[arg-type] # the number of connections, too
    may_wait = lambda path: path.startswith("/waits")  # noqa: E731
    server = Server(app, listener, THREADS, may_wait=may_wait, bounds=granted)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port, server
    finally:
        server.stop()
        thread.join(BOUND)
        assert not thread.is_alive()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Return an app."""
    desk = Desk()
    yield desk
    desk.may_answer.set()


def connected(port: int) -> socket.socket:
    """Connect."""
    return socket.create_connection(("127.0.0.1", port), timeout=BOUND)


def trickle(client: socket.socket, first: bytes, more: bytes) -> bytes:
    """Send something, then bytes one by one; return what is answered before it's hung up."""
    client.sendall(first)
    client.settimeout(0.02)
    for number in range(10_000):
        try:
            client.sendall(more[number % len(more) :][:1])
            answer = client.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
        return answer
    pytest.fail("it is waited for, for ever")


def left(client: socket.socket) -> bytes:
    """Return all that comes until it's hung up."""
    try:
        return b"".join(iter(lambda: client.recv(65_536), b""))
    except ConnectionError:
        return b""


# --- too slow


@pytest.mark.parametrize(
    "first", [HALF_A_HEADER, HALF_A_BODY, b"G"], ids=["header", "body", "first-line"]
)
def test_a_request_that_trickles_is_refused_readably(desk: Desk, first: bytes) -> None:
    """A byte now and then keeps no connection; a page could read why it was closed."""
    with serving(desk, request=SOON) as (port, _), connected(port) as client:
        began = time.monotonic()
        answer = trickle(client, first, b"a").decode()
        assert time.monotonic() - began >= SOON
        head, _, body = answer.partition("\r\n\r\n")
        assert head.split(" ", 1)[1].startswith("408 Request Timeout\r\n")
        for line in (
            "Connection: close",
            "X-Error-Code: request_timeout",
            "Access-Control-Allow-Origin: *",
        ):
            assert line in head.split("\r\n")
        assert body == "Request timed out: send it whole within 0.4 s"
        assert left(client) == b""


@pytest.mark.parametrize("more", [b"", b"\r\n\r\n"], ids=["nothing", "blank-lines"])
def test_who_asks_nothing_is_hung_up_on(desk: Desk, more: bytes) -> None:
    """Silence ends a connection, and what is no request doesn't keep it."""
    with serving(desk, idle=SOON) as (port, _), connected(port) as client:
        assert trickle(client, b"", more) == b"" if more else left(client) == b""


def test_who_goes_on_asking_is_kept(desk: Desk) -> None:
    """Each answer begins the time anew in which the next request is waited for."""
    with serving(desk, idle=SOON) as (port, _), Line(port) as line:
        began = time.monotonic()
        while (asked := time.monotonic()) < began + 3 * SOON:
            assert line.ask("/prompt")[0] == "200 OK"
            last = asked
            time.sleep(SOON / 5)  # what is waited for is that time passes
        assert line.at_once() == b""
        assert time.monotonic() - last >= SOON


def test_who_doesnt_read_is_hung_up_on(desk: Desk) -> None:
    """An answer that nobody takes holds no place for ever."""
    with serving(desk, answer=SOON) as (port, server), Line(port) as greedy:
        greedy.send("/large")
        open_ones = server._server.active_channels  # noqa: SLF001
        wait_until(lambda: len(open_ones) == 1, "it is connected")
        wait_until(lambda: not open_ones, "it is hung up on")
        assert len(greedy.answer()[1]) < LARGE


def test_who_reads_byte_by_byte_keeps_nobody_waiting(desk: Desk) -> None:
    """Others are answered at once, and what it doesn't fit in time it doesn't get."""
    with serving(desk, answer=SOON) as (port, server), connected(port) as slow, Line(port) as line:
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        open_ones = server._server.active_channels  # noqa: SLF001
        deadline = time.monotonic() + BOUND
        while len(open_ones) != 1:
            assert time.monotonic() < deadline
            assert slow.recv(1)
            began = time.monotonic()
            assert line.ask("/prompt")[0] == "200 OK"
            assert time.monotonic() - began < PROMISED


def test_answers_that_nobody_takes_dont_pile_up() -> None:
    """Who asks for hundreds at once is given the next when they have taken the one before."""
    given = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given.append(1)
        start_response("200 OK", [("Content-Length", str(SEND_AT_ONCE))])
        return [b"x" * SEND_AT_ONCE]

    def stands() -> bool:
        before = len(given)
        time.sleep(0.2)  # in which far more would be given
        return len(given) == before

    with serving(app) as (port, _), Line(port) as greedy:
        greedy.send(*["/"] * 200)
        wait_until(lambda: bool(given), "it has begun")
        wait_until(stands, "it waits for who asked")
        assert len(given) < 200
        assert [len(greedy.answer()[1]) for _ in range(200)] == [SEND_AT_ONCE] * 200


def test_what_waits_for_a_later_answer_keeps_nobody_busy(desk: Desk) -> None:
    """Until both can be sent, a connection whose second request takes long costs nothing."""
    with serving(desk) as (port, server), Line(port) as line:
        line.send("/prompt", "/waits")
        assert desk.arrived.acquire(timeout=BOUND)
        (channel,) = server._server.active_channels.values()  # noqa: SLF001
        wait_until(lambda: channel.total_outbufs_len > 0, "the first is answered")
        assert not channel.writable()
        desk.may_answer.set()
        assert [line.answer()[0] for _ in range(2)] == ["200 OK"] * 2


# --- too many


PLACES: Final = 40


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"", b" 503 Service Unavailable\r\n"),
        (HALF_A_HEADER, b" 503 Service Unavailable\r\n"),
        (b"GET /prompt HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    ],
    ids=["never-asked", "half-asked", "asked-before"],
)
def test_they_give_way_to_who_comes(desk: Desk, first: bytes, told: bytes) -> None:
    """All places are taken, and whoever comes is served; some of the others hear why they go."""
    with serving(desk, connections=PLACES) as (port, server), ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(PLACES)]
        for client in idle:
            client.sendall(first)
        for client in idle if first.endswith(b"\r\n\r\n") else ():
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        open_ones = server._server.active_channels  # noqa: SLF001
        wait_until(lambda: len(open_ones) == PLACES, "all are in")
        with Line(port) as line:
            assert line.ask("/prompt")[0] == "200 OK"
            assert len(open_ones) == PLACES + 1 - AT_ONCE
            for client in idle:
                client.setblocking(False)
            ends = [_said(client) for client in idle]
        assert ends.count(None) == PLACES - AT_ONCE
        for answer in ends:
            if answer is not None and told:
                assert told in answer
                assert b"\r\nRetry-After: 2\r\n" in answer
                assert b"\r\nX-Error-Code: too_many_connections\r\n" in answer
                assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in answer
            elif answer is not None:
                assert answer == b""


def _said(client: socket.socket) -> bytes | None:
    """Return what was said before it was hung up; None where it's open."""
    try:
        return client.recv(65_536)
    except BlockingIOError:
        return None


def test_who_is_being_answered_gives_way_to_nobody(desk: Desk) -> None:
    """Where all are, who comes is refused in words, and the others get their answers."""
    with serving(desk, connections=THREADS) as (port, _), ExitStack() as stack:
        working = [stack.enter_context(Line(port)) for _ in range(THREADS)]
        for line in working:
            line.send("/waits")
            assert desk.arrived.acquire(timeout=BOUND)
        with connected(port) as newcomer:
            answer = left(newcomer)
        assert b" 503 Service Unavailable\r\n" in answer
        assert answer.endswith(b"\r\n\r\nToo many connections: try again shortly")
        desk.may_answer.set()
        assert [line.answer()[0] for line in working] == ["200 OK"] * THREADS


def test_no_file_for_a_newcomer_ends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server tries again now and then, says so once, and takes in who has waited."""
    tries: list[float] = []
    with serving(desk) as (port, server):
        accept = server._server.accept  # noqa: SLF001

        def no_file() -> Any:
            tries.append(time.monotonic())
            if len(tries) < 6:
                raise OSError(errno.EMFILE, "Too many open files")
            return accept()

        monkeypatch.setattr(server._server, "accept", no_file)  # noqa: SLF001
        with Line(port) as line:
            assert line.ask("/prompt")[0] == "200 OK"
    assert tries[5] - tries[0] > 0.2
    assert [record.getMessage() for record in caplog.records] == [
        'can\'t take in a connection; trying on error="Too many open files"'
    ]


# --- the real server


@pytest.mark.parametrize(
    ("first", "workers"), [(HALF_A_HEADER, "1"), (HALF_A_BODY, "2")], ids=["header", "body"]
)
def test_two_hundred_that_trickle_keep_nobody_waiting(
    tmp_path: Path, first: bytes, workers: str
) -> None:
    """While 200 clients send a byte now and then, each good request is answered within a second."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    options = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", workers)
    with running(COMMAND, "serve", *options, cwd=tmp_path) as server, ExitStack() as stack:
        port = server.port()
        slow = [stack.enter_context(connected(port)) for _ in range(200)]
        for client in slow:
            client.sendall(first)
        for _ in range(20):
            for client in slow:
                client.sendall(b"a")
            began = time.monotonic()
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
            body = json.dumps({"client_key": KEY})
            line.request("POST", f"{API}/auth/guest", body, {"Origin": ORIGIN})
            assert line.getresponse().status == 200
            line.close()
            assert time.monotonic() - began < PROMISED
        assert "Traceback" not in server.output
