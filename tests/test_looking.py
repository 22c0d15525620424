"""Looks at a folder: everything changed is seen, and ten thousand files cost little."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from kataven_flask.document import looking
from kataven_flask.document.looking import OFTEN, SHARE, SHARE_OF_EDITS, Looker
from kataven_flask.document.notices import Notices
from kataven_flask.document.yaml_files import document_files

PASS = 0.1
"""Seconds of a core that a look at everything takes here."""


class Eye:
    """A look at a folder, whose time and cost are in the test's hands.

    Args:
        folder: The folder.
        patch: What counts the files that are asked for.
        is_told: Whether the kernel tells of files that were written.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, is_told: bool = False) -> None:
        self.now = 1000.0
        self.spent = 0.0
        self.cost = PASS
        self.asked: list[str] = []
        self.is_told = is_told
        mark = looking._mark  # noqa: SLF001

        def counted(path: str | Path) -> looking.Mark:
            self.asked.append(os.path.basename(path))  # noqa: PTH119
            return mark(path)

        patch.setattr(looking, "_mark", counted)
        patch.setattr(looking, "Notices", self._notices)
        self.looker = Looker(folder, lambda: self.now, self._spent)
        for _ in range(2):
            self.look()
            self.now += PASS / SHARE

    def _notices(self, folder: Path) -> Notices:
        notices = Notices(folder)
        if not self.is_told:  # as of a file system that is mounted over a network
            notices.begin = lambda: None  # type: ignore[method-assign]
        return notices

    def _spent(self) -> float:
        self.spent += self.cost
        return self.spent

    def look(self) -> list[str]:
        """Look, and return the files that were asked for."""
        self.asked = []
        self.looker.look()
        return [file for file in self.asked if file.endswith(".yaml")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three files."""
    path = tmp_path / "tenants"
    path.mkdir()
    for name in "abc":
        (path / f"{name}.yaml").write_text("old")
    return path


@pytest.fixture
def eye(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Eye:
    """Return one that has just looked at everything."""
    eye = Eye(folder, monkeypatch)
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]
    return eye


def write_in_place(file: Path, text: str = "new") -> None:
    """Write over a file, however fast the test is for its clock."""
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1, before + 1))


def test_a_rest_follows_a_look_at_everything(eye: Eye) -> None:
    """The rest is as long as keeps the looks to their share of a core."""
    eye.now += PASS / SHARE - 0.001
    assert eye.look() == []
    eye.now += 0.002
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]


def test_what_costs_little_is_looked_at_each_time(eye: Eye) -> None:
    """A folder of a few files needs no rest: the next look sees all of it."""
    eye.cost = SHARE * OFTEN / 2
    eye.now += PASS / SHARE
    for _ in range(3):
        assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_look_that_was_held_up_is_none_to_go_by(eye: Eye) -> None:
    """One that took long for another reason makes nobody wait for the next."""
    eye.cost = 100 * PASS
    eye.now += PASS / SHARE
    assert eye.look()
    eye.now += PASS / SHARE
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_moved_over_another_is_seen_at_once(eye: Eye, folder: Path) -> None:
    """Whoever changes the folder ends the rest: an editor that saves, a file that is new."""
    before = eye.looker.sight
    eye.now += PASS / SHARE_OF_EDITS
    new = folder / ".new"
    new.write_text("new")
    new.replace(folder / "b.yaml")
    eye.look()
    assert eye.looker.moving == {str(folder / "b.yaml")}
    assert eye.looker.sight != before


def test_what_was_written_in_place_is_seen_after_the_rest(eye: Eye, folder: Path) -> None:
    """It doesn't change the folder, and is found when everything is looked at."""
    before = eye.looker.sight
    write_in_place(folder / "b.yaml")
    eye.look()
    assert eye.looker.sight is before
    eye.now += PASS / SHARE
    eye.look()
    assert eye.looker.moving == {str(folder / "b.yaml")}


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells")
def test_what_the_kernel_tells_is_seen_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was written in place ends the rest where the file system is this machine's."""
    eye = Eye(folder, monkeypatch, is_told=True)
    eye.look()
    eye.now += PASS / SHARE_OF_EDITS
    assert eye.look() == []
    write_in_place(folder / "b.yaml")
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]
    assert eye.looker.moving == {str(folder / "b.yaml")}
    assert eye.look() == ["b.yaml"]
    assert eye.look() == []


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells")
def test_another_folder_in_its_place_is_told_of_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows a link to a folder is told of the one that it leads to now."""
    link = folder.with_name("link")
    link.symlink_to(folder)
    eye = Eye(link, monkeypatch, is_told=True)
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    new = folder.with_name("new")
    new.symlink_to(other)
    new.replace(link)
    eye.look()
    eye.now += PASS / SHARE_OF_EDITS
    eye.look()
    assert eye.look() == []
    write_in_place(other / "b.yaml")
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells")
def test_a_fork_is_told_for_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process is told isn't taken from another that was forked from it."""
    notices = Notices(folder)
    notices.begin()
    shared = os.dup(notices._descriptor)  # noqa: SLF001 - the other one's
    monkeypatch.setattr("os.getpid", lambda: 1)
    (folder / "b.yaml").write_text("new")
    assert not notices.come()
    (folder / "b.yaml").write_text("newer")
    assert notices.come()
    assert os.read(shared, 1000)
    os.close(shared)


def test_whoever_goes_on_writing_costs_little(eye: Eye, folder: Path) -> None:
    """Edits without end make the looks at everything more often, and not for ever."""
    looks = 0
    for number in range(100):
        (folder / "new.yaml").write_text(str(number))
        (folder / "new.yaml").replace(folder / "b.yaml")
        looks += len(eye.look()) > 1
        eye.now += OFTEN
    assert looks * PASS == pytest.approx(100 * OFTEN * SHARE_OF_EDITS, rel=0.2)


def test_what_moves_is_looked_at_again(eye: Eye, folder: Path) -> None:
    """The next look tells whether an edit has ended by asking for that file alone."""
    eye.now += PASS / SHARE
    write_in_place(folder / "b.yaml")
    eye.look()
    write_in_place(folder / "b.yaml", "newer")
    assert eye.look() == ["b.yaml"]
    assert eye.looker.moving
    assert eye.look() == ["b.yaml"]
    assert not eye.looker.moving
    assert eye.look() == []


def test_what_moves_may_be_gone(eye: Eye, folder: Path) -> None:
    """A file that is removed is gone from the next look, and from those after it."""
    eye.now += PASS / SHARE
    write_in_place(folder / "b.yaml")
    eye.look()
    (folder / "b.yaml").unlink()
    eye.now += PASS / SHARE_OF_EDITS
    for _ in range(3):
        eye.look()
        assert {Path(file).name for file in eye.looker.sight or ()} == {"a.yaml", "c.yaml"}


def test_a_change_that_is_taken_back_is_none(eye: Eye, folder: Path) -> None:
    """A file that is moved away and back leaves what was seen as it was."""
    before = eye.looker.sight
    for old, new in (("b.yaml", ".b.yaml"), (".b.yaml", "b.yaml")):
        (folder / old).rename(folder / new)
        eye.now += PASS / SHARE_OF_EDITS
        eye.look()
        assert eye.looker.sight != before
    # A rename is an edit of the file's inode, and its second time tells so.
    assert {Path(file).name for file in eye.looker.sight or ()} == {"a.yaml", "b.yaml", "c.yaml"}


def test_a_folder_that_is_gone_and_back(eye: Eye, folder: Path) -> None:
    """Nothing is seen while it's away, and all of it at the first look after."""
    folder.rename(folder.with_name("away"))
    eye.look()
    assert eye.looker.sight == {}
    folder.with_name("away").rename(folder)
    assert eye.look() == ["a.yaml", "b.yaml", "c.yaml"]


@pytest.mark.parametrize("name", [".", "tenants", "./tenants", "../tenants", "a.yaml", "./a.yaml"])
def test_files_are_called_as_they_are_when_read(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a file or a folder is named, its files have one name each."""
    monkeypatch.chdir(folder.parent if "tenants" in name and ".." not in name else folder)
    assert list(Looker(Path(name)).look()) == [str(file) for file in document_files(Path(name))]
