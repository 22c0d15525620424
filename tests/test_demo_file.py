"""The demo's own copy of the tenants' file: the shipped one stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kataven_flask.assets import example_config
from kataven_flask.demo import own_file
from kataven_flask.demo.own_file import OwnFile, copied
from kataven_flask.demo.run import CLIENT_KEY
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import Registry, load_registry
from kataven_flask.tenants import Branding, ClientKey


@pytest.fixture
def copy(tmp_path: Path) -> OwnFile:
    """Return a copy of the shipped file, with a server that has each edit in force at once."""
    path = copied(example_config(), tmp_path / "config")
    return OwnFile(path, CLIENT_KEY, lambda: load_registry(path))


def key(file: OwnFile) -> ClientKey:
    """Return the demo's key, as the copy has it."""
    return file.registry().keys[CLIENT_KEY].key


def branding(file: OwnFile) -> Branding:
    """Return the demo's branding, as the copy has it."""
    return file.registry().keys[CLIENT_KEY].tenant.branding


def test_only_the_copy_is_edited(copy: OwnFile) -> None:
    """The file that the demo was started with is the same to the byte, whatever is clicked."""
    before = example_config().read_bytes()
    for name in own_file.EDITS:
        assert copy.edit(name).seconds is not None
    assert example_config().read_bytes() == before
    assert copy.path.read_bytes() != before


def test_each_color_has_its_turn(copy: OwnFile) -> None:
    """As many clicks as there are colors, and the first is back."""
    first = branding(copy).primary_color
    seen = []
    for _ in own_file.COLORS:
        diff = copy.edit("color").diff
        seen.append(branding(copy).primary_color)
        assert f'+      primary_color: "{seen[-1]}"' in diff
    assert len(set(seen)) == len(own_file.COLORS)
    assert seen[-1] == first


def test_the_diff_is_of_one_line(copy: OwnFile) -> None:
    """An edit shows the line that it changed, no other, and not where on this machine."""
    diff = copy.edit("label").diff
    changed = [line for line in diff.splitlines() if line[0] in "+-"]
    assert [line[0] for line in changed] == ["-", "+"]
    assert "launcher_label: Coffee? Ask away" in changed[1]
    assert str(copy.path) not in diff


def test_the_key_is_switched(copy: OwnFile) -> None:
    """Off, and on again."""
    seen = []
    for _ in range(2):
        copy.edit("key")
        seen.append((copy.key_is_on, key(copy).enabled))
    assert seen == [(False, False), (True, True)]


def test_a_server_that_does_not_follow(copy: OwnFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server hasn't taken the edit up in time, that is said."""
    monkeypatch.setattr(own_file, "TAKE_UP_SECONDS", 0.0)
    as_it_was: Registry = copy.registry()
    stuck = OwnFile(copy.path, CLIENT_KEY, lambda: as_it_was)
    assert stuck.edit("color").seconds is None


def test_a_key_that_is_gone(copy: OwnFile) -> None:
    """A copy that somebody took the demo's key out of is left alone, and says so."""
    text = copy.path.read_text()
    copy.path.write_text(text.replace(CLIENT_KEY, "pk_test_demo_" + "x" * 22))
    assert not copy.key_is_on
    with pytest.raises(ConfigurationError, match="isn't in it any longer"):
        copy.edit("color")


def test_a_folder_of_files(tmp_path: Path) -> None:
    """A folder is copied whole, and the edit goes into the file that has the tenant."""
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "all.yaml").write_bytes(example_config().read_bytes())
    path = copied(folder, tmp_path / "config")
    file = OwnFile(path, CLIENT_KEY, lambda: load_registry(path))
    file.edit("key")
    assert not file.key_is_on
    assert load_registry(folder).keys[CLIENT_KEY].key.enabled


def test_a_faulty_file_is_named_by_its_own_name(tmp_path: Path) -> None:
    """The faults are told by the place of the file that the operator knows, not of the copy."""
    config = tmp_path / "mine.yaml"
    config.write_text("version: 1\ntenants: {a: 1}\n")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml"):
        copied(config, tmp_path / "config")
    assert not (tmp_path / "config").exists()
