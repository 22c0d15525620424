"""Every answer is wholly by a file that was in force, whatever is edited meanwhile."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.registry import load_registry
from tests.live_edits.editor import AT_ONCE, FAULTY, SLOWLY, Editor, Way
from tests.live_edits.load import asking
from tests.live_edits.world import (
    OPEN,
    PROMISED,
    QUESTIONS,
    STRANGER,
    Asked,
    Edit,
    Judge,
    Question,
    State,
)
from tests.running import BOUND, COMMAND, Running, running
from tests.support import KEY, ORIGIN, OTHER_KEY

EDITS: Final = 200
BREATH: Final = 0.03
"""Seconds between two edits of a burst that is over before anybody has to take one of them."""
STRIDE: Final = 0.06
"""Seconds between two edits of one that goes on for longer."""
LOOK: Final = 0.03
"""Seconds between two looks at the metrics."""


class Served:
    """The server, as its operator sees it.

    Args:
        process: Its process.
        editor: Who edits its tenants.
    """

    def __init__(self, process: Running, editor: Editor) -> None:
        self.process = process
        self.port = process.port()
        self.settled: set[State] = set()
        self._editor = editor
        self._admin_port = int(process.wait_for(r"metrics +http://.*:(\d+)/metrics")[1])

    def await_in_force(self) -> None:
        """Wait until every process goes by the last edit, as long as was promised."""
        revision = load_registry(self._editor.path).revision
        self._await(lambda: self.in_force() == (True, {revision}), f"{revision} is in force")
        self.settled.add(self._editor.state)

    def await_refusal(self, edit: Way) -> None:
        """Make a faulty edit, and wait until it was refused, as long as an edit may take."""
        before = self.refused()
        edit(self._editor)
        self._await(lambda: self.refused() > before and not self.in_force()[0], "it was refused")

    def refused(self) -> int:
        """Return how many edits were refused, as it counts them."""
        count = re.search(
            r'(?m)^kataven_config_reloads_total\{result="refused"\} (\d+)', self.metrics()
        )
        assert count is not None
        return int(count[1])

    def in_force(self) -> tuple[bool, set[str]]:
        """Return whether the last edit was taken over, and what is in force."""
        text = self.metrics()
        ok = re.search(r"(?m)^kataven_config_ok (\d)", text)
        assert ok is not None, text
        return ok[1] == "1", set(re.findall(r'kataven_config_info\{revision="(\w+)"\} 1', text))

    def metrics(self) -> str:
        """Return all that it measures."""
        where = ("127.0.0.1", self._admin_port)
        with closing(http.client.HTTPConnection(*where, timeout=BOUND)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PROMISED
        while not condition():
            assert time.monotonic() < deadline, f"after {PROMISED} s still not so: {what}"
            time.sleep(LOOK)


@contextmanager
def serving(folder: Path, editor: Editor) -> Iterator[Served]:
    """Serve what an editor edits by two workers."""
    where = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "2")
    what = ("--config", str(editor.path), "--threads", "4")
    command = (COMMAND, "serve", *where, *what)
    with running(*command, cwd=folder, own_group=True, TMPDIR=str(folder)) as process:
        yield Served(process, editor)


def edit_in_every_way(server: Served, editor: Editor) -> None:
    """Make all edits: slow ones, bursts of quick ones, faulty ones, and bursts that go on."""
    at_once, slowly, faulty = cycle(AT_ONCE), cycle(SLOWLY), cycle(FAULTY)
    while len(editor.edits) + editor.faults < EDITS:
        for _ in SLOWLY:
            next(slowly)(editor)
            server.await_in_force()
        burst(editor, [next(at_once), next(faulty), *(next(at_once) for _ in range(4))], BREATH)
        server.await_in_force()
        server.await_refusal(next(faulty))
        burst(editor, (next(at_once) for _ in range(30)), STRIDE)
        server.await_in_force()


def burst(editor: Editor, ways: Iterable[Way], pause: float) -> None:
    """Make one edit after the other."""
    for way in ways:
        way(editor)
        time.sleep(pause)


def test_two_hundred_edits_under_load(tmp_path: Path) -> None:
    """No answer is half of two files, older than two seconds, or one that no file gives."""
    editor = Editor(tmp_path)
    with serving(tmp_path, editor) as server, asking(server.port, tmp_path / "stop") as load:
        edit_in_every_way(server, editor)
    judge = Judge(editor.edits)
    wrongs = [words for asked in load.asked if (words := judge.fault(asked))]
    assert not wrongs, f"{len(wrongs)} of {len(load.asked)} answers:\n" + "\n".join(wrongs[:20])
    assert len(editor.edits) + editor.faults >= EDITS
    assert len(load.asked) > 10 * EDITS
    told = {asked.answer for asked in load.asked}
    met = [s for s in server.settled if {question.answer(s) for question in QUESTIONS} <= told]
    assert len(met) > len(server.settled) / 2, "the clients were too slow to meet the edits"
    assert "Traceback" not in server.process.output


BEFORE = Edit(State(1, 1), "", 0, 1)
AFTER = Edit(State(2, 2), "", 10, 11)
CONFIG, GUEST = Question("config", KEY, ORIGIN), Question("guest", OTHER_KEY, ORIGIN)


@pytest.mark.parametrize(
    ("asked", "is_wrong"),
    [
        (Asked(CONFIG, 9.0, 9.1, CONFIG.answer(State(1, 1))), False),
        (Asked(CONFIG, 12.9, 14.0, CONFIG.answer(State(1, 1))), False),
        (Asked(CONFIG, 13.1, 13.2, CONFIG.answer(State(1, 1))), True),
        (Asked(CONFIG, 9.8, 9.9, CONFIG.answer(State(2, 2))), True),
        (Asked(CONFIG, 9.8, 10.1, CONFIG.answer(State(2, 2))), False),
        (
            Asked(CONFIG, 10.5, 10.6, (200, "Acme r002", "label r001", "name r001", "hello r001")),
            True,
        ),
        (Asked(GUEST, 10.5, 10.6, GUEST.answer(State(1, 2))), True),
        (Asked(GUEST, 10.5, 10.6, (403, "unknown_client_key")), True),
        (Asked(GUEST, 10.5, 10.6, (500, "internal_error")), True),
        (Asked(Question("config", KEY, OPEN), 12.0, 12.1, (403, "origin_not_allowed")), False),
        (Asked(Question("config", KEY, OPEN), 9.0, 9.1, (403, "origin_not_allowed")), True),
        (Asked(Question("guest", KEY, STRANGER), 9.0, 9.1, GUEST.answer(State(1, 1))), True),
    ],
    ids=[
        "of its time",
        "of what was edited away less than 2 s ago",
        "of what was edited away more than 2 s ago",
        "before the edit began",
        "while the edit was made",
        "half of two files",
        "a token half of two files",
        "refused for half a file",
        "a fault",
        "refused as the new file says",
        "refused though every file admits it",
        "admitted though no file does",
    ],
)
def test_a_wrong_answer_is_told_from_a_right_one(asked: Asked, *, is_wrong: bool) -> None:
    """Whoever asks is owed what a file said within the last two seconds, and all of it."""
    assert (Judge([BEFORE, AFTER]).fault(asked) is not None) == is_wrong
