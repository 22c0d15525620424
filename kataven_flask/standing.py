"""What each of several processes has in force: one speaks for all as long as they agree."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kataven_flask.live import Live, Watch
from kataven_flask.log import Log

SPEAKER: Final = 0
"""The place of the process that speaks: the parent, or the only one."""
ODD_LOOKS: Final = 10
"""Looks after which a process that still has something else in force says so: 2 s."""
_PLACE: Final = struct.Struct("=d?15s")
"""When, whether it is sound, and the revision; written in one go, within a line of the cache."""
_STRIDE: Final = 64

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a process has in force.

    Args:
        revision: The revision.
        ok: Whether that is what the files say; False where they were refused.
        since: When this revision came into force, in seconds since the epoch.
    """

    revision: str
    ok: bool
    since: float


class Board:
    """Where processes show what they have in force: memory that is theirs together.

    Args:
        places: How many processes; they are forked after this one is made.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._memory = mmap.mmap(-1, places * _STRIDE)

    def __iter__(self) -> Iterator[Standing]:
        """Give what stands at each place that was ever taken."""
        every = map(self.at, range(self._places))
        return iter([standing for standing in every if standing is not None])

    def at(self, place: int) -> Standing | None:
        """Return what stands at a place, or None where nobody has been yet."""
        since, ok, revision = _PLACE.unpack_from(self._memory, place * _STRIDE)
        return Standing(revision.rstrip(b"\0").decode(), ok, since) if since else None

    def show(self, place: int, standing: Standing) -> None:
        """Write down what the process at a place has in force."""
        packed = _PLACE.pack(standing.since, standing.ok, standing.revision.encode())
        start = place * _STRIDE
        self._memory[start : start + len(packed)] = packed


class Member:
    """One of several processes that follow the same files.

    It is silent about what all of them see, unless it is the one that speaks. It speaks up
    where it goes on differing from that one.

    Args:
        live: What it has in force.
        board: Where all of them show it.
        place: Its place there; a process that replaces another takes over its place.
    """

    def __init__(self, live: Live[Any], board: Board, place: int) -> None:
        self._live = live
        self._board = board
        self._place = place
        self._odd = 0
        if place != SPEAKER:
            live.tell = _silence
        self.look()

    def look(self) -> None:
        """Show what is in force after a look, and compare."""
        live = self._live
        mine = Standing(live.current.revision, live.fault is None, live.since)
        self._board.show(self._place, mine)
        said = self._board.at(SPEAKER)
        if said is None or (said.revision, said.ok) == (mine.revision, mine.ok):
            if self._odd >= ODD_LOOKS:
                _log.info("this worker agrees with the others again")
            self._odd = 0
            return
        self._odd += 1
        if self._odd == ODD_LOOKS:
            fault = {} if live.fault is None else {"faults": str(live.fault)}
            _log.error(
                f"this worker differs from the others in {live.name}",
                revision=mine.revision,
                others=said.revision,
                **fault,
            )


class Company:
    """All processes that follow the same files: a parent, or the only one, and its workers.

    Args:
        places: How many; they are forked after this is made.
        watch: What looks at the files in each.
        *lives: The files that it looks at.
    """

    def __init__(self, places: int, watch: Watch, *lives: Live[Any]) -> None:
        self._watch = watch
        self._boards = [(live, Board(places)) for live in lives]

    def board_of(self, live: Live[Any]) -> Board:
        """Return what each process shows of one of the files."""
        return next(board for each, board in self._boards if each is live)

    def join(self, place: int) -> None:
        """Take this process in at a place of its own, which is SPEAKER in the parent."""
        self._watch.also = [Member(live, board, place) for live, board in self._boards]


def _silence(_live: Live[Any]) -> None:
    """Leave it to the process that speaks."""
