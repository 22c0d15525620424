"""Events on their way from a worker to its parent, which counts for all and writes."""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from kataven_flask.security_events import Event, Happening

_ROOM: Final = 1024 * 1024
"""Bytes that it holds where the system allows it (Linux, pipe(7)): as many events as workers can
tell between two looks. Else a flood of harmless ones would keep out the one that matters."""
_READ_AT_ONCE: Final = 64 * 1024
_READS: Final = _ROOM // _READ_AT_ONCE
"""A look reads so often at most, so that it ends whatever the workers write."""


class EventPipe:
    """Takes events from worker processes to the one that made it.

    A line below `PIPE_BUF` is written whole or not at all (POSIX, write), so a worker may be
    killed at any moment.
    """

    def __init__(self) -> None:
        self._maker = os.getpid()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        if sys.platform == "linux":
            with suppress(OSError):  # this user's pipes have too much already
                fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _ROOM)
        self._unfinished = b""

    @property
    def is_ours(self) -> bool:
        """Whether this process made it, and reads it."""
        return os.getpid() == self._maker

    def send(self, happening: Happening, count: int) -> bool:
        """Send an event; return False where it doesn't fit."""
        message = [happening.event, dict(happening.fields), count]
        line = json.dumps(message).encode() + b"\n"
        if len(line) > select.PIPE_BUF:
            return False
        try:
            os.write(self._writer, line)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> Iterator[tuple[Happening, int]]:
        """Yield the events that have come."""
        with suppress(BlockingIOError):
            for _ in range(_READS):
                chunk = self._unfinished + os.read(self._reader, _READ_AT_ONCE)
                *lines, self._unfinished = chunk.split(b"\n")
                for line in lines:
                    event, fields, count = json.loads(line)
                    yield Happening(Event(event), fields), count

    def close(self) -> None:
        """Let go of both ends."""
        os.close(self._reader)
        os.close(self._writer)
