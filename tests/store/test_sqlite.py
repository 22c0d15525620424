"""The SQLite store where its file is locked, read-only, broken or gone: it fails closed."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kataven_flask.errors import ConfigurationError, StoreError
from kataven_flask.store import Outcome, PresentedRefresh, PresentedVisitor, Spending, Store
from kataven_flask.store import sqlite as sqlite_module
from kataven_flask.store.sqlite import BUSY_TIMEOUT, SqliteStore

NOW = 1_790_000_000
KEEP_UNTIL = NOW + 86_400
BEGAN_MS = (NOW - 1000) * 1000
PROMISED = 2.0
"""Seconds within which a caller is promised an answer, `503` included."""
NOBODY = 65534


def spend(store: Store, jti: str = "vis_1") -> bool:
    """Spend a visitor token; tell whether it was good."""
    token = PresentedVisitor(jti, "3f user", "pk", NOW, NOW * 1000, KEEP_UNTIL)
    return store.spend(token) is Spending.SPENT


def token(*, grace_ms: int = 30_000, user: str | None = None) -> PresentedRefresh:
    """Return the first refresh token of a session that began a moment ago."""
    began_ms = NOW * 1000 - 1
    return PresentedRefresh("ses_3f1", user, "pk", 0, began_ms, NOW * 1000, grace_ms, KEEP_UNTIL)


STEPS: dict[str, Callable[[Store], object]] = {
    "begin": lambda store: store.begin(NOW * 1000),
    "spend": spend,
    "rotate": lambda store: store.rotate(token()),
    "revoke_session": lambda store: store.revoke_session("ses_3f1", keep_until=KEEP_UNTIL, now=NOW),
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
    store.begin(BEGAN_MS)
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
            spend(store)

    @every_step
    @pytest.mark.usefixtures("impatient")
    def test_fails_closed(self, path: Path, step: Callable[[Store], object]) -> None:
        """No step is done, and none is half done."""
        with closing(SqliteStore(path)) as store:
            store.begin(BEGAN_MS)
            with locked(path), pytest.raises(StoreError):
                step(store)
            assert spend(store)
            assert store.rotate(token(user="u")).outcome is Outcome.ROTATED

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
            assert spend(store)
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
                    store.begin(BEGAN_MS)
                    assert spend(store)
            finally:
                release.join()

    def test_the_bound_is_for_all_that_is_waited_for(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fresh file that stays locked is given up in time, though several steps wait for it."""
        monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT", 0.3)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA journal_mode = WAL")
        with locked(path), closing(SqliteStore(path)) as store:
            began = time.monotonic()
            with pytest.raises(StoreError, match="locked"):
                spend(store)
            assert time.monotonic() - began < 2 * 0.3

    @pytest.mark.usefixtures("impatient")
    def test_threads_wait_no_longer_than_one(self, store: SqliteStore, path: Path) -> None:
        """Requests that queue behind one that waits are refused in time, too."""
        with locked(path), ThreadPoolExecutor(8) as pool:
            for asked in [pool.submit(spend, store) for _ in range(8)]:
                with pytest.raises(StoreError, match=r"state\.db"):
                    asked.result()
        assert spend(store)


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
                spend(store, f"vis_{n}")
        raw = path.read_bytes()
        path.write_bytes(raw[:100] + b"\xff" * (len(raw) - 100))
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            step(store)

    @every_step
    def test_has_a_damaged_name(self, path: Path, step: Callable[[Store], object]) -> None:
        """A name in the file that isn't text any more fails closed, too."""
        with closing(SqliteStore(path)) as store:
            store.begin(BEGAN_MS)
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"CREATE TABLE spent", b"CREATE TABLE sp\xff\xfet"))
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            step(store)

    @pytest.mark.parametrize("damaged", ["'x'", "x'00ff'", "1.5"])
    def test_has_a_damaged_value(self, path: Path, damaged: str) -> None:
        """A value that was never written to it fails closed."""
        with closing(SqliteStore(path)) as store:
            store.begin(BEGAN_MS)
            store.rotate(token())
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"UPDATE session SET generation = {damaged}")  # noqa: S608
                connection.commit()
            with pytest.raises(StoreError, match="never written"):
                store.rotate(token())

    def test_of_another_program_is_left_alone(self, path: Path) -> None:
        """Who asks a database of another program since when it remembers changes nothing in it."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE other (a)")
        before = path.read_bytes()
        with closing(SqliteStore(path)) as store:
            assert store.since_ms() is None
        assert path.read_bytes() == before

    def test_has_other_tables(self, path: Path) -> None:
        """A database of another program's under the same names fails closed."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE spent (other TEXT, keep_until INTEGER)")
            connection.commit()
        with closing(SqliteStore(path)) as store, pytest.raises(StoreError):
            spend(store)

    def test_is_a_folder(self, path: Path) -> None:
        """A folder in the file's place is told at the start."""
        path.mkdir()
        with pytest.raises(ConfigurationError, match="is a folder"):
            SqliteStore(path)

    def test_was_replaced(self, path: Path) -> None:
        """Once the file is another one, every thread is on that one: nobody spends twice."""
        with closing(SqliteStore(path)) as store:
            store.begin(BEGAN_MS)
            assert spend(store)
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            store.begin(BEGAN_MS)
            with ThreadPoolExecutor(1) as elsewhere:
                step = elsewhere.submit(spend, store, "vis_2")
                assert step.result()
            assert not spend(store, "vis_2")

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
    """One a process."""

    def test_threads_share_it(self, store: SqliteStore) -> None:
        """Threads see each other's steps."""
        answers: list[bool] = []
        for _ in range(3):
            thread = threading.Thread(target=lambda: answers.append(spend(store)))
            thread.start()
            thread.join()
        assert answers == [True, False, False]

    def test_a_fork_has_its_own(self, store: SqliteStore) -> None:
        """A worker that was forked off an open store knows what it knew, and harms nothing."""
        assert spend(store)
        child = os.fork()
        if child == 0:
            os._exit(0 if (spend(store), spend(store, "vis_2")) == (False, True) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not spend(store, "vis_2")

    def test_to_ask_makes_no_file(self, path: Path) -> None:
        """Who asks in the wrong folder leaves nothing there."""
        with closing(SqliteStore(path)) as store:
            assert store.since_ms() is None
        assert not path.exists()

    def test_goes_on_after_close(self, store: SqliteStore) -> None:
        """A store that was closed opens its file again, and knows what it knew."""
        assert spend(store)
        store.close()
        assert not spend(store)

    def test_a_fault_within_a_step_undoes_it(self, store: SqliteStore) -> None:
        """A step that fails halfway leaves no lock and nothing of itself behind."""
        first = token()
        store.rotate(first)
        with pytest.raises(TypeError):
            store.rotate(dataclasses.replace(first, grace_ms=None))  # type: ignore[arg-type]
        assert spend(store)
        store.ping()

    def test_writes_ahead(self, store: SqliteStore, path: Path) -> None:
        """The file is in WAL mode, so that those who read don't wait for those who write."""
        store.ping()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_keeps_no_person(self, store: SqliteStore, path: Path) -> None:
        """The file holds what it was given and nothing else: ids, numbers, digests."""
        store.revoke_user("digest", at_ms=7, keep_until=7200)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT * FROM revoked").fetchall()
        assert rows == [("digest", 7, 7200)]
