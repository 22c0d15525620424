"""The measuring: all servers started, then rounds in which each row has its turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cpu import await_rest, tree_seconds
from benchmarks.kinds import Kind
from benchmarks.rows import Result, Row, Sample
from benchmarks.servers import NotStartedError, Server, started
from benchmarks.wrk import VoidError, fire

WARM_UP: Final = 1
"""Seconds that each row is asked before anything is measured."""


@contextmanager
def all_started(
    kinds: Iterable[Kind], folder: Path
) -> Iterator[Mapping[str, Server | NotStartedError]]:
    """Start servers, and end them with the block.

    Args:
        kinds: Which.
        folder: Where each gets a folder of its own.

    Yields:
        Each by its name, or why it isn't there.
    """
    with ExitStack() as stack:
        servers: dict[str, Server | NotStartedError] = {}
        for kind in kinds:
            own = folder / kind.name.replace(", ", "-").replace(" ", "-").lower()
            try:
                servers[kind.name] = stack.enter_context(started(kind, own))
            except NotStartedError as error:
                servers[kind.name] = error
        yield servers


def measure(
    rows: Sequence[Row],
    servers: Mapping[str, Server | NotStartedError],
    rounds: int,
    seconds: int,
) -> list[Result]:
    """Measure every row once a round; every other round goes backwards.

    Args:
        rows: What is measured.
        servers: The servers by name.
        rounds: How often.
        seconds: How long each time.

    Returns:
        A result a row.
    """
    results = [Result(row) for row in rows]
    for result in results:
        if not result.row.slow:
            print(f"warming up: {result.row.name}", flush=True)
            _take(result, servers[result.row.server], WARM_UP, keep=False)
    for number in range(rounds):
        for result in results if number % 2 == 0 else reversed(results):
            if result.fault is None:
                sample = _take(result, servers[result.row.server], seconds)
                print(f"{number + 1}/{rounds}  {result.row.name:<45}  {sample}", flush=True)
    return results


def _take(
    result: Result, server: Server | NotStartedError, seconds: int, *, keep: bool = True
) -> str:
    """Measure a row once; return what to say of it."""
    if isinstance(server, NotStartedError):
        return _void(result, server)
    try:
        sample = sampled(result.row, server, seconds * (2 if result.row.slow else 1))
    except VoidError as fault:
        return _void(result, fault)
    if keep:
        result.samples.append(sample)
    return f"{sample.rate:8.0f}/s {sample.cpu_us:8.0f} µs"


def _void(result: Result, fault: Exception) -> str:
    result.fault = str(fault)
    print(f"!!! {result.row.name} DOESN'T COUNT: {fault}", flush=True)
    return "void"


def sampled(row: Row, server: Server, seconds: int) -> Sample:
    """Ask a server for so many seconds, and count what it took.

    Raises:
        VoidError: Not every answer was the one that was asked for.
    """
    shot = row.load(server, seconds)
    await_rest(server.pid)
    before = tree_seconds(server.pid)
    measured = fire(shot, seconds)
    used = tree_seconds(server.pid) - before
    await_rest(server.pid)  # of what was asked last, so that it slows nobody else
    return Sample(
        rate=measured.requests / measured.seconds,
        cpu_us=used / measured.requests * 1e6,
        p50_ms=measured.p50_ms,
        p99_ms=measured.p99_ms,
    )
