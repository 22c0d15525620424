"""How often an event is told: at once, then once a minute, and none is forgotten."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.event_windows import MAX_APART, MAX_OF_EVENT, PERIOD, News, Tally
from kataven_flask.security_events import KINDS, Event, Happening
from tests.support import KEY

EVERY_FIELD = ("session", "user", "token", "origin", "endpoint", "request_id", "why")


def refused(origin: str, client_key: str = KEY) -> Happening:
    """Return a refused origin."""
    return Happening.of(Event.ORIGIN_REFUSED, client_key=client_key, origin=origin)


def test_a_tally_forgets() -> None:
    """After a quiet minute nothing of it is kept, and there is room for other origins."""
    tally = Tally()
    for number in range(MAX_APART + 1):
        tally.add(refused(str(number)), now=0.0)
    assert tally.add(refused("late"), now=1.0) is None
    assert list(tally.due(PERIOD)) == [News(refused("others"), 1)]
    assert list(tally.due(2 * PERIOD)) == []
    assert tally.add(refused("late"), now=2.0 * PERIOD) == News(refused("late"), 1)


@pytest.mark.parametrize("event", Event)
def test_no_flood_fills_the_log(event: Event) -> None:
    """Whatever a stranger varies, an event has a bounded number of lines a minute."""
    tally = Tally()
    lines = 0
    for number in range(MAX_OF_EVENT + 200):
        fields = dict.fromkeys(EVERY_FIELD, str(number))
        for client_key in (f"pk_{number % 300}", f"pk_{number}"):
            happening = Happening.of(event, client_key=client_key, **fields)
            lines += tally.add(happening, now=0.0) is not None
    left = list(tally.due(PERIOD))
    assert lines <= MAX_OF_EVENT + 301
    assert len(left) <= lines
    assert lines + sum(news.count for news in left) == 2 * (MAX_OF_EVENT + 200)


def test_a_flood_of_one_event_hides_no_other() -> None:
    """A thousand refused origins a minute leave room for the one token that was reused."""
    tally = Tally()
    for number in range(MAX_OF_EVENT + 1):
        tally.add(refused("https://evil.example", f"pk_{number}"), now=0.0)
    reused = Happening.of(Event.REFRESH_TOKEN_REUSED, client_key=KEY, session="ses_1")
    assert tally.add(reused, now=0.0) == News(reused, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from("KL"), st.sampled_from(["none", "a", "b"]), st.integers(0, 90)),
        max_size=60,
    )
)
def test_no_event_is_counted_twice_or_never(steps: list[tuple[str, str, int]]) -> None:
    """However they come, the counts of a pair add up, and its lines are a minute apart."""
    tally, now = Tally(), 0.0
    told: list[tuple[float, News]] = []
    for key, origin, pause in steps:
        now += pause
        told += [(now, news) for news in tally.due(now)]
        news = tally.add(refused(origin, key), now)
        told += [(now, news)] if news else []
    told += [(now + PERIOD, news) for news in tally.due(now, at_end=True)]
    for key, origin in {step[:2] for step in steps}:
        lines = [(at, n) for at, n in told if n.happening == refused(origin, key)]
        assert sum(n.count for _, n in lines) == sum(s[:2] == (key, origin) for s in steps)
        times = [at for at, _ in lines]
        assert all(later - at >= PERIOD for at, later in pairwise(times))


@pytest.mark.parametrize("event", Event)
def test_two_that_differ_in_what_matters_are_two_lines(event: Event) -> None:
    """What tells two of a kind apart is in their lines, so that a reader can, too."""
    kind = KINDS[event]
    assert set(kind.apart) <= set(kind.fields)
    tally = Tally()
    for name in kind.apart:
        for value in ("one", "other"):
            assert tally.add(Happening.of(event, **{name: value}), now=0.0) is not None
