"""Processes that follow the same files, and one reader for all of them.

Each of them asks the same question about the same time. One starts the reader, and the others
wait for its answer. Never does more than one reader run: it takes a core and much memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

READER: Final = ("-P", "-m", "kataven_flask.reader")
KEPT: Final = 60.0
"""Seconds that an answer is kept for those that haven't come for it yet."""
_PAUSE: Final = 0.02
"""Seconds between two looks of somebody who has nothing else to do."""


class Turns:
    """What processes share that are forked after `share`: a folder of this user alone.

    It goes with the process that made it.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None

    def share(self) -> None:
        """Make the folder, if one can be made; without it each process has one a question."""
        with suppress(OSError):
            self._folder = _folder()
            weakref.finalize(self, _remove, self._folder, os.getpid())

    def ask(self, question: str) -> Turn:
        """Ask the reader.

        Raises:
            OSError: There is no place for its answer, or it can't be started.
        """
        if self._folder is not None and self._folder.exists():
            return Turn(self._folder, question)
        folder = _folder()
        try:
            turn = Turn(folder, question)
        except OSError:
            _remove(folder, os.getpid())
            raise
        weakref.finalize(turn, _remove, folder, os.getpid())
        return turn


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="kataven-reading-"))


def _remove(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # those that were forked from it may end before it
        shutil.rmtree(folder, ignore_errors=True)


class Turn:
    """A question, and the wait for its answer.

    Args:
        folder: Where the answer is going to be.
        question: The question.

    Raises:
        OSError: The reader can't be started.
    """

    def __init__(self, folder: Path, question: str) -> None:
        self._folder = folder
        self._question = question
        self._path = folder / hashlib.sha256(question.encode()).hexdigest()
        self.process: subprocess.Popen[bytes] | None = None
        """The reader, where it was started for this one."""
        self._starter = 0
        self.is_ready()

    def is_ready(self) -> bool:
        """Tell whether there is an answer; start the reader where nobody has."""
        if self.process is not None and self._starter == os.getpid():
            return self.process.poll() is not None
        with self._lock() as lock:
            if lock is None:
                return False
            if not self._path.exists():
                self._forget_old_ones()
                self._start(lock)
                return False
        return True

    @contextmanager
    def answer(self) -> Iterator[IO[str]]:
        """Wait for the answer, and give it: whole lines, or not all of them where it died."""
        while not self.is_ready():
            time.sleep(_PAUSE)
        with self._path.open(encoding="utf-8") as lines:
            yield lines

    def forget(self) -> None:
        """Have the same question answered anew."""
        self._path.unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[int | None]:
        """Give the lock that a reader holds as long as it lives; None where one does."""
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lock
        finally:
            os.close(lock)  # the reader has its own

    def _start(self, lock: int) -> None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._folder) as asked:
            asked.write(self._question)
            asked.seek(0)
            try:
                with self._path.open("x", encoding="utf-8") as answer:
                    self.process = started(asked, answer, lock)
                    self._starter = os.getpid()  # to whom is forked meanwhile it's another's
            except OSError:
                self.forget()
                raise

    def _forget_old_ones(self) -> None:
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name != "lock" and path.stat().st_mtime < time.time() - KEPT:
                    path.unlink()


def started(asked: IO[str], answer: IO[str], lock: int) -> subprocess.Popen[bytes]:
    """Start the reader: not a fork, as this process may have threads."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(  # noqa: S603 - it is our own
        (_python(), *READER),
        stdin=asked,
        stdout=answer,
        env=environ,
        pass_fds=[lock],
        process_group=0,
    )


def _python() -> str:
    """Return the interpreter; a server that has one built in calls itself `sys.executable`."""
    if "python" in Path(sys.executable or "").name:
        return sys.executable
    return str(Path(sys.prefix, "bin", "python3"))
