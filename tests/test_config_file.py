"""The tenants' file changed by a command: whole, only into one that loads, by one at a time."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from kataven_flask import config_file
from kataven_flask.assets import example_config
from kataven_flask.config_file import change_config
from kataven_flask.editing import Edit, add_origins, add_tenant, remove_tenant
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import Registry, load_registry

KEY = "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g"
NEW = {"name": "Bikes", "agents": {"support": {"display_name": "Support"}}}


def add_bikes(registry: Registry) -> Edit:
    """Plan one more tenant."""
    return add_tenant(registry, "bikes", NEW)


def add_site(site: str) -> config_file.Plan:
    """Plan one more origin of acme's key."""
    return lambda registry: add_origins(registry.keys[KEY], (site,))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a copy of the shipped file."""
    return Path(shutil.copy(example_config(), tmp_path / "tenants.yaml"))


def test_a_change_is_written_and_told(config: Path) -> None:
    """The file has it, the registry has it, and the diff shows it."""
    before = config.read_text()
    change = change_config(config, add_site("https://acme.net"))
    assert config.read_text() == change.after != before == change.before
    assert load_registry(config).revision == change.registry.revision
    assert "+          - https://acme.net\n" in change.diff()


def test_a_dry_run_writes_nothing(config: Path) -> None:
    """It tells the same change."""
    before = config.read_bytes()
    change = change_config(config, add_site("https://acme.net"), dry_run=True)
    assert "https://acme.net" in change.after
    assert config.read_bytes() == before


def test_what_would_not_load_is_not_written(config: Path) -> None:
    """The message has the fault, by its member; the lines of a text never written mean nothing."""
    before = config.read_bytes()
    with pytest.raises(ConfigurationError, match="nothing was written") as caught:
        change_config(config, lambda registry: add_tenant(registry, "bikes", {"name": "Bikes"}))
    assert "tenants.bikes.agents: missing" in str(caught.value)
    assert config.read_bytes() == before


def test_a_faulty_file_is_mended_first(config: Path) -> None:
    """A command doesn't build on what a server would refuse."""
    config.write_text(config.read_text().replace("version: 1", "version: 2"))
    with pytest.raises(ConfigurationError, match=r"mend these first.*\n.*version"):
        change_config(config, add_bikes)


def test_a_first_tenant_makes_the_file(tmp_path: Path) -> None:
    """Folders on the way are made, too; the file is commented."""
    config = tmp_path / "config" / "tenants.yaml"
    change = change_config(config, add_bikes)
    assert change.before == ""
    assert change.diff().startswith("--- /dev/null\n")
    assert config.read_text().startswith("# The tenants:")
    assert list(load_registry(config).tenants) == ["bikes"]
    assert config.stat().st_mode & 0o777 == 0o644


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    """It tells what would be, and leaves no trace."""
    change = change_config(tmp_path / "config" / "tenants.yaml", add_bikes, dry_run=True)
    assert "bikes" in change.after
    assert list(tmp_path.iterdir()) == []


def test_in_a_folder_a_tenant_gets_its_own_file(config: Path) -> None:
    """The others aren't touched; later edits find it there."""
    before = config.read_bytes()
    change = change_config(config.parent, add_bikes)
    assert change.file == config.parent / "bikes.yaml"
    assert config.read_bytes() == before
    assert list(load_registry(config.parent).tenants) == ["bikes", "acme", "demo"]
    change_config(config.parent, lambda registry: remove_tenant(registry, "bikes"))
    assert list(load_registry(config.parent).tenants) == ["acme", "demo"]


def test_an_empty_folder_takes_a_first_tenant(tmp_path: Path) -> None:
    """It is a document without tenants."""
    assert change_config(tmp_path, add_bikes).file == tmp_path / "bikes.yaml"
    assert list(load_registry(tmp_path).tenants) == ["bikes"]


def test_a_file_of_that_name_is_not_written_over(tmp_path: Path, config: Path) -> None:
    """A folder's file may be called after a tenant that it doesn't hold."""
    config.rename(tmp_path / "bikes.yaml")
    with pytest.raises(ConfigurationError, match="stands already"):
        change_config(tmp_path, add_bikes)


def test_owner_and_mode_stay(config: Path) -> None:
    """The server may run as somebody else than the operator, and goes on reading it."""
    config.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(config, 12345, 54321)
    before = config.stat()
    change_config(config, add_bikes)
    after = config.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_a_link_stays_a_link(tmp_path: Path, config: Path) -> None:
    """What it leads to is changed."""
    link = tmp_path / "here" / "tenants.yaml"
    link.parent.mkdir()
    link.symlink_to(config)
    change_config(link, add_bikes)
    assert link.is_symlink()
    assert "bikes" in load_registry(config).tenants


def test_what_a_person_saves_meanwhile_is_not_lost(config: Path) -> None:
    """An editor takes no lock, so the file is looked at once more before it is replaced."""

    def plan(registry: Registry) -> Edit:
        edit = add_bikes(registry)

        def apply(text: str) -> str:
            config.write_text(text + "# saved by a person\n")
            return edit.apply(text)

        return Edit(edit.tenant_id, apply, is_new_tenant=True)

    with pytest.raises(ConfigurationError, match="edited meanwhile; run the command again"):
        change_config(config, plan)
    assert config.read_text().endswith("# saved by a person\n")
    assert [file.name for file in config.parent.iterdir()] == [config.name]


def test_a_full_disk_loses_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is one line, the file is as it was, and nothing is left beside it."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = config.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="nothing was written \\(no space left"):
        change_config(config, add_bikes)
    assert config.read_bytes() == before
    assert [file.name for file in config.parent.iterdir()] == [config.name]


def test_utf_16_is_refused(config: Path) -> None:
    """YAML may be written in it, and the server reads it; a command doesn't write it."""
    config.write_text(config.read_text(), encoding="utf-16")
    with pytest.raises(ConfigurationError, match="save it in UTF-8 first"):
        change_config(config, add_bikes)


def test_commands_take_turns(config: Path) -> None:
    """Many at once lose no change of each other."""
    sites = [f"https://a{n}.acme.net" for n in range(16)]
    threads = [
        threading.Thread(target=change_config, args=(config, add_site(site))) for site in sites
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = {entry.text for entry in load_registry(config).keys[KEY].key.domain_allowlist}
    assert texts >= set(sites)
