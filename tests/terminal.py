"""A command on a terminal of its own, for tests of what a person sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.running import BOUND

_OWN: Final = (
    "import fcntl, os, signal, sys, termios; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal that a process reads the one that its Ctrl-C comes from, and heeds it, which
what is started in the background doesn't."""

_OF_ANOTHER: Final = {"COLUMNS", "LINES"}
"""What tells the size of the terminal that the tests were started on."""


class Terminal:
    """A terminal that a command runs on.

    Args:
        process: The command's process.
        descriptor: This side of the terminal.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.screen = b""
        self._descriptor = descriptor

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def wait_for(self, pattern: bytes, within: float = BOUND) -> None:
        """Wait until what a regular expression describes has appeared, for so many seconds."""
        end = time.monotonic() + within
        while not re.search(pattern, self.screen):
            assert self._read(end - time.monotonic()), f"no {pattern!r}: {self.screen!r}"

    def ended(self) -> int:
        """Wait for the end, and return the exit status."""
        end = time.monotonic() + BOUND
        while self._read(end - time.monotonic()):
            pass
        return self.process.wait(BOUND)

    def _read(self, bound: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(bound, 0))
        assert ready, f"it didn't appear in time: {self.screen!r}"
        try:
            part = os.read(self._descriptor, 4096)
        except OSError:  # Linux' way to say that nobody has the other side any more
            return False
        self.screen += part
        return bool(part)


@contextmanager
def terminal(command: Sequence[str], columns: int = 80, **environ: str) -> Iterator[Terminal]:
    """Start a command on a terminal of its own, and end it with the block.

    Args:
        command: The command line.
        columns: How wide the terminal is.
        **environ: Environment variables to add.

    Yields:
        The terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: text for name, text in os.environ.items() if name not in _OF_ANOTHER}
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "TERM": "xterm", **environ},
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait(BOUND)
        os.close(ours)
