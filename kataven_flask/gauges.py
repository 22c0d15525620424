"""What holds at the moment, as Prometheus reads it: files, keys, load; asked when it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from kataven_flask.capacity import Capacity
from kataven_flask.shares import Counts
from kataven_flask.signing import KeyRing, SigningKey
from kataven_flask.standing import Board


class Load:
    """What each worker has to do: memory that is theirs together.

    Args:
        workers: How many; they are forked after this is made.
    """

    def __init__(self, workers: int) -> None:
        self.connections = Counts(workers)
        self.busy = Counts(workers)
        self.waiting = Counts(workers)
        self.breaker = Counts(workers)


class ConfigCollector(Collector):
    """What is in force of the tenants' file now, in whichever process is worst off.

    Args:
        board: What each process has in force.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """Give what is shown."""
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


class KeysCollector(Collector):
    """The keys that sign, and those that could go.

    Args:
        board: What each process has in force of them.
        ring: Gives the ring as its file has it now.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self, board: Board, ring: Callable[[], KeyRing], clock: Callable[[], float]
    ) -> None:
        self._board = board
        self._ring = ring
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Give what is shown."""
        ring, now = self._ring(), self._clock()
        yield GaugeMetricFamily(
            "kataven_key_ring_ok",
            "1 where every process could read the key ring; 0 where one refused it, and goes on"
            " with the last good one: a restart would fail, or end every session.",
            value=all(standing.ok for standing in self._board),
        )
        yield GaugeMetricFamily(
            "kataven_signing_key_created_timestamp_seconds",
            "When the key that signs tokens now was made.",
            value=ring.signing_key(now).created_at,
        )
        yield GaugeMetricFamily(
            "kataven_refresh_secret_created_timestamp_seconds",
            "When the secret that signs refresh tokens now was made.",
            value=ring.refresh_secret(now).created_at,
        )
        states = Counter(
            ("signing_key" if isinstance(each.entry, SigningKey) else "refresh_secret", each.state)
            for each in ring.standings(now)
        )
        keys = GaugeMetricFamily(
            "kataven_keys",
            "Signing keys and refresh secrets by what they do now; nothing needs what is prunable.",
            labels=["kind", "state"],
        )
        for kind in ("signing_key", "refresh_secret"):
            for state in ("waits", "signs", "verifies", "prunable"):
                keys.add_metric([kind, state], states[kind, state])
        yield keys


class LoadCollector(Collector):
    """What the workers have to do, and what they were given.

    Args:
        load: What each has to do.
        capacity: What they were given.
    """

    def __init__(self, load: Load, capacity: Capacity) -> None:
        self._load = load
        self._capacity = capacity

    def collect(self) -> Iterator[Metric]:
        """Give what is shown."""
        yield InfoMetricFamily(
            "kataven_build",
            "The version of the software that runs.",
            value={"version": version("kataven-flask")},
        )
        for name, words, value in self._gauges():
            yield GaugeMetricFamily(name, words, value=value)

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        load, capacity = self._load, self._capacity
        breaker = (
            "Workers that spare the state store: it was out of reach, and one request at a time"
            " tries it."
        )
        yield "kataven_start_time_seconds", "When this server was started.", capacity.started
        yield "kataven_workers", "Workers that this server was told to have.", capacity.workers
        yield "kataven_connections", "Connections that are open.", sum(load.connections.all())
        yield (
            "kataven_connections_limit",
            "Connections that all workers take; then who waits makes room for newcomers.",
            capacity.connections,
        )
        yield (
            "kataven_threads",
            "Threads for requests that wait for the state store, once it is slow.",
            capacity.threads,
        )
        yield "kataven_threads_busy", "Threads that work on a request.", sum(load.busy.all())
        yield (
            "kataven_requests_waiting",
            "Requests that have come whole and wait for a thread.",
            sum(load.waiting.all()),
        )
        yield "kataven_store_breaker_open", breaker, sum(load.breaker.all())
