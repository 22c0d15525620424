"""What a server was given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a server has been given; it doesn't change while it runs.

    Args:
        workers: Its workers.
        connections: How many connections all of them take.
        threads: How many requests that may wait they work on at once.
        started: When it was started, in seconds since the epoch.
    """

    workers: int
    connections: int
    threads: int
    started: float
