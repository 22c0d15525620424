"""The tenants' files read for a server: what changed, and away from its requests."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from kataven_flask.document.faults import FaultyDocumentError
from kataven_flask.document.looking import Looker, Sight
from kataven_flask.document.yaml_files import PlainDocument, read_bytes
from kataven_flask.document.yaml_page import read_page
from kataven_flask.errors import ConfigurationError
from kataven_flask.log import Log
from kataven_flask.parts import (
    Part,
    Steps,
    UnsureError,
    Whole,
    gently,
    part_of,
    put_together,
    tenants_of,
    whole_of,
)
from kataven_flask.reader import END, fault_of, question
from kataven_flask.registry import Registry, read_registry
from kataven_flask.turns import Turn, Turns

SMALL: Final = 64 * 1024
"""Bytes that are read in place, which takes some 40 ms."""
SMALL_AT_START: Final = 1024 * 1024
"""Bytes that are read in place where nobody waits yet; a process takes longer to start."""

_log = Log(__name__)


class MovedError(Exception):
    """The files changed while they were read: it may be half of the old and half of the new."""


class BrokenReaderError(Exception):
    """The process that reads for us has died."""


_BROKEN: Final = (BrokenReaderError, OSError, ValueError, LookupError, TypeError)
"""What it is like where that process couldn't be started, or told half of what it found."""


class TenantsFiles:
    """The tenants' file, or a folder of such files, read again and again.

    What is small is read whole. Of a large folder the files that changed are read, where these
    are small. All else is read by a process of its own, which tells what is new.

    Args:
        path: One YAML file, or a folder of them.
        small: How many bytes are read in place.
        small_at_start: How many bytes are read in place the first time.
    """

    def __init__(
        self, path: Path, small: int = SMALL, small_at_start: int = SMALL_AT_START
    ) -> None:
        self.path = path
        self._small = small
        self._at_once = small_at_start
        self._is_first = True
        self._looker = Looker(path)
        self.turns = Turns()
        self._whole: Whole | None = None

    def look(self) -> Sight:
        """Tell one state of the files from another, by what stat(2) says."""
        return self._looker.look()

    def load(self) -> Registry | Reading:
        """Read what the last look saw.

        Raises:
            ConfigurationError: The files can't be used.
            MovedError: They aren't any more what the last look saw.

        Returns:
            The registry, or the reading of it that has begun.
        """
        seen = self._looker.sight or {}
        size, at_once = _size(seen, seen), self._small
        if self._is_first:
            self._is_first, at_once = False, self._at_once
            if size > self._small:
                self.turns.share()
        if size <= self._small:
            registry = self._read_whole(seen)[0]
            self._whole = None
            return registry
        if size <= at_once:
            return self.read_in_place(seen)
        whole = None
        with suppress(UnsureError):
            whole = self._renewed(seen)
        return self._begun(seen) if whole is None else self.keep(whole)

    def keep(self, whole: Whole) -> Registry:
        """Keep what was put together, so that the next edit of it costs little."""
        self._whole = whole
        return whole.registry

    def read_in_place(self, seen: Sight) -> Registry:
        """Read all of it here, whatever it costs."""
        marks = self._marks(seen)
        return self.keep(whole_of(*self._read_whole(seen), marks))

    def _read_whole(self, seen: Sight) -> tuple[Registry, PlainDocument]:
        with self._held(seen):
            return read_registry(self.path)

    @contextmanager
    def _held(self, seen: Sight, files: Iterable[str] | None = None) -> Iterator[None]:
        """Raise MovedError, whatever was found, where the files aren't any more as seen."""
        try:
            yield
        finally:
            self._looker.mistrust(files)
            if self._looker.look() != seen:
                raise MovedError

    def _marks(self, seen: Sight) -> Sight:
        """Return the marks of the files that rest; one that moves is read again next time."""
        return {file: mark for file, mark in seen.items() if file not in self._looker.moving}

    def _renewed(self, seen: Sight) -> Whole | None:
        """Read what has changed, where that is little."""
        if self._whole is None:
            return None
        kept = {f: p for f, p in self._whole.parts.items() if p.mark and p.mark == seen.get(f)}
        other = [file for file in seen if file not in kept]
        if _size(seen, other) > self._small:
            return None
        marks = self._marks(seen)
        with self._held(seen, other):
            pages = [read_page(Path(file), read_bytes(Path(file))) for file in other]
        if any(page.faults for page in pages):
            raise UnsureError
        parts = {
            file: part_of(page, marks.get(file)) for file, page in zip(other, pages, strict=True)
        }
        changed = itertools.chain.from_iterable(tenants_of(page).items() for page in pages)
        return gently(put_together(self._whole, {**kept, **parts}, changed))

    def _begun(self, seen: Sight) -> Registry | Reading:
        try:
            return Reading(self, seen, self._marks(seen), self._whole)
        except OSError as error:
            _read_in_place(self.path, error)
            return self.read_in_place(seen)


def _read_in_place(path: Path, error: Exception) -> None:
    kind = "" if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: "
    _log.warning("config is read in place", path=str(path), error=f"{kind}{error}")


def _size(seen: Sight, files: Iterable[str]) -> int:
    return sum(seen[file][-1] for file in files)


class Reading:
    """A document that another process reads.

    Args:
        files: What it is read for.
        seen: What the files looked like.
        marks: What of that may be relied on.
        before: What was put together last time.

    Raises:
        OSError: The process can't be started.
    """

    def __init__(
        self, files: TenantsFiles, seen: Sight, marks: Sight, before: Whole | None
    ) -> None:
        self._files = files
        self._seen = seen
        self._marks = marks
        self._before = before
        self._known = before.parts if before else {}
        self._turn = self._asked(doubted=False)

    def is_ready(self) -> bool:
        """Tell whether it has been read."""
        try:
            return self._turn.is_ready()
        except OSError:
            return True  # so that the result tells

    def result(self) -> Registry:
        """Wait for its end, and return what it has read.

        Raises:
            ConfigurationError: The files can't be used.
            MovedError: They weren't any more what had been seen.
        """
        try:
            try:
                whole = gently(self._put_together())
            except UnsureError:  # it can tell the fault
                self._turn = self._asked(doubted=True)
                whole = gently(self._put_together())
        except (UnsureError, *_BROKEN) as error:
            _read_in_place(self._files.path, error)
            self._turn.forget()
            return self._files.read_in_place(self._seen)
        return self._files.keep(whole)

    def _asked(self, *, doubted: bool) -> Turn:
        return self._files.turns.ask(
            question(self._files.path, self._seen, self._known, doubted=doubted)
        )

    def _put_together(self) -> Steps[Whole]:
        with self._turn.answer() as lines:
            _hold_whole(lines)
            return (yield from self._joined(lines))

    def _joined(self, lines: IO[str]) -> Steps[Whole]:
        """Join what is known and what the lines tell; `reader` says what stands in them."""
        found = json.loads(next(lines))
        match found["is"]:
            case "moved":
                self._turn.forget()  # they may be again what had been seen
                raise MovedError
            case "faulty":
                raise FaultyDocumentError(map(fault_of, found["faults"]))
            case "unusable":
                self._turn.forget()
                cause = OSError() if found["passing"] else None
                raise ConfigurationError(found["message"]) from cause
        parts = {
            file: dataclasses.replace(part, mark=self._marks.get(file))
            for file, part in self._known.items()
            if file in self._seen
        }
        yield
        for line in itertools.islice(lines, found["files"]):
            file, *told = json.loads(line)
            parts[file] = Part(self._marks.get(file), *told)
            yield
        return (yield from put_together(self._before, parts, _tenants(lines)))


def _tenants(lines: IO[str]) -> Iterator[tuple[str, Any]]:
    for line in lines:
        if (told := json.loads(line)) != END:
            tenant_id, content = told
            yield tenant_id, content


def _hold_whole(lines: IO[str]) -> None:
    """Raise where the last line isn't there: who wrote has died."""
    last = json.dumps(END) + "\n"
    size = lines.seek(0, os.SEEK_END)
    lines.seek(max(size - len(last), 0))
    if lines.read() != last:
        raise BrokenReaderError("its process has died")
    lines.seek(0)
