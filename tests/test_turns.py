"""Several processes that follow the same files: one has them read for all."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from kataven_flask import turns
from kataven_flask.registry import load_registry
from kataven_flask.turns import KEPT, Turns
from tests.running import COMMAND, running
from tests.test_reading import text


class _Reader:
    """A reader that answers when the test says so, and holds its lock until then."""

    def __init__(self, asked: IO[str], answer: IO[str], lock: int) -> None:
        self._question = asked.read()
        self._answer = os.dup(answer.fileno())
        self._lock = os.dup(lock)
        self._ended = False

    def poll(self) -> int | None:
        return 0 if self._ended else None

    def end(self) -> None:
        """Answer, and end."""
        os.write(self._answer, f"answer to {self._question}\n".encode())
        os.close(self._answer)
        os.close(self._lock)
        self._ended = True


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[_Reader]:
    """Return the readers that were started."""
    begun: list[_Reader] = []

    def started(asked: IO[str], answer: IO[str], lock: int) -> _Reader:
        begun.append(_Reader(asked, answer, lock))
        return begun[-1]

    monkeypatch.setattr(turns, "started", started)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return begun


def sharing() -> Turns:
    """Return what processes share that are forked from now on."""
    shared = Turns()
    shared.share()
    return shared


def read(turn: turns.Turn) -> str:
    """Return an answer."""
    with turn.answer() as lines:
        return lines.read()


def test_one_reads_for_all(readers: list[_Reader]) -> None:
    """Whoever asks the same waits for the one that reads, and gets its answer."""
    shared = sharing()
    one, other = shared.ask("same"), shared.ask("same")
    assert not one.is_ready()
    assert not other.is_ready()
    readers[0].end()
    assert one.is_ready()
    assert other.is_ready()
    assert read(one) == read(other) == read(shared.ask("same")) == "answer to same\n"
    assert len(readers) == 1


def test_one_reads_after_the_other(readers: list[_Reader]) -> None:
    """Whoever asks something else begins when the first has ended: never do two run."""
    shared = sharing()
    one, other = shared.ask("one"), shared.ask("other")
    assert not other.is_ready()
    assert len(readers) == 1
    readers[0].end()
    assert not other.is_ready()
    assert len(readers) == 2
    readers[1].end()
    assert (read(one), read(other)) == ("answer to one\n", "answer to other\n")


def test_who_is_forked_meanwhile_waits_too(
    readers: list[_Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is started while its parent has them read waits for that as the others do."""
    shared = sharing()
    turn = shared.ask("same")
    monkeypatch.setattr(readers[0], "poll", lambda: 0)  # what waiting for another's child says
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert not turn.is_ready()
    readers[0].end()
    assert turn.is_ready()
    assert read(turn) == "answer to same\n"
    assert len(readers) == 1


def test_an_answer_that_is_no_more_true_is_forgotten(readers: list[_Reader]) -> None:
    """The same question is answered anew then."""
    shared = sharing()
    turn = shared.ask("same")
    readers[0].end()
    turn.forget()
    assert not shared.ask("same").is_ready()
    assert len(readers) == 2
    readers[1].end()


def test_answers_are_not_kept_for_long(readers: list[_Reader], tmp_path: Path) -> None:
    """Who comes for one has come within a minute; the next reader removes it."""
    shared = sharing()
    for number in range(3):
        shared.ask(f"question {number}")
        readers[number].end()
    (folder,) = tmp_path.iterdir()
    answers = [path for path in folder.iterdir() if path.name != "lock"]
    assert len(answers) == 3
    old = time.time() - KEPT - 1
    for path in answers:
        os.utime(path, (old, old))
    shared.ask("another")
    readers[3].end()
    assert len([path for path in folder.iterdir() if path.name != "lock"]) == 1


def test_what_is_shared_is_nobody_elses(readers: list[_Reader], tmp_path: Path) -> None:
    """Others can neither read an answer nor write one."""
    shared = sharing()
    shared.ask("same")
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    readers[0].end()


def test_who_shares_nothing_leaves_nothing(readers: list[_Reader], tmp_path: Path) -> None:
    """Where tenants became many later, each process has a folder for as long as it asks."""
    turn = Turns().ask("alone")
    readers[0].end()
    assert read(turn) == "answer to alone\n"
    assert len([*tmp_path.iterdir()]) == 1
    del turn
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_was_swept_away(readers: list[_Reader], tmp_path: Path) -> None:
    """Who sweeps temporary folders ends no live reload."""
    shared = sharing()
    shared.ask("one")
    readers[0].end()
    (folder,) = tmp_path.iterdir()
    folder.rename(tmp_path.with_name("swept"))
    turn = shared.ask("other")
    readers[1].end()
    assert read(turn) == "answer to other\n"


def test_two_workers_and_their_parent(tmp_path: Path) -> None:
    """An edit of a large file is in force in all of them; the parent goes on looking after them."""
    names = [f"tenant{number:03}" for number in range(150)]
    file = tmp_path / "tenants.yaml"
    file.write_text(text(*names, version=1))
    where = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "2")
    command = (COMMAND, "serve", *where, "--config", str(file), "--instance", str(tmp_path / "i"))
    with running(*command, cwd=tmp_path, TMPDIR=str(tmp_path)) as server:
        server.port()
        file.write_text(text(*names, number=1, version=1))
        server.wait_for(f"config is in force.*{load_registry(file).revision}")
        file.write_text(text(*names, number=2, version=1).replace("tenant007 002", ""))
        server.wait_for(r"tenants\.tenant007\.name: must be text, but is empty")
        assert server.end() == 0
    assert "Traceback" not in server.output
    assert not re.search("is read in place|differs from the others", server.output)
    assert [path.name for path in tmp_path.glob("kataven-*")] == []


def test_the_end_leaves_nothing(tmp_path: Path) -> None:
    """A process that ends takes its folder with it, and one that was forked from it doesn't."""
    program = """\
import os
from kataven_flask.turns import Turns
turns = Turns()
turns.share()
if child := os.fork():
    os.waitpid(child, 0)
    print(len(os.listdir(".")))
"""
    python = (sys.executable, "-P", "-c", program)
    with running(*python, cwd=tmp_path, TMPDIR=str(tmp_path)) as process:
        process.ended()
    assert process.lines == ["1\n"]
    assert [*tmp_path.iterdir()] == []
