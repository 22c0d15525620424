"""What the figures should be, each against others of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.kinds import TUNED
from benchmarks.rows import Result, Sample


@dataclass(frozen=True, slots=True)
class Target:
    """How many times as good as others a row should be.

    Args:
        words: What is compared.
        row: The row.
        others: Those it is held against; of several, the best.
        least: The ratio it should reach; None where it is only told.
        by_rate: Whether requests a second are compared; else CPU time a request.
    """

    words: str
    row: str
    others: tuple[str, ...]
    least: float | None = None
    by_rate: bool = False

    def is_measured(self, results: Mapping[str, Result]) -> bool:
        """Tell whether all its rows are in a run, be they void or not."""
        return all(name in results for name in (self.row, *self.others))

    def ratio(self, results: Mapping[str, Result]) -> float | None:
        """Return how many times as good it is, or None where one of the rows doesn't count."""
        if not all(results[name].counts for name in (self.row, *self.others)):
            return None
        row, *others = (results[name] for name in (self.row, *self.others))
        if self.by_rate:
            return row.median(_rate) / max(each.median(_rate) for each in others)
        return min(each.median(_cpu) for each in others) / row.median(_cpu)


def _rate(sample: Sample) -> float:
    return sample.rate


def _cpu(sample: Sample) -> float:
    return sample.cpu_us


_FASTAPI: Final = ("guest: FastAPI, uvicorn", "guest: FastAPI, granian")
_FLASK: Final = "guest: flask-jwt-extended"
_BCRYPT: Final = (
    "user-token: Express",
    "user-token: FastAPI, uvicorn",
    "user-token: flask-jwt-extended",
)
_LIMIT: Final = ("bare WSGI",)
TARGETS: Final = (
    Target("guest against the bare WSGI limit", "guest", _LIMIT, 0.45),
    Target("config 200 against the bare WSGI limit", "config 200", _LIMIT, 0.50),
    Target("config 304 against the bare WSGI limit", "config 304", _LIMIT, 0.55),
    Target("guest against Express", "guest", ("guest: Express",), 1.5),
    Target("guest against flask-jwt-extended", "guest", (_FLASK,), 1.3),
    Target("guest on granian against FastAPI on its best server", "guest, granian", _FASTAPI, 1.15),
    Target("user-token against the cheapest with bcrypt", "user-token", _BCRYPT, 200),
    Target("refresh on SQLite against guest", "refresh, SQLite", ("guest",), 0.6),
    Target("refresh on Redis against guest", "refresh, Redis", ("guest",), 0.5),
    Target("two processes against one", "guest, two processes", ("guest",), 1.8, by_rate=True),
    Target("guest against the bare limit of our own server", "guest", ("bare WSGI, our server",)),
    Target("guest against Express, key parsed once", "guest", (f"guest: Express{TUNED}",)),
    Target("guest against flask-jwt-extended, key parsed once", "guest", (f"{_FLASK}{TUNED}",)),
    Target(
        "guest on granian against FastAPI on its best server, key parsed once",
        "guest, granian",
        tuple(f"{each}{TUNED}" for each in _FASTAPI),
    ),
)
