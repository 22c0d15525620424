"""Live reload: an edit is in force however it arrives, and a faulty one changes nothing."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kataven_flask.errors import ConfigurationError
from kataven_flask.faults import FaultyDocumentError
from kataven_flask.live import POLL_INTERVAL, LiveRegistry
from tests.support import KEY, OTHER_KEY, acme, document, other

PROMISED = 2.0
"""Seconds within which an edit is promised to be in force."""
PATIENCE = 20
"""Seconds that a test waits for another thread before it gives up."""
FAULTY = "version: 1\ntenants: {acme: {name: 7}}\n"


def text(audience: str) -> str:
    """Return a sound document that is told from others by its audience."""
    return yaml.safe_dump(document(audience=audience))


def is_faulty(live: LiveRegistry) -> bool:
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
def live(config: Path) -> LiveRegistry:
    """Return a registry that nothing watches: the test looks at the file itself."""
    return LiveRegistry(config)


class TestAnEdit:
    """However it arrives."""

    def test_in_place(self, config: Path, live: LiveRegistry) -> None:
        """A file that was written over is in force at the next look."""
        config.write_text(text("second"))
        live.reload()
        assert live.current.audience == "second"

    def test_by_one_character(self, config: Path, live: LiveRegistry) -> None:
        """An edit that leaves the file as long as it was is seen."""
        config.write_text(text("fIrst"))
        os.utime(config, ns=(1, 1))
        live.reload()
        assert live.current.audience == "fIrst"

    def test_that_keeps_size_and_time(self, config: Path, live: LiveRegistry) -> None:
        """An edit by a tool that puts the file's time back is seen."""
        before = config.stat()
        config.write_text(text("fIrst"))
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))
        live.reload()
        assert live.current.audience == "fIrst"

    def test_renamed_over(self, config: Path, live: LiveRegistry) -> None:
        """A file that was moved over the old one, as most editors do, is in force."""
        new = config.with_name("tenants.yaml.new")
        new.write_text(text("second"))
        new.rename(config)
        live.reload()
        assert live.current.audience == "second"

    def test_renamed_over_with_the_same_size_and_time(
        self, config: Path, live: LiveRegistry
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
        live = LiveRegistry(link)
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
        live = LiveRegistry(link)
        of_folder = LiveRegistry(tmp_path)
        _swap(data, "..v2")
        for registry in (live, of_folder):
            registry.reload()
            assert registry.current.audience == "..v2"

    def test_in_a_folder(self, config: Path) -> None:
        """A file that joins or leaves a folder brings or takes its tenants."""
        folder = config.parent
        config.write_text(yaml.safe_dump({"version": 1, "tenants": {"acme": acme()}}))
        live = LiveRegistry(folder)
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
        live = LiveRegistry(config.parent)
        config.write_text(text("second"))
        live.reload()
        assert live.current.audience == "second"

    def test_a_file_becomes_a_folder(self, config: Path, live: LiveRegistry) -> None:
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


class TestNoEdit:
    """Where nothing has changed."""

    def test_is_not_read_again(self, live: LiveRegistry) -> None:
        """Files that nobody touched are left alone: the very registry stays in force."""
        before = live.current
        live.reload()
        assert live.current is before

    def test_a_request_keeps_what_it_began_with(self, config: Path, live: LiveRegistry) -> None:
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
        self, config: Path, live: LiveRegistry, content: str, caplog: pytest.LogCaptureFixture
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
        self, config: Path, live: LiveRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log has the line and column to mend."""
        config.write_text(FAULTY)
        live.reload()
        assert f"{config}:2:18: tenants.acme.name: must be text" in caplog.text

    def test_is_logged_once(
        self, config: Path, live: LiveRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A fault that stands isn't told again at every look, and isn't forgotten either."""
        config.write_text(FAULTY)
        for _ in range(3):
            live.reload()
        assert len(caplog.records) == 1
        assert live.fault is not None

    def test_is_mended(
        self, config: Path, live: LiveRegistry, caplog: pytest.LogCaptureFixture
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

    def test_is_taken_back(self, config: Path, live: LiveRegistry) -> None:
        """The old content put back ends the fault too."""
        config.write_text(FAULTY)
        live.reload()
        config.write_text(text("first"))
        live.reload()
        assert live.fault is None


class TestAMissingFile:
    """Where the file is gone for a while."""

    def test_keeps_the_last_good_one(self, config: Path, live: LiveRegistry) -> None:
        """A file that was removed changes nothing, and the fault names it."""
        config.unlink()
        live.reload()
        assert live.current.audience == "first"
        assert str(config) in str(live.fault)

    def test_comes_back(self, config: Path, live: LiveRegistry) -> None:
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
        live = LiveRegistry(config.parent)
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
            LiveRegistry(config)

    def test_a_missing_file(self, config: Path) -> None:
        """A server doesn't start without its file."""
        with pytest.raises(ConfigurationError, match="no such file"):
            LiveRegistry(config.with_name("nowhere.yaml"))


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

    def test_picks_edits_up(self, config: Path, live: LiveRegistry, log_events: _LogEvents) -> None:
        """A running server picks up a sound edit by itself, also after a faulty one."""
        refused, in_force = log_events.on("config refused"), log_events.on("is in force")
        live.watch()
        try:
            config.write_text(FAULTY)
            assert refused.wait(PATIENCE)
            config.write_text(text("second"))
            assert in_force.wait(PATIENCE)
        finally:
            live.close()
        assert live.current.audience == "second"
        assert live.fault is None

    def test_outlives_a_fault_of_its_own(
        self,
        config: Path,
        live: LiveRegistry,
        log_events: _LogEvents,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A look that fails in a way that nobody thought of isn't the last one."""
        failed, in_force = log_events.on("reload failed"), log_events.on("is in force")
        reload = live.reload

        def fail_once() -> None:
            monkeypatch.setattr(live, "reload", reload)
            raise MemoryError

        monkeypatch.setattr(live, "reload", fail_once)
        live.watch()
        try:
            assert failed.wait(PATIENCE)
            config.write_text(text("second"))
            assert in_force.wait(PATIENCE)
        finally:
            live.close()

    def test_looks_often_enough(self) -> None:
        """It looks several times within the promised two seconds."""
        assert POLL_INTERVAL * 2 < PROMISED

    def test_ends_when_told(self, live: LiveRegistry) -> None:
        """It ends with the server; a server that never watched can be closed too."""
        live.close()
        live.watch()
        watchers = [t for t in threading.enumerate() if t.name == "config-watch"]
        for watcher in watchers:
            watcher.join(PATIENCE)
        assert not any(watcher.is_alive() for watcher in watchers)
