"""wrk, started and read."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CONNECTIONS: Final = 16
LOADS: Final = Path(__file__).parent / "load"
_TIMEOUT: Final = 20
"""Seconds that an answer may take; a slow hash at 16 connections takes some."""
_BYTES_MAY_DIFFER: Final = 0.02
"""By how much the answers' mean length may differ from the first one's."""


class VoidError(Exception):
    """What was measured doesn't count; the message says why."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What wrk is told.

    Args:
        url: Where.
        headers: What each request has.
        script: A file in `load`.
        arguments: What that script is told.
        answer_bytes: How long an answer is, header and all.
    """

    url: str
    headers: dict[str, str]
    script: str
    arguments: list[str]
    answer_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What wrk saw.

    Args:
        requests: How many were answered.
        seconds: How long it took.
        p50_ms: Half of the answers came within this.
        p99_ms: All but one in a hundred did.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


def command(shot: Shot, seconds: int) -> list[str]:
    """Return the command line: 16 connections, kept open, from one thread."""
    headers = [word for each in shot.headers.items() for word in ("--header", ": ".join(each))]
    return [
        "wrk",
        "--threads=1",
        f"--connections={CONNECTIONS}",
        f"--duration={seconds}s",
        f"--timeout={_TIMEOUT}s",
        f"--script={shot.script}",
        *headers,
        shot.url,
        "--",
        *shot.arguments,
    ]


def fire(shot: Shot, seconds: int) -> Measured:
    """Run wrk.

    Raises:
        VoidError: An answer was refused, or was not what was asked for, or a socket failed.
    """
    ran = subprocess.run(
        command(shot, seconds),
        cwd=LOADS,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 3 * _TIMEOUT,
    )
    if ran.returncode:
        raise VoidError(f"wrk failed: {(ran.stderr or ran.stdout).strip()}")
    return parse(ran.stdout, shot.answer_bytes)


def parse(output: str, answer_bytes: int) -> Measured:
    """Read what `load/report.lua` prints.

    Args:
        output: All that wrk printed.
        answer_bytes: How long an answer should be, header and all.

    Raises:
        VoidError: It can't be read, or doesn't count.
    """
    lines = [line for line in output.splitlines() if line.startswith("measured ")]
    if len(lines) != 1:
        raise VoidError(f"wrk did not say what it measured: {output.strip() or 'nothing'}")
    report: dict[str, Any] = json.loads(lines[0].removeprefix("measured "))
    faults = {
        "refused": "answers were 400 or above",
        "connect": "connections failed",
        "read": "reads failed",
        "write": "writes failed",
        "timeout": "answers didn't come",
    }
    said = [f"{report[name]} {words}" for name, words in faults.items() if report[name]]
    if said:
        raise VoidError(", ".join(said))
    if not report["requests"]:
        raise VoidError("no request was answered")
    length = report["bytes"] / report["requests"]
    # An answer of another kind, a redirect or an empty 200, has another length.
    if abs(length / answer_bytes - 1) > _BYTES_MAY_DIFFER + 1 / report["requests"]:
        raise VoidError(f"answers had {length:.0f} bytes, and the first one {answer_bytes}")
    return Measured(
        requests=report["requests"],
        seconds=report["duration_us"] / 1e6,
        p50_ms=report["p50_us"] / 1e3,
        p99_ms=report["p99_us"] / 1e3,
    )
