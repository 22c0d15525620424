"""CPU time of a process and of all that it has started, as /proc has it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds that the kernel counts CPU time in (proc(5), `utime`)."""
_PAUSE: Final = 0.08


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc.

    Args:
        parent: The process that started it.
        ticks: CPU time of it, and of those of its children that have ended.
    """

    parent: int
    ticks: int


def tree_seconds(root: int, proc: Path = PROC) -> float:
    """Return the CPU time that a process and all below it have taken so far.

    The time of one that ends goes to its parent, so that nothing is lost in between.

    Args:
        root: The process.
        proc: Where the kernel shows the processes.
    """
    processes = _processes(proc)
    children = defaultdict(list)
    for pid, process in processes.items():
        children[process.parent].append(pid)
    ticks, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children[pid]
        if pid in processes:
            ticks += processes[pid].ticks
    return ticks * TICK


def await_rest(root: int, most: float = 15.0) -> None:
    """Wait until a server has finished what it was left with, or for `most` seconds."""
    deadline = time.monotonic() + most
    used = tree_seconds(root)
    while time.monotonic() < deadline:
        time.sleep(_PAUSE)
        before, used = used, tree_seconds(root)
        if used - before <= TICK:
            return


def busy_share(seconds: float = 1.0) -> float:
    """Return how much of all cores is in use now, between 0 and 1."""
    before = _all_and_idle()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(_all_and_idle(), before, strict=True))
    return 1 - idle / total if total else 0.0


def _all_and_idle() -> tuple[int, int]:
    times = [int(each) for each in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(times[:8]), times[3] + times[4]  # proc(5): user … steal; idle and iowait


def _processes(proc: Path) -> dict[int, Process]:
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                found[int(folder.name)] = _parse((folder / "stat").read_text())
    return found


def _parse(stat: str) -> Process:
    """Read a process' line; its name stands in brackets, and may hold any of them."""
    fields = stat.rpartition(")")[2].split()  # from the third field on: proc(5)
    return Process(parent=int(fields[1]), ticks=sum(int(each) for each in fields[11:15]))
