"""What ten thousand tenants cost, and an edit of them: `python -m benchmarks.scale`.

Servers with two tenants, with many in one file and with many in a folder are started, and asked
for guests' sessions in alternating rounds, at rest and while their files are edited. Some
four minutes, on a machine that rests.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cpu import TICK, await_rest, busy_share, tree_seconds
from benchmarks.kinds import HOST, OWN, ROOT, Kind
from benchmarks.loads import Ask, asked, guest
from benchmarks.machine import machine
from benchmarks.many import MANY, Editor, Many, write_many
from benchmarks.scale_report import Figures, Window, page, table
from benchmarks.servers import Server, started
from benchmarks.startup import resident
from benchmarks.wrk import VoidError, fire
from kataven_flask.document.looking import Looker
from kataven_flask.reader import question
from kataven_flask.turns import READER
from tests.running import wait_until

PAGE: Final = ROOT / "docs" / "scale.md"
ROUNDS: Final = 5
STARTS: Final = 3
_BOUND: Final = 60
"""Seconds that a server has to start, and an edit to be in force."""
_BUSY: Final = 0.1
_LOOK: Final = 0.01
"""Seconds between two questions whether an edit is in force."""
_REST: Final = 0.37
"""Seconds between two edits, so that they fall anywhere between two looks."""
_EVERY_KEY: Final = "session_ttl: 10"
"""What holds for every key; an edit of it makes 11 of the 10, and so on."""


def main() -> None:
    """Measure, print the table, and write the page where nothing was left out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--tenants", type=int, default=MANY, help="how many there are")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    options = parser.parse_args()
    busy = busy_share()
    if busy > _BUSY:
        print(f"!!! {busy:.0%} of this machine is in use: no figure of it will be worth much")
    began = time.monotonic()
    try:
        figures = _measure(options.tenants, options.rounds)
    except VoidError as error:
        sys.exit(f"void: {error}")
    print("", table(figures), "", f"It took {time.monotonic() - began:.0f} s.", sep="\n")
    if options.tenants == MANY and options.rounds >= ROUNDS:
        PAGE.write_text(page(figures, machine(busy)))
        print(f"Written: {PAGE.relative_to(ROOT)}.")


def _measure(tenants: int, rounds: int) -> Figures:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        few, many = write_many(folder / "few", 2), write_many(folder / "many", tenants)
        figures = Figures(tenants=tenants, rounds=rounds)
        _measure_starts(figures, many, folder / "starts")
        running = {
            name: stack.enter_context(_serving(config, folder / f"with-{name}"))
            for name, config in (("few", few.file), ("file", many.file), ("folder", many.folder))
        }
        _say("the cost of a guest")
        _measure_guests(figures, running, rounds)
        _say("what is done at rest")
        _measure_rest(figures, running)
        editors = {
            "file": Editor(many.file),
            "folder": Editor(max(many.folder.iterdir())),
            "every key": Editor(many.file, _EVERY_KEY),
        }
        _say("edits")
        _measure_edits(figures, running, editors)
        _say("edits under load")
        _measure_reloads(figures, running, editors, rounds)
        figures.megabytes = {name: resident(server.pid) for name, server in running.items()}
        _measure_reader(figures, many)
        return figures


def _say(what: str) -> None:
    print(f"measuring: {what}", flush=True)


# --- the servers


@contextmanager
def _serving(config: Path, folder: Path) -> Iterator[Server]:
    """Serve a file or a folder, and wait until it answers."""
    where = ("--instance", "{folder}/instance", "--listen", f"{HOST}:{{port}}")
    kind = Kind(folder.name, (OWN / "kataven-flask", "serve", "--config", config, *where))
    with started(kind, folder, _BOUND) as server:
        wait_until(lambda: _is_ready(server), "it answers", _BOUND)
        yield server


def _is_ready(server: Server) -> bool:
    try:
        asked(server, Ask("/readyz"))
    except VoidError:
        return False
    return True


def _revision(server: Server) -> str:
    report = json.loads(asked(server, Ask("/readyz")).body)
    return str(report["config"]["revision"])


# --- what is measured


def _measure_starts(figures: Figures, many: Many, folder: Path) -> None:
    """Start a server with each so many times."""
    _say("starts")
    for name, config in (("file", many.file), ("folder", many.folder)):
        for number in range(STARTS):
            began = time.monotonic()
            with _serving(config, folder / f"{name}-{number}"):
                figures.starts[name].append(time.monotonic() - began)


def _measure_guests(figures: Figures, running: dict[str, Server], rounds: int) -> None:
    """Begin guests' sessions on each in turns; every other round goes backwards."""
    for server in running.values():
        fire(guest(server, 1), 1)
    for number in range(rounds):
        names = list(running)
        for name in names if number % 2 == 0 else reversed(names):
            figures.guests[name].append(_window(running[name], 3))


def _window(server: Server, seconds: int) -> Window:
    shot = guest(server, seconds)
    await_rest(server.pid)
    before = tree_seconds(server.pid)
    measured = fire(shot, seconds)
    used = tree_seconds(server.pid) - before
    return Window(used / measured.requests * 1e6, measured.p50_ms, measured.p99_ms)


def _measure_rest(figures: Figures, running: dict[str, Server], seconds: float = 6.0) -> None:
    """Ask nobody for anything, and see what they do."""
    for server in running.values():
        await_rest(server.pid, 2.0)
    before = {name: tree_seconds(server.pid) for name, server in running.items()}
    time.sleep(seconds)
    for name, server in running.items():
        used = tree_seconds(server.pid) - before[name]
        figures.rest[name] = max(used - TICK, 0.0) / seconds


def _measure_edits(
    figures: Figures, running: dict[str, Server], editors: dict[str, Editor]
) -> None:
    """Edit one tenant, and wait until that is in force."""
    for name, times, in_place in (
        ("file", 5, False),
        ("folder", 8, False),
        ("folder", 8, True),
    ):
        for _ in range(times):
            time.sleep(_REST)
            took = _timed_edit(running[name], editors[name], in_place=in_place)
            figures.edits[name + ", in place" * in_place].append(took)


def _timed_edit(server: Server, editor: Editor, *, in_place: bool) -> float:
    before = _revision(server)
    began = time.monotonic()
    editor.edit(in_place=in_place)
    return _seconds_until(began, lambda: _revision(server) != before)


def _seconds_until(began: float, condition: Callable[[], bool]) -> float:
    while not condition():
        if time.monotonic() > began + _BOUND:
            raise VoidError("an edit isn't in force")
        time.sleep(_LOOK)
    return time.monotonic() - began


def _measure_reloads(
    figures: Figures, running: dict[str, Server], editors: dict[str, Editor], rounds: int
) -> None:
    """Ask for guests' sessions in turns at rest, and while one edit after the other is made."""
    for name, seconds in (("file", 6), ("folder", 3)):
        for _ in range(rounds):
            figures.at_rest[name].append(_window(running[name], seconds))
            with _editing(running[name], editors[name]) as took:
                figures.reloading[name].append(_window(running[name], seconds))
            figures.edits_under_load[name] += took
    for _ in range(2):
        with _editing(running["file"], editors["every key"], times=1) as took:
            figures.reloading["every key"].append(_window(running["file"], 8))
        figures.edits_under_load["every key"] += took


@contextmanager
def _editing(server: Server, editor: Editor, times: int = 1000) -> Iterator[list[float]]:
    """Edit one tenant as soon as the edit before is in force; give the seconds that each took."""
    ended, took = threading.Event(), list[float]()

    def edit() -> None:
        for _ in range(times):
            if ended.is_set():
                return
            took.append(_timed_edit(server, editor, in_place=False))

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def _measure_reader(figures: Figures, many: Many) -> None:
    """Run the process that reads by itself, and see how much memory it takes."""
    asked_for = question(many.file, Looker(many.file).look(), {}, doubted=False)
    process = subprocess.Popen(
        [sys.executable, *READER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    if process.stdin is not None:
        with process.stdin:
            process.stdin.write(asked_for)
    usage = os.wait4(process.pid, 0)[2]
    figures.reader_megabytes = usage.ru_maxrss * 1.024 / 1000
    figures.reader_seconds = usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
