"""Two servers that share a store: of all who come at once, one spends and one rotates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.client import USED, Client
from tests.faults.racing import RACERS, race
from tests.faults.serving import Served, served

pytestmark = pytest.mark.faults

ROUNDS: Final = 200
WORKERS: Final = 2


@pytest.fixture
def servers(tmp_path: Path, shared_state: str) -> Iterator[list[Served]]:
    """Serve twice over one store and one instance folder, as two hosts would."""
    with (
        served(tmp_path / "host", shared_state, WORKERS) as first,
        served(tmp_path / "host", shared_state, WORKERS) as second,
    ):
        yield [first, second]


def exchange(client: Client, token: str) -> tuple[int, str | None]:
    """Exchange a visitor token; return what it came to."""
    return client.exchange(token).kind


def refresh(client: Client, token: str) -> Any:
    """Present a refresh token; return its successor, or why there is none."""
    answer = client.refresh(token)
    return answer["refresh_token"] if answer.status == 200 else answer.kind


def test_of_all_who_exchange_a_token_one_is_signed_in(servers: list[Served]) -> None:
    """A visitor token that reaches two servers many times at once begins exactly one session."""
    with servers[0].client() as client:
        tokens = [client.visitor_token() for _ in range(ROUNDS)]
    rounds = race(exchange, [server.port for server in servers], tokens)
    assert len(rounds) == ROUNDS
    for answers in rounds:
        assert Counter(answers) == {(200, None): 1, USED: RACERS - 1}


def test_all_who_renew_a_session_go_on_with_one_token(servers: list[Served]) -> None:
    """A refresh token that reaches two servers many times at once rotates exactly once."""
    with servers[0].client() as client:
        tokens = [client.session(str(number)) for number in range(ROUNDS)]
        client.close()  # a server hangs up on who is idle for as long as a race may take
        rounds = race(refresh, [server.port for server in servers], tokens)
        assert len(rounds) == ROUNDS
        for answers in rounds:
            (successor,) = set(answers)
            assert client.refresh(successor).status == 200
