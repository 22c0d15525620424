"""Ours, the limit, and what a user would pick instead, in one run: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.cpu import busy_share
from benchmarks.kinds import OWN, PEERS, ROOT, Kind, kinds
from benchmarks.machine import machine
from benchmarks.report import Run, figures, missed, page, ratios
from benchmarks.rounds import all_started, measure
from benchmarks.rows import ROWS, Row
from benchmarks.startup import Startup, measure_startup
from benchmarks.world import make_world
from kataven_flask.cli.serve import serve
from tests.redis_server import running_redis

PAGE: Final = ROOT / "docs" / "benchmarks.md"
FULL: Final = 5
"""Rounds that the page needs."""
_BUSY: Final = 0.1


def main() -> None:
    """Measure, print the tables, and write the page where all of it was measured."""
    options = _options()
    rows = [row for row in ROWS if options.only in row.name]
    if not rows:
        sys.exit(f"no row's name has {options.only!r}: {', '.join(row.name for row in ROWS)}")
    is_full = options.rounds >= FULL and rows == list(ROWS)
    busy = busy_share()
    if busy > _BUSY:
        print(f"!!! {busy:.0%} of this machine is in use: no figure of it will be worth much")
    run = _run(rows, options, busy, with_startup=is_full)
    print("", figures(run.results), "", ratios(run.by_name, run.startup), "", sep="\n")
    if is_full:
        PAGE.write_text(page(run))
        lost = missed(run.by_name, run.startup)
        print(f"Written: {PAGE.relative_to(ROOT)}. Targets missed: {lost}.")
    void = [result.row.name for result in run.results if not result.counts]
    if void:
        sys.exit(f"void: {', '.join(void)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=FULL, help="how often each row is measured")
    add("--seconds", type=int, default=3, help="how long each time")
    add("--threads", type=int, default=_own_threads(), help="of each server that has some")
    add("--only", default="", metavar="TEXT", help="rows whose name has this; writes no page")
    return parser.parse_args()


def _own_threads() -> int:
    """Return how many threads our server has where nobody says otherwise."""
    default: Any = next(each.default for each in serve.params if each.name == "threads")
    return int(default)


def _run(
    rows: Sequence[Row], options: argparse.Namespace, busy: float, *, with_startup: bool
) -> Run:
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="bench-")
        folder = Path(stack.enter_context(temporary))
        startup: Startup | None = None
        if with_startup:
            startup = measure_startup(folder, FULL)
        redis = stack.enter_context(running_redis(folder / "redis"))
        wanted = {row.server for row in rows}
        every = kinds(make_world(folder), options.threads, redis.url)
        used = [kind for kind in every if kind.name in wanted]
        servers = stack.enter_context(all_started(used, folder))
        results = measure(rows, servers, options.rounds, options.seconds)
        return Run(
            results=results,
            startup=startup,
            machine=machine(busy),
            commands=[(kind.name, _shown(kind, folder, redis.url)) for kind in used],
            rounds=options.rounds,
            seconds=options.seconds,
            threads=options.threads,
        )


def _shown(kind: Kind, folder: Path, redis_url: str) -> str:
    """Write a command as a user would, without this machine's folders and ports."""
    environ = [f"{name}={value}" for name, value in kind.environ.items()]
    words = shlex.join([*environ, *(str(word) for word in kind.command)])
    short = {
        redis_url: "redis://127.0.0.1:6379/0",
        f"{OWN}/": "",
        f"{PEERS}/": "",
        f"{ROOT}/": "",
        f"{folder}/": "",
        "{folder}/": "",
        "{port}": "8000",
        "'": "",
    }
    for long, brief in short.items():
        words = words.replace(long, brief)
    return words


if __name__ == "__main__":
    main()
