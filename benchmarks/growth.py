"""What a refresh costs with a thousand live sessions, and with a million.

Each store is filled, then both sizes are measured in turns, so that a noisy machine is
noisy for both. `refresh` is the whole request through the app, `step` the store's part of
it. Exits with 1 where a limit is passed. Run: python -m benchmarks.growth
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from kataven_flask.app import parts_of
from kataven_flask.durations import DAY, HOUR
from kataven_flask.sessions import CLOCK_FAULT, new_session_id
from kataven_flask.store import Outcome, PresentedRefresh, Rotation, Store, store_from_url
from kataven_flask.store.base import shard_of
from kataven_flask.tenants import RateLimits
from kataven_flask.tokens import RefreshClaims, Session, Tokens
from tests.redis_server import running_redis
from tests.support import API, AUDIENCE, ISSUER, KEY, ORIGIN, Service

FEW: Final = 1_000
TURNS: Final = 10
MOST_RATIO: Final = 1.3
"""What a refresh with many sessions may cost, against one with few."""
MOST_LOCKED: Final = 0.05
"""Seconds that a step which purges may hold the write lock."""
_BATCH: Final = 10_000


@dataclass(slots=True)
class Filled:
    """A store with so many live sessions, and a server on it.

    Args:
        service: The server.
        store: The store, by itself.
        sids: The ids of all sessions.
        size: Bytes that they take.
        generations: Those that aren't 1 any more.
        refreshes: Seconds that each whole refresh took.
        steps: Seconds that each of the store's steps took.
    """

    service: Service
    store: Store
    sids: list[str]
    size: int
    generations: dict[str, int] = field(default_factory=dict)
    refreshes: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)

    def next_token(self) -> tuple[str, int]:
        """Pick a session at random; return its id and its refresh token's generation."""
        sid = random.choice(self.sids)  # noqa: S311 - a sample, not a secret
        generation = self.generations.get(sid, 1)
        self.generations[sid] = generation + 1
        return sid, generation


def main() -> None:
    """Fill, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1_000_000, help="the larger number of sessions")
    parser.add_argument("--samples", type=int, default=300, help="refreshes a turn, of each size")
    options = parser.parse_args()
    print("| store | sessions | bytes a session | refresh: mean, median | step: mean, median |")
    print("|---|---|---|---|---|")
    for kind in (Sqlite, Redis):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))
            few, many = (kind(folder, count, stack).filled for count in (FEW, options.many))
            for _ in range(TURNS):
                for filled in (few, many):
                    _refresh(filled, options.samples)
                    _rotate(filled, options.samples)
            print(_row(kind, few), _row(kind, many), _ratios(kind, few, many), sep="\n")
            _hold(
                _ratio(few.refreshes, many.refreshes), MOST_RATIO, f"a refresh with {kind.__name__}"
            )
            if kind is Sqlite:
                _hold(_purge(many, TURNS * options.samples), MOST_LOCKED, "seconds for a purge")


class _Kind(ABC):
    """A store that is made and filled."""

    def __init__(self, folder: Path, count: int, stack: ExitStack) -> None:
        self._folder = folder / str(count)
        self._folder.mkdir()
        self._stack = stack
        url = self.url()
        service = Service(self._folder, state=url)
        service.document["limits"] = dict.fromkeys(RateLimits.model_fields)
        service.edit()
        stack.callback(service.close)
        store = stack.enter_context(closing(store_from_url(url)))
        sids = [new_session_id(None) for _ in range(count)]
        self.filled = Filled(service, store, sids, self.fill(sids, int(service.clock())))

    @abstractmethod
    def url(self) -> str:
        """Return where it is."""

    @abstractmethod
    def fill(self, sids: list[str], now: int) -> int:
        """Keep sessions there; return the bytes they take."""


class Sqlite(_Kind):
    """A file."""

    def url(self) -> str:
        """Name the file."""
        return f"sqlite:///{self._folder / 'state.db'}"

    def fill(self, sids: list[str], now: int) -> int:
        """Write the rows as the store does; return the bytes they take."""
        file = self._folder / "state.db"
        before = file.stat().st_size
        end = -(-(now + DAY + CLOCK_FAULT) // HOUR) * HOUR
        with closing(sqlite3.connect(file)) as connection:
            connection.executemany(
                "INSERT INTO session VALUES (?, 1, ?, 0, ?)",
                ((sid, now * 1000, end) for sid in sids),
            )
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file.stat().st_size - before


class Redis(_Kind):
    """A redis-server of its own."""

    def url(self) -> str:
        """Start it."""
        self._server = self._stack.enter_context(running_redis(self._folder / "redis"))
        return self._server.url

    def fill(self, sids: list[str], now: int) -> int:
        """Set the keys as the store does; return the bytes they take."""
        before = self._used()
        with self._server.client() as client:
            for start in range(0, len(sids), _BATCH):
                pipeline = client.pipeline(transaction=False)
                for sid in sids[start : start + _BATCH]:
                    key = f"kataven:{{{shard_of(sid)}}}:session:{sid}"
                    pipeline.set(key, f"1 {now * 1000} 0 abcdefgh", ex=DAY + CLOCK_FAULT)
                pipeline.execute()
        return self._used() - before

    def _used(self) -> int:
        with self._server.client() as client:
            memory: Any = client.info("memory")
        return int(memory["used_memory"])


def _refresh(filled: Filled, samples: int) -> None:
    """Refresh sessions as their visitors' pages do."""
    headers = {"Origin": ORIGIN}
    for _ in range(samples):
        body = {"refresh_token": _minted(filled, *filled.next_token())}
        began = time.perf_counter()
        answer = filled.service.client.post(f"{API}/auth/refresh", json=body, headers=headers)
        filled.refreshes.append(time.perf_counter() - began)
        if answer.status_code != HTTPStatus.OK:
            sys.exit(f"a refresh was refused: {answer.text}")


def _rotate(filled: Filled, samples: int) -> None:
    """Do the store's part alone."""
    now = int(filled.service.clock())
    for _ in range(samples):
        rotation, seconds = _timed(filled.store, *filled.next_token(), now)
        filled.steps.append(seconds)
        if rotation.outcome is not Outcome.ROTATED:
            sys.exit(f"a rotation was refused: {rotation.outcome}")


def _minted(filled: Filled, sid: str, generation: int) -> str:
    service, now = filled.service, int(filled.service.clock())
    session = Session(
        sid=sid,
        sub="guest_measured",
        tenant="acme",
        agent_id="support",
        client_key=KEY,
        origin=ORIGIN,
        visitor_type="guest",
        began_ms=now * 1000,
    )
    tokens = Tokens(parts_of(service.app).ring.current, ISSUER, AUDIENCE)
    return tokens.mint_refresh(RefreshClaims(session, generation, now, now + DAY))


def _row(kind: type[_Kind], filled: Filled) -> str:
    count = len(filled.sids)
    refresh, step = _microseconds(filled.refreshes), _microseconds(filled.steps)
    size = f"{filled.size / count:.0f}"
    return f"| {kind.__name__} | {count:,} | {size} | {refresh} | {step} |"


def _microseconds(seconds: list[float]) -> str:
    return f"{statistics.mean(seconds) * 1e6:.0f}, {statistics.median(seconds) * 1e6:.0f} µs"


def _ratios(kind: type[_Kind], few: Filled, many: Filled) -> str:
    def ratios(one: list[float], other: list[float]) -> str:
        median = statistics.median(other) / statistics.median(one)
        return f"{_ratio(one, other):.2f}, {median:.2f}"

    refresh, step = ratios(few.refreshes, many.refreshes), ratios(few.steps, many.steps)
    return f"| {kind.__name__} | ratio | | **{refresh}** | {step} |"


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.mean(other) / statistics.mean(one)


def _hold(measured: float, most: float, what: str) -> None:
    if measured > most:
        sys.exit(f"{what}: {measured:.2f}, and {most} is the most it may be")


def _purge(filled: Filled, samples: int) -> float:
    """Have every session expire while others begin: each step purges as much as it may."""
    now = int(filled.service.clock()) + 2 * DAY
    took = sorted(_timed(filled.store, new_session_id(None), 0, now)[1] for _ in range(samples))
    slowest, median = took[-1] * 1e3, statistics.median(took) * 1e6
    print(
        f"\nSQLite, while {len(filled.sids):,} expired sessions are purged: the slowest of"
        f" {samples:,} steps took {slowest:.1f} ms, the median {median:.0f} µs.\n"
    )
    return took[-1]


def _timed(store: Store, sid: str, generation: int, now: int) -> tuple[Rotation, float]:
    presented = PresentedRefresh(
        sid, None, KEY, generation, now * 1000, now * 1000, 30_000, now + DAY
    )
    began = time.perf_counter()
    rotation = store.rotate(presented)
    return rotation, time.perf_counter() - began


if __name__ == "__main__":
    main()
