"""What the server counts and measures, by the names that Prometheus reads.

`PROMETHEUS_MULTIPROC_DIR` must name a folder before this module is imported: that is when
prometheus_client decides to keep what each process counts in files there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from kataven_flask.security_events import Event
from kataven_flask.standing import Board


class Metrics:
    """What the processes of one server count, and the sum of it.

    It is made before the processes are forked, so that each of them has it.

    Args:
        folder: Where each process keeps what it counts; empty at the start.
        config: What each process has in force of the tenants' file.
    """

    def __init__(self, folder: Path, config: Board) -> None:
        self._folder = str(folder)
        own = CollectorRegistry()  # not the library's own, which any import may add to
        self._config_reloads = Counter(
            "kataven_config_reloads",
            "Edits of the tenants' file that were taken over (ok), or refused for their faults.",
            ["result"],
            registry=own,
        )
        for result in ("ok", "refused"):
            self._config_reloads.labels(result)  # from the start, so that a rate sees the first
        self._security_events = Counter(
            "kataven_security_events",
            "Security events by their name in the log; every one counts, told in a line or not.",
            ["event"],
            registry=own,
        )
        for event in Event:
            self._security_events.labels(event)
        self.registry = CollectorRegistry()
        self.registry.register(_ConfigCollector(config))
        MultiProcessCollector(self.registry, self._folder)  # type: ignore[no-untyped-call]

    def count_config_reload(self, result: Literal["ok", "refused"]) -> None:
        """Count an edit of the tenants' file, in the process that speaks for all."""
        self._config_reloads.labels(result).inc()

    def count_security_event(self, event: Event) -> None:
        """Count a security event, in whichever process it happens."""
        self._security_events.labels(event).inc()

    def forget(self, process: int) -> None:
        """Drop what a process that has ended had in hand; what it counted goes on counting."""
        mark_process_dead(process, self._folder)  # type: ignore[no-untyped-call]


class _ConfigCollector(Collector):
    """What is in force of the tenants' file now, in whichever process is worst off."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        standings = list(self._board)
        yield GaugeMetricFamily(
            "kataven_config_ok",
            "1 where every process took the last edit of the tenants' file over; 0 where one"
            " refused it, and the last good one is in force.",
            value=all(standing.ok for standing in standings),
        )
        yield GaugeMetricFamily(
            "kataven_config_loaded_timestamp_seconds",
            "When what is in force of the tenants' file was read; the longest ago, where processes"
            " differ.",
            value=min(standing.since for standing in standings),
        )
        info = InfoMetricFamily(
            "kataven_config",
            "The revision of the tenants' file that is in force; several for more than 2 s"
            " are processes that differ.",
        )
        for revision in sorted({standing.revision for standing in standings}):
            info.add_metric([], {"revision": revision})
        yield info
