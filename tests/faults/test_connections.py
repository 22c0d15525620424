"""More connections than a server keeps, and more than it has files for."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
import yaml

from kataven_flask.places import CONNECTION_LIMIT, REQUEST_TIMEOUT
from tests.faults.serving import unlimited
from tests.running import BOUND, COMMAND, Running, running
from tests.support import API, KEY, ORIGIN

pytestmark = pytest.mark.faults

CROWD: Final = 10_000
PROMISED: Final = 1.0
"""Seconds within which a good request is answered, whatever the others do."""
HALF: Final = f"POST {API}/auth/guest HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n".encode()


@pytest.fixture(autouse=True)
def files_for_a_crowd() -> Iterator[None]:
    """Have this process be allowed as many open files as the crowd needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard == resource.RLIM_INFINITY or hard > CROWD + 500, "raise it: ulimit -Hn"
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def serving(folder: Path, workers: int = 1) -> Iterator[Running]:
    """Run the server."""
    (folder / "tenants.yaml").write_text(yaml.safe_dump(unlimited()))
    options = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", str(workers))
    with running(COMMAND, "serve", *options, cwd=folder) as server:
        server.port()
        yield server
        assert server.end() == 0, server.output
        assert "Traceback" not in server.output


def connect(stack: ExitStack, port: int) -> socket.socket:
    """Open a connection that is open until the stack is."""
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=BOUND))


def begin_guest(port: int) -> float:
    """Begin a guest's session on a new connection; return the seconds that it took."""
    began = time.monotonic()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    line.request("POST", f"{API}/auth/guest", f'{{"client_key":"{KEY}"}}', {"Origin": ORIGIN})
    answer = line.getresponse()
    assert answer.status == 200, answer.read()
    line.close()
    return time.monotonic() - began


def ends(crowd: list[socket.socket]) -> Counter[str]:
    """Count how they are: still open, hung up on without a word, or what they were told."""
    counted: Counter[str] = Counter()
    for client in crowd:
        client.setblocking(False)
        try:
            told = client.recv(4096).decode()
        except BlockingIOError:
            counted["open"] += 1
            continue
        assert "X-Error-Code" not in told or "\r\nRetry-After: " in told
        counted[told.partition("X-Error-Code: ")[2].partition("\r\n")[0] or "hung up"] += 1
    return counted


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("first", [b"", HALF], ids=["idle", "half-sent"])
def test_ten_thousand_keep_nobody_out(tmp_path: Path, workers: int, first: bytes) -> None:
    """As many as fit stay, all others are told to come again, and a good request is answered."""
    with serving(tmp_path, workers) as server, ExitStack() as stack:
        port, crowd, taken = server.port(), [], []
        for number in range(CROWD):
            crowd.append(connect(stack, port))
            crowd[-1].sendall(first)
            if number % 200 == 199:
                taken.append(begin_guest(port))
        assert max(taken) < PROMISED
        counted = ends(crowd)
        assert counted["open"] <= workers * CONNECTION_LIMIT
        assert counted["too_many_connections"] == CROWD - counted["open"]
        server.wait_for(r'too many connections", "closed_for_newcomers": [1-9]')


def test_two_hundred_that_trickle_have_their_end(tmp_path: Path) -> None:
    """After ten seconds each is told that it's too slow, and good requests notice nothing."""
    with serving(tmp_path, workers=2) as server, ExitStack() as stack:
        crowd = [connect(stack, server.port()) for _ in range(200)]
        began = time.monotonic()
        for client in crowd:
            client.sendall(HALF)
        while time.monotonic() < began + REQUEST_TIMEOUT - 1:
            for client in crowd:
                client.sendall(b"{")
            assert begin_guest(server.port()) < PROMISED
            time.sleep(0.5)  # that is how slow they are
        assert ends(crowd) == {"open": len(crowd)}
        for client in crowd:
            client.setblocking(True)
            told = client.recv(4096).decode()
            assert "\r\nX-Error-Code: request_timeout\r\n" in told
        assert time.monotonic() < began + REQUEST_TIMEOUT + 3


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def limit_files(pid: int, beyond: int) -> None:
    """Have a process be allowed so many open files more than it has."""
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    first_free = next(number for number in range(len(used) + 1) if number not in used)
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free + beyond, hard))


def test_without_files_for_all_some_give_way(tmp_path: Path) -> None:
    """Where the system has no file for a newcomer, who waits goes, and a good request is met."""
    with serving(tmp_path) as server, ExitStack() as stack:
        port = server.port()
        limit_files(server.process.pid, 40)
        crowd = [connect(stack, port) for _ in range(200)]
        assert max(begin_guest(port) for _ in range(20)) < PROMISED
        counted = ends(crowd)
        assert counted["open"] <= 40
        assert counted["too_many_connections"] == 200 - counted["open"]
        server.wait_for("can't take in a connection.*Too many open files")


def test_without_any_file_nothing_turns_in_circles(tmp_path: Path) -> None:
    """Nobody can be taken in; the server waits for better times, and then goes on."""
    with serving(tmp_path) as server, ExitStack() as stack:
        port, pid = server.port(), server.process.pid
        limit_files(pid, 0)
        waiting = connect(stack, port)
        waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for("can't take in a connection.*Too many open files")
        before = cpu_seconds(pid)
        time.sleep(2)  # in which a loop would use them up
        assert cpu_seconds(pid) - before < 1
        limit_files(pid, 100)
        assert waiting.recv(4096).startswith(b"HTTP/1.1 200 OK")
        assert server.output.count("can't take in") == 1


def test_fewer_files_are_said_at_the_start(tmp_path: Path) -> None:
    """A system that allows few open files has fewer connections, and the operator reads that."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(unlimited()))
    options = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    limited = ("sh", "-c", 'ulimit -n 400; exec "$@"', "sh", COMMAND, "serve", *options)
    with running(*limited, cwd=tmp_path) as server, ExitStack() as stack:
        port = server.port()
        assert '"connections": 140, "wanted": 1000' in server.output
        for _ in range(300):
            connect(stack, port)
        assert begin_guest(port) < PROMISED
        assert "open files" not in server.output.replace("too few open files", "")
    scarce = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh", COMMAND, "serve", *options)
    with running(*scarce, cwd=tmp_path) as server:
        assert server.ended() == 1
        assert "raise them with ulimit -n" in server.output
