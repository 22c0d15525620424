"""A server that is killed outright under load: what it had answered stands."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.faults.client import Client
from tests.faults.serving import Served, served
from tests.faults.visitors import Visitor
from tests.running import wait_until

pytestmark = pytest.mark.faults

KILLS: Final = 20
VISITORS: Final = 8


def killed_under_load(server: Served, visitors: list[Visitor], pool: ThreadPoolExecutor) -> None:
    """Have all visitors at it, and kill the server at a moment that nobody has chosen."""
    enough = sum(each.answered for each in visitors) + 50 + secrets.randbelow(400)
    loads = [pool.submit(with_client, server, each.load) for each in visitors]
    wait_until(
        lambda: sum(each.answered for each in visitors) >= enough or any(f.done() for f in loads),
        "the server is under load",
    )
    server.kill()
    for load in loads:
        load.result()


def with_client(server: Served, call: Callable[[Client], None]) -> None:
    """Do something with a connection of one's own."""
    with server.client() as client:
        call(client)


def test_nothing_answered_is_lost(tmp_path: Path, shared_state: str) -> None:
    """After each of twenty kills, spent tokens stay spent, sessions go on, and ended ones don't."""
    visitors = [Visitor() for _ in range(VISITORS)]
    with served(tmp_path / "host", shared_state) as server, ThreadPoolExecutor(VISITORS) as pool:
        for kill in range(KILLS):
            killed_under_load(server, visitors, pool)
            server.start(workers=1 + (kill + 1) % 2)  # turn and turn about
            for check in [pool.submit(with_client, server, each.check) for each in visitors]:
                check.result()
        for check in [pool.submit(with_client, server, each.check_all) for each in visitors]:
            check.result()
        server.assert_log_is_clean()
