"""What is measured: a row is a load on a server."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from benchmarks import loads
from benchmarks.kinds import TUNED
from benchmarks.servers import Server
from benchmarks.wrk import Shot

Group = Literal["limit", "ours", "peers"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Args:
        name: What it is called.
        group: Whose it is.
        server: The name of its server.
        load: What that is asked.
        slow: Whether an answer takes so long that it needs twice the time, and no warm-up.
    """

    name: str
    group: Group
    server: str
    load: Callable[[Server, int], Shot]
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round gave.

    Args:
        rate: Requests a second.
        cpu_us: Microseconds of CPU that the server's processes took for each.
        p50_ms: Half of the answers came within this.
        p99_ms: All but one in a hundred did.
    """

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Result:
    """A row and what was measured of it.

    Args:
        row: The row.
        samples: One a round.
        fault: Why it doesn't count; None where it does.
    """

    row: Row
    samples: list[Sample] = field(default_factory=list)
    fault: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it was measured, and nothing went wrong."""
        return self.fault is None and bool(self.samples)

    def median(self, what: Callable[[Sample], float]) -> float:
        """Return the median over all rounds."""
        return statistics.median(map(what, self.samples))

    def span(self, what: Callable[[Sample], float]) -> tuple[float, float]:
        """Return the lowest and the highest of all rounds."""
        values = [what(sample) for sample in self.samples]
        return min(values), max(values)


_OURS: Final = (
    Row("config 200", "ours", "kataven-flask", loads.config_200),
    Row("config 304", "ours", "kataven-flask", loads.config_304),
    Row("guest", "ours", "kataven-flask", loads.guest),
    Row("user-token", "ours", "kataven-flask", loads.user_token),
    Row("exchange", "ours", "kataven-flask", loads.exchange),
    Row("refresh, SQLite", "ours", "kataven-flask", loads.refresh),
    Row("refresh, Redis", "ours", "kataven-flask, Redis", loads.refresh),
    Row("guest, two processes", "ours", "kataven-flask, two processes", loads.guest),
    Row("guest, granian", "ours", "kataven-flask, granian", loads.guest),
)
_PEERS: Final = ("Express", "FastAPI, uvicorn", "FastAPI, granian", "flask-jwt-extended")
ROWS: Final = (
    Row("bare WSGI", "limit", "bare WSGI", loads.two_bytes),
    Row("bare WSGI, our server", "limit", "bare WSGI, our server", loads.two_bytes),
    Row("bare Flask", "limit", "bare Flask", loads.two_bytes),
    *_OURS,
    *(Row(f"guest: {each}", "peers", each, loads.guest) for each in _PEERS),
    *(Row(f"guest: {each}{TUNED}", "peers", f"{each}{TUNED}", loads.guest) for each in _PEERS),
    *(
        Row(f"user-token: {each}", "peers", each, loads.user_token, slow=True)
        for each in _PEERS
        if each != "FastAPI, granian"  # the hash is all that counts
    ),
)
