"""What `make bench` says: read right, counted right, written right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import loads
from benchmarks.cpu import TICK, tree_seconds
from benchmarks.kinds import Kind, kinds
from benchmarks.report import Run, figures, missed, page, ratios
from benchmarks.rounds import all_started, measure
from benchmarks.rows import ROWS, Result, Row, Sample
from benchmarks.startup import Startup
from benchmarks.targets import TARGETS
from benchmarks.where import shares
from benchmarks.world import World
from benchmarks.wrk import Measured, VoidError, parse

SAID = {"requests": 1000, "duration_us": 2_000_000, "bytes": 500_000, "p50_us": 1500}
SAID |= {"p99_us": 9000, "refused": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0}


# --- what wrk says


def _printed(**others: int) -> str:
    return f"Running 2s test\nmeasured {json.dumps({**SAID, **others})}\nRequests/sec: 500\n"


def test_a_measurement_is_read() -> None:
    """Requests, seconds and latencies are those that wrk reports."""
    assert parse(_printed(), answer_bytes=500) == Measured(1000, 2.0, 1.5, 9.0)


@pytest.mark.parametrize(
    ("others", "answer_bytes", "why"),
    [
        ({"refused": 1}, 500, "1 answers were 400 or above"),
        ({"connect": 2}, 500, "2 connections failed"),
        ({"read": 1, "timeout": 3}, 500, "1 reads failed, 3 answers didn't come"),
        ({"requests": 0}, 500, "no request was answered"),
        ({}, 600, "answers had 500 bytes, and the first one 600"),  # a redirect, say
    ],
)
def test_what_went_wrong_voids_it(others: dict[str, int], answer_bytes: int, why: str) -> None:
    """One refused answer or failed socket, and nothing is measured."""
    with pytest.raises(VoidError, match=why):
        parse(_printed(**others), answer_bytes)


def test_what_wrk_doesnt_say_voids_it() -> None:
    """A script that broke is no measurement."""
    with pytest.raises(VoidError, match="did not say what it measured: attempt to index"):
        parse("attempt to index a nil value\n", answer_bytes=500)


# --- CPU time


def _stat(proc: Path, pid: int, parent: int, *ticks: int, name: str = "x") -> None:
    """Write what /proc has of a process: utime, stime, cutime, cstime are its fields 14 to 17."""
    (proc / str(pid)).mkdir()
    rest = " ".join(["0"] * 9 + [str(each) for each in ticks] + ["20", "0"])
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {rest}\n")


def test_a_tree_is_added_up(tmp_path: Path) -> None:
    """Those below count, those that have ended count by their parents, neighbours don't."""
    _stat(tmp_path, 10, 1, 1, 2, 30, 40)
    _stat(tmp_path, 11, 10, 100, 200, 0, 0, name="a) S 1 (b")
    _stat(tmp_path, 12, 11, 1000, 2000, 0, 0)
    _stat(tmp_path, 13, 1, 9999, 9999, 9999, 9999)
    (tmp_path / "14").mkdir()  # it has just ended
    (tmp_path / "meminfo").touch()
    assert tree_seconds(10, tmp_path) == pytest.approx(3373 * TICK)


def test_a_child_that_ended_is_not_forgotten() -> None:
    """What a child of this very process took is there after its end."""
    burn = "import time\nwhile time.process_time() < 0.1: pass"
    before = tree_seconds(os.getpid())
    subprocess.run([sys.executable, "-S", "-c", burn], check=True)
    assert tree_seconds(os.getpid()) - before >= 0.1 - 2 * TICK


# --- servers that aren't there


def test_what_is_not_installed_is_void(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row whose server can't be started is void, aloud, with the reason."""
    broken = Kind("broken", (sys.executable, "-c", "raise SystemExit('no such package')"))
    rows = [
        Row("one", "peers", "absent", loads.guest),
        Row("two", "peers", "broken", loads.guest),
    ]
    with all_started([Kind("absent", ("no-such-program",)), broken], tmp_path) as servers:
        results = measure(rows, servers, rounds=1, seconds=1)
    assert [result.fault for result in results] == [
        "no-such-program is not installed",
        "it ended at once: no such package",
    ]
    assert not any(result.counts for result in results)
    assert "!!! one DOESN'T COUNT: no-such-program is not installed" in capsys.readouterr().out


# --- the tables


def _result(name: str, *cpu_us: float, rate: float = 1000) -> Result:
    row = next(row for row in ROWS if row.name == name)
    return Result(row, [Sample(rate, each, 1.234, 12.34) for each in cpu_us])


def test_figures_are_medians() -> None:
    """A row tells the median of its rounds, and the lowest and highest CPU time."""
    results = [
        _result("bare WSGI", 50, 40, 60, rate=9876.5),
        _result("guest", 400),
        _result("exchange", 400),
    ]
    results[2].fault = "1 answers were\n400 | or above"
    assert figures(results).splitlines()[2:] == [
        "| the limit | bare WSGI | 9,876 | 50.0 (40.0 to 60.0) | 1.23 | 12.3 |",
        "| ours | guest | 1,000 | 400 (400 to 400) | 1.23 | 12.3 |",
        "|  | exchange | **void: 1 answers were 400 / or above** | | | |",
    ]


def test_ratios_are_held_against_the_best() -> None:
    """Reached, missed and void are told apart; what wasn't part of the run isn't there."""
    results = [
        _result("bare WSGI", 50),
        _result("guest", 100, rate=1000),
        _result("config 200", 125),
        _result("config 304", 90),
        _result("guest, granian", 100),
        _result("guest: FastAPI, uvicorn", 130),
        _result("guest: FastAPI, granian", 110),
        _result("guest, two processes", 100, rate=1900),
    ]
    results[3].fault = "no request was answered"
    named = {each.row.name: each for each in results}
    startup = Startup(seconds=0.6, megabytes=50)
    assert ratios(named, startup).splitlines()[2:] == [
        "| guest against the bare WSGI limit (CPU) | 0.50 | ≥ 0.45 | ✓ |",
        "| config 200 against the bare WSGI limit (CPU) | 0.40 | ≥ 0.5 | ✗ |",
        "| config 304 against the bare WSGI limit (CPU) | void | ≥ 0.55 | ✗ |",
        "| guest on granian against FastAPI on its best server (CPU) | 1.10 | ≥ 1.15 | ✗ |",
        "| two processes against one (requests/s) | 1.90 | ≥ 1.8 | ✓ |",
        "| start to the first answer, s | 0.60 | ≤ 0.5 | ✗ |",
        "| memory of a worker, MB | 50.0 | ≤ 70 | ✓ |",
    ]
    assert missed(named, startup) == 4


def test_the_page_has_all_of_it() -> None:
    """The page tells the tables, the machine, the commands and how it was measured."""
    run = Run(
        results=[_result("guest", 400)],
        startup=Startup(seconds=0.4, megabytes=50),
        machine=[("CPU", "a fast one, 2 cores")],
        commands=[("Express", "node benchmarks/peers/with_express.mjs 8000")],
        rounds=5,
        seconds=3,
        threads=4,
    )
    written = page(run)
    assert "| ours | guest | 1,000 | 400 (400 to 400) | 1.23 | 12.3 |" in written
    assert "| start to the first answer, s | 0.40 | ≤ 0.5 | ✓ |" in written
    assert "| CPU | a fast one, 2 cores |" in written
    assert "# Express\nnode benchmarks/peers/with_express.mjs 8000\n" in written
    assert "5 rounds, every other one backwards, 3 s a row and round" in written


def test_every_target_has_its_rows() -> None:
    """No target names a row that nobody measures, no row a server that nobody starts."""
    rows = {row.name for row in ROWS}
    assert {name for each in TARGETS for name in (each.row, *each.others)} <= rows
    assert len(rows) == len(ROWS)
    world = World(Path("a"), Path("b"), Path("c"))
    servers = {kind.name for kind in kinds(world, 4, "redis://127.0.0.1")}
    assert {row.server for row in ROWS} == servers


# --- where the time goes


BELOW = "<module> (kataven-flask:8);poll2 (waitress/wasyncore.py:163);"


def test_a_look_counts_for_who_is_innermost() -> None:
    """The standard library's time is that of whoever called it; idle threads count for nobody."""
    stacks = [
        f"{BELOW}guest (kataven_flask/api.py:1);encode (json/encoder.py:9) 1",
        f"{BELOW}guest (kataven_flask/api.py:1);_sign (kataven_flask/tokens.py:2) 4",
        f"{BELOW}Tokens._sign (kataven_flask/tokens.py:2);ECAlgorithm.sign (jwt/algorithms.py:7) 3",
        f"{BELOW}dispatcher.send (waitress/wasyncore.py:4) 2",
        "_bootstrap (threading.py:1);handler_thread (waitress/task.py:3);wait (threading.py:320) 9",
    ]
    assert shares(stacks) == {
        "tokens: claims, JSON, base64, HMAC": 0.4,
        "the signature (OpenSSL)": 0.3,
        "the kernel: send": 0.2,
        "reading the request, writing the answer": 0.1,
    }
