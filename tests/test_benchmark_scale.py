"""What `python -m benchmarks.scale` says: made right, counted right, written right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.many import Editor, ids, write_many
from benchmarks.scale_report import Figures, Window, page, table
from benchmarks.world import CLIENT_KEY, ORIGIN
from kataven_flask.origins import Origin
from kataven_flask.registry import load_registry


def test_the_file_and_the_folder_say_the_same(tmp_path: Path) -> None:
    """So many tenants with two keys each, one of which is the key that is asked with."""
    many = write_many(tmp_path / "many", 20)
    file, folder = load_registry(many.file), load_registry(many.folder)
    assert dict(file.tenants) == dict(folder.tenants)
    assert list(file.tenants) == [*ids(20)]
    assert len(file.keys) == len(file.secrets) == 40
    asked = Origin.parse(ORIGIN)
    assert asked is not None
    assert file.keys[CLIENT_KEY].key.admits(asked)


@pytest.mark.parametrize("in_place", [True, False])
def test_an_edit_changes_one_tenant(tmp_path: Path, *, in_place: bool) -> None:
    """Each edit is another one, as long as the one before, and stays sound."""
    file = write_many(tmp_path / "many", 3).file
    editor, texts, before = Editor(file), {file.read_text()}, load_registry(file)
    for _ in range(3):
        editor.edit(in_place=in_place)
        texts.add(file.read_text())
    assert len(texts) == 4
    assert len({len(text) for text in texts}) == 1
    after = load_registry(file)
    assert sum(after.tenants[name] != before.tenants[name] for name in before.tenants) == 1


def test_an_edit_reaches_every_key(tmp_path: Path) -> None:
    """The edit of what every key has gives each another lifetime."""
    file = write_many(tmp_path / "many", 3).file
    Editor(file, "session_ttl: 10").edit(in_place=True)
    assert {record.tokens.session_ttl for record in load_registry(file).keys.values()} == {660}


def test_what_is_not_there_is_not_edited(tmp_path: Path) -> None:
    """A measurement without edits says so, and measures nothing."""
    file = write_many(tmp_path / "many", 2).file
    with pytest.raises(ValueError, match="has no 'nothing'"):
        Editor(file, "nothing")


def _figures(**others: float) -> Figures:
    """Return what was measured: nearly everything is 1."""
    figures = Figures(tenants=10_000, rounds=5)
    window = Window(cpu_us=100, p50_ms=1, p99_ms=10)
    for name in ("few", "file", "folder"):
        figures.guests[name] = [window]
        figures.rest[name] = figures.megabytes[name] = 0.01
        figures.starts[name] = [others.get("start", 1.0)]
        figures.at_rest[name] = [window]
    for name in ("file", "folder", "every key"):
        p99 = others.get("p99", 10.0)
        figures.reloading[name] = [dataclasses.replace(window, p99_ms=p99)]
        figures.edits_under_load[name] = [1.0]
    for name in ("file", "folder", "folder, in place"):
        figures.edits[name] = [0.5, others.get("edit", 0.5)]
    figures.guests["file"] = [dataclasses.replace(window, cpu_us=others.get("cost", 100))]
    return figures


@pytest.mark.parametrize(
    ("others", "missed"),
    [
        ({}, 0),
        ({"start": 8.1}, 2),
        ({"edit": 1.6}, 2),
        ({"p99": 30.0}, 0),
        ({"p99": 31.0}, 2),
        ({"cost": 106}, 1),
    ],
)
def test_what_is_missed_is_marked(others: dict[str, float], missed: int) -> None:
    """Each target that isn't reached has a cross, for the file and for the folder."""
    assert table(_figures(**others)).count("✗") == missed


def test_the_page_has_all_of_it() -> None:
    """The page tells the table, how many there were, and the machine."""
    machine = [("CPU", "a fast one, 2 cores"), ("Ours and the limit", "Python"), ("Redis", "no")]
    written = page(_figures(cost=102), machine)
    assert "| - with all in one file, times that | 1.02 | ≤ 1.05 | ✓ |" in written
    assert "10,000 tenants that have 20,000 client keys" in written
    assert "| CPU | a fast one, 2 cores |\n| Ours | Python |" in written
    assert "$" not in written
