"""The table of `benchmarks.scale`, and the page that is made of it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Final

MOST_READ: Final = 8.0
"""Seconds."""
MOST_EDIT: Final = 1.0
"""Seconds until an edit of one file of a folder is in force."""
MOST_COST: Final = 1.05
"""What a guest may cost with many tenants, against two."""
MOST_P99: Final = 3.0
"""What the p99 may be while a reload runs, against rest."""
MOST_SHARE: Final = 0.06
"""Of a core, at rest: five hundredths for the looks, and one for all else."""
_PAGE: Final = Path(__file__).with_name("scale.md")
_MACHINE: Final = ("CPU", "Kernel", "System", "In use before the run", "Ours and the limit")


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds in which guests' sessions were begun.

    Args:
        cpu_us: CPU time of the server's processes, a request.
        p50_ms: Half of the answers came within this.
        p99_ms: All but one in a hundred did.
    """

    cpu_us: float
    p50_ms: float
    p99_ms: float


def _lists() -> defaultdict[str, list[float]]:
    return defaultdict(list)


def _windows() -> defaultdict[str, list[Window]]:
    return defaultdict(list)


@dataclass(slots=True)
class Figures:
    """What was measured, by which server: `few`, `file` or `folder`.

    Args:
        tenants: How many there were.
        rounds: How often each was measured.
        starts: Seconds from the start to the first answer.
        guests: Windows at rest, in turns with the other servers.
        rest: Which share of a core was used while nobody asked for anything.
        edits: Seconds until an edit was in force.
        edits_under_load: The same, while guests' sessions were begun.
        at_rest: Windows without an edit, in turns with those with edits.
        reloading: Windows with edits.
        megabytes: Resident memory of the server at the end.
        reader_megabytes: The most that the process had that reads the file whole.
        reader_seconds: Its CPU time.
    """

    tenants: int
    rounds: int
    starts: defaultdict[str, list[float]] = field(default_factory=_lists)
    guests: defaultdict[str, list[Window]] = field(default_factory=_windows)
    rest: dict[str, float] = field(default_factory=dict)
    edits: defaultdict[str, list[float]] = field(default_factory=_lists)
    edits_under_load: defaultdict[str, list[float]] = field(default_factory=_lists)
    at_rest: defaultdict[str, list[Window]] = field(default_factory=_windows)
    reloading: defaultdict[str, list[Window]] = field(default_factory=_windows)
    megabytes: dict[str, float] = field(default_factory=dict)
    reader_megabytes: float = 0.0
    reader_seconds: float = 0.0


def table(figures: Figures) -> str:
    """Write the table."""
    lines = [
        *_starts(figures),
        *_edits(figures),
        *_costs(figures),
        *_latencies(figures),
        *_rest(figures),
        *_memory(figures),
    ]
    return "\n".join(["| | | wanted | |", "|---|--:|--:|---|", *lines])


def _starts(figures: Figures) -> list[str]:
    names = {"file": "one file", "folder": f"a folder of {figures.tenants:,} files"}
    return [
        _held(f"read at the start: {words}, s", _median(figures.starts[name]), MOST_READ)
        for name, words in names.items()
    ]


def _edits(figures: Figures) -> list[str]:
    edits, loaded = figures.edits, figures.edits_under_load
    return [
        _held("an edit in the folder, moved over, s", _median(edits["folder"]), MOST_EDIT),
        _held("- written in place, s", _median(edits["folder, in place"]), MOST_EDIT),
        _held("- the slowest of both, s", max(edits["folder"] + edits["folder, in place"])),
        _held("- under full load, s", _median(loaded["folder"])),
        _held("an edit of the one file, s", _median(edits["file"])),
        _held("- under full load, s", _median(loaded["file"])),
        _held("- of what every key has, under full load, s", _median(loaded["every key"])),
    ]


def _costs(figures: Figures) -> list[str]:
    few = [window.cpu_us for window in figures.guests["few"]]

    def ratio(name: str) -> float:
        """Compare what was measured in the same round: a busy machine is busy for both."""
        pairs = zip(figures.guests[name], few, strict=True)
        return _median([window.cpu_us / other for window, other in pairs])

    return [
        _held("a guest with two tenants, CPU µs", _median(few)),
        _held("- with all in one file, times that", ratio("file"), MOST_COST),
        _held("- with all in a folder, times that", ratio("folder"), MOST_COST),
    ]


def _latencies(figures: Figures) -> list[str]:
    lines = []
    for name, rest, words in (
        ("file", "file", "one file"),
        ("folder", "folder", "the folder"),
        ("every key", "file", "one file, what every key has"),
    ):
        before, during = _p99(figures.at_rest[rest]), _p99(figures.reloading[name])
        most = MOST_P99 if name == rest else None
        lines += [
            _held(f"p99 while {words} is edited, ms (at rest {_short(before)})", during),
            _held("- times that at rest", during / before, most),
        ]
    return lines


def _rest(figures: Figures) -> list[str]:
    names = {"few": "two tenants", "file": "all in one file", "folder": "all in a folder"}
    return [
        _held(f"share of a core at rest, {words}", figures.rest[name], MOST_SHARE)
        for name, words in names.items()
    ]


def _memory(figures: Figures) -> list[str]:
    names = {"few": "two tenants", "file": "all in one file", "folder": "all in a folder"}
    servers = [
        _held(f"memory of a server with {words}, MB", figures.megabytes[name])
        for name, words in names.items()
    ]
    return [
        *servers,
        _held(
            "memory of the process that reads the file, while it does, MB", figures.reader_megabytes
        ),
        _held("- its CPU time, s", figures.reader_seconds),
    ]


def _p99(windows: Sequence[Window]) -> float:
    return _median([window.p99_ms for window in windows])


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _held(words: str, value: float, most: float | None = None) -> str:
    wanted = "| |" if most is None else f"≤ {most:g} | {'✓' if value <= most else '✗'} |"
    return f"| {words} | {_short(value)} | {wanted}"


def _short(value: float) -> str:
    places = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - digits
    return f"{value:,.{places}f}"


def page(figures: Figures, machine: Sequence[tuple[str, str]]) -> str:
    """Write the page."""
    told: Mapping[str, str] = dict(machine)
    return Template(_PAGE.read_text()).substitute(
        day=f"{datetime.now(UTC):%d %B %Y}",
        tenants=f"{figures.tenants:,}",
        keys=f"{2 * figures.tenants:,}",
        rounds=figures.rounds,
        table=table(figures),
        machine="\n".join(
            f"| {name.partition(' and ')[0]} | {told[name]} |" for name in _MACHINE if name in told
        ),
    )
