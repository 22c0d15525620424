"""Many clients who do one thing at the same moment, in threads of several processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from tests.faults.client import Client

PROCESSES: Final = 4
THREADS: Final = 16
"""In each process."""
RACERS: Final = PROCESSES * THREADS
PATIENCE: Final = 120
"""Seconds that a race waits for a racer before it is given up."""

Job: TypeAlias = Callable[[Client, str], Any]
"""What each racer does in a round, given a client and the round's token."""


def race(job: Job, ports: list[int], tokens: list[str]) -> list[list[Any]]:
    """Have all racers do a job with one token at once, a round for each token.

    The processes are spawned, not forked: they share nothing but the start.

    Args:
        job: The job; it must be importable by its name.
        ports: The servers; a racer keeps to one of them.
        tokens: A token for each round.

    Returns:
        For each round, what the racers were answered.
    """
    context = multiprocessing.get_context("spawn")
    start, out = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=_run_process, args=(job, ports, tokens, start, out), daemon=True)
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    by_racer = [answers for _ in processes for answers in out.get(timeout=PATIENCE)]
    for process in processes:
        process.join(PATIENCE)
    out.close()
    out.join_thread()
    return [list(answers) for answers in zip(*by_racer, strict=True)]


def _run_process(job: Job, ports: list[int], tokens: list[str], start: Any, out: Any) -> None:
    # The last of the threads waits for the other processes, and then all go.
    go = threading.Barrier(THREADS, action=lambda: start.wait(PATIENCE))
    answers: list[list[Any]] = [[] for _ in range(THREADS)]

    def run(number: int) -> None:
        with Client(ports[number % len(ports)]) as client:
            client.get("/healthz")  # connected before the first start
            for token in tokens:
                go.wait(PATIENCE)
                answers[number].append(job(client, token))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(answers)
