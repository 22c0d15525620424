"""Lines of the log that come once in a while."""

from __future__ import annotations

from kataven_flask.log import Entry
from kataven_flask.seldom import Seldom
from tests.support import FrozenClock


def test_the_first_comes_at_once_and_the_rest_is_counted() -> None:
    """However often there is reason for a line, one comes in ten seconds, and none is lost."""
    clock, lines = FrozenClock(), list[str]()
    complain = Seldom(lambda event, **fields: lines.append(str(Entry(event, fields))), 10, clock)
    for number in range(5):
        complain("it is away", store=number)
    assert lines == ["it is away store=0"]
    clock.move(10)
    complain("it is away", store=5)
    assert lines[1:] == ["it is away store=5 left_out=4"]
    clock.move(10)
    complain("it is away")
    assert lines[2:] == ["it is away"]
