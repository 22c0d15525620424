"""Live reload: an edit is in force however it arrives, and a faulty one changes nothing."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kataven_flask import live as live_module
from kataven_flask.document import looking
from kataven_flask.document.faults import FaultyDocumentError
from kataven_flask.errors import ConfigurationError
from kataven_flask.key_ring_file import KEY_RING_FILE, change_key_ring
from kataven_flask.live import (
    LOOK_TIMEOUT,
    POLL_INTERVAL,
    SETTLE_LOOKS,
    Live,
    Watch,
    live_key_ring,
    live_registry,
)
from kataven_flask.registry import Registry, load_registry
from kataven_flask.signing import KeyRing
from tests.running import wait_until
from tests.support import KEY, NOON, OTHER_KEY, acme, document, other

PROMISED = 2.0
"""Seconds within which an edit is promised to be in force."""
PATIENCE = 20
"""Seconds that a test waits for another thread before it gives up."""
FAULTY = "version: 1\ntenants: {acme: {name: 7}}\n"
FORKING = """
import os, sys, threading, time
from pathlib import Path
from kataven_flask.live import Watch, live_registry

class Slow:
    lock, looking = threading.Lock(), threading.Event()

    def look(self):
        with self.lock:
            self.looking.set()
            time.sleep(0.1)

config = Path(sys.argv[1])
live = live_registry(config)
Watch(live, slow := Slow()).start()
slow.looking.wait()
if child := os.fork():
    config.write_text(config.read_text().replace("first", "second"))
deadline = time.monotonic() + 10
while live.current.audience != "second" and time.monotonic() < deadline:
    time.sleep(0.01)
assert slow.lock.acquire(timeout=1)
os.write(1, f"{live.current.audience}\\n".encode())  # in one piece; both have one pipe
if child:
    os.waitpid(child, 0)
"""
"""A server that forks while its files are looked at; each process says what it has in force."""


def text(audience: str) -> str:
    """Return a sound document that is told from others by its audience."""
    return yaml.safe_dump(document(audience=audience))


def is_faulty(live: Live[Any]) -> bool:
    """Tell whether the last edit was refused."""
    return live.fault is not None


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a sound tenants' file."""
    path = tmp_path / "config" / "tenants.yaml"
    path.parent.mkdir()
    path.write_text(text("first"))
    return path


@pytest.fixture
def live(config: Path) -> Live[Registry]:
    """Return a registry that nothing watches: the test looks at the file itself."""
    return live_registry(config)


class TestAnEdit:
    """However it arrives."""

    def test_in_place(self, config: Path, live: Live[Registry]) -> None:
        """A file that was written over is in force at the next look."""
        config.write_text(text("second"))
        live.reload()
        assert live.current.audience == "second"

    def test_by_one_character(self, config: Path, live: Live[Registry]) -> None:
        """An edit that leaves the file as long as it was is seen."""
        config.write_text(text("fIrst"))
        os.utime(config, ns=(1, 1))
        live.reload()
        assert live.current.audience == "fIrst"

    def test_that_keeps_size_and_time(self, config: Path, live: Live[Registry]) -> None:
        """An edit by a tool that puts the file's time back is seen."""
        before = config.stat()
        config.write_text(text("fIrst"))
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))
        live.reload()
        assert live.current.audience == "fIrst"

    def test_renamed_over(self, config: Path, live: Live[Registry]) -> None:
        """A file that was moved over the old one, as most editors do, is in force."""
        new = config.with_name("tenants.yaml.new")
        new.write_text(text("second"))
        new.rename(config)
        live.reload()
        assert live.current.audience == "second"

    def test_renamed_over_with_the_same_size_and_time(
        self, config: Path, live: Live[Registry]
    ) -> None:
        """A file with a fixed time, as reproducible images have, is told by being another one."""
        before = config.stat()
        new = config.with_name("tenants.yaml.new")
        new.write_text(text("fIrst"))
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        new.rename(config)
        live.reload()
        assert live.current.audience == "fIrst"

    def test_by_a_symlink_that_moves(self, tmp_path: Path) -> None:
        """A link to another release's file is in force once it was swapped."""
        for name in ("one", "two"):
            (tmp_path / name).write_text(text(name))
        link = tmp_path / "tenants.yaml"
        link.symlink_to("one")
        live = live_registry(link)
        _swap(link, "two")
        live.reload()
        assert live.current.audience == "two"

    def test_by_a_symlink_to_a_folder_that_moves(self, tmp_path: Path) -> None:
        """A mounted ConfigMap, where the link that moves is a folder above, is in force."""
        for name in ("..v1", "..v2"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "tenants.yaml").write_text(text(name))
        data = tmp_path / "..data"
        data.symlink_to("..v1")
        link = tmp_path / "tenants.yaml"
        link.symlink_to("..data/tenants.yaml")
        live = live_registry(link)
        of_folder = live_registry(tmp_path)
        _swap(data, "..v2")
        for registry in (live, of_folder):
            registry.reload()
            assert registry.current.audience == "..v2"

    def test_in_a_folder(self, config: Path) -> None:
        """A file that joins or leaves a folder brings or takes its tenants."""
        folder = config.parent
        config.write_text(yaml.safe_dump({"version": 1, "tenants": {"acme": acme()}}))
        live = live_registry(folder)
        more = folder / "other.yaml"
        more.write_text(yaml.safe_dump({"tenants": {"other": other()}}))
        live.reload()
        assert OTHER_KEY in live.current.keys
        more.rename(folder / ".other.yaml")
        live.reload()
        assert OTHER_KEY not in live.current.keys
        assert KEY in live.current.keys

    def test_in_a_file_of_a_folder(self, config: Path) -> None:
        """An edit of one file of a folder is in force."""
        live = live_registry(config.parent)
        config.write_text(text("second"))
        live.reload()
        assert live.current.audience == "second"

    def test_a_file_becomes_a_folder(self, config: Path, live: Live[Registry]) -> None:
        """A file that was split into a folder under the same name is in force."""
        config.unlink()
        config.mkdir()
        (config / "a.yaml").write_text(text("second"))
        live.reload()
        assert live.current.audience == "second"


def _swap(link: Path, target: str) -> None:
    """Point a link elsewhere in one step."""
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.rename(link)


def write_in_place(path: Path, content: str, cut: int) -> Iterator[None]:
    """Write a file as a slow copy does, and stop where it's half there."""
    with path.open("w") as file:
        file.write(content[:cut])
        file.flush()
        yield
        file.write(content[cut:])


class TestAnEditInTheMaking:
    """A look that falls in the middle of it."""

    def test_half_a_file_is_not_in_force(self, config: Path, live: Live[Registry]) -> None:
        """A file that is sound as far as it is written isn't taken until it's whole."""
        whole = yaml.safe_dump(document(audience="second"), sort_keys=False)
        for _ in write_in_place(config, whole, whole.index("  other:")):
            assert set(load_registry(config).tenants) == {"acme"}  # half, and sound
            live.look()
            assert live.current.audience == "first"
        live.look()
        assert live.current.audience == "first"
        live.look()
        assert live.current.audience == "second"
        assert set(live.current.tenants) == {"acme", "other"}

    def test_half_a_file_is_no_fault(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody is alarmed by a file that is empty, gone or cut off for a moment."""
        whole = text("second")
        for _ in write_in_place(config, whole, 0):
            live.look()
        config.rename(config.with_suffix(".away"))
        live.look()
        for _ in write_in_place(config, whole, 30):
            live.look()
        live.look()
        live.look()
        assert live.current.audience == "second"
        assert {record.levelname for record in caplog.records} <= {"INFO"}

    def test_a_fault_that_stays_is_told(self, config: Path, live: Live[Registry]) -> None:
        """The second look at the same faulty file is enough."""
        config.write_text(FAULTY)
        live.look()
        assert not is_faulty(live)
        live.look()
        assert is_faulty(live)

    def test_edits_without_end_are_taken(self, config: Path, live: Live[Registry]) -> None:
        """A file that is another one at every look is in force by the promised time."""
        for number in range(SETTLE_LOOKS):
            assert live.current.audience == "first"
            config.write_text(text(f"edit-{number}"))
            live.look()
        assert live.current.audience == f"edit-{SETTLE_LOOKS - 1}"

    def test_edits_without_end_are_taken_again_and_again(
        self, config: Path, live: Live[Registry]
    ) -> None:
        """As long as they go on, what is in force is never older than the promise."""
        in_force = []
        for number in range(4 * SETTLE_LOOKS):
            config.write_text(text(f"edit-{number}"))
            live.look()
            in_force.append(live.current.audience)
        assert len(set(in_force)) == 5  # the first, and one for each time it was taken

    def test_what_was_taken_in_a_hurry_is_read_again(
        self, config: Path, live: Live[Registry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An edit that hides behind the size and the times of the last one comes to light."""
        for number in range(SETTLE_LOOKS):
            config.write_text(text(f"edit-{number}"))
            live.look()
        # What a second edit within one tick of the file system's clock looks like.
        mark = looking._mark(config)  # noqa: SLF001
        monkeypatch.setattr(looking, "_mark", lambda _path: mark)
        config.write_text(text("edit-5"))
        live.look()
        assert live.current.audience == "edit-5"

    def test_a_fault_is_not_told_while_edits_go_on(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A file that was faulty between two edits alarms nobody, and holds up none of them."""
        for number in range(SETTLE_LOOKS + 2):
            config.write_text(f"{FAULTY}# {number}\n")
            live.look()
        config.write_text(text("second"))
        live.look()
        assert live.current.audience == "second"
        assert {record.levelname for record in caplog.records} <= {"INFO"}

    def test_an_edit_that_is_taken_back_is_none(self, config: Path) -> None:
        """However often a link leads elsewhere for a moment, where it stays is in force."""
        config.with_name("elsewhere").write_text(text("second"))
        link = config.with_name("link")
        link.symlink_to(config.name)
        live = live_registry(link)
        for _ in range(2 * SETTLE_LOOKS):
            _swap(link, "elsewhere")
            live.look()
            assert live.current.audience == "first"
            _swap(link, config.name)
            live.look()

    @pytest.mark.parametrize("home", ["a.yaml", "b.yaml"])
    def test_a_mixture_is_neither_in_force_nor_told(
        self,
        tmp_path: Path,
        home: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Files that are all exchanged while they are read aren't taken, whether they fit or not.

        With `a.yaml` as the second audience's home they fit; with `b.yaml` it would stand in both.
        """
        _release(tmp_path / "..v1", "one", "a.yaml")
        _release(tmp_path / "..v2", "two", home)
        data = tmp_path / "..data"
        data.symlink_to("..v1")
        for name in ("a.yaml", "b.yaml"):
            (tmp_path / name).symlink_to(f"..data/{name}")
        live = live_registry(tmp_path)
        read_bytes = Path.read_bytes

        def swap_meanwhile(path: Path) -> bytes:
            content = read_bytes(path)
            if path.name == "a.yaml":
                monkeypatch.setattr(Path, "read_bytes", read_bytes)
                _swap(data, "..v2")
            return content

        os.utime(tmp_path / "..v1" / "b.yaml", ns=(1, 1))  # something to look at
        live.look()
        monkeypatch.setattr(Path, "read_bytes", swap_meanwhile)
        live.look()
        assert data.readlink() == Path("..v2")
        assert _released(live) == ("one", "one")
        assert [record.getMessage() for record in caplog.records] == []
        live.look()
        live.look()
        assert _released(live) == ("two", "two")


def _release(folder: Path, name: str, home: str) -> None:
    """Write two files that name their release, the audience in the one that is its home."""
    contents: dict[str, dict[str, Any]] = {
        "a.yaml": {"version": 1},
        "b.yaml": {"tenants": {"acme": {**acme(), "name": name}}},
    }
    contents[home]["audience"] = name
    folder.mkdir()
    for file, content in contents.items():
        (folder / file).write_text(yaml.safe_dump(content))


def _released(live: Live[Registry]) -> tuple[str, str]:
    """Return which release each of the two files in force is of."""
    return live.current.audience, live.current.tenants["acme"].name


class TestNoEdit:
    """Where nothing has changed."""

    def test_is_not_read_again(self, live: Live[Registry]) -> None:
        """Files that nobody touched are left alone: the very registry stays in force."""
        before = live.current
        live.reload()
        assert live.current is before

    def test_a_request_keeps_what_it_began_with(self, config: Path, live: Live[Registry]) -> None:
        """A registry that a request holds isn't changed under it by an edit."""
        held = live.current
        config.write_text(text("second"))
        live.reload()
        assert held.audience == "first"
        assert live.current is not held


class TestAFaultyEdit:
    """What can't be used changes nothing."""

    @pytest.mark.parametrize(
        "content",
        [
            FAULTY,
            "",
            "version: 1\n  tenants: {\n",
            "\0",
            text("second")[:-30],
            f"{text('second')}\nx: {'[' * 900}{']' * 900}\n",
            f"{text('second')}\nx: !!int ''\n",
        ],
        ids=[
            "fault",
            "emptied",
            "no YAML",
            "binary",
            "half written",
            "nested too deep",
            "tag that doesn't fit",
        ],
    )
    def test_keeps_the_last_good_one(
        self, config: Path, live: Live[Registry], content: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A file with a fault changes nothing, and the log says so."""
        before = live.current
        config.write_text(content)
        live.reload()
        assert live.current is before
        assert isinstance(live.fault, FaultyDocumentError)
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert before.revision in record.getMessage()
        assert "tenants.yaml" in record.getMessage()

    def test_is_logged_with_its_place(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log has the line and column to mend."""
        config.write_text(FAULTY)
        live.reload()
        assert f"{config}:2:18: tenants.acme.name: must be text" in caplog.text

    def test_is_logged_once(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A fault that stands isn't told again at every look, and isn't forgotten either."""
        config.write_text(FAULTY)
        for _ in range(3):
            live.reload()
        assert len(caplog.records) == 1
        assert live.fault is not None

    def test_that_is_made_again_is_told_again(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Who saves a file and has mended nothing reads so in the log."""
        for number in range(2):
            config.write_text(f"{FAULTY}# {number}\n")
            live.reload()
        assert caplog.text.count("config refused") == 2

    def test_is_mended(
        self, config: Path, live: Live[Registry], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The next sound edit is in force, and the fault is over."""
        config.write_text(FAULTY)
        live.reload()
        config.write_text(text("second"))
        with caplog.at_level(logging.INFO):
            live.reload()
        assert live.current.audience == "second"
        assert live.fault is None
        assert live.current.revision in caplog.records[-1].getMessage()

    def test_is_taken_back(self, config: Path, live: Live[Registry]) -> None:
        """The old content put back ends the fault too."""
        config.write_text(FAULTY)
        live.reload()
        config.write_text(text("first"))
        live.reload()
        assert live.fault is None


class TestAPassingFault:
    """The files can't be read for a moment."""

    def test_is_tried_again_without_an_edit(
        self, live: Live[Registry], config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An edit that couldn't be read at first is in force once it can be, told of once."""
        config.write_text(text("second"))
        read_bytes = Path.read_bytes

        def fail(path: Path) -> bytes:
            raise OSError(errno.EMFILE, "Too many open files", str(path))

        monkeypatch.setattr(Path, "read_bytes", fail)
        live.reload()
        assert is_faulty(live)
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        live.reload()
        assert not is_faulty(live)
        assert live.current.audience == "second"

    def test_is_told_once(
        self,
        live: Live[Registry],
        config: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """However often it is tried, the log has one line of it."""
        config.write_text(text("second"))

        def fail(path: Path) -> bytes:
            raise OSError(errno.EMFILE, "Too many open files", str(path))

        monkeypatch.setattr(Path, "read_bytes", fail)
        for _ in range(5):
            live.reload()
        assert caplog.text.count("config refused") == 1


class TestAMissingFile:
    """Where the file is gone for a while."""

    def test_keeps_the_last_good_one(self, config: Path, live: Live[Registry]) -> None:
        """A file that was removed changes nothing, and the fault names it."""
        config.unlink()
        live.reload()
        assert live.current.audience == "first"
        assert str(config) in str(live.fault)

    def test_comes_back(self, config: Path, live: Live[Registry]) -> None:
        """A file that comes back is in force, even the very same one."""
        away = config.with_suffix(".away")
        config.rename(away)
        live.reload()
        assert is_faulty(live)
        away.rename(config)
        live.reload()
        assert not is_faulty(live)
        assert live.current.audience == "first"

    def test_the_folder_is_gone(self, config: Path) -> None:
        """A folder that was removed, or emptied, changes nothing."""
        live = live_registry(config.parent)
        config.unlink()
        live.reload()
        assert "no .yaml file" in str(live.fault)
        shutil.rmtree(config.parent)
        live.reload()
        assert live.fault is not None
        assert live.current.audience == "first"


class TestTheStart:
    """Where there is no last good one."""

    @pytest.mark.parametrize("content", [FAULTY, "", "\0"], ids=["fault", "empty", "binary"])
    def test_a_faulty_file(self, config: Path, content: str) -> None:
        """A server doesn't start on a file with a fault."""
        config.write_text(content)
        with pytest.raises(FaultyDocumentError):
            live_registry(config)

    def test_a_missing_file(self, config: Path) -> None:
        """A server doesn't start without its file."""
        with pytest.raises(ConfigurationError, match="no such file"):
            live_registry(config.with_name("nowhere.yaml"))


class _LogEvents(logging.Handler):
    """Sets an event when a line with certain words is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._awaited: dict[str, threading.Event] = {}

    def on(self, words: str) -> threading.Event:
        """Return an event that is set once the words are logged."""
        return self._awaited.setdefault(words, threading.Event())

    def emit(self, record: logging.LogRecord) -> None:
        """Set the events of a record."""
        for words, event in list(self._awaited.items()):
            if words in record.getMessage():
                event.set()


@pytest.fixture
def log_events() -> Iterator[_LogEvents]:
    """Return what tells a test that a line was logged."""
    handler, logger = _LogEvents(), logging.getLogger("kataven_flask.live")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


class TestTheWatch:
    """The background thread."""

    def test_picks_edits_up(
        self, config: Path, live: Live[Registry], log_events: _LogEvents
    ) -> None:
        """A running server picks up a sound edit by itself, also after a faulty one."""
        refused, in_force = log_events.on("config refused"), log_events.on("is in force")
        watch = Watch(live)
        watch.start()
        try:
            config.write_text(FAULTY)
            assert refused.wait(PATIENCE)
            config.write_text(text("second"))
            assert in_force.wait(PATIENCE)
        finally:
            watch.close()
        assert live.current.audience == "second"
        assert live.fault is None

    def test_outlives_a_fault_of_its_own(
        self,
        config: Path,
        live: Live[Registry],
        log_events: _LogEvents,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A look that fails in a way that nobody thought of isn't the last one."""
        failed, in_force = log_events.on("can't be looked at"), log_events.on("is in force")
        reload = live.reload

        def fail_once(patience: int) -> None:
            monkeypatch.setattr(live, "reload", reload)
            raise MemoryError

        monkeypatch.setattr(live, "reload", fail_once)
        watch = Watch(live)
        watch.start()
        try:
            assert failed.wait(PATIENCE)
            config.write_text(text("second"))
            assert in_force.wait(PATIENCE)
        finally:
            watch.close()

    def test_goes_on_in_a_process_that_is_forked(self, config: Path) -> None:
        """Each process takes edits over, also where the fork comes in the middle of a look."""
        ran = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, str(config)],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert (ran.stdout.split(), ran.stderr) == (["second"] * 2, "")

    def test_looks_often_enough(self) -> None:
        """Even where edits don't end, there is time left to read the files within the promise."""
        assert POLL_INTERVAL * (1 + SETTLE_LOOKS) < PROMISED

    def test_ends_when_told(self, live: Live[Registry]) -> None:
        """It ends with the server; a server that never watched can be closed too."""
        watch = Watch(live)
        watch.close()
        watch.start()
        watchers = [t for t in threading.enumerate() if t.name == "file-watch"]
        for watcher in watchers:
            watcher.join(PATIENCE)
        assert not any(watcher.is_alive() for watcher in watchers)

    def test_looks_at_all(
        self, config: Path, live: Live[Registry], instance: Path, ring: Live[KeyRing]
    ) -> None:
        """One thread looks at both files; a fault of one doesn't keep the other from being seen."""
        config.write_text(FAULTY)
        change_key_ring(instance, lambda ring: ring.rotated(NOON))
        watch = Watch(live, ring)
        watch.look()
        assert len(ring.current.signing_keys) == 2
        watch.look()
        assert is_faulty(live)


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """Return an instance folder."""
    return tmp_path / "instance"


@pytest.fixture
def ring(instance: Path) -> Live[KeyRing]:
    """Return a key ring that nothing watches: the test looks at the file itself."""
    return live_key_ring(instance, None, lambda: NOON)


def _lead_to_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    copy.chmod(0o666)
    path.unlink()
    path.symlink_to(copy)


def _become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


VANDALS: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "half written": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "garbage": lambda path: path.write_bytes(b"\xff\0"),
    "of no keys": lambda path: path.write_text('{"version": 1}'),
    "of a short secret": lambda path: path.write_text(
        re.sub('"secret": "[0-9a-f]*"', '"secret": "00"', path.read_text())
    ),
    "of no time": lambda path: path.write_text(
        re.sub('"signs_from": "[^"]*"', '"signs_from": "2026-10-01T12:00:00"', path.read_text())
    ),
    "everybody's": lambda path: path.chmod(0o644),
    "in a folder that is everybody's": lambda path: path.parent.chmod(0o755),
    "a link to what is everybody's": _lead_to_a_copy,
    "a folder": _become_a_folder,
    "a pipe": _become_a_pipe,
}


class TestTheKeyRing:
    """The other file that is followed."""

    def test_is_picked_up(self, instance: Path, ring: Live[KeyRing]) -> None:
        """A rotation is in force at the next look."""
        changed = change_key_ring(instance, lambda ring: ring.rotated(NOON))[1]
        assert len(ring.current.signing_keys) == 1
        ring.reload()
        assert ring.current.revision == changed.revision

    def test_is_looked_at_when_asked(self, instance: Path, ring: Live[KeyRing]) -> None:
        """Whoever needs the latest ring gets it without waiting for the next look."""
        changed = change_key_ring(instance, lambda ring: ring.rotated(NOON))[1]
        assert ring.latest().revision == changed.revision

    @pytest.mark.parametrize("vandal", VANDALS.values(), ids=VANDALS.keys())
    def test_that_is_damaged(
        self,
        instance: Path,
        ring: Live[KeyRing],
        vandal: Callable[[Path], object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The last good ring stays, and the log names the file once, and nothing secret."""
        before = ring.current
        secret = before.refresh_secrets[0].secret.hex()
        vandal(instance / KEY_RING_FILE)
        for _ in range(3):
            assert ring.latest() is before
        assert is_faulty(ring)
        (record,) = caplog.records
        assert "key ring refused" in record.getMessage()
        assert str(instance) in record.getMessage()
        assert secret not in caplog.text
        assert "PRIVATE" not in caplog.text

    def test_that_is_mended(self, instance: Path, ring: Live[KeyRing]) -> None:
        """A ring that comes back, or can be trusted again, ends the fault."""
        path = instance / KEY_RING_FILE
        path.chmod(0o644)
        assert is_faulty_now(ring)
        path.chmod(0o600)
        assert not is_faulty_now(ring)
        instance.chmod(0o750)
        assert is_faulty_now(ring)
        instance.chmod(0o700)
        assert not is_faulty_now(ring)
        path.rename(path.with_suffix(".away"))
        assert is_faulty_now(ring)
        path.with_suffix(".away").rename(path)
        assert not is_faulty_now(ring)

    def test_that_vanished_is_not_made_anew(self, instance: Path, ring: Live[KeyRing]) -> None:
        """A running server doesn't replace a ring that is gone: its tokens would all be refused."""
        (instance / KEY_RING_FILE).unlink()
        ring.reload()
        assert not (instance / KEY_RING_FILE).exists()

    def test_while_another_thread_looks(self, ring: Live[KeyRing]) -> None:
        """A look that a file server holds up keeps no other request waiting for long."""
        begun, end = threading.Event(), threading.Event()

        def held_up() -> str:
            begun.set()
            assert end.wait(PATIENCE)
            return ring.current.revision

        slow = Live("slow", lambda: ring.current, lambda: "")
        slow._fingerprint = held_up  # noqa: SLF001 - a file system that hangs, nothing less
        looking = threading.Thread(target=slow.look)
        looking.start()
        assert begun.wait(PATIENCE)
        assert slow.latest() is ring.current
        end.set()
        looking.join(PATIENCE)

    def test_a_look_that_hangs_is_nobody_elses(
        self, ring: Live[KeyRing], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asks for the latest waits a bounded time, and once the files hang, not at all."""
        monkeypatch.setattr(live_module, "LOOK_TIMEOUT", 0.05)
        asked, end = threading.Semaphore(0), threading.Event()

        def held_up() -> str:
            asked.release()
            assert end.wait(PATIENCE)
            return ring.current.revision

        slow = Live("slow", lambda: ring.current, lambda: "")
        slow._fingerprint = held_up  # noqa: SLF001 - a file system that hangs, nothing less
        assert slow.latest() is ring.current
        assert asked.acquire(timeout=PATIENCE)
        monkeypatch.setattr(live_module, "LOOK_TIMEOUT", 10 * PATIENCE)
        for _ in range(3):
            assert slow.latest() is ring.current
        end.set()
        wait_until(
            lambda: slow.latest() is ring.current and asked.acquire(blocking=False),
            "the files are looked at again",
        )

    def test_a_look_that_takes_its_time_is_remembered(
        self, ring: Live[KeyRing], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody who has others waiting looks after a slow look, until one was quick again."""
        told = [ring.is_prompt]
        for prompt in (0.0, PATIENCE):
            monkeypatch.setattr(live_module, "PROMPT", prompt)
            ring.look()
            told.append(ring.is_prompt)
        assert told == [True, False, True]

    def test_nobody_waits_longer_than_promised(self) -> None:
        """Such a wait is shorter than a change is promised to take."""
        assert LOOK_TIMEOUT < PROMISED


def is_faulty_now(live: Live[KeyRing]) -> bool:
    """Look, and tell whether what is there was refused."""
    live.reload()
    return live.fault is not None
