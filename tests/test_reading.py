"""Many tenants followed: an edit reads what it changed, and gives what reading all would give."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from kataven_flask import parts, reader, turns
from kataven_flask.errors import ConfigurationError
from kataven_flask.live import SETTLE_LOOKS, Live
from kataven_flask.reading import Reading, TenantsFiles
from kataven_flask.registry import Registry, load_registry
from tests.running import wait_until
from tests.support import key

SMALL = 1200
"""Bytes that are read in place here: a file or two of these."""
TIME = "2030-01-02T03:04:05Z"


def tenant(name: str, number: int = 0, **members: Any) -> dict[str, Any]:
    """Return a tenant; each number's is as long as any other's."""
    client_key = f"pk_live_{name}_" + f"{name.upper():A<22}"[:22]
    return {
        "name": f"{name} {number:03}",
        "agents": {"only": {"display_name": f"Agent {number:03}"}},
        "keys": [key(client_key, f"sk_{name}", [f"https://{name}.com"], not_after=TIME)],
        **members,
    }


def text(*names: str, number: int = 0, **head: Any) -> str:
    """Return a file with some tenants."""
    tenants = {name: tenant(name, number) for name in names}
    return yaml.safe_dump({**head, **({"tenants": tenants} if tenants else {})}, sort_keys=False)


class Followed:
    """A folder of tenants and the registry that follows it, looked at by the test itself.

    Args:
        path: The folder, or a file.
        small: How many bytes are read in place.
    """

    def __init__(self, path: Path, small: int = SMALL) -> None:
        self.path = path
        self.files = TenantsFiles(path, small, small)
        self.live: Live[Registry] = Live(
            "config", self.files.load, self.files.look, patience=SETTLE_LOOKS
        )

    def write(self, name: str, content: str) -> None:
        """Move a new file over an old one."""
        new = self.path / f".{name}.new"
        new.write_text(content)
        new.replace(self.path / f"{name}.yaml")

    @property
    def names(self) -> dict[str, str]:
        """Return what is in force: each tenant's name."""
        return {tenant_id: each.name for tenant_id, each in self.live.current.tenants.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of five files."""
    path = tmp_path / "tenants"
    path.mkdir()
    (path / "all.yaml").write_text(text(version=1, audience="first"))
    for name in ("ada", "bob", "cyd", "dan"):
        (path / f"{name}.yaml").write_text(text(name))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of four tenants."""
    path = tmp_path / "tenants.yaml"
    path.write_text(text("ada", "bob", "cyd", "dan", version=1))
    return path


class _Here:
    """The reader, in this process: it has ended before it is asked for."""

    def __init__(self, asked: IO[str], answer: IO[str], _lock: int) -> None:
        for line in reader.answer(json.load(asked)):
            answer.write(line + "\n")

    def poll(self) -> int:
        return 0


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Have no process started; return what counts those that would have been."""
    counted: list[None] = []

    def started(asked: IO[str], answer: IO[str], lock: int) -> _Here:
        counted.append(None)
        return _Here(asked, answer, lock)

    monkeypatch.setattr(turns, "started", started)
    return counted


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on."""
    names: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        names.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return names


@pytest.mark.usefixtures("begun")
class TestAFolder:
    """What an edit of it costs, and brings."""

    def test_an_edit_reads_what_it_changed(
        self, folder: Path, begun: list[None], read: list[str]
    ) -> None:
        """One file that changed is read, and no other; no process is started for it."""
        followed = Followed(folder)
        before = followed.live.current
        begun.clear()
        read.clear()
        followed.write("bob", text("bob", number=7))
        followed.live.reload()
        assert read == ["bob.yaml"]
        assert not begun
        assert followed.names == {
            "ada": "ada 000",
            "bob": "bob 007",
            "cyd": "cyd 000",
            "dan": "dan 000",
        }
        assert followed.live.current.tenants["ada"] is before.tenants["ada"]
        assert before.tenants["bob"].name == "bob 000"  # a request may hold it still

    def test_a_reading_without_an_edit_reads_nothing(self, folder: Path, read: list[str]) -> None:
        """Looks alone read no file."""
        followed = Followed(folder)
        read.clear()
        for _ in range(3):
            followed.live.look()
        assert not read

    def test_a_tenant_moves(self, folder: Path, begun: list[None]) -> None:
        """From one file to another, in one edit of both."""
        followed = Followed(folder)
        followed.write("bob", text("bob", "cyd", number=1))
        (folder / "cyd.yaml").unlink()
        begun.clear()
        followed.live.reload()
        assert followed.live.fault is None
        assert not begun
        assert followed.names["cyd"] == "cyd 001"

    def test_a_tenant_in_two_files(self, folder: Path) -> None:
        """An edit that has it twice is refused with both places, and taken once one is out."""
        followed = Followed(folder)
        followed.write("bob", text("bob", "cyd", number=1))
        followed.live.reload()
        assert "tenants.cyd: stands in another file of this folder too" in str(followed.live.fault)
        assert followed.names["cyd"] == "cyd 000"
        followed.write("cyd", text(version=1))
        followed.live.reload()
        assert followed.live.fault is None
        assert followed.names["cyd"] == "cyd 001"

    def test_a_secret_in_two_files(self, folder: Path) -> None:
        """A secret key that another file's tenant has too is refused, with both places."""
        followed = Followed(folder)
        stolen = tenant("bob")
        stolen["keys"][0]["secrets"] = tenant("ada")["keys"][0]["secrets"]
        followed.write("bob", yaml.safe_dump({"tenants": {"bob": stolen}}))
        followed.live.reload()
        assert "stands already at tenants.ada.keys[0].secrets[0].hash" in str(followed.live.fault)

    def test_one_file_is_faulty_and_another_mended(self, folder: Path) -> None:
        """What is in force has neither, until both are sound; then it has both."""
        followed = Followed(folder)
        followed.write("ada", text("ada", number=1).replace("name:", "nmae:", 1))
        followed.live.reload()
        followed.write("bob", text("bob", number=2))
        followed.live.reload()
        assert "ada.yaml" in str(followed.live.fault)
        assert "bob.yaml" not in str(followed.live.fault)
        assert followed.names["bob"] == "bob 000"
        followed.write("bob", "tenants: {bob: {}}")
        followed.write("ada", text("ada", number=1))
        followed.live.reload()
        assert "ada.yaml" not in str(followed.live.fault)
        followed.write("bob", text("bob", number=2))
        followed.live.reload()
        assert followed.live.fault is None
        assert followed.names["ada"] == "ada 001"
        assert followed.names["bob"] == "bob 002"

    def test_what_holds_for_all(self, folder: Path) -> None:
        """A lifetime or a limit of the document reaches every key, whatever file it is in."""
        followed = Followed(folder)
        limits = {"guest_per_minute": 7}
        followed.write("all", text(version=1, tokens={"session_ttl": "2m"}, limits=limits))
        followed.live.reload()
        records = followed.live.current.keys.values()
        assert {(each.tokens.session_ttl, each.limits.guest_per_minute) for each in records} == {
            (120, 7)
        }

    @pytest.mark.parametrize("puts_time_back", [True, False])
    def test_in_place_of_the_same_size(
        self, folder: Path, read: list[str], *, puts_time_back: bool
    ) -> None:
        """A file that was written over, as long as it was, is read; its other time tells."""
        followed = Followed(folder)
        bob = folder / "bob.yaml"
        before = bob.stat()
        bob.write_text(text("bob", number=7))
        if puts_time_back:
            os.utime(bob, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert bob.stat().st_size == before.st_size
        read.clear()
        followed.live.reload()
        assert followed.names["bob"] == "bob 007"
        assert read == ["bob.yaml"]

    def test_a_mounted_configmap(self, tmp_path: Path) -> None:
        """Links that all lead elsewhere at once are read through."""
        folder = tmp_path / "mounted"
        for version, number in (("..v1", 1), ("..v2", 2)):
            (folder / version).mkdir(parents=True)
            for name in ("ada", "bob", "cyd"):
                content = text(name, number=number, version=1)
                (folder / version / f"{name}.yaml").write_text(content)
        (folder / "..data").symlink_to("..v1")
        for name in ("ada", "bob", "cyd"):
            (folder / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
        followed = Followed(folder)
        (folder / "..new").symlink_to("..v2")
        (folder / "..new").replace(folder / "..data")
        followed.live.reload()
        assert followed.names == {"ada": "ada 002", "bob": "bob 002", "cyd": "cyd 002"}

    def test_a_file_is_removed_while_it_is_read(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Nobody is alarmed by a file that goes between a look and its reading."""
        followed = Followed(folder)
        read_bytes = Path.read_bytes

        def gone(path: Path) -> bytes:
            path.unlink(missing_ok=True)
            return read_bytes(path)

        followed.write("bob", text("bob", number=7))
        followed.live.look()
        monkeypatch.setattr(Path, "read_bytes", gone)
        followed.live.look()
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        assert followed.names["bob"] == "bob 000"
        for _ in range(2):
            followed.live.look()
        assert "bob" not in followed.names
        assert {each.levelname for each in caplog.records} <= {"INFO"}

    def test_what_was_read_in_a_hurry_is_read_again(self, folder: Path, read: list[str]) -> None:
        """A file that never rested may have more in it than its times tell: no edit stays hid."""
        followed = Followed(folder)
        for number in range(SETTLE_LOOKS):
            followed.write("bob", text("bob", number=number + 1))
            followed.live.look()
        assert followed.names["bob"] == f"bob {SETTLE_LOOKS:03}"
        read.clear()
        for _ in range(2):
            followed.live.look()
        assert read == ["bob.yaml"]


class TestAProcessOfItsOwn:
    """What is too much to be read beside requests."""

    def test_an_edit_of_a_large_file(
        self, file: Path, caplog: pytest.LogCaptureFixture, read: list[str]
    ) -> None:
        """Another process reads it; the looks go on meanwhile, and take it when it is there."""
        followed = Followed(file)
        before = followed.live.current
        file.write_text(file.read_text().replace("bob 000", "bob 007"))
        read.clear()
        with caplog.at_level(logging.INFO):
            wait_until(lambda: _looked(followed) == "bob 007", "the edit is in force")
        assert not read
        assert followed.live.current.tenants["ada"] is before.tenants["ada"]
        _hold(followed)
        (record,) = caplog.records
        assert record.getMessage() == f"config is in force revision={load_registry(file).revision}"

    @pytest.mark.usefixtures("begun")
    def test_an_edit_while_it_reads(self, file: Path) -> None:
        """What it has read is taken, and the edit after that isn't lost."""
        followed = Followed(file)
        file.write_text(file.read_text().replace("bob 000", "bob 001"))
        for _ in range(2):
            followed.live.look()
        file.write_text(file.read_text().replace("bob 001", "bob 002"))
        followed.live.look()
        assert followed.names["bob"] == "bob 001"
        for _ in range(3):
            followed.live.look()
        assert followed.names["bob"] == "bob 002"

    def test_an_edit_before_it_reads(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What isn't any more as it was looked at is not taken: half of it may be there."""
        followed = Followed(file)

        def edited(asked: IO[str], answer: IO[str], lock: int) -> _Here:
            file.write_text(text("ada", version=1))
            return _Here(asked, answer, lock)

        file.write_text(file.read_text().replace("bob 000", "bob 001"))
        monkeypatch.setattr(turns, "started", edited)
        for _ in range(3):
            followed.live.look()
        assert len(followed.names) == 4
        assert followed.live.fault is None
        for _ in range(3):
            followed.live.look()
        assert list(followed.names) == ["ada"]

    @pytest.mark.usefixtures("begun")
    def test_faults_are_told_as_ever(self, file: Path) -> None:
        """All of them at once, with line and column."""
        followed = Followed(file)
        content = file.read_text().replace("bob 000", "").replace("https://cyd.com", "'*'")
        file.write_text(content)
        followed.live.reload()
        with pytest.raises(ConfigurationError) as told:
            load_registry(file)
        assert str(followed.live.fault) == str(told.value)
        assert str(followed.live.fault).count("\n") == 1

    def test_at_the_start(self, file: Path) -> None:
        """A server that starts on a large file has all of it; on a faulty one it says why."""
        _hold(Followed(file))
        file.write_text(file.read_text().replace("bob 000", ""))
        with pytest.raises(ConfigurationError, match=r"tenants\.bob\.name: must be text"):
            Followed(file)

    def test_an_edit_while_a_server_starts(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It starts with the file as it is once that rests."""
        edits = [text("ada", version=1)]

        def edited(asked: IO[str], answer: IO[str], lock: int) -> _Here:
            if edits:
                file.write_text(edits.pop())
            return _Here(asked, answer, lock)

        monkeypatch.setattr(turns, "started", edited)
        monkeypatch.setattr("time.sleep", lambda _: None)
        followed = Followed(file, 0)
        assert list(followed.names) == ["ada"]
        _hold(followed)

    def test_that_dies(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        """The file is read in place then, and the log says so."""
        followed = Followed(file)
        file.write_text(file.read_text().replace("bob 000", "bob 007"))
        for _ in range(2):
            followed.live.look()
        reading_now = followed.live._begun  # noqa: SLF001
        assert reading_now is not None
        assert isinstance(reading_now.reading, Reading)
        process = reading_now.reading._turn.process  # noqa: SLF001
        assert process is not None
        process.kill()  # as a machine without memory does
        wait_until(lambda: _looked(followed) == "bob 007", "the edit is in force")
        _hold(followed)
        assert "is read in place" in caplog.text

    def test_that_cannot_be_started(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The file is read in place then, and the log says so."""
        followed = Followed(file)
        monkeypatch.setattr(turns, "_python", lambda: str(file.with_name("nowhere")))
        file.write_text(file.read_text().replace("bob 000", "bob 007"))
        followed.live.reload()
        assert followed.names["bob"] == "bob 007"
        assert "config is read in place" in caplog.text

    @pytest.mark.parametrize(
        "spoiled",
        [
            lambda _: [],
            lambda lines: lines[:-1],
            lambda lines: [lines[0], lines[-1]],
            lambda lines: [lines[0], *lines[2:]],
            lambda lines: ["{}", lines[-1]],
            lambda lines: ["nonsense", lines[-1]],
            lambda lines: [lines[-1]],
        ],
        ids=["nothing", "no end", "no file", "no parts", "no kind", "no JSON", "an end alone"],
    )
    def test_that_tells_half(
        self,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
        spoiled: Callable[[list[str]], list[str]],
    ) -> None:
        """Nothing that is told by halves is believed: the file is read in place."""
        followed = Followed(file)
        answer = reader.answer
        monkeypatch.setattr(reader, "answer", lambda asked: spoiled([*answer(asked)]))
        monkeypatch.setattr(turns, "started", _Here)
        file.write_text(file.read_text().replace("bob 000", "bob 007"))
        followed.live.reload()
        assert followed.live.fault is None
        assert followed.names["bob"] == "bob 007"
        _hold(followed)

    def test_by_a_server_with_python_inside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server that calls itself the interpreter isn't started once more."""
        monkeypatch.setattr("sys.executable", "/usr/bin/uwsgi")
        assert Path(turns._python()).name == "python3"  # noqa: SLF001


def _looked(followed: Followed) -> str:
    followed.live.look()
    return followed.names["bob"]


def _hold(followed: Followed) -> None:
    """Hold what is in force against what reading all of it gives."""
    current, whole = followed.live.current, load_registry(followed.path)
    assert current.revision == whole.revision
    assert (current.issuer, current.audience) == (whole.issuer, whole.audience)
    assert dict(current.tenants) == dict(whole.tenants)
    assert dict(current.keys) == dict(whole.keys)
    assert dict(current.secrets) == dict(whole.secrets)


# --- any edits


def _edit_anything(folder: Path, chance: random.Random) -> None:
    """Do one of all that people do to a folder of tenants, sensible or not."""
    files = sorted(folder.glob("*.yaml"))
    names = ["ada", "bob", "cyd", "dan", "eve"]
    file, name = chance.choice(files), chance.choice(names)
    number = chance.randrange(5)
    match chance.randrange(9):
        case 0 | 1 | 2:
            (folder / f"{name}.yaml").write_text(text(name, number=number))
        case 3:
            file.write_text(text(*chance.sample(names, 2), number=number))
        case 4 if len(files) > 2:
            file.unlink()
        case 5:
            file.rename(folder / f"{chance.choice(names)}.yaml")
        case 6:
            file.write_text(file.read_text()[: chance.randrange(400)])
        case 7:
            ttl = f"{number + 1}m"
            (folder / "all.yaml").write_text(text(version=1, tokens={"session_ttl": ttl}))
        case 8:
            stolen = tenant(name, number, keys=tenant(chance.choice(names))["keys"])
            file.write_text(yaml.safe_dump({"tenants": {name: stolen}}))


@pytest.mark.parametrize("small", [0, SMALL], ids=["by a process", "in place"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("begun")
def test_any_edits(folder: Path, seed: int, small: int) -> None:
    """Whatever is done, what is in force and what is told is as if all were read each time."""
    chance = random.Random(seed)  # noqa: S311 - edits, not a secret
    followed = Followed(folder, small)
    for number in range(60):
        for _ in range(chance.randrange(1, 3)):
            _edit_anything(folder, chance)
            for each in folder.glob("*.yaml"):
                if chance.randrange(4) == 0:
                    os.utime(each, ns=(number, number))
        followed.live.reload()
        assert str(followed.live.fault) == str(_fault_of(folder))
        if followed.live.fault is None:
            _hold(followed)


def _fault_of(folder: Path) -> ConfigurationError | None:
    try:
        load_registry(folder)
    except ConfigurationError as error:
        return error
    return None


# --- work that leaves others their turn


def test_work_makes_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are other threads, a long piece of work stops again and again."""
    pauses: list[float] = []
    ticks = iter(range(10_000))
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks) * parts.STRETCH / 4)
    monkeypatch.setattr("threading.active_count", lambda: 2)

    def work() -> parts.Steps[str]:
        for _ in range(40):
            yield
        return "done"

    assert parts.gently(work(), pauses.append) == "done"
    assert len(pauses) >= 10
    pauses.clear()
    monkeypatch.setattr("threading.active_count", lambda: 1)
    assert parts.gently(work(), pauses.append) == "done"
    assert not pauses
