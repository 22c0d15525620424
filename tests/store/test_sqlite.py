"""The SQLite store where its file is locked, read-only, broken or gone: it fails closed."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kataven_flask.errors import ConfigurationError, StoreError
from kataven_flask.store import Outcome, Presented, Store
from kataven_flask.store import sqlite as sqlite_module
from kataven_flask.store.sqlite import BUSY_TIMEOUT, SqliteStore

NOW = 1_790_000_000
KEEP_UNTIL = NOW + 86_400
PROMISED = 2.0
"""Seconds within which a caller is promised an answer, `503` included."""
NOBODY = 65534

STEPS: dict[str, Callable[[Store], object]] = {
    "spend": lambda store: store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW),
    "rotate": lambda store: store.rotate(
        Presented("ses_1", 0, NOW * 1000, None, NOW * 1000, 30_000, KEEP_UNTIL)
    ),
    "revoke_session": lambda store: store.revoke_session("ses_1", keep_until=KEEP_UNTIL, now=NOW),
    "revoke_user": lambda store: store.revoke_user("u", at_ms=NOW * 1000, keep_until=KEEP_UNTIL),
    "ping": lambda store: store.ping(),
}
"""Every step that writes, or tells whether one could."""

every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file may be."""
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Return a store whose file is there."""
    store = SqliteStore(path)
    store.ping()
    yield store
    store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store wait for a moment only, so that a test needn't."""
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", 0.01)


@contextmanager
def locked(path: Path, mode: str = "IMMEDIATE") -> Iterator[None]:
    """Hold the write lock, as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {mode}")
        yield
        connection.execute("ROLLBACK")


class TestLocked:
    """Another process holds the file."""

    def test_is_told_within_the_bound(self, store: SqliteStore, path: Path) -> None:
        """A store that stays locked is given up within what a caller was promised."""
        assert BUSY_TIMEOUT < PROMISED
        with locked(path), pytest.raises(StoreError, match="locked"):
            store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)

    @every_step
    @pytest.mark.usefixtures("impatient")
    def test_fails_closed(self, path: Path, step: Callable[[Store], object]) -> None:
        """No step is done, and none is half done."""
        with closing(SqliteStore(path)) as store:
            store.ping()
            with locked(path), pytest.raises(StoreError):
                step(store)
            assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
            assert store.user_revoked_ms("u") is None
            first = Presented("ses_1", 0, NOW * 1000 - 1, "u", NOW * 1000, 30_000, KEEP_UNTIL)
            assert store.rotate(first).outcome is Outcome.ROTATED

    @every_step
    @pytest.mark.usefixtures("impatient")
    def test_from_the_start(self, path: Path, step: Callable[[Store], object]) -> None:
        """A file that is locked when the server starts is out of reach, and then is in reach."""
        with closing(SqliteStore(path)) as store:
            with locked(path, "EXCLUSIVE"), pytest.raises(StoreError):
                step(store)
            step(store)

    def test_is_waited_for(self, store: SqliteStore, path: Path) -> None:
        """A writer that is done in time costs nobody an error."""
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            release = threading.Timer(0.05, other.execute, ["ROLLBACK"])
            release.start()
            assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
            release.join()

    def test_is_waited_for_at_the_first_start(self, path: Path) -> None:
        """A worker that comes while another one makes the file waits for it."""
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("CREATE TABLE something (a)")
            other.execute("BEGIN IMMEDIATE")
            release = threading.Timer(0.05, other.execute, ["ROLLBACK"])
            release.start()
            try:
                with closing(SqliteStore(path)) as store:
                    assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
            finally:
                release.join()

    def test_reading_needs_no_lock(self, store: SqliteStore, path: Path) -> None:
        """What only reads goes on beside a writer."""
        store.revoke_user("u", at_ms=7, keep_until=KEEP_UNTIL)
        with locked(path):
            assert store.user_revoked_ms("u") == 7


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act without root's right to write everywhere, which a server in production hasn't."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def everybodys_folder() -> Iterator[Path]:
    """Return a folder that another user can enter, which pytest's own isn't."""
    with tempfile.TemporaryDirectory(prefix="kataven-test-") as folder:
        yield Path(folder)


class TestReadOnly:
    """The file or its folder can't be written."""

    @every_step
    def test_the_file(self, everybodys_folder: Path, step: Callable[[Store], object]) -> None:
        """A file that can only be read fails closed: the next step could not be done."""
        path = everybodys_folder / "state.db"
        with closing(SqliteStore(path)) as writable:
            writable.ping()
        path.chmod(0o444)
        everybodys_folder.chmod(0o555)
        with (
            as_nobody(),
            closing(SqliteStore(path)) as store,
            pytest.raises(StoreError, match=r"state\.db"),
        ):
            step(store)
        everybodys_folder.chmod(0o755)

    @every_step
    def test_the_folder(self, everybodys_folder: Path, step: Callable[[Store], object]) -> None:
        """A folder in which no file can be made fails closed."""
        everybodys_folder.chmod(0o555)
        with (
            as_nobody(),
            closing(SqliteStore(everybodys_folder / "state.db")) as store,
            pytest.raises(StoreError),
        ):
            step(store)
        everybodys_folder.chmod(0o755)


class TestBroken:
    """The file isn't what it should be."""

    @every_step
    @pytest.mark.parametrize(
        "content", [b"not a database at all" * 100, b"\0" * 4096], ids=["text", "zeros"]
    )
    def test_is_no_database(
        self, path: Path, content: bytes, step: Callable[[Store], object]
    ) -> None:
        """A file that isn't a database is left as it is, and nothing is taken from it."""
        path.write_bytes(content)
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            step(store)
        assert path.read_bytes() == content

    @every_step
    def test_is_damaged(self, path: Path, step: Callable[[Store], object]) -> None:
        """A database whose pages were overwritten fails closed."""
        with closing(SqliteStore(path)) as store:
            for n in range(500):
                store.spend(f"vis_{n}", keep_until=KEEP_UNTIL, now=NOW)
        raw = path.read_bytes()
        path.write_bytes(raw[:100] + b"\xff" * (len(raw) - 100))
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            step(store)

    def test_has_other_tables(self, path: Path) -> None:
        """A database of another program's under the same names fails closed."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE spent (other TEXT, keep_until INTEGER)")
            connection.commit()
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)

    def test_is_a_folder(self, path: Path) -> None:
        """A folder in the file's place is told at the start."""
        path.mkdir()
        with pytest.raises(ConfigurationError, match="is a folder"):
            SqliteStore(path)

    def test_was_replaced(self, path: Path) -> None:
        """Once the file is another one, every thread is on that one: nobody spends twice."""
        with closing(SqliteStore(path)) as store:
            assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            with ThreadPoolExecutor(1) as elsewhere:
                step = elsewhere.submit(store.spend, "vis_2", keep_until=KEEP_UNTIL, now=NOW)
                assert step.result()
            assert not store.spend("vis_2", keep_until=KEEP_UNTIL, now=NOW)

    def test_is_readable_by_its_owner_alone(self, path: Path) -> None:
        """What SQLite keeps is nobody else's business, wherever the file stands."""
        with closing(SqliteStore(path)) as store:
            store.ping()
            modes = {file.stat().st_mode & 0o777 for file in path.parent.glob(f"{path.name}*")}
            assert modes == {0o600}

    def test_its_folder_is_gone(self, tmp_path: Path) -> None:
        """A folder that goes after the start fails closed; one that isn't there at it is told."""
        folder = tmp_path / "state"
        folder.mkdir()
        with closing(SqliteStore(folder / "state.db")) as store:
            folder.rmdir()
            with pytest.raises(StoreError):
                store.ping()
        with pytest.raises(ConfigurationError, match="--state"):
            SqliteStore(folder / "state.db")


class TestConnections:
    """One a thread."""

    def test_each_thread_has_its_own(self, store: SqliteStore) -> None:
        """Threads don't wait for each other's connection, and see each other's steps."""
        answers: list[bool] = []

        def spend() -> None:
            answers.append(store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW))

        for _ in range(3):
            thread = threading.Thread(target=spend)
            thread.start()
            thread.join()
        assert answers == [True, False, False]

    def test_goes_on_after_close(self, store: SqliteStore) -> None:
        """A store that was closed opens its file again, and knows what it knew."""
        assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
        store.close()
        assert not store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)

    def test_a_fault_within_a_step_undoes_it(self, store: SqliteStore) -> None:
        """A step that fails halfway leaves no lock and nothing of itself behind."""
        first = Presented("ses_1", 0, NOW * 1000, None, NOW * 1000, 0, KEEP_UNTIL)
        store.rotate(first)
        with pytest.raises(TypeError):
            store.rotate(dataclasses.replace(first, grace_ms=None))  # type: ignore[arg-type]
        assert store.spend("vis_1", keep_until=KEEP_UNTIL, now=NOW)
        store.ping()

    def test_writes_ahead(self, store: SqliteStore, path: Path) -> None:
        """The file is in WAL mode, so that those who read don't wait for those who write."""
        store.ping()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_keeps_no_person(self, store: SqliteStore, path: Path) -> None:
        """The file holds what it was given and nothing else: ids, numbers, digests."""
        store.revoke_user("digest", at_ms=7, keep_until=KEEP_UNTIL)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT * FROM revoked_user").fetchall()
        assert rows == [("digest", 7, KEEP_UNTIL)]
