"""The real command in a process of its own, for tests that need one."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from tests.canary import hear_output

COMMAND: Final = str(Path(sys.executable).with_name("kataven-flask"))
BOUND: Final = 15
"""Seconds after which a process that should have spoken or ended is given up."""
PORTS: Final = range(10_000, 20_000)
_given: Final[set[int]] = set()


def wait_until(condition: Callable[[], bool], what: str, bound: float = BOUND) -> None:
    """Ask again and again, and fail the test where it isn't so within the bound, in seconds."""
    deadline = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < deadline, f"after {bound} s still not so: {what}"
        time.sleep(0.01)


def free_port(*further: int) -> int:
    """Return a port of loopback that nobody listens on, nor so many numbers further up.

    It is below those that a kernel gives to clients: whoever is refused there while its
    server is down doesn't take it. It is given once, and of this process' own share: between the
    look and the server's start no other test takes it.
    """
    share = own_ports(os.environ)
    while True:
        port = secrets.choice(share)
        numbers = {port, *(port + each for each in further)}
        if numbers & _given or any(number in PORTS and number not in share for number in numbers):
            continue
        try:
            for number in numbers:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        _given.update(numbers)
        return port


def own_ports(environ: Mapping[str, str]) -> range:
    """Return the ports that are this process', of all that run tests at the same time."""
    workers = int(environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = len(PORTS) // workers
    return PORTS[worker * size : (worker + 1) * size]


class Running:
    """A started command.

    Args:
        process: Its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._spoke = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait until so many lines of output match, and return the last of these matches."""

        def found() -> list[re.Match[str]]:
            return [match for line in self.lines if (match := re.search(pattern, line))]

        with self._spoke:
            self._spoke.wait_for(lambda: len(found()) >= count, timeout=BOUND)
        matches = found()
        assert len(matches) >= count, f"{len(matches)} lines match {pattern!r}:\n{self.output}"
        return matches[count - 1]

    def port(self) -> int:
        """Wait until it listens, and return its port."""
        return int(self.wait_for(r"listens on http://.*:(\d+)")[1])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end, and return the exit status."""
        status = self.process.wait(BOUND)
        self._reader.join(BOUND)
        return status

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return "".join(self.lines)

    def _read(self, stream: IO[str] | None) -> None:
        assert stream is not None
        with stream:
            for line in stream:
                with self._spoke:
                    self.lines.append(line)
                    self._spoke.notify_all()


@contextmanager
def running(
    *arguments: str,
    cwd: Path,
    own_group: object = False,  # a bool; mypy takes any `**environ` for this one, too
    **environ: str,
) -> Iterator[Running]:
    """Start a command, and end it with the block.

    Args:
        *arguments: The command line.
        cwd: The folder to start it in.
        own_group: Whether it leads a process group, all of which is killed with the block.
        **environ: Environment variables to add.

    Yields:
        The started command.
    """
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=bool(own_group),
    )
    command = Running(process)
    try:
        yield command
    finally:
        if process.poll() is None:
            kill = os.killpg if own_group else os.kill
            kill(process.pid, signal.SIGKILL)
        command.ended()
        hear_output(arguments, command.output)
