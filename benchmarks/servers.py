"""A server that runs: started on loopback, on a free port, and ended by its process' id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.kinds import HOST, ROOT, Kind
from tests.running import BOUND, free_port, wait_until

_ENDING: Final = 15
"""Seconds that a server has to end."""


class NotStartedError(Exception):
    """A server isn't there, or doesn't listen; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Args:
        name: What it is called.
        port: Where it listens.
        pid: The process that was started; there may be more below it.
        folder: What it writes in.
    """

    name: str
    port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def started(kind: Kind, folder: Path, bound: float = BOUND) -> Iterator[Server]:
    """Start a server, and end it with the block.

    Args:
        kind: Which.
        folder: What it may write in; made for it.
        bound: Seconds that it has to listen.

    Raises:
        NotStartedError: It can't be started, or doesn't listen.
    """
    folder.mkdir(parents=True)
    port = free_port()
    names = {"port": port, "folder": folder}
    command = [str(word).format(**names) for word in kind.command]
    environ = {name: value.format(**names) for name, value in kind.environ.items()}
    log = folder / "log"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        except FileNotFoundError as error:
            raise NotStartedError(f"{Path(command[0]).name} is not installed") from error
    try:
        _await_listening(process, port, log, bound)
        yield Server(kind.name, port, process.pid, folder)
    finally:
        end(process)


def _await_listening(process: subprocess.Popen[Any], port: int, log: Path, bound: float) -> None:
    def listens() -> bool:
        if process.poll() is not None:
            raise NotStartedError(f"it ended at once: {log.read_text().strip()[-400:]}")
        with socket.socket() as probe:
            return probe.connect_ex((HOST, port)) == 0

    try:
        wait_until(listens, "it listens", bound)
    except AssertionError as error:
        raise NotStartedError(str(error)) from error


def end(process: subprocess.Popen[Any]) -> None:
    """End a server in order, or else at once."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
