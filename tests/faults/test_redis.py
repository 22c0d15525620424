"""Redis stopped, paused, full, lost: what needs it fails closed, the rest goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from tests.faults.client import DOWN, OK, REVOKED
from tests.faults.hammering import CLIENTS, assert_pages_dont_wait, new_session, refreshed
from tests.faults.promises import (
    PROMISED,
    Held,
    assert_fails_closed,
    assert_new_visitors_are_served,
    assert_recovers,
    assert_the_rest_goes_on,
    await_recovery,
)
from tests.faults.serving import Served, served
from tests.redis_server import RedisServer, running_cluster, running_redis
from tests.running import free_port, wait_until

pytestmark = pytest.mark.faults

VISITORS: Final = 24
"""So many that each node of a cluster knows some."""
PASSWORD: Final = "p-4ss/w@rd: of the tests"
ANOTHER: Final = "an-0ther w@rd"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a Redis that has a password, and keeps its data unless a test has it lose them."""
    with running_redis(tmp_path / "redis", password=PASSWORD, appendonly=True) as redis:
        yield redis


@pytest.fixture
def server(tmp_path: Path, redis: RedisServer) -> Iterator[Served]:
    """Serve over that Redis; the log is looked through at the end."""
    with served(tmp_path / "host", redis.url) as server:
        yield server
        server.assert_log_is_clean(PASSWORD, quote(PASSWORD, safe=""), ANOTHER)


@pytest.fixture
def held(server: Served) -> Held:
    """Have visitors come before the fault does."""
    with server.client() as client:
        return Held.by(client)


# --- out of reach, with all that it knows


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a Redis, and how its operator mends it."""

    strike: Callable[[RedisServer], object]
    mend: Callable[[RedisServer], object]


FAULTS: Final = {
    "stopped": Fault(RedisServer.stop, RedisServer.start),
    "killed": Fault(RedisServer.kill, RedisServer.start),
    "paused": Fault(RedisServer.pause, RedisServer.resume),
    "out of memory": Fault(
        lambda redis: redis.command("CONFIG", "SET", "maxmemory", 1),
        lambda redis: redis.command("CONFIG", "SET", "maxmemory", 0),
    ),
    "a read-only replica": Fault(
        lambda redis: redis.command("REPLICAOF", "127.0.0.1", free_port()),
        lambda redis: redis.command("REPLICAOF", "NO", "ONE"),
    ),
    "another password": Fault(
        lambda redis: redis.change_password(ANOTHER),
        lambda redis: redis.change_password(PASSWORD),
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_out_of_reach(server: Served, redis: RedisServer, held: Held, fault: Fault) -> None:
    """Who needs the state is told to come back, and then goes on; nobody else notices."""
    fault.strike(redis)
    with server.client() as client:
        for _ in range(2):
            assert_fails_closed(client, held)
            assert_the_rest_goes_on(client)
    server.wait_for(rf'"error".*127\.0\.0\.1:{redis.port}')
    fault.mend(redis)
    with server.client() as client:
        assert_recovers(client, held)


def test_away_from_the_start(server: Served, redis: RedisServer, held: Held) -> None:
    """A server that starts while its Redis is away serves guests, and all once it is there."""
    server.kill()
    redis.stop()
    server.start()
    with server.client() as client:
        assert_fails_closed(client, held)
        assert_the_rest_goes_on(client)
        redis.start()
        assert_recovers(client, held)


def test_pooled_connections_that_broke(server: Served, redis: RedisServer, held: Held) -> None:
    """A Redis that was restarted between two requests costs neither of them an error."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        tokens = list(pool.map(lambda _: new_session(server), range(CLIENTS)))
        redis.kill()
        redis.start()
        assert set(pool.map(lambda token: refreshed(server, token).kind, tokens)) == {OK}
    with server.client() as client:
        assert_recovers(client, held)


# --- under load


@contextmanager
def paused(redis: RedisServer) -> Iterator[None]:
    """Have Redis answer nothing for a while."""
    redis.pause()
    try:
        yield
    finally:
        redis.resume()


def test_pages_dont_wait_for_a_redis_that_is_paused(server: Served, redis: RedisServer) -> None:
    """However many wait for Redis, a page gets its config, and nobody waits over two seconds."""
    assert_pages_dont_wait(server, lambda: paused(redis))


def test_a_pause_that_is_longer_than_the_grace(server: Served, redis: RedisServer) -> None:
    """A session that asks for its renewal all through a long pause goes on after it.

    Redis does what it was sent before it was paused once it goes on: it may then have
    rotated a token whose visitor was told to come back.
    """
    server.kill()
    server.edit(refresh_grace="1s")
    server.start()
    with server.client() as client:
        token = client.renewed(client.session())
        with paused(redis):
            began = time.monotonic()
            while time.monotonic() - began < 2 * PROMISED:
                assert client.refresh(token).kind == DOWN
        await_recovery(client)
        client.renewed(client.renewed(token))


# --- lost, with all that it knew


def restart_empty(redis: RedisServer, _: Path) -> None:
    """Have Redis lose its data."""
    redis.kill()
    redis.start(empty=True)


def replace(redis: RedisServer, folder: Path) -> None:
    """Put another Redis in the place of one."""
    redis.kill()
    redis.folder = folder / "another"
    redis.folder.mkdir()
    redis.start()


def flush(redis: RedisServer, _: Path) -> None:
    """Have an operator empty it by mistake."""
    redis.command("FLUSHALL")


LOSSES: Final = {"restarted empty": restart_empty, "replaced": replace, "flushed": flush}


@dataclass(frozen=True, slots=True)
class Before:
    """What was out when Redis lost its memory.

    Args:
        spent: A visitor token that was exchanged.
        fresh: A visitor token that was not.
        first: A session's refresh token, never used.
        rotated: A session's refresh token that is its second.
        left: The first refresh token of a session that was logged out.
        revoked: The first refresh token of a user who was revoked.
    """

    spent: str
    fresh: str
    first: str
    rotated: str
    left: str
    revoked: str


@pytest.fixture
def before(server: Served) -> Before:
    """Have visitors come, go, and be sent away before the memory is lost."""
    with server.client() as client:
        spent = client.visitor_token()
        first = client.exchange(spent)["refresh_token"]
        left, revoked = client.session(), client.session("revoked")
        client.logout(left)
        client.revoke("revoked")
        rotated = client.renewed(client.session())
        return Before(spent, client.visitor_token(), first, rotated, left, revoked)


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_an_empty_redis_is_no_loophole(
    server: Served, redis: RedisServer, before: Before, tmp_path: Path, lose: Callable[..., None]
) -> None:
    """What a Redis can't vouch for is refused, as often as it is tried; new sessions go on."""
    lose(redis, tmp_path)
    with server.client() as client:
        for _ in range(2):
            assert client.refresh(before.rotated).kind == REVOKED
            assert client.refresh(before.first).kind == REVOKED
            assert client.refresh(before.left).kind == REVOKED
            assert client.refresh(before.revoked).kind == REVOKED
            assert client.exchange(before.spent).status == 400
            assert client.exchange(before.fresh).status == 400
        assert_new_visitors_are_served(client)


def test_a_new_session_after_a_loss_goes_on(
    server: Served, redis: RedisServer, before: Before
) -> None:
    """Who comes once the server has seen that Redis lost its memory notices nothing."""
    redis.command("FLUSHALL")
    with server.client() as client:
        assert_new_visitors_are_served(client)
        assert client.exchange(before.spent).status == 400


def test_not_even_within_the_second(server: Served, redis: RedisServer) -> None:
    """A token that was minted in the very second of the loss isn't exchanged twice."""
    with server.client() as client:
        wait_until(lambda: time.time() % 1 < 0.1, "a second has just begun")
        token = client.visitor_token()
        assert client.exchange(token).kind == OK
        redis.command("FLUSHALL")
        assert client.exchange(token).status == 400


def test_a_server_that_starts_on_an_empty_redis_is_no_loophole(
    server: Served, redis: RedisServer, before: Before
) -> None:
    """What was spent or ended stays so where Redis and the server were started anew."""
    server.kill()
    redis.kill()
    redis.start(empty=True)
    server.start()
    with server.client() as client:
        assert client.exchange(before.spent).status == 400
        assert client.refresh(before.first).kind == REVOKED
        assert client.refresh(before.left).kind == REVOKED
        assert client.refresh(before.rotated).kind == REVOKED
        wait_until(lambda: client.get("/readyz").kind == OK, "ready")
        assert_new_visitors_are_served(client)


# --- other ways to reach it


def test_over_tls(tmp_path: Path) -> None:
    """A Redis that speaks TLS alone is reached, lost and found like any other."""
    with (
        running_redis(tmp_path / "redis", password=PASSWORD, appendonly=True, tls=True) as redis,
        served(tmp_path / "host", redis.url) as server,
        server.client() as client,
    ):
        held = Held.by(client)
        with paused(redis):
            assert_fails_closed(client, held)
            assert_the_rest_goes_on(client)
        redis.kill()
        assert_fails_closed(client, held)
        redis.start()
        assert_recovers(client, held)
        server.assert_log_is_clean(PASSWORD)


@pytest.mark.parametrize("lost", [0, 1], ids=["the one that is named", "another"])
def test_a_node_of_a_cluster_that_loses_its_memory(tmp_path: Path, lost: int) -> None:
    """The visitors whom it knew begin anew, the others go on, and nothing is spent twice."""
    with (
        running_cluster(tmp_path / "cluster") as cluster,
        served(tmp_path / "host", cluster.url) as server,
        server.client() as client,
    ):
        tokens = [client.visitor_token(f"user {number}") for number in range(VISITORS)]
        begun = [client.exchange(token)["refresh_token"] for token in tokens]
        sessions = [client.renewed(token) for token in begun]
        cluster.nodes[lost].kill()
        answers = [client.refresh(token) for token in sessions]
        assert {answer.kind for answer in answers} <= {OK, DOWN}
        assert max(answer.seconds for answer in answers) < PROMISED
        assert_the_rest_goes_on(client)
        cluster.nodes[lost].start()
        cluster.await_soundness()
        wait_until(lambda: DOWN not in {client.refresh(each).kind for each in sessions}, "back")
        assert {client.refresh(token).kind for token in sessions} == {OK, REVOKED}
        assert {client.exchange(token).status for token in tokens} == {400}
        assert_new_visitors_are_served(client)
        for number in range(VISITORS):
            assert client.renewed(client.session(f"another {number}"))
        server.assert_log_is_clean()
