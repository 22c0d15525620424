"""Looks at a folder: everything changed is seen, and ten thousand files cost little."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kataven_flask.document import looking
from kataven_flask.document.looking import OFTEN, SHARE, Looker
from kataven_flask.document.yaml_files import document_files

PASS = 0.1
"""Seconds of a core that a look at everything takes here."""


class Eye:
    """A look at a folder, whose time and cost are in the test's hands.

    Args:
        folder: The folder.
        patch: What counts the files that are asked for.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.spent = 0.0
        self.cost = PASS
        self.asked: list[str] = []
        mark = looking._mark  # noqa: SLF001

        def counted(path: str | Path) -> looking.Mark:
            self.asked.append(os.path.basename(path))  # noqa: PTH119
            return mark(path)

        patch.setattr(looking, "_mark", counted)
        self.looker = Looker(folder, lambda: self.now, self._spent)
        for _ in range(2):
            self.look()
            self.now += PASS / SHARE

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
    for _ in range(3):
        eye.look()
        assert {Path(file).name for file in eye.looker.sight or ()} == {"a.yaml", "c.yaml"}


def test_a_change_that_is_taken_back_is_none(eye: Eye, folder: Path) -> None:
    """A file that is moved away and back leaves what was seen as it was."""
    before = eye.looker.sight
    (folder / "b.yaml").rename(folder / ".b.yaml")
    eye.look()
    assert eye.looker.sight != before
    (folder / ".b.yaml").rename(folder / "b.yaml")
    eye.look()
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
