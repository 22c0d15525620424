"""Live reload: what is in force, exchanged whole when its files change and are sound."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from kataven_flask import key_ring_file
from kataven_flask.document.looking import OFTEN
from kataven_flask.errors import ConfigurationError
from kataven_flask.log import Log
from kataven_flask.reading import MovedError, TenantsFiles
from kataven_flask.registry import Registry
from kataven_flask.signing import Algorithm, KeyRing

POLL_INTERVAL: Final = OFTEN
"""Seconds between two looks at the files; an edit is promised to be in force within two."""
SETTLE_LOOKS: Final = 5
"""Looks after which files that go on changing are taken as they are, 0.8 s after the first."""
LOOK_TIMEOUT: Final = 1.0
"""Seconds to wait for a look, which a file server that is away may hold up."""
PROMPT: Final = 0.02
"""Seconds that the last look may have taken, for everybody to wait for the next."""

_TRIES: Final = 20
"""How often a start reads files that change meanwhile."""

_log = Log(__name__)


class Revised(Protocol):
    """What is read from files and tells one state of it from another."""

    @property
    def revision(self) -> str:
        """The name of its state; another state has another."""
        ...


_T = TypeVar("_T", bound=Revised)
_T_co = TypeVar("_T_co", covariant=True)
_R = TypeVar("_R")


@runtime_checkable
class Later(Protocol[_T_co]):
    """What is being read elsewhere."""

    def is_ready(self) -> bool:
        """Tell whether it has been read, so that nobody waits for it."""
        ...

    def result(self) -> _T_co:
        """Wait for it, and return it, or raise what reading it would."""
        ...


@dataclass(frozen=True, slots=True)
class _Begun(Generic[_T]):
    """What has begun to be read, and what was seen of its files before."""

    reading: Later[_T]
    seen: object
    settled: bool


class Live(Generic[_T]):
    """What is in force.

    A file that is written in place is half there for a while, and half a file may be sound. So
    a change is taken once two looks have found the same; and what was read while the files
    changed isn't taken at all. Two such looks are further apart than the ticks of a file
    system's clock, so no edit hides behind the time of the one before. What is read elsewhere
    is taken at the first look after it is there.

    Args:
        name: What the log calls it.
        load: Reads the files, or begins to; raises ConfigurationError where they can't be used,
            and MovedError where they changed meanwhile.
        fingerprint: Tells one state of the files from another, cheaply.
        patience: How many looks may each find another state until it is taken all the same; 1
            where the files are only ever replaced whole, and there is nothing to wait for.
        clock: Gives the seconds since the epoch.

    Raises:
        ConfigurationError: The files can't be used; there is no last good one at the start.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], _T | Later[_T]],
        fingerprint: Callable[[], object],
        *,
        patience: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._load = load
        self._fingerprint = fingerprint
        self._patience = patience
        self._clock = clock
        self._taken: object = None
        self._last: object = None
        self._looks = 0
        self._looking = threading.Lock()
        self._stuck_from = math.inf
        self._took = 0.0
        self._begun: _Begun[_T] | None = None
        self.current: _T = self._first()
        self.since = clock()
        self.fault: ConfigurationError | None = None
        self.faulty_since: float | None = None
        self.tell: Callable[[Live[Any]], None] = log_news

    def _first(self) -> _T:
        for _ in range(_TRIES):
            self._taken = self._fingerprint()
            with suppress(MovedError):
                read = self._load()
                return read.result() if isinstance(read, Later) else read
            time.sleep(POLL_INTERVAL)
        message = f"{self.name}: its files don't stop changing; start again when they rest"
        raise ConfigurationError(message)

    def reload(self, patience: int = 1) -> None:
        """Take over the files if they changed and are sound; else keep the last good ones.

        Args:
            patience: How many looks may each find another state until it is taken.
        """
        if self._looking.acquire(timeout=LOOK_TIMEOUT):
            began = time.monotonic()
            self._stuck_from = began + LOOK_TIMEOUT
            try:
                with suppress(MovedError):  # the next look has the rest
                    self._reload(patience)
            finally:
                self._stuck_from = math.inf
                self._took = time.monotonic() - began
                self._looking.release()

    def look(self) -> None:
        """Reload with this one's patience, and go on whatever happens."""
        try:
            self.reload(self._patience)
        except Exception as error:  # noqa: BLE001 - no fault of one look may end the looking
            _log.fault(f"{self.name} can't be looked at; the last good one stays in force", error)

    @property
    def is_prompt(self) -> bool:
        """Whether the next look is likely to be done at once, as the last one was."""
        return self._took < PROMPT and time.monotonic() < self._stuck_from

    def latest(self) -> _T:
        """Look at the files now, and return what is in force.

        Whoever asks may be the thread that all others wait for. So it isn't the one that looks,
        waits for a bounded time, and not at all for a look that has taken longer already.
        """
        if time.monotonic() < self._stuck_from:
            look = threading.Thread(target=self.look, name="file-look", daemon=True)
            look.start()
            look.join(LOOK_TIMEOUT)
        return self.current

    def _reload(self, patience: int) -> None:
        is_waited_for = patience == 1
        if self._begun is not None:
            if is_waited_for or self._begun.reading.is_ready():
                self._end_reading()
            if not is_waited_for:
                return  # what has changed meanwhile is for the next look
        seen = self._fingerprint()
        if seen == self._taken:
            self._last, self._looks = None, 0
            return
        settled = is_waited_for or seen == self._last
        self._last = seen
        self._looks += 1
        if settled or self._looks >= patience:
            self._begin_reading(seen, settled=settled)
            if is_waited_for and self._begun is not None:
                self._end_reading()

    def _begin_reading(self, seen: object, *, settled: bool) -> None:
        read, fault = self._read(self._load)
        if isinstance(read, Later):
            self._begun = _Begun(read, seen, settled)
        else:
            self._take(read, fault, seen, settled=settled)

    def _end_reading(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            self._take(*self._read(begun.reading.result), begun.seen, settled=begun.settled)

    def _read(self, read: Callable[[], _R]) -> tuple[_R | None, ConfigurationError | None]:
        try:
            return read(), None
        except MovedError:
            raise
        except ConfigurationError as error:
            return None, error
        except Exception as error:  # noqa: BLE001 - a fault of ours, and the file is no better for it
            _log.fault(f"{self.name} can't be read", error)
            return None, ConfigurationError("reading it failed; the log says where")

    def _take(
        self, read: _T | None, fault: ConfigurationError | None, seen: object, *, settled: bool
    ) -> None:
        if fault is not None and not settled:
            return  # somebody is still at it
        is_retry, self._looks = self._taken is None, 0
        passing = fault is not None and isinstance(fault.__cause__, OSError)
        self._taken = seen if settled and not passing else None
        is_news = str(fault) != str(self.fault) or (fault is not None and not is_retry)
        if read is not None and read.revision != self.current.revision:
            self.current, self.since, is_news = read, self._clock(), True
        self.fault = fault
        if fault is None:
            self.faulty_since = None
        elif self.faulty_since is None:
            self.faulty_since = self._clock()
        if is_news:
            self.tell(self)


def log_news(live: Live[Any]) -> None:
    """Write to the log what an edit has brought."""
    revision = live.current.revision
    if live.fault is None:
        _log.info(f"{live.name} is in force", revision=revision)
        return
    event = f"{live.name} refused; the last good one stays in force"
    _log.error(event, revision=revision, faults=str(live.fault))


class Watched(Protocol):
    """What has to be looked at now and then."""

    def look(self) -> None:
        """Look, and go on whatever happens."""
        ...


class Watch:
    """Looks at what is live from one background thread.

    A thread doesn't go along over a fork, and the locks that it holds stay locked. So once it is
    started a fork waits for the end of a look, and a process that is forked gets its own thread.

    Args:
        *watched: What to look at.
    """

    def __init__(self, *watched: Watched) -> None:
        self._watched = watched
        self._turn = threading.RLock()  # what is looked at may itself fork
        self._stopped = threading.Event()
        self.also: Sequence[Watched] = ()
        """What to look at after that; it may be another in each process."""

    def start(self) -> None:
        """Look at the files now and then until `close` is called."""
        os.register_at_fork(
            before=self._turn.acquire,
            after_in_parent=self._turn.release,
            after_in_child=self._go_on_in_child,
        )
        self._begin()

    def look(self) -> None:
        """Look at all of it once."""
        with self._turn:
            for each in (*self._watched, *self.also):
                each.look()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _begin(self) -> None:
        threading.Thread(target=self._watch, name="file-watch", daemon=True).start()

    def _go_on_in_child(self) -> None:
        self._turn.release()
        if not self._stopped.is_set():
            self._stopped = threading.Event()  # the thread may have held the lock of the old one
            self._begin()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_INTERVAL):
            self.look()


def live_registry(path: Path, clock: Callable[[], float] = time.time) -> Live[Registry]:
    """Follow the tenants' file.

    Args:
        path: One YAML file, or a folder of them.
        clock: Gives the seconds since the epoch.

    Raises:
        ConfigurationError: The files can't be used.
    """
    files = TenantsFiles(path)
    return Live("config", files.load, files.look, patience=SETTLE_LOOKS, clock=clock)


def live_key_ring(
    instance: Path, alg: Algorithm | None, clock: Callable[[], float]
) -> Live[KeyRing]:
    """Follow the key ring of an instance folder; it is made where there is none at the start.

    Args:
        instance: The folder; its owner alone may read or write it.
        alg: The algorithm of a new signing key; None for ES256, or whatever is there.
        clock: Gives the seconds since the epoch.

    Raises:
        ConfigurationError: The folder or the file can't be used.
    """
    key_ring_file.open_key_ring(instance, alg, clock)
    return Live(
        "key ring",
        lambda: key_ring_file.read_key_ring(instance),
        lambda: key_ring_file.fingerprint(instance),
        clock=clock,
    )
