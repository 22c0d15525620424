"""The tables, and the page that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Final

from benchmarks.rows import Group, Result, Sample
from benchmarks.startup import MOST_MEGABYTES, MOST_SECONDS, Startup
from benchmarks.targets import TARGETS, Target
from benchmarks.wrk import CONNECTIONS

_PAGE: Final = Path(__file__).with_name("page.md")
_GROUPS: Final[Mapping[Group, str]] = {
    "limit": "the limit",
    "ours": "ours",
    "peers": "instead of ours",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of `make bench`.

    Args:
        results: A result a row.
        startup: What starts gave; None where that wasn't measured.
        machine: What it ran on.
        commands: How each server was started.
        rounds: How often each row was measured.
        seconds: How long each time.
        threads: How many threads a server had.
    """

    results: Sequence[Result]
    startup: Startup | None
    machine: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    rounds: int
    seconds: int
    threads: int

    @property
    def by_name(self) -> Mapping[str, Result]:
        """The results by the names of their rows."""
        return {result.row.name: result for result in self.results}


def figures(results: Sequence[Result]) -> str:
    """Write the table of all rows."""
    lines = [
        "| | | requests/s | CPU µs a request (lowest to highest) | p50 ms | p99 ms |",
        "|---|---|--:|--:|--:|--:|",
    ]
    shown: Group | None = None
    for result in results:
        group = result.row.group
        label = _GROUPS[group] if group != shown else ""
        lines.append(f"| {label} | {result.row.name} | {_figures_of(result)} |")
        shown = group
    return "\n".join(lines)


def _figures_of(result: Result) -> str:
    if not result.counts:
        return f"**void: {_in_a_cell(result.fault or 'not measured')}** | | |"
    low, high = result.span(lambda sample: sample.cpu_us)
    cpu = f"{_rounded(result.median(lambda sample: sample.cpu_us))} ({_rounded(low)} to"
    times: tuple[Callable[[Sample], float], ...] = (lambda s: s.p50_ms, lambda s: s.p99_ms)
    latency = " | ".join(_rounded(result.median(time)) for time in times)
    rate = _rounded(result.median(lambda sample: sample.rate))
    return f"{rate} | {cpu} {_rounded(high)}) | {latency}"


def ratios(results: Mapping[str, Result], startup: Startup | None) -> str:
    """Write the table of what was wanted and what was reached."""
    lines = ["| | ratio | wanted | |", "|---|--:|--:|---|"]
    lines += [_ratio_line(each, results) for each in TARGETS if each.is_measured(results)]
    if startup is not None:
        lines += [
            _most("start to the first answer, s", startup.seconds, MOST_SECONDS),
            _most("memory of a worker, MB", startup.megabytes, MOST_MEGABYTES),
        ]
    return "\n".join(lines)


def missed(results: Mapping[str, Result], startup: Startup | None) -> int:
    """Count the lines that have a ✗."""
    return ratios(results, startup).count("✗")


def _ratio_line(target: Target, results: Mapping[str, Result]) -> str:
    ratio = target.ratio(results)
    measure = "requests/s" if target.by_rate else "CPU"
    words = f"| {target.words} ({measure})"
    if target.least is None:
        return f"{words} | {_rounded(ratio) if ratio else 'void'} | | |"
    if ratio is None:
        return f"{words} | void | ≥ {target.least:g} | ✗ |"
    return f"{words} | {_rounded(ratio)} | ≥ {target.least:g} | {_mark(ratio >= target.least)} |"


def _most(words: str, measured: float, most: float) -> str:
    return f"| {words} | {_rounded(measured)} | ≤ {most:g} | {_mark(measured <= most)} |"


def _mark(reached: bool) -> str:  # noqa: FBT001 - what it marks
    return "✓" if reached else "✗"


def _rounded(value: float) -> str:
    """Write three digits of a number, and all that stand before its point."""
    places = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - digits
    return f"{value:,.{places}f}"


def _in_a_cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def page(run: Run) -> str:
    """Write the page."""
    return Template(_PAGE.read_text()).substitute(
        day=f"{datetime.now(UTC):%d %B %Y}",
        rounds=run.rounds,
        seconds=run.seconds,
        connections=CONNECTIONS,
        threads=run.threads,
        ratios=ratios(run.by_name, run.startup),
        figures=figures(run.results),
        machine="\n".join(f"| {name} | {value} |" for name, value in run.machine),
        commands="\n".join(f"# {name}\n{command}" for name, command in run.commands),
    )
