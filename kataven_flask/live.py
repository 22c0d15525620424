"""Live reload: what is in force, exchanged whole when its files change and are sound."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from kataven_flask import key_ring_file
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import Registry, load_registry
from kataven_flask.signing import Algorithm, KeyRing
from kataven_flask.yaml_files import document_files

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at the files; an edit is promised to be in force within two."""
LOOK_TIMEOUT: Final = 1.0
"""Seconds to wait for another thread's look, which a file server that is away may hold up."""

_log = logging.getLogger(__name__)


class Revised(Protocol):
    """What is read from files and tells one state of it from another."""

    @property
    def revision(self) -> str:
        """The name of its state; another state has another."""
        ...


_T = TypeVar("_T", bound=Revised)


class Live(Generic[_T]):
    """What is in force.

    Args:
        name: What the log calls it.
        load: Reads the files; raises ConfigurationError where they can't be used.
        fingerprint: Tells one state of the files from another, cheaply.

    Raises:
        ConfigurationError: The files can't be used; there is no last good one at the start.
    """

    def __init__(
        self, name: str, load: Callable[[], _T], fingerprint: Callable[[], Hashable]
    ) -> None:
        self._name = name
        self._load = load
        self._fingerprint = fingerprint
        self._seen: Hashable = fingerprint()
        self._looking = threading.Lock()
        self.current: _T = load()
        self.fault: ConfigurationError | None = None

    def reload(self) -> None:
        """Take over the files if they changed and are sound; else keep the last good ones."""
        if self._looking.acquire(timeout=LOOK_TIMEOUT):
            try:
                self._reload()
            finally:
                self._looking.release()

    def look(self) -> None:
        """Reload, and go on whatever happens."""
        try:
            self.reload()
        except Exception:  # noqa: BLE001 - no fault of one look may end the looking
            _log.exception("%s reload failed; the last good one stays in force", self._name)

    def latest(self) -> _T:
        """Look at the files now, and return what is in force."""
        self.look()
        return self.current

    def _reload(self) -> None:
        seen = self._fingerprint()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            loaded = self._load()
        except ConfigurationError as error:
            if isinstance(error.__cause__, OSError):
                self._seen = None  # it may pass without an edit
            if str(error) != str(self.fault):
                revision = self.current.revision
                _log.error(
                    "%s refused; revision %s stays in force:\n%s", self._name, revision, error
                )
            self.fault = error
            return
        except Exception:
            self.fault = ConfigurationError("reading it failed; the log says where")
            raise
        changed = loaded.revision != self.current.revision
        news = changed or self.fault is not None
        if changed:
            self.current = loaded
        self.fault = None
        if news:
            _log.info("%s revision %s is in force", self._name, loaded.revision)


class Watched(Protocol):
    """What has to be looked at now and then."""

    def look(self) -> None:
        """Look, and go on whatever happens."""
        ...


class Watch:
    """Looks at what is live from one background thread.

    Args:
        *watched: What to look at.
    """

    def __init__(self, *watched: Watched) -> None:
        self._watched = watched
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look at the files now and then until `close` is called."""
        threading.Thread(target=self._watch, name="file-watch", daemon=True).start()

    def look(self) -> None:
        """Look at all of it once."""
        for each in self._watched:
            each.look()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_INTERVAL):
            self.look()


def live_registry(path: Path) -> Live[Registry]:
    """Follow the tenants' file.

    Args:
        path: One YAML file, or a folder of them.

    Raises:
        ConfigurationError: The files can't be used.
    """
    return Live("config", lambda: load_registry(path), lambda: _fingerprint(path))


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
    )


def _fingerprint(path: Path) -> tuple[tuple[str, int, int, int, int], ...]:
    """Tell one state of the files from another, through symlinks, by inode, times and size."""
    marks = []
    try:
        for file in document_files(path):
            status = file.stat()
            marks.append(
                (str(file), status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            )
    except (ConfigurationError, OSError):
        return ()
    return tuple(marks)
