"""Live reload: the registry in force, exchanged whole when the files change and are sound."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import Registry, load_registry
from kataven_flask.yaml_files import document_files

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at the files; an edit is promised to be in force within two."""

_log = logging.getLogger(__name__)


class LiveRegistry:
    """The registry in force.

    Args:
        path: One YAML file, or a folder of them.

    Raises:
        ConfigurationError: The files can't be used; there is no last good one at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fingerprint = _fingerprint(path)
        self._stopped = threading.Event()
        self.current: Registry = load_registry(path)
        self.fault: ConfigurationError | None = None

    def reload(self) -> None:
        """Take over the files if they changed and are sound; else keep the last good ones."""
        fingerprint = _fingerprint(self._path)
        if fingerprint == self._fingerprint:
            return
        self._fingerprint = fingerprint
        try:
            registry = load_registry(self._path)
        except ConfigurationError as error:
            self.fault = error
            _log.error(
                "config refused; revision %s stays in force:\n%s", self.current.revision, error
            )
            return
        except Exception:
            self.fault = ConfigurationError("reading it failed; the log says where")
            raise
        changed = registry.revision != self.current.revision
        if changed or self.fault is not None:
            _log.info("config revision %s is in force", registry.revision)
        if changed:
            self.current = registry
        self.fault = None

    def look(self) -> None:
        """Reload, and go on whatever happens."""
        try:
            self.reload()
        except Exception:  # noqa: BLE001 - no fault of one look may end the looking
            _log.exception("config reload failed; the last good one stays in force")

    def watch(self) -> None:
        """Look at the files from a background thread until `close` is called."""
        threading.Thread(target=self._watch, name="config-watch", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_INTERVAL):
            self.look()


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
