"""What the tests themselves stand on: a port is one server's, however many tests run at once."""

from __future__ import annotations

import os

import pytest

from tests.running import PORTS, free_port, own_ports


def test_no_two_processes_share_a_port() -> None:
    """Each has a part of them, far larger than it needs."""
    shares = [
        own_ports({"PYTEST_XDIST_WORKER": f"gw{worker}", "PYTEST_XDIST_WORKER_COUNT": "3"})
        for worker in range(3)
    ]
    assert len(set().union(*shares)) == sum(map(len, shares))
    assert set().union(*shares) <= set(PORTS)
    assert min(map(len, shares)) > 3000


def test_what_is_further_up_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes two numbers never takes the next process' first with its own last."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    share = own_ports(os.environ)
    picks = iter([share[-1], *share])
    monkeypatch.setattr("secrets.choice", lambda _: next(picks))
    assert share[-1] + 1 in PORTS
    port = free_port(1)
    assert {port, port + 1} <= set(share)


def test_alone_it_has_them_all() -> None:
    """Who runs one test at a time is not told of workers."""
    assert own_ports({}) == PORTS


def test_no_port_is_given_twice() -> None:
    """Nor one that is a server's by its distance to another, as a cluster's node has."""
    given = [free_port() for _ in range(50)]
    pairs = [free_port(1) for _ in range(50)]
    every = [*given, *pairs, *(port + 1 for port in pairs)]
    assert len(set(every)) == len(every)
