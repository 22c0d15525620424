"""A word on what is being waited for, once it takes longer than a person expects."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

PATIENCE: Final = 1.0
"""Seconds that need no word."""
_CLEAN_LINE: Final = "\r\x1b[K"
"""Back to its start, and erase it (ECMA-48, section 8.3.41)."""


@contextmanager
def patience(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say what is waited for and for how long, after a second of waiting, on a terminal alone.

    Nothing else may be printed meanwhile. The line is gone at the end, however it ends.

    Args:
        what: What is being done, for example `reading config/tenants.yaml`.
        quiet: Whether to say nothing at all.
    """
    terminal = sys.stderr
    if quiet or terminal is None or not terminal.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, terminal, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(what: str, terminal: TextIO, done: threading.Event) -> None:
    start = time.monotonic()
    if done.wait(PATIENCE):
        return
    try:
        while True:
            # Longer than the terminal is wide, the line would break, and only its end be erased.
            width = shutil.get_terminal_size().columns - 1
            text = f"{what} … {time.monotonic() - start:.0f} s"
            terminal.write(_CLEAN_LINE + text[-width:])
            terminal.flush()
            if done.wait(PATIENCE):
                break
        terminal.write(_CLEAN_LINE)
        terminal.flush()
    except (OSError, ValueError):  # the terminal is gone; what is being done goes on
        return
