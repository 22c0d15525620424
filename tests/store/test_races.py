"""Many at once, in threads and in processes: exactly one spends, exactly one rotates."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from kataven_flask.errors import StoreError
from kataven_flask.store import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Spending,
    Store,
    store_from_url,
)

NOW = 1_790_000_000
BEGAN_MS = (NOW - 1000) * 1000
KEEP_UNTIL = NOW + 86_400
THREADS = 12
ROUNDS = 25
PATIENCE = 60
"""Seconds that a test waits for a process before it gives up."""


@dataclass(frozen=True, slots=True)
class Field:
    """Who runs.

    Args:
        processes: How many.
        threads: How many in each of them.
        rounds: How often they all start at once.
    """

    processes: int
    threads: int
    rounds: int


FIELDS = [
    pytest.param(Field(6, 1, 25), id="6 processes"),
    pytest.param(Field(4, 16, 200), id="64 threads in 4 processes", marks=pytest.mark.faults),
]

Job: TypeAlias = Callable[[Store, int], Any]
"""What each racer does in a round, given the store and the round's number."""


def spend(store: Store, number: int) -> bool:
    """Spend the round's token."""
    token = PresentedVisitor(f"vis_{number}", "3f user", "pk", NOW, NOW * 1000, KEEP_UNTIL)
    return store.spend(token) is Spending.SPENT


def token(
    number: int, generation: int, *, after_ms: int = 0, grace_ms: int = 30_000
) -> PresentedRefresh:
    """Return a refresh token of the round's session."""
    now_ms = NOW * 1000 + after_ms
    return PresentedRefresh(
        f"ses_3f{number}",
        "3f user",
        "pk",
        generation,
        NOW * 1000,
        now_ms,
        grace_ms,
        KEEP_UNTIL,
    )


def rotate(store: Store, number: int) -> tuple[Outcome, int]:
    """Present the round's first refresh token."""
    rotation = store.rotate(token(number, 0))
    return rotation.outcome, rotation.generation


def logout_or_rotate(store: Store, number: int) -> tuple[Outcome, int] | None:
    """End the round's session and present its token, both from every racer."""
    store.revoke_session(f"ses_3f{number}", keep_until=KEEP_UNTIL, now=NOW)
    return rotate(store, number)


def use_twice(store: Store, number: int) -> list[Outcome]:
    """Present a token, and present it again after the grace, as a thief would."""
    first = store.rotate(token(number, 0, grace_ms=0)).outcome
    return [first, store.rotate(token(number, 0, after_ms=1, grace_ms=0)).outcome]


def race_in_threads(
    store: Store,
    job: Job,
    *,
    threads: int = THREADS,
    rounds: int = ROUNDS,
    start: Callable[[], Any] | None = None,
) -> list[list[Any]]:
    """Have threads do a job at the same moment, round after round; return the answers a round."""
    ready = threading.Barrier(threads, action=start)
    answers: list[list[Any]] = [[] for _ in range(rounds)]

    def run() -> None:
        for number in range(rounds):
            ready.wait(PATIENCE)
            try:
                answer = job(store, number)
            except StoreError as error:
                answer = str(error)
            answers[number].append(answer)

    racers = [threading.Thread(target=run) for _ in range(threads)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return answers


def _run_process(url: str, job: Job, field: Field, start: Any, out: Any) -> None:
    with closing(store_from_url(url)) as store:
        store.begin(BEGAN_MS)
        out.put(
            race_in_threads(
                store,
                job,
                threads=field.threads,
                rounds=field.rounds,
                start=lambda: start.wait(PATIENCE),
            )
        )


def race_in_processes(url: str, job: Job, field: Field) -> list[list[Any]]:
    """Have processes do a job at the same moment, round after round; return the answers a round.

    They are forked of a process that has imported and not opened: they share the store and
    nothing else.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "kataven_flask.store.redis"])
    start, out = context.Barrier(field.processes), context.Queue()
    racers = [
        context.Process(target=_run_process, args=(url, job, field, start, out), daemon=True)
        for _ in range(field.processes)
    ]
    for racer in racers:
        racer.start()
    by_process = [out.get(timeout=PATIENCE * 3) for _ in racers]
    for racer in racers:
        racer.join(PATIENCE)
    out.close()
    out.join_thread()
    rounds = [
        [answer for each in answers for answer in each] for answers in zip(*by_process, strict=True)
    ]
    assert [len(answers) for answers in rounds] == [field.processes * field.threads] * field.rounds
    return rounds


def assert_one_spends(answers: list[list[Any]]) -> None:
    """Hold that in every round exactly one was told yes, and all the others no."""
    for answer in answers:
        assert Counter(map(str, answer)) == {"True": 1, "False": len(answer) - 1}


def assert_one_rotates(answers: list[list[Any]]) -> None:
    """Hold that in every round one rotation moved, and all others got its successor."""
    for answer in answers:
        counted = Counter(answer)
        assert counted == {
            (Outcome.ROTATED, 1): 1,
            (Outcome.REPEATED, 1): len(answer) - 1,
        }


class TestThreads:
    """Threads of one server."""

    def test_one_spends(self, store: Store) -> None:
        """A visitor token that many tabs exchange at once is spent by exactly one."""
        assert_one_spends(race_in_threads(store, spend))

    def test_one_rotates(self, store: Store) -> None:
        """A refresh token that many tabs present at once rotates once; all get the successor."""
        assert_one_rotates(race_in_threads(store, rotate))

    def test_a_logout_wins(self, store: Store) -> None:
        """Once a logout was answered, no refresh succeeds, however close they come."""
        for answer in race_in_threads(store, logout_or_rotate):
            assert {outcome for outcome, _ in answer} == {Outcome.REVOKED}

    def test_a_thief_ends_the_session(self, store: Store) -> None:
        """However a copied token and its original interleave, the session is over at the end."""
        for number, answer in enumerate(race_in_threads(store, use_twice)):
            outcomes = Counter(outcome for pair in answer for outcome in pair)
            assert outcomes[Outcome.ROTATED] == 1
            assert outcomes[Outcome.REUSED] == 1
            last = store.rotate(token(number, 1, after_ms=2, grace_ms=0))
            assert last.outcome is Outcome.REVOKED

    @pytest.mark.parametrize("attempt", range(20))
    def test_a_fresh_store(self, store: Store, attempt: int) -> None:  # noqa: ARG002 - a fresh one each
        """The very first requests of a new server all get an answer, however many come at once."""
        assert_one_spends(race_in_threads(store, spend, rounds=1))


@pytest.mark.faults
class TestManyThreads:
    """As many as a busy server may have."""

    def test_one_spends(self, store: Store) -> None:
        """A visitor token is spent by exactly one, two hundred times over."""
        assert_one_spends(race_in_threads(store, spend, threads=64, rounds=200))

    def test_one_rotates(self, store: Store) -> None:
        """A refresh token rotates once, two hundred times over."""
        assert_one_rotates(race_in_threads(store, rotate, threads=64, rounds=200))


@pytest.mark.parametrize("field", FIELDS)
class TestProcesses:
    """Workers on one machine, or servers on many."""

    def test_one_spends(self, shared_url: str, field: Field) -> None:
        """A visitor token that reaches several workers at once is spent by exactly one."""
        assert_one_spends(race_in_processes(shared_url, spend, field))

    def test_one_rotates(self, shared_url: str, field: Field) -> None:
        """A refresh token that reaches several workers at once rotates once."""
        assert_one_rotates(race_in_processes(shared_url, rotate, field))

    def test_a_logout_wins(self, shared_url: str, field: Field) -> None:
        """A logout that one worker answered holds for every other."""
        for answer in race_in_processes(shared_url, logout_or_rotate, field):
            assert {outcome for outcome, _ in answer} == {Outcome.REVOKED}
