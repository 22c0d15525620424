"""The tenants' file changed by a command: whole, only into one that loads, by one at a time."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import threading
from pathlib import Path

import pytest

from kataven_flask.assets import example_config
from kataven_flask.document import config_file
from kataven_flask.document.config_file import change_config
from kataven_flask.document.editing import Edit, add_origins, add_tenant, remove_tenant
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


ACL = "system.posix_acl_access"


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Write an access list as Linux keeps it: a version, then tags, rights and ids."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_an_access_list_stays(config: Path) -> None:
    """A server that reads by it goes on reading, and the group gets no rights that it hadn't."""
    anybody = 0xFFFFFFFF
    given = acl(
        (0x01, 6, anybody), (0x02, 4, 12345), (0x04, 0, anybody), (0x10, 4, anybody),
        (0x20, 0, anybody),
    )  # fmt: skip
    try:
        os.setxattr(config, ACL, given)
    except OSError:
        pytest.skip("this file system keeps no access lists")
    os.setxattr(config, "user.note", b"mine")
    change_config(config, add_bikes)
    assert "bikes" in config.read_text()
    assert os.getxattr(config, ACL) == given
    assert os.getxattr(config, "user.note") == b"mine"


def test_an_access_list_of_the_folder_is_not_taken_over(config: Path) -> None:
    """What the folder gives to new files isn't given to one that was there."""
    anybody = 0xFFFFFFFF
    given = acl(
        (0x01, 6, anybody), (0x02, 6, 12345), (0x04, 6, anybody), (0x10, 6, anybody),
        (0x20, 0, anybody),
    )  # fmt: skip
    config.chmod(0o600)
    try:
        os.setxattr(config.parent, "system.posix_acl_default", given)
    except OSError:
        pytest.skip("this file system keeps no access lists")
    change_config(config, add_bikes)
    assert ACL not in os.listxattr(config)
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("tenant_id", ["BAD", "bikes"])
def test_what_fails_makes_no_folder(tmp_path: Path, tenant_id: str) -> None:
    """A mistyped path with a mistyped name leaves no trace, nor does what wouldn't load."""
    with pytest.raises(ConfigurationError):
        change_config(
            tmp_path / "confg" / "tenants.yaml",
            lambda registry: add_tenant(registry, tenant_id, {"name": "Bikes"}),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """It would be waited for, and then be replaced by a file."""
    pipe = tmp_path / "tenants.yaml"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match="name a file"):
        change_config(pipe, add_bikes)
    assert pipe.is_fifo()


def test_a_link_to_itself_is_one_clear_line(tmp_path: Path) -> None:
    """It leads nowhere, and is left alone."""
    link = tmp_path / "tenants.yaml"
    link.symlink_to(link)
    with pytest.raises(ConfigurationError, match="nothing was written \\(too many levels"):
        change_config(link, add_bikes)
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EBUSY, "mount its folder instead"),
        (errno.EROFS, "change it where it comes from"),
        (errno.EPERM, "as the file's owner"),
    ],
)
def test_what_a_file_system_refuses_is_said_with_what_to_do(
    config: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    """A file mounted into a container can't be replaced; a ConfigMap is written elsewhere."""

    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ConfigurationError, match=f"nothing was written.*{hint}"):
        change_config(config, add_bikes)
    assert [file.name for file in config.parent.iterdir()] == [config.name]


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
