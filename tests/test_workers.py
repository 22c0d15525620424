"""`kataven-flask serve --workers N`: processes that share a socket, and their parent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.running import BOUND, wait_until
from tests.test_serve import ask, children, serving

WORKERS = 3
THREADS = 7
"""Of a worker: four for requests, its loop, who watches the files, who watches the parent."""


def test_every_worker_serves_the_one_socket(tmp_path: Path) -> None:
    """One listening socket is enough: whichever worker is left alone with it answers."""
    with serving(tmp_path, "--workers", str(WORKERS)) as server:
        port = server.port()
        assert len(listening_on(port)) == 1
        workers = children(server.process.pid)
        assert len(workers) == WORKERS
        for worker in workers:
            wait_until(lambda: threads_of(worker) >= THREADS, "it serves")  # noqa: B023 - at once
            with held_up(workers - {worker}):
                assert {ask(port, "GET", "/healthz")[0] for _ in range(3)} == {200}
        assert server.end() == 0


def listening_on(port: int) -> set[str]:
    """Return the sockets of this machine that listen on a port (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"
    }


def threads_of(pid: int) -> int:
    """Return how many threads a process has; what it has open is shown to root alone."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@contextmanager
def held_up(workers: set[int]) -> Iterator[None]:
    """Stop processes for as long as the block lasts."""
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: is_stopped(worker), "it is stopped")  # noqa: B023 - asked at once
    try:
        yield
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)


def is_stopped(pid: int) -> bool:
    """Tell whether a process is stopped by a signal (proc(5))."""
    return re.search(r"(?m)^State:\s+T", Path(f"/proc/{pid}/status").read_text()) is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_meanwhile_is_an_orderly_end(tmp_path: Path, number: signal.Signals) -> None:
    """A signal that comes while a worker is replaced ends all, the new one included."""
    with serving(tmp_path, "--workers", "2") as server:
        port = server.port()
        os.kill(min(children(server.process.pid)), signal.SIGKILL)
        server.wait_for("starting another")
        assert server.end(number) == 0
        assert "Traceback" not in server.output
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/healthz")


MUTE: Final = """
import os, signal, socket, sys
from contextlib import suppress
from kataven_flask.workers import Job, run_workers

unread, mute = os.pipe()
os.dup2(mute, 2)
os.close(unread)
os.close(mute)
with suppress(BrokenPipeError):
    sys.stderr.write("a line that is left in the buffer\\n")

def fail():
    raise ValueError

def end():
    os.kill(os.getpid(), signal.SIGTERM)

jobs = [Job("worker", socket.create_server(("127.0.0.1", 0)), fail) for _ in range(2)]
try:
    run_workers(jobs, ready=bool, idle=bool, died=end)
finally:
    os.write(1, b"tidied up\\n")
"""


def test_a_worker_that_cant_write_its_log_leaves_tidying_up_to_its_parent() -> None:
    """Where nobody reads the log any more, a worker's end removes nothing that others use."""
    python = (sys.executable, "-c", MUTE)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(python, env=environ, capture_output=True, timeout=BOUND, check=False)
    assert ended.stdout == b"tidied up\n"
