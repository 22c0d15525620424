"""Several processes follow the same files: one speaks for all, the others where they differ."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from kataven_flask.live import POLL_INTERVAL, Live, Watch, live_registry
from kataven_flask.registry import Registry
from kataven_flask.standing import ODD_LOOKS, SPEAKER, Board, Company, Member, Standing
from tests.support import document

FAULTY = "version: 1\ntenants: {acme: {name: 7}}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a sound tenants' file."""
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(document(audience="first")))
    return path


class Family:
    """A parent and a worker, in one process: each with what it would have in force.

    Args:
        config: What they follow.
    """

    def __init__(self, config: Path) -> None:
        self.board = Board(2)
        self.parent, self.worker = live_registry(config), live_registry(config)
        self._members = {
            "parent": (self.parent, Member(self.parent, self.board, SPEAKER)),
            "worker": (self.worker, Member(self.worker, self.board, 1)),
        }

    def look(self, *who: str, times: int = 1) -> None:
        """Have them look at the files, as their watches would."""
        for _ in range(times):
            for name in who:
                live, member = self._members[name]
                live.reload()
                member.look()


@pytest.fixture
def family(config: Path, caplog: pytest.LogCaptureFixture) -> Family:
    """Return a parent and a worker that agree."""
    caplog.set_level(logging.INFO)
    return Family(config)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the first line of everything in the log."""
    return [record.getMessage().splitlines()[0] for record in caplog.records]


def test_an_edit_is_told_once(
    family: Family, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many processes follow the file, the log has one line of an edit."""
    config.write_text(yaml.safe_dump(document(audience="second")))
    family.look("worker", "parent")
    revision = family.parent.current.revision
    assert told(caplog) == [f"config is in force revision={revision}"]
    assert family.worker.current.audience == "second"


def test_a_fault_is_told_once(
    family: Family, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many processes refuse the file, and for however long, the log says so once."""
    config.write_text(FAULTY)
    family.look("worker", "parent", times=3 * ODD_LOOKS)
    revision = family.parent.current.revision
    assert told(caplog) == [f"config refused; the last good one stays in force revision={revision}"]
    assert not any(standing.ok for standing in family.board)


def test_who_differs_says_so_once(
    family: Family, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that refuses what the others took over is heard, and heard when that has passed."""
    sound = config.read_text()
    config.write_text(FAULTY)
    family.look("worker", times=ODD_LOOKS - 1)
    assert told(caplog) == []
    family.look("worker", times=ODD_LOOKS)
    (line,) = told(caplog)
    assert line.startswith("this worker differs from the others in config revision=")
    assert "tenants.acme.name: must be text" in caplog.text
    config.write_text(sound)
    family.look("worker")
    assert "agrees with the others again" in told(caplog)[1]
    assert len(told(caplog)) == 2


def test_who_is_behind_says_so(
    family: Family, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that goes on by an old file is heard, and its revision is shown beside the new."""
    old = family.worker.current.revision
    config.write_text(yaml.safe_dump(document(audience="second")))
    family.look("parent")
    family.worker._fingerprint = lambda: family.worker._taken  # noqa: SLF001 - it sees no edit
    family.look("worker", times=ODD_LOOKS)
    new = family.parent.current.revision
    differs = f"this worker differs from the others in config revision={old} others={new}"
    assert told(caplog)[1] == differs
    assert [standing.revision for standing in family.board] == [new, old]


def test_nobody_speaks_before_an_edit_has_had_its_time() -> None:
    """Processes look at different moments; that alone is no difference."""
    assert pytest.approx(2.0) == ODD_LOOKS * POLL_INTERVAL


def test_what_is_shown(family: Family, config: Path) -> None:
    """A place shows the revision, whether the files say so too, and since when."""
    live = family.worker
    assert family.board.at(1) == Standing(live.current.revision, ok=True, since=live.since)
    config.write_text(FAULTY)
    family.look("worker")
    assert family.board.at(1) == Standing(live.current.revision, ok=False, since=live.since)


def test_a_place_that_nobody_has_taken_is_empty() -> None:
    """A worker that hasn't begun yet isn't taken for one that has nothing in force."""
    board = Board(3)
    board.show(1, Standing("abcdefabcdef", ok=True, since=1.5))
    assert [board.at(place) is not None for place in range(3)] == [False, True, False]
    assert list(board) == [Standing("abcdefabcdef", ok=True, since=1.5)]


def test_all_that_is_watched_is_shown(config: Path) -> None:
    """A process that joins shows each of the files, at once and after each look."""
    live: Live[Registry] = live_registry(config)
    company = Company(2, watch := Watch(live), live)
    board = company.board_of(live)
    assert list(board) == []
    company.join(SPEAKER)
    assert [standing.ok for standing in board] == [True]
    config.write_text(FAULTY)
    watch.look()
    watch.look()
    assert [standing.ok for standing in board] == [False]
