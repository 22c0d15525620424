"""Refused origins in the log: once a minute for each key and origin, with a count.

Strangers choose the origins, so both memory and log are bounded. Where several workers share
a port, each tells its parent through a pipe, and the parent counts and writes.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kataven_flask.explain import add_command, explain
from kataven_flask.keys import parse_client_key
from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.settings import DEFAULT_CONFIG

PERIOD: Final = 60
"""Seconds between two lines on the same key and origin."""
MAX_ORIGINS: Final = 50
"""Origins of one key that are told apart within a period."""

NO_ORIGIN: Final = ""
"""Stands for `null`, for no header, and for one that can't be read."""
OTHERS: Final = "*"
"""Stands for the origins over `MAX_ORIGINS`."""
NO_KEY: Final = ""
"""Stands for the key of refusals that didn't fit into the pipe."""
_READ_AT_ONCE: Final = 64 * 1024
_READS: Final = 16
"""A look reads so often at most, so that it ends whatever the workers write."""

_security = logging.getLogger("kataven_flask.security")


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told of one key and origin.

    Args:
        client_key: The key, or `NO_KEY`.
        origin: The origin, `NO_ORIGIN` or `OTHERS`.
        count: Refusals since the last time it was told.
        again: Whether it was told before.
    """

    client_key: str
    origin: str
    count: int
    again: bool = False


@dataclass(slots=True)
class _Window:
    since: float
    count: int = 0


class Tally:
    """Refusals counted: the first of a key and origin is news at once, then once a period."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, _Window]] = {}

    def add(self, client_key: str, origin: str, now: float, count: int = 1) -> News | None:
        """Count refusals.

        Args:
            client_key: The key; of these there are no more than the operator made.
            origin: The origin.
            now: The present in seconds.
            count: How many.

        Returns:
            What is to be told at once, if anything.
        """
        windows = self._keys.setdefault(client_key, {})
        if origin not in windows and len(windows) >= MAX_ORIGINS:
            origin = OTHERS
        if origin in windows:
            windows[origin].count += count
            return None
        windows[origin] = _Window(now)
        return News(client_key, origin, count)

    def due(self, now: float, *, at_end: bool = False) -> Iterator[News]:
        """Yield what is to be told by now, and forget what was refused no more.

        Args:
            now: The present in seconds; where a clock was put back, every period is over.
            at_end: Whether all is to be told, whatever the time.
        """
        for client_key, windows in list(self._keys.items()):
            for origin, window in list(windows.items()):
                if 0 <= now - window.since < PERIOD and not at_end:
                    continue
                if window.count:
                    yield News(client_key, origin, window.count, again=True)
                    windows[origin] = _Window(now)
                else:
                    del windows[origin]
            if not windows:
                del self._keys[client_key]


class _Pipe:
    """Takes short messages from worker processes to the one that made it.

    A line below `PIPE_BUF` is written whole or not at all (POSIX, write), so a worker may be
    killed at any moment.
    """

    def __init__(self) -> None:
        self._maker = os.getpid()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._unfinished = b""

    @property
    def is_ours(self) -> bool:
        """Whether this process made it, and reads it."""
        return os.getpid() == self._maker

    def send(self, client_key: str, origin: str, count: int) -> bool:
        """Send a message; return False where the pipe is full."""
        line = json.dumps([client_key, origin, count]).encode() + b"\n"
        try:
            os.write(self._writer, line)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> Iterator[tuple[str, str, int]]:
        """Yield the messages that have come."""
        with suppress(BlockingIOError):
            for _ in range(_READS):
                chunk = self._unfinished + os.read(self._reader, _READ_AT_ONCE)
                *lines, self._unfinished = chunk.split(b"\n")
                for line in lines:
                    client_key, origin, count = json.loads(line)
                    yield client_key, origin, count

    def close(self) -> None:
        """Let go of both ends."""
        os.close(self._reader)
        os.close(self._writer)


class RefusedOrigins:
    """Tells the operator which origins are refused, why, and what would admit them.

    Args:
        registry: Gives the registry in force.
        config: The tenants' file.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self, registry: Callable[[], Registry], config: Path, clock: Callable[[], float]
    ) -> None:
        self._registry = registry
        self._config = None if config == DEFAULT_CONFIG else str(config.absolute())
        self._clock = clock
        self._tally = Tally()
        self._lock = threading.Lock()
        self._pipe: _Pipe | None = None
        self._lost = 0

    def share(self) -> None:
        """Have processes that are forked from now on tell this one, which counts for all."""
        self._pipe = _Pipe()

    def count(self, client_key: str, origin: Origin | None) -> None:
        """Count a refusal.

        Args:
            client_key: The key whose allowlist doesn't admit the origin.
            origin: The origin; None where the request has none that can be read.
        """
        text = NO_ORIGIN if origin is None else str(origin)
        if self._pipe is None or self._pipe.is_ours:
            self._add(client_key, text, 1)
        elif not self._pipe.send(client_key, text, 1):
            with self._lock:
                self._lost += 1

    def look(self) -> None:
        """Tell what is due by now; in a worker, tell the parent what was lost."""
        try:
            self._look()
        except Exception:  # noqa: BLE001 - no fault of the log may end the looking
            _security.exception("refused origins can't be counted")

    def close(self) -> None:
        """Tell all that was counted."""
        self.look()
        with self._lock:
            left = list(self._tally.due(self._clock(), at_end=True))
        for news in left:
            self._tell(news)
        if self._pipe is not None and self._pipe.is_ours:
            self._pipe.close()
            self._pipe = None

    def _look(self) -> None:
        if self._pipe is not None and not self._pipe.is_ours:
            self._report_the_lost(self._pipe)
            return
        if self._pipe is not None:
            for client_key, origin, count in self._pipe.receive():
                self._add(client_key, origin, count)
        with self._lock:
            due = list(self._tally.due(self._clock()))
        for news in due:
            self._tell(news)

    def _report_the_lost(self, pipe: _Pipe) -> None:
        with self._lock:
            if self._lost and pipe.send(NO_KEY, OTHERS, self._lost):
                self._lost = 0

    def _add(self, client_key: str, origin: str, count: int) -> None:
        with self._lock:
            news = self._tally.add(client_key, origin, self._clock(), count)
        if news is not None:
            self._tell(news)

    # --- words

    def _tell(self, news: News) -> None:
        more = f" {news.count} more time{'s' * (news.count > 1)} within a minute"
        _security.warning("origin refused%s: %s", more if news.again else "", self._what(news))

    def _what(self, news: News) -> str:
        if news.client_key == NO_KEY:
            return f"{news.count} that came too fast to be told apart"
        record = self._registry().keys.get(news.client_key)
        key = news.client_key if record is None else _described(record)
        if news.origin == NO_ORIGIN:
            return f"none that can be read (null, or no header), for {key}"
        if news.origin == OTHERS:
            return f"others than the {MAX_ORIGINS} that are told one by one, for {key}"
        why = "" if record is None else f"; {self._why(record, news.origin)}"
        return f"{news.origin} for {key}{why}"

    def _why(self, record: KeyRecord, text: str) -> str:
        origin = Origin.parse(text)
        if origin is None or record.key.admits(origin):  # the file has changed since
            return "it is admitted by now"
        name = parse_client_key(record.key.client_key)
        loopback_only = name is not None and name.mode == "test"
        found = explain(record.key.domain_allowlist, origin, loopback_only=loopback_only)
        if found.offer is None:
            return "; ".join(filter(None, (found.summary, found.obstacle)))
        command = add_command(record.key.client_key, found.offer, self._config)
        return f"{found.summary}; if it is theirs: {command}"


def _described(record: KeyRecord) -> str:
    return f"{record.key.client_key} ({record.key.name!r} of tenant {record.tenant_id})"
