"""A slow fault of the store is waited for by one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Final

import pytest

from kataven_flask.errors import StoreError
from kataven_flask.store import breaker as breaker_module
from kataven_flask.store.breaker import Breaker
from kataven_flask.store.memory import MemoryStore

BOUND: Final = 10
"""Seconds."""


class Stuck(MemoryStore):
    """A store that says nothing until it is told to, and then what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.speak = threading.Event()
        self.fault: StoreError | None = StoreError("out of reach")

    def ping(self) -> None:
        """Wait, and raise the fault there is."""
        self.asked.release()
        assert self.speak.wait(BOUND)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def stuck() -> Stuck:
    """Return a store that is out of reach."""
    return Stuck()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Return threads."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def open_breaker(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> Breaker:
    """Return a breaker that has met a slow fault; the next step waits again."""
    monkeypatch.setattr(breaker_module, "SLOW", 0.0)
    breaker = Breaker(stuck)
    stuck.speak.set()
    with pytest.raises(StoreError, match="out of reach"):
        breaker.ping()
    assert stuck.asked.acquire(timeout=BOUND)
    stuck.speak.clear()
    return breaker


def test_one_tries_and_the_others_are_told(
    stuck: Stuck, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request waits for the store, the others get their error at once."""
    breaker = open_breaker(stuck, monkeypatch)
    trying = pool.submit(breaker.ping)
    assert stuck.asked.acquire(timeout=BOUND)
    for _ in range(20):
        with pytest.raises(StoreError, match="another request is trying"):
            breaker.ping()
    assert not stuck.asked.acquire(blocking=False)
    stuck.speak.set()
    with pytest.raises(StoreError, match="out of reach"):
        trying.result(BOUND)


def test_it_closes_with_the_first_success(
    stuck: Stuck, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the one that tries has its answer, all go through again."""
    breaker = open_breaker(stuck, monkeypatch)
    stuck.fault = None
    stuck.speak.set()
    breaker.ping()
    stuck.speak.clear()
    waiting = [pool.submit(breaker.ping) for _ in range(8)]
    for _ in waiting:
        assert stuck.asked.acquire(timeout=BOUND)
    stuck.speak.set()
    for each in waiting:
        each.result(BOUND)


def test_a_fault_that_is_told_at_once_opens_nothing(
    stuck: Stuck, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection costs no time, so every request may try."""
    monkeypatch.setattr(breaker_module, "SLOW", BOUND)
    breaker = Breaker(stuck)
    stuck.speak.set()
    with pytest.raises(StoreError):
        breaker.ping()
    assert stuck.asked.acquire(timeout=BOUND)
    stuck.speak.clear()
    waiting = [pool.submit(breaker.ping) for _ in range(8)]
    for _ in waiting:
        assert stuck.asked.acquire(timeout=BOUND)
    stuck.speak.set()
    for each in waiting:
        with pytest.raises(StoreError):
            each.result(BOUND)


def test_another_error_is_no_fault_of_the_store(stuck: Stuck) -> None:
    """A mistake of ours passes through, and opens nothing."""
    breaker = Breaker(stuck)
    stuck.speak.set()
    stuck.fault = None
    with pytest.raises(AttributeError):
        breaker.rotate(None)  # type: ignore[arg-type]
    breaker.ping()


def test_a_store_that_answers_at_once_is_prompt(stuck: Stuck) -> None:
    """From the start, and as long as no step takes its time."""
    breaker = Breaker(stuck)
    stuck.speak.set()
    stuck.fault = None
    assert breaker.is_prompt
    breaker.ping()
    assert breaker.is_prompt


class Paced(MemoryStore):
    """A store whose steps take as long as a test says, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.now = 1000.0
        self.takes = 0.0
        self.fault: StoreError | None = None
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def ping(self) -> None:
        """Take the time, and raise the fault there is."""
        self.now += self.takes
        if self.fault is not None:
            raise self.fault


def pings(breaker: Breaker, paced: Paced, times: int, takes: float) -> None:
    """Take so many steps of so many seconds."""
    paced.takes = takes
    for _ in range(times):
        with nullcontext() if paced.fault is None else pytest.raises(StoreError):
            breaker.ping()


@pytest.mark.parametrize("fault", [None, StoreError("out of reach")])
@pytest.mark.parametrize(("times", "takes"), [(1, 0.09), (3, 0.03), (100, 0.006)])
def test_a_store_that_takes_its_time_is_not_prompt(
    monkeypatch: pytest.MonkeyPatch, times: int, takes: float, fault: StoreError | None
) -> None:
    """One long step or some that are long enough, answers or faults; after a while it is tried."""
    paced = Paced(monkeypatch)
    paced.fault = fault
    breaker = Breaker(paced)
    pings(breaker, paced, times, takes)
    assert not breaker.is_prompt
    paced.now += breaker_module.DOUBT
    assert breaker.is_prompt


def test_a_write_to_disk_now_and_then_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is quick but for every hundredth step is prompt."""
    paced = Paced(monkeypatch)
    breaker = Breaker(paced)
    for _ in range(50):
        pings(breaker, paced, 99, 0.0002)
        pings(breaker, paced, 1, 0.05)
        assert breaker.is_prompt


def test_steps_that_wait_for_one_another_prolong_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads hold each other up; how long they take then says nothing of the store."""
    paced = Paced(monkeypatch)
    breaker = Breaker(paced)
    pings(breaker, paced, 1, 0.09)
    until = paced.now + breaker_module.DOUBT
    pings(breaker, paced, 40, 0.09)
    assert not breaker.is_prompt
    paced.now = until
    assert breaker.is_prompt


def test_a_store_out_of_reach_is_not_prompt(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long ago that was, somebody has to wait for the next try."""
    breaker = open_breaker(stuck, monkeypatch)
    present = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: present + 100 * breaker_module.DOUBT)
    assert not breaker.is_prompt
    stuck.fault = None
    stuck.speak.set()
    breaker.ping()
    assert breaker.is_prompt
