"""The real command in a process of its own, for tests that need one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

COMMAND: Final = str(Path(sys.executable).with_name("kataven-flask"))
BOUND: Final = 15
"""Seconds after which a process that should have spoken or ended is given up."""


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
def running(*arguments: str, cwd: Path, **environ: str) -> Iterator[Running]:
    """Start a command, and end it with the block.

    Args:
        *arguments: The command line.
        cwd: The folder to start it in.
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
    )
    command = Running(process)
    try:
        yield command
    finally:
        if process.poll() is None:
            process.kill()
        command.ended()
