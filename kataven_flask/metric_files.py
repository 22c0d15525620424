"""The folder in which each process keeps what it counts: in memory where it can be, and cleared.

prometheus_client maps these files into memory. Where a disk is full, a write to such a page ends
the process (SIGBUS): so all the room that is needed is taken at the start, or nothing is counted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError

PREFIX: Final = "kataven-metrics-"
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
"""Where Linux has a file system in memory."""
_TRIES: Final = 8
_MEND: Final = "name a folder that has room with TMPDIR"


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """Give a folder that nobody else can read, and remove it in the end.

    It is locked meanwhile. What is left of a server that was killed isn't, and goes first.

    Raises:
        ConfigurationError: None can be made.
    """
    base = _base()
    _clear(base)
    folder, lock = _make(base)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def make_room(folder: Path, name: str, size: int) -> None:
    """Take a file's room before anything is counted in it.

    Args:
        folder: Where.
        name: The file.
        size: How many bytes.

    Raises:
        ConfigurationError: There isn't so much.
    """
    try:
        (folder / name).write_bytes(bytes(size))  # zeros, and not a hole
    except OSError as error:
        needed = f"{ceil(size / 2**20)} MiB more in {folder.parent}"
        raise ConfigurationError(f"--admin needs {needed}: {error.strerror}; {_MEND}") from error


def _base() -> Path:
    if not os.environ.get("TMPDIR") and os.access(IN_MEMORY, os.W_OK | os.X_OK):
        return IN_MEMORY
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise _no_folder(error) from error


def _make(base: Path) -> tuple[Path, int]:
    """Make and lock a folder; whoever clears at that moment may be faster, and then another."""
    for _ in range(_TRIES):
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        except OSError as error:
            raise _no_folder(error) from error
        lock = _locked(folder)
        if lock is not None:
            if folder.is_dir():
                return folder, lock
            os.close(lock)
    raise ConfigurationError(f"--admin can't keep a folder in {base}; {_MEND}")


def _no_folder(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"--admin needs a folder for temporary files: {error.strerror}; name one with TMPDIR"
    )


def _clear(base: Path) -> None:
    """Remove what servers of this user have left that were killed; of no other user's anything."""
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid != os.geteuid() or folder.is_symlink():
                continue
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder for as long as a process has it open that was forked from this one."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
