"""SQLite's file full, read-only, locked, broken: what needs it fails closed, the rest goes on."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.faults.hammering import assert_pages_dont_wait
from tests.faults.promises import (
    Held,
    assert_fails_closed,
    assert_new_visitors_are_served,
    assert_recovers,
    assert_the_rest_goes_on,
    await_recovery,
)
from tests.faults.serving import Served, served

pytestmark = pytest.mark.faults

DISK: Final = "size=1m"
"""Of a file system that is soon full."""
LOCK: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
PLAIN_RIGHTS: Final = ("--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
"""For setpriv(1): root, but a file's mode holds for it as for anybody."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the state file is, in a folder of its own."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "state.db"


@pytest.fixture
def server(tmp_path: Path, path: Path) -> Iterator[Served]:
    """Serve over the state file; the log is looked through at the end."""
    with served(tmp_path / "host", f"sqlite:///{path}", prefix=plain_rights()) as server:
        yield server
        server.assert_log_is_clean()


def plain_rights() -> tuple[str, ...]:
    """Return what takes root's right to write everywhere away from a command."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "as root, these tests need setpriv: apt-get install util-linux"
    return (setpriv, *PLAIN_RIGHTS)


def begin(server: Served) -> Held:
    """Have visitors come before the fault does."""
    with server.client() as client:
        return Held.by(client)


def assert_bears(server: Served, path: Path, held: Held) -> None:
    """Hold what is promised while the file can't be used, and that the operator is told which."""
    with server.client() as client:
        assert_fails_closed(client, held)
        assert_the_rest_goes_on(client)
    server.wait_for(rf'"error".*{re.escape(str(path))}')


# --- disk full


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount a small file system of its own, where that is allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "kataven-test", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - where the system has it


def fill(folder: Path) -> Path:
    """Write until the file system is full; return the file that fills it."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with filler.open("wb", buffering=0) as file:
        for _ in range(room.f_bfree):
            file.write(bytes(room.f_frsize))
        with pytest.raises(OSError, match="No space left"):
            file.write(b"one too many")
    return filler


def test_a_full_disk(tmp_path: Path, path: Path) -> None:
    """While the disk is full nobody gets a token that can't be remembered; then all go on."""
    with mounted(path.parent), served(tmp_path / "host", f"sqlite:///{path}") as server:
        held = begin(server)
        filler = fill(path.parent)
        assert_bears(server, path, held)
        filler.unlink()
        with server.client() as client:
            assert_recovers(client, held)
        server.assert_log_is_clean()


def test_no_room_for_the_file(server: Served, path: Path) -> None:
    """A file that may not grow any more is the same as a full disk."""
    held = begin(server)
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, most))
    assert_bears(server, path, held)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))
    with server.client() as client:
        assert_recovers(client, held)


# --- read-only


def test_a_read_only_file(server: Served, path: Path) -> None:
    """A file that the server may not write is told, and taken as soon as it may."""
    held = begin(server)
    server.kill()
    path.chmod(0o400)
    server.start()
    assert_bears(server, path, held)
    path.chmod(0o600)
    with server.client() as client:
        assert_recovers(client, held)


def test_a_read_only_folder(server: Served, path: Path) -> None:
    """A server whose state can't be put anywhere serves guests until it can."""
    held = begin(server)
    server.kill()
    shutil.rmtree(path.parent)
    path.parent.mkdir(mode=0o500)
    server.start()
    assert_bears(server, path, held)
    path.parent.chmod(0o700)
    with server.client() as client:
        await_recovery(client)
        assert_new_visitors_are_served(client)


# --- locked


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another process hold the file."""
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == b"locked\n"
        yield
        locker.kill()


def test_a_locked_file(server: Served, path: Path) -> None:
    """While another process holds the file the server waits for it a moment, and no longer."""
    held = begin(server)
    with locked(path):
        assert_bears(server, path, held)
    with server.client() as client:
        assert_recovers(client, held)


def test_pages_dont_wait_for_a_locked_file(server: Served, path: Path) -> None:
    """However many wait for the file, a page gets its config, and nobody waits over two seconds."""
    assert_pages_dont_wait(server, lambda: locked(path))


def test_a_file_that_is_locked_from_the_start(server: Served, path: Path) -> None:
    """A server that starts while another process holds a file that is still empty goes on, too."""
    held = begin(server)
    server.kill()
    remove(path)
    with locked(path):
        server.start()
        assert_bears(server, path, held)
    with server.client() as client:
        await_recovery(client)
        assert_new_visitors_are_served(client)


# --- corrupt


def overwrite(path: Path) -> None:
    """Overwrite a file in place, as a copy that went to the wrong name does."""
    with path.open("r+b") as file:
        file.write(b"this is no database " * (path.stat().st_size // 20 + 1))


def remove(path: Path) -> None:
    """Remove the state file, and what SQLite has beside it."""
    for file in path.parent.glob("state.db*"):
        file.unlink()


@pytest.mark.parametrize("restart", [False, True], ids=["while it runs", "before it starts"])
def test_a_corrupt_file(server: Served, path: Path, *, restart: bool) -> None:
    """Nothing is read from a broken file; once it is removed, no token of before is good."""
    held = begin(server)
    with server.client() as client:
        client.exchange(held.visitor)
    if restart:
        server.kill()
    for file in path.parent.glob("state.db*"):
        overwrite(file)
    if restart:
        server.start()
    assert_bears(server, path, held)
    remove(path)
    with server.client() as client:
        await_recovery(client)
        assert client.exchange(held.visitor).status == 400
        assert client.refresh(held.renewed).status == 400
        assert_new_visitors_are_served(client)
