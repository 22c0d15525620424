"""One who edits what a server follows, in every way there is, and notes when."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from tests.live_edits.world import Edit, State, main_text, other_text, whole_text

MAIN: Final = "main.yaml"
OTHER: Final = "other.yaml"
WHOLE: Final = "tenants.yaml"
CHUNKS: Final = 6
CHUNK_PAUSE: Final = 0.03
"""Seconds between two pieces of a file that is written slowly."""
LONG_AGO: Final = (1_000_000_000, 1_000_000_000)
"""Nanoseconds since the epoch: the times of files from an image that was built reproducibly."""


class Editor:
    """Edits one path, which is a file, a link to one, or a link to a folder, turn by turn.

    Args:
        folder: Where the path is, and all that it may lead to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "conf"
        self.edits: list[Edit] = []
        self.faults = 0
        self._number = 0
        self._folder = folder
        self._plain = folder / "plain"
        self.rename()

    # --- whole at once

    def rename(self) -> None:
        """Move a new file over the old one."""
        with self._noted("rename") as number:
            self._move_over(self.path, whole_text(number))

    def rename_with_old_times(self) -> None:
        """Move a new file over the old one that is as long and as old as it."""
        with self._noted("rename, same times and size") as number:
            self._move_over(self.path, whole_text(number), times=LONG_AGO)

    def swap_file(self) -> None:
        """Swap the link of a mounted ConfigMap with one file."""
        with self._noted("ConfigMap with a file") as number:
            self._release(self._folder / "map", number, {WHOLE: whole_text(number)})
            self._lead_to(f"map/{WHOLE}")

    def swap_folder(self) -> None:
        """Swap the link of a mounted ConfigMap with two files."""
        with self._noted("ConfigMap with a folder") as number:
            files = {MAIN: main_text(number), OTHER: other_text(number)}
            self._release(self._folder / "maps", number, files)
            self._lead_to("maps")

    def edit_main(self) -> None:
        """Move a new file over one of a folder's."""
        self._move_into_folder()
        with self._noted("one file of a folder", other=self.state.other) as number:
            self._move_over(self._plain / MAIN, main_text(number))

    def edit_other(self) -> None:
        """Move a new file over another of a folder's, or add it."""
        self._move_into_folder()
        with self._noted("another file of a folder", main=self.state.main) as number:
            self._move_over(self._plain / OTHER, other_text(number))

    def remove_other(self) -> None:
        """Take a file out of a folder."""
        self._move_into_folder()
        with self._noted("a file less in a folder", main=self.state.main, other=None):
            (self._plain / OTHER).unlink(missing_ok=True)

    # --- piece by piece

    def write_slowly(self) -> None:
        """Write the file anew in place; until it's done, it ends after some line."""
        self._to_a_file()
        with self._noted("in place") as number:
            _write_slowly(self.path, "w", whole_text(number))

    def overwrite_slowly(self) -> None:
        """Write over the file in place; until it's done, its end is the old one's."""
        self._to_a_file()
        with self._noted("in place, not shortened before") as number:
            _write_slowly(self.path, "r+", whole_text(number))

    def write_folder_slowly(self) -> None:
        """Write a folder's file anew in place."""
        self._move_into_folder()
        with self._noted("in place in a folder", main=self.state.main) as number:
            _write_slowly(self._plain / OTHER, "w", other_text(number))

    # --- faulty

    def break_syntax(self) -> None:
        """Move a file over it that is no YAML."""
        self._break(whole_text(self._number) + "tenants: [\n")

    def break_by_a_member(self) -> None:
        """Move a file over it with a member that nobody knows."""
        self._break(whole_text(self._number).replace("greeting", "greting"))

    def break_by_emptying(self) -> None:
        """Empty the file, or what is in its place."""
        self._break("")

    def break_in_place(self) -> None:
        """Write a file in place, slowly, whose last line nobody knows."""
        self._to_a_file()
        self.faults += 1
        _write_slowly(self.path, "w", whole_text(self._number) + "surprise: true\n")

    def remove(self) -> None:
        """Take the path away; any other edit brings it back."""
        self.faults += 1
        self.path.unlink()

    # --- steps

    @property
    def state(self) -> State:
        """What the files say by the last sound edit."""
        return self.edits[-1].state

    @contextmanager
    def _noted(self, way: str, main: int | None = None, other: int | None = -1) -> Iterator[int]:
        """Give an edit its number and note its times; what isn't named gets the number, too."""
        self._number += 1
        number, begun = self._number, time.monotonic()
        yield number
        state = State(number if main is None else main, number if other == -1 else other)
        self.edits.append(Edit(state, way, begun, time.monotonic()))

    def _break(self, text: str) -> None:
        self.faults += 1
        self._move_over(self.path, text)

    def _to_a_file(self) -> None:
        if not self.path.is_file():
            self.rename()

    def _move_into_folder(self) -> None:
        """Have the path lead to a folder of two files that are edited one by one."""
        if self.path.is_symlink() and self.path.readlink() == Path(self._plain.name):
            return
        with self._noted("a folder") as number:
            shutil.rmtree(self._plain, ignore_errors=True)  # nobody looks there now
            self._plain.mkdir()
            (self._plain / MAIN).write_text(main_text(number))
            (self._plain / OTHER).write_text(other_text(number))
            self._lead_to(self._plain.name)

    def _release(self, mount: Path, number: int, files: Mapping[str, str]) -> None:
        """Put a release there as kubelet does, and remove the one before."""
        mount.mkdir(exist_ok=True)
        new, data = mount / f"..v{number:03}", mount / "..data"
        old = data.resolve() if data.is_symlink() else None
        new.mkdir()
        for name, text in files.items():
            (new / name).write_text(text)
            os.utime(new / name, ns=LONG_AGO)
            if not (mount / name).is_symlink():
                (mount / name).symlink_to(f"..data/{name}")
        _link(data, new.name)
        if old is not None:
            shutil.rmtree(old)

    def _lead_to(self, target: str) -> None:
        if not (self.path.is_symlink() and self.path.readlink() == Path(target)):
            _link(self.path, target)

    def _move_over(self, path: Path, text: str, times: tuple[int, int] | None = None) -> None:
        new = self._folder / "new"
        new.write_text(text)
        if times is not None:
            os.utime(new, ns=times)
        new.replace(path)


def _link(link: Path, target: str) -> None:
    """Point a link elsewhere in one step."""
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.replace(link)


def _write_slowly(path: Path, mode: Literal["w", "r+"], text: str) -> None:
    """Write a text in place in pieces that end with a line."""
    lines = text.splitlines(keepends=True)
    size = -(-len(lines) // CHUNKS)
    with path.open(mode) as file:
        for start in range(0, len(lines), size):
            file.writelines(lines[start : start + size])
            file.flush()
            time.sleep(CHUNK_PAUSE)


Way = Callable[[Editor], None]

AT_ONCE: Final[tuple[Way, ...]] = (
    Editor.rename,
    Editor.swap_folder,
    Editor.swap_folder,
    Editor.edit_main,
    Editor.edit_other,
    Editor.remove_other,
    Editor.edit_main,
    Editor.edit_other,
    Editor.swap_file,
    Editor.swap_file,
    Editor.rename_with_old_times,
    Editor.rename_with_old_times,
)
SLOWLY: Final[tuple[Way, ...]] = (
    Editor.write_slowly,
    Editor.overwrite_slowly,
    Editor.write_folder_slowly,
)
FAULTY: Final[tuple[Way, ...]] = (
    Editor.break_syntax,
    Editor.remove,
    Editor.break_by_a_member,
    Editor.break_by_emptying,
    Editor.break_in_place,
)
