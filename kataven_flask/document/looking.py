"""The files of a document looked at for changes, so that ten thousand of them cost little.

It only ever asks the file system, and again and again: one that is mounted over a network
tells nobody of a change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from kataven_flask.document.notices import Notices
from kataven_flask.document.yaml_files import is_document_file

Mark: TypeAlias = tuple[int, int, int, int]
"""What tells one state of a file from another: inode, two times, size."""
Sight: TypeAlias = Mapping[str, Mark]
"""The files that were there, each with its mark; nothing where they couldn't be looked at."""

SHARE: Final = 0.005
"""Of a core, which looking at everything may take at the most."""
SHARE_OF_EDITS: Final = 0.1
"""The same, while somebody goes on writing."""
OFTEN: Final = 0.2
"""Seconds between two looks; whoever has to rest for less than that needn't rest."""


class Looker:
    """Looks at a document's files, through symlinks.

    All of them are looked at as often as their number admits. In between, a look sees what
    changes the folder itself, as a file that is moved over another does, whether the kernel has
    told of one, and whether those that were found changed go on changing.

    Args:
        path: One file, or a folder of them.
        clock: Gives the seconds since some moment.
        spent: Gives the seconds of a core that this thread has taken.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._path = path
        self._clock = clock
        self._spent = spent
        self._folder: Mark | None = None
        self._notices: Notices | None = None
        self._told = False
        self._due = 0.0
        self._early = 0.0
        self._cost = float("inf")
        self.sight: Sight | None = None
        """What the last look saw."""
        self.moving: set[str] = set()
        """Files that the last look saw otherwise than the one before."""

    def look(self) -> Sight:
        """Look, and return what was seen."""
        before = self.sight
        try:
            seen = self._look()
        except OSError:
            seen, self._due = {}, 0.0
        if before is None:
            self.sight = seen
            return seen
        self.sight = before if seen == before else seen
        self.moving = changed(before, self.sight)
        return self.sight

    def mistrust(self, files: Iterable[str] | None = None) -> None:
        """Have the next look ask for these files in any case, or for all."""
        if files is None:
            self._due = 0.0
        else:
            self.moving.update(files)

    def _look(self) -> Sight:
        folder = _mark(self._path)
        if self._notices is not None:
            self._told |= self._notices.come()
        now = self._clock()
        is_due = now >= self._due or (now >= self._early and (self._told or folder != self._folder))
        if self.sight and not is_due:
            with suppress(OSError):  # one of them is gone now; it isn't known of the others
                return self._look_again(self.sight)
        if self._notices is not None and folder[0] != (self._folder or folder)[0]:
            self._notices.begin()  # another folder stands there
        self._folder, self._told = folder, False
        return self._look_at_all()

    def _look_at_all(self) -> Sight:
        began = self._spent()
        seen = _marks(self._path)
        cost, self._cost = self._cost, self._spent() - began
        cost = min(cost, self._cost)  # either may have been somebody else's: garbage
        if cost / SHARE <= OFTEN:
            self._due = 0.0
            return seen
        if self._notices is None:
            self._notices = Notices(self._path)
            self._notices.begin()
        now = self._clock()
        self._due, self._early = now + cost / SHARE, now + cost / SHARE_OF_EDITS
        return seen

    def _look_again(self, sight: Sight) -> Sight:
        """Look at those that move, as if nothing else did."""
        marks = {file: _mark(file) for file in self.moving if file in sight}
        return sight if marks.items() <= sight.items() else {**sight, **marks}


def changed(before: Sight, after: Sight) -> set[str]:
    """Return the files that are new, gone, or other ones."""
    if before is after:
        return set()
    other = {file for file, mark in after.items() if before.get(file) != mark}
    return other | (before.keys() - after.keys())


def _marks(path: Path) -> Sight:
    try:
        names = sorted(filter(is_document_file, os.listdir(path)))  # noqa: PTH208 - as below
    except NotADirectoryError:
        return {str(path): _mark(path)}
    folder = str(path / "_").removesuffix("_")
    return {folder + name: _mark_of_any(folder + name) for name in names}


def _mark_of_any(file: str) -> Mark:
    """Return a mark of what can't be looked at, too: one link into nowhere hides no other file."""
    try:
        return _mark(file)
    except OSError:
        return 0, 0, 0, 0


def _mark(path: str | Path) -> Mark:
    status = os.stat(path)  # noqa: PTH116 - a Path each would take three times as long
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
