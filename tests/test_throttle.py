"""Rate limits: as many a minute as were promised, and when to come again."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections import Counter

import pytest

from kataven_flask.errors import RateLimited
from kataven_flask.throttle import Throttle
from tests.support import FrozenClock

MINUTE = 60
WINDOW = 1_790_000_040.0
"""A whole minute of the clock, at which the library begins to count anew."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """Return the clock that the library reads, standing ten seconds into a minute."""
    clock = FrozenClock(WINDOW + 10)
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def throttle(clock: FrozenClock) -> Throttle:
    """Return rate limits that have counted nothing yet."""
    return Throttle()


def admitted(  # noqa: PLR0913 - each names one thing that a case changes
    throttle: Throttle,
    tries: int,
    *,
    action: str = "guest",
    key: str = "pk_1",
    address: str = "192.0.2.1",
    per_minute: int | None = 3,
) -> int:
    """Return how many of some requests are let through."""
    passed = 0
    for _ in range(tries):
        try:
            throttle.admit(action, key, address, per_minute)
        except RateLimited:
            continue
        passed += 1
    return passed


def refusal(throttle: Throttle, per_minute: int) -> RateLimited:
    """Use a limit up, and return what the next request is told."""
    assert admitted(throttle, per_minute, per_minute=per_minute) == per_minute
    with pytest.raises(RateLimited) as refused:
        throttle.admit("guest", "pk_1", "192.0.2.1", per_minute)
    return refused.value


@pytest.mark.parametrize("per_minute", [1, 2, 60, 600])
def test_as_many_as_promised(throttle: Throttle, per_minute: int) -> None:
    """As many requests as the limit says are let through, and not one more."""
    assert admitted(throttle, per_minute + 10, per_minute=per_minute) == per_minute


def test_null_is_no_limit(throttle: Throttle) -> None:
    """A limit of null lets any number through."""
    assert admitted(throttle, 1000, per_minute=None) == 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [("action", "exchange"), ("key", "pk_2"), ("address", "192.0.2.2")],
)
def test_each_is_counted_by_itself(throttle: Throttle, name: str, value: str) -> None:
    """One visitor, one key or one endpoint that is used up takes nothing from the others."""
    assert admitted(throttle, 5) == 3
    match name:
        case "action":
            assert admitted(throttle, 5, action=value) == 3
        case "key":
            assert admitted(throttle, 5, key=value) == 3
        case _:
            assert admitted(throttle, 5, address=value) == 3
    assert admitted(throttle, 5) == 0


def test_without_an_address(throttle: Throttle) -> None:
    """A backend's requests are counted for its key, wherever they come from."""
    assert admitted(throttle, 5, address="") == 3


@pytest.mark.parametrize("per_minute", [1, 60, 600])
@pytest.mark.parametrize("second", [0, 1, 10, 30, 59, 59.5])
def test_says_when_to_come_again(
    throttle: Throttle, clock: FrozenClock, per_minute: int, second: float
) -> None:
    """A caller who waits for as long as it was told to is let through."""
    clock.now = WINDOW + second
    refused = refusal(throttle, per_minute)
    assert refused.retry_after is not None
    clock.move(refused.retry_after)
    assert admitted(throttle, 1, per_minute=per_minute) == 1


@pytest.mark.parametrize("second", [0, 10, 59])
def test_says_so_in_words(throttle: Throttle, clock: FrozenClock, second: int) -> None:
    """The refusal tells the limit, and a wait of at least a second and at most two minutes."""
    clock.now = WINDOW + second
    refused = refusal(throttle, 3)
    assert refused.retry_after is not None
    assert 1 <= refused.retry_after <= 2 * MINUTE
    assert refused.retryable
    assert refused.text == (
        f"Too many requests: more than 3 a minute; try again in {refused.retry_after} s"
    )


def test_begins_anew(throttle: Throttle, clock: FrozenClock) -> None:
    """Who was quiet for two minutes has all of the limit again."""
    assert admitted(throttle, 5) == 3
    clock.move(2 * MINUTE)
    assert admitted(throttle, 5) == 3


def test_no_double_burst_around_the_full_minute(throttle: Throttle, clock: FrozenClock) -> None:
    """Who used a minute up at its end doesn't get the next one's requests on top at once."""
    clock.now = WINDOW + 59
    assert admitted(throttle, 60, per_minute=60) == 60
    clock.now = WINDOW + 62
    assert admitted(throttle, 60, per_minute=60) <= 3


@pytest.mark.parametrize("back", [1, 30, 59])
def test_a_clock_put_back_gives_nothing(
    throttle: Throttle, clock: FrozenClock, back: float
) -> None:
    """Who has used a minute up gets none of it again where the clock is put back a little."""
    assert admitted(throttle, 5) == 3
    clock.move(-back)
    assert admitted(throttle, 5) == 0


def test_a_clock_put_far_back_shuts_nobody_out(throttle: Throttle, clock: FrozenClock) -> None:
    """Where the clock was an hour ahead, nobody waits for that hour."""
    assert admitted(throttle, 5) == 3
    clock.move(-60 * MINUTE)
    assert admitted(throttle, 5) == 3


def test_starts_no_threads(throttle: Throttle) -> None:
    """Counting takes no thread beside the one that asks, however often."""
    before = threading.active_count()
    admitted(throttle, 200, per_minute=100)
    assert threading.active_count() == before


def test_forgets_who_came_before(throttle: Throttle, clock: FrozenClock) -> None:
    """Addresses that were counted two minutes ago take no memory any more."""
    tracemalloc.start()
    try:
        for number in range(20_000):
            throttle.admit("guest", "pk_1", f"2001:db8::{number:x}", 3)
        counted, _ = tracemalloc.get_traced_memory()
        clock.move(2 * MINUTE)
        throttle.admit("guest", "pk_1", "192.0.2.1", 3)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert counted > 1_000_000
    assert left < counted / 10


def test_refused_requests_do_not_prolong_it(throttle: Throttle, clock: FrozenClock) -> None:
    """Who keeps trying while refused is let through no later."""
    admitted(throttle, 200)
    clock.move(2 * MINUTE)
    assert admitted(throttle, 1) == 1


def test_threads_share_one_count(throttle: Throttle) -> None:
    """Of requests that come at once, exactly the right number get through."""
    start = threading.Barrier(20)
    passed: Counter[str] = Counter()
    lock = threading.Lock()

    def ask() -> None:
        start.wait()
        count = admitted(throttle, 10, per_minute=50)
        with lock:
            passed["all"] += count

    callers = [threading.Thread(target=ask) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert passed["all"] == 50
