"""What a process that holds keys asks of the system: that its memory is nobody else's."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""Linux, prctl(2)."""


def keep_memory_private() -> None:
    """Leave no core file, and let no process of the same user look into this one's memory.

    Both hold for what is forked from here, too. root may look all the same, as with py-spy.
    The limit alone isn't enough: where the system hands cores to a program, that one gets them.
    """
    with suppress(OSError, ValueError):  # a sandbox forbids it; systemd's unit has the limit
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
