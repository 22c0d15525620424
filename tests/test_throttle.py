"""Rate limits: as many a minute as were promised, and when to come again."""

from __future__ import annotations

import re
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable

import pytest

from kataven_flask import windows
from kataven_flask.errors import RateLimited, StoreError
from kataven_flask.store.base import Hit
from kataven_flask.throttle import Quota, Throttle, network_of
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
def told() -> list[Quota]:
    """Return what callers are told of their quotas, in turn."""
    return []


@pytest.fixture
def throttle(clock: FrozenClock, told: list[Quota]) -> Throttle:
    """Return rate limits that have counted nothing yet."""
    return Throttle(told.append)


def admitted(  # noqa: PLR0913 - each names one thing that a case changes
    throttle: Throttle,
    tries: int,
    *,
    policy: str = "guest",
    key: str = "pk_1",
    address: str = "192.0.2.1",
    per_minute: int | None = 3,
) -> int:
    """Return how many of some requests are let through."""
    passed = 0
    for _ in range(tries):
        try:
            throttle.admit(policy, key, address, per_minute)
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
    [("policy", "exchange"), ("key", "pk_2"), ("address", "192.0.2.2")],
)
def test_each_is_counted_by_itself(throttle: Throttle, name: str, value: str) -> None:
    """One visitor, one key or one endpoint that is used up takes nothing from the others."""
    assert admitted(throttle, 5) == 3
    match name:
        case "policy":
            assert admitted(throttle, 5, policy=value) == 3
        case "key":
            assert admitted(throttle, 5, key=value) == 3
        case _:
            assert admitted(throttle, 5, address=value) == 3
    assert admitted(throttle, 5) == 0


def test_without_an_address(throttle: Throttle) -> None:
    """A backend's requests are counted for its key, wherever they come from."""
    assert admitted(throttle, 5, address="") == 3
    with pytest.raises(RateLimited, match="more than 3 a minute with this secret key"):
        throttle.admit("guest", "pk_1", "", 3)


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
        "Too many requests: more than 3 a minute from this address;"
        f" try again in {refused.retry_after} s"
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
    before = set(threading.enumerate())  # one of another test's may be ending just now
    admitted(throttle, 200, per_minute=100)
    assert set(threading.enumerate()) <= before


def test_forgets_who_came_before(throttle: Throttle, clock: FrozenClock, told: list[Quota]) -> None:
    """Addresses that were counted two minutes ago take no memory any more."""
    tracemalloc.start()
    try:
        for number in range(20_000):
            throttle.admit("guest", "pk_1", f"2001:db8:0:{number:x}::", 3)
            told.clear()
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


def test_callers_are_told_what_is_left(
    throttle: Throttle, clock: FrozenClock, told: list[Quota]
) -> None:
    """Each request is told how many more would be let through now, and when more will be."""
    admitted(throttle, 4)
    assert [quota.left for quota in told] == [2, 1, 0, 0]
    assert {(quota.policy, quota.limit, quota.wait) for quota in told} == {("guest", 3, 51)}
    clock.now = WINDOW + 60 + 20  # a third of the next minute: two of three weigh yet
    admitted(throttle, 1)
    assert told[-1] == Quota("guest", 3, 0, 41)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "20010db800010002/64"),
        ("2001:0DB8:1:2:ffff::", "20010db800010002/64"),
        ("::1", "0/64"),
        ("fe80::1%eth0", "fe80000000000000/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_what_an_address_is_counted_by(address: str, network: str) -> None:
    """IPv4 by the address, IPv6 by the network, all of which one customer has."""
    assert network_of(address) == network


def test_one_network_is_one_caller(throttle: Throttle) -> None:
    """Who has 2^64 addresses has no more requests than who has one."""
    assert sum(admitted(throttle, 1, address=f"2001:db8::{n:x}") for n in range(9)) == 3
    assert admitted(throttle, 5, address="2001:db8:0:1::1") == 3


def charged(throttle: Throttle, times: int, address: str = "192.0.2.1") -> None:
    """Count some requests against a limit of three that others don't use."""
    for _ in range(times):
        assert throttle.has_room("bad-token", address, 3)
        throttle.charge("bad-token", address, 3)


def test_only_what_is_charged_counts(throttle: Throttle) -> None:
    """Asking whether there is room takes none of it."""
    for _ in range(9):
        assert throttle.has_room("bad-token", "192.0.2.1", 3)
    charged(throttle, 3)
    assert not throttle.has_room("bad-token", "192.0.2.1", 3)
    with pytest.raises(RateLimited) as refused:
        throttle.charge("bad-token", "192.0.2.1", 3)
    assert refused.value.retry_after == 51
    charged(throttle, 3, address="192.0.2.2")


def test_null_has_room_for_any_number(throttle: Throttle) -> None:
    """A limit of null is never used up."""
    for _ in range(100):
        throttle.charge("bad-token", "192.0.2.1", None)
    assert throttle.has_room("bad-token", "192.0.2.1", None)


class Store:
    """A store that counts, or is out of reach."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fault: StoreError | None = None

    def hit(self, name: str, *, limit: int, window: int, amount: int = 1) -> Hit:
        """Let everything through, as the third of the others' windows."""
        self.asked.append(name)
        if self.fault is not None:
            raise self.fault
        return Hit(admitted=limit > 2, before=0, present=2 + amount, left=window / 2)


class TestShared:
    """Counted in a store that several servers share."""

    @pytest.fixture
    def store(self) -> Store:
        """Return a store that counts."""
        return Store()

    @pytest.fixture
    def alone(self) -> list[StoreError]:
        """Return why requests weren't counted there, one by one."""
        return []

    @pytest.fixture
    def shared(self, store: Store, told: list[Quota], alone: list[StoreError]) -> Throttle:
        """Return rate limits that are counted there."""
        return Throttle(told.append, store, alone.append)

    @pytest.fixture
    def slow(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
        """Return what has each count be a slow one from now on, or none."""
        return lambda is_slow: monkeypatch.setattr(windows, "SLOW", 0.0 if is_slow else 60.0)

    def test_the_store_decides(self, shared: Throttle, told: list[Quota]) -> None:
        """What it lets through is let through, and what it has counted is told."""
        assert admitted(shared, 5, per_minute=9) == 5
        assert admitted(shared, 5, per_minute=2) == 0
        assert told[0] == Quota("guest", 9, 6, 31)
        assert told[-1] == Quota("guest", 2, 0, 31)

    def test_a_request_is_one_step(self, shared: Throttle, store: Store) -> None:
        """Nobody waits for the store twice."""
        admitted(shared, 3)
        assert len(store.asked) == 3

    def test_no_address_is_in_it(self, shared: Throttle, store: Store) -> None:
        """The store gets digests: who reads it learns of no client."""
        admitted(shared, 1)
        admitted(shared, 1, address="192.0.2.2")
        assert all(re.fullmatch("[0-9a-f]{32}", name) for name in store.asked)
        assert len(set(store.asked)) == 2

    def test_while_it_is_away_each_process_counts(
        self, shared: Throttle, store: Store, alone: list[StoreError]
    ) -> None:
        """Nobody is refused for it, nor waits for it again and again; each time it is told."""
        store.fault = StoreError("no answer")
        assert admitted(shared, 5) == 3
        assert len(store.asked) == 1
        assert alone == [store.fault] * 5

    def test_once_it_is_back_it_counts_again(
        self,
        shared: Throttle,
        store: Store,
        alone: list[StoreError],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """After a rest it is asked anew."""
        monkeypatch.setattr(windows, "REST", 0.0)
        store.fault = StoreError("no answer")
        admitted(shared, 2)
        store.fault = None
        assert admitted(shared, 5, per_minute=9) == 5
        assert len(store.asked) == 7
        assert len(alone) == 2

    def test_nobody_waits_for_one_that_is_slow(
        self, shared: Throttle, store: Store, alone: list[StoreError], slow: Callable[[bool], None]
    ) -> None:
        """After three slow counts in a row each process counts for itself, and it is told."""
        slow(True)
        assert admitted(shared, 2, per_minute=9) == 2
        slow(False)
        assert admitted(shared, 1, per_minute=9) == 1
        slow(True)
        waits = [shared.may_wait]
        assert admitted(shared, 7, per_minute=9) == 7
        assert [*waits, shared.may_wait] == [True, False]
        assert len(store.asked) == 3 + windows.SLOW_COUNTS
        assert {str(fault) for fault in alone} == {"the state store took 0.0 s to count a request"}
        assert len(alone) == 7 - windows.SLOW_COUNTS

    def test_one_request_sees_whether_it_is_quick_again(
        self,
        shared: Throttle,
        store: Store,
        slow: Callable[[bool], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It is asked once after a rest; where it is slow yet, it rests again."""
        slow(True)
        monkeypatch.setattr(windows, "REST", 0.0)
        admitted(shared, 4, per_minute=9)
        monkeypatch.setattr(windows, "REST", 60.0)
        admitted(shared, 5, per_minute=9)
        assert len(store.asked) == 5
        waits = [shared.may_wait]
        later = time.monotonic() + 61
        monkeypatch.setattr(time, "monotonic", lambda: later)
        slow(False)
        assert admitted(shared, 5, per_minute=9) == 5
        assert len(store.asked) == 10
        assert [*waits, shared.may_wait] == [False, True]

    def test_bad_tokens_are_counted_here(self, shared: Throttle, store: Store) -> None:
        """What saves a process its time costs no step of the store."""
        charged(shared, 3)
        assert store.asked == []
