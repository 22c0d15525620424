"""Lines of the log that come once in a while."""

from __future__ import annotations

from kataven_flask.seldom import Seldom
from tests.support import FrozenClock


def test_the_first_comes_at_once_and_the_rest_is_counted() -> None:
    """However often there is reason for a line, one comes in ten seconds, and none is lost."""
    clock, lines = FrozenClock(), list[str]()
    complain = Seldom(lambda text, *words: lines.append(text % words), 10, clock)
    for number in range(5):
        complain("%s is away", f"store {number}")
    assert lines == ["store 0 is away"]
    clock.move(10)
    complain("%s is away", "the store")
    assert lines[1:] == ["the store is away (and 4 more since the last line)"]
    clock.move(10)
    complain("%s is away", "it")
    assert lines[2:] == ["it is away"]
