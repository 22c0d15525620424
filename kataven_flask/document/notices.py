"""What the kernel tells of a folder's files, where it does (inotify(7)).

It saves looks, and nothing relies on it: of a file system that is mounted over a network, of
what links lead to, and on other systems it tells nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_WRITTEN: Final = 0x2 | 0x4 | 0x8
"""IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE; that a name comes or goes, the folder tells itself."""
_ALL: Final = 64 * 1024
"""Bytes that are read at a time; an event has about 32."""


class Notices:
    """Tells whether a file of a folder was written.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = 0
        self._descriptor = -1

    def come(self) -> bool:
        """Tell whether anything was written since it was asked last, as far as it knows."""
        if os.getpid() != self._process:  # what is shared after a fork tells one of both
            self.begin()
        some = False
        with suppress(OSError):
            while os.read(self._descriptor, _ALL):
                some = True
        return some

    def begin(self) -> None:
        """Begin anew, with the folder that stands there now."""
        self.close()
        self._process = os.getpid()
        with suppress(ImportError, OSError, AttributeError, MemoryError):
            self._descriptor = _notified_of(os.fsencode(self._folder))

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def _notified_of(folder: bytes) -> int:
    import ctypes  # noqa: PLC0415 - where there is much to look at, and nowhere else

    libc = ctypes.CDLL(None)
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor >= 0 and libc.inotify_add_watch(descriptor, folder, _WRITTEN) < 0:
        os.close(descriptor)
        return -1
    return descriptor
