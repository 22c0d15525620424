"""The Redis store: its URL, what it keeps and for how long, and Redis out of reach."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import redis

from kataven_flask.errors import ConfigurationError, StoreError
from kataven_flask.store import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Spending,
    Store,
    public_url,
    store_from_url,
)
from kataven_flask.store.base import SHARDS
from kataven_flask.store.redis import STEP_TIMEOUT, RedisStore
from kataven_flask.store.redis_connections import ANSWER_TIMEOUT, CONNECT_TIMEOUT
from kataven_flask.store.redis_url import RedisAddress
from tests.redis_server import RedisCluster, RedisServer, running_cluster, running_redis

NOW: Final = 1_790_000_000
NOW_MS: Final = NOW * 1000
BEGAN_MS: Final = NOW_MS - 1_000_000
KEEP: Final = 86_400
DAY: Final = 86_400
PROMISED: Final = 2.0
"""Seconds within which a caller is promised an answer, `503` included."""


def visitor(jti: str = "vis_1", *, keep: int = KEEP) -> PresentedVisitor:
    """Return a visitor token that was minted now."""
    return PresentedVisitor(jti, "3f user", "pk", NOW, NOW_MS, NOW + keep)


def refresh(
    generation: int = 0, *, sid: str = "ses_3f1", keep: int = KEEP, grace_ms: int = 30_000
) -> PresentedRefresh:
    """Return a refresh token of a user's session."""
    return PresentedRefresh(sid, "3f user", "pk", generation, NOW_MS, NOW_MS, grace_ms, NOW + keep)


STEPS: Final[dict[str, Callable[[Store], object]]] = {
    "begin": lambda store: store.begin(BEGAN_MS),
    "since": lambda store: store.since_ms(),
    "spend": lambda store: store.spend(visitor()),
    "rotate": lambda store: store.rotate(refresh()),
    "revoke_session": lambda store: store.revoke_session("ses_3f1", keep_until=NOW + 9, now=NOW),
    "revoke_user": lambda store: store.revoke_user("3f", at_ms=NOW * 1000, keep_until=NOW + 9),
    "revoke_key": lambda store: store.revoke_key("pk", at_ms=NOW * 1000, keep_until=NOW + 9),
    "ping": lambda store: store.ping(),
}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
every_writing_step = pytest.mark.parametrize(
    "step",
    [pytest.param(step, id=name) for name, step in STEPS.items() if name not in {"begin", "since"}],
)


def connected(url: str) -> RedisStore:
    """Return a store at a URL."""
    return RedisStore(RedisAddress.parse(url))


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """Return a redis-server that keeps nothing yet."""
    redis_server.command("FLUSHALL")
    return redis_server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    """Return a store on it."""
    with closing(connected(server.url)) as store:
        store.begin(BEGAN_MS)
        yield store


class TestUrl:
    """What an operator writes after `--state`."""

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://localhost:7000/3", "redis://localhost:7000/3"),
            ("redis://:hunter2@cache", "redis://cache:6379/0"),
            ("redis://ann:hunter2@cache/", "redis://cache:6379/0"),
            ("rediss://cache", "rediss://cache:6379/0"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0"),
            ("redis+cluster://cache:7000", "redis+cluster://cache:7000/0"),
            ("rediss+cluster://cache:7000/0", "rediss+cluster://cache:7000/0"),
        ],
    )
    def test_is_read(self, url: str, shown: str) -> None:
        """A URL is read, and shown without what may be secret."""
        address = RedisAddress.parse(url)
        assert str(address) == shown
        assert "hunter2" not in repr(address) + str(address) + public_url(url)

    def test_a_password_is_percent_decoded(self) -> None:
        """Whatever a password has in it, it can be written."""
        address = RedisAddress.parse("redis://an%40n:p%2Fw%23%3A%40%25@cache")
        assert (address.username, address.password) == ("an@n", "p/w#:@%")

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("redis://", "lacks the host"),
            ("redis:///0", "lacks the host"),
            ("redis://h:port", "can't be read"),
            ("redis://h:99999", "can't be read"),
            ("redis://[::1", "can't be read"),
            ("redis://h/zero", "number of a database"),
            ("redis://h/0/1", "number of a database"),
            ("redis://h/-1", "number of a database"),
            ("redis://h/٣", "number of a database"),
            ("redis+cluster://h/1", "database 0"),
            ("redis://:hunter2@h?db=3", "its options are"),
            ("redis://h?hunter2=x@h", "its options are"),
            ("redis://hunter2@h", "no password"),
            ("redis://h:0", "host or its port"),
            ("redis://a..b", "host or its port"),
            (f"redis://{'a' * 64}.example", "host or its port"),
            ("redis://a,b", "host or its port"),
            ("redis://a b", "host or its port"),
            ("redis://:hunter2@h?ssl_cert_reqs=none", "its options are"),
            ("rediss://h?ssl_check_hostname=no", "its options are"),
            ("redis://h?decode_responses", "can't be read"),
            ("redis://:hunter#2@h", "can't be read|lacks the host|'#'"),
            ("redis://:hunter2@h#x", "'#'"),
            ("redis://h?ssl_ca_certs=/etc/ca.pem", "rediss"),
        ],
    )
    def test_a_bad_one_is_told(self, url: str, why: str) -> None:
        """What can't be used is told at the start, with how to write it, and never repeated."""
        with pytest.raises(ConfigurationError, match=why) as refusal:
            store_from_url(url)
        assert "hunter" not in str(refusal.value)
        assert "redis://:password@host:6379/0" in str(refusal.value)

    def test_a_missing_certificate_is_told(self, tmp_path: Path) -> None:
        """A file of certificates that isn't there is told at the start."""
        with pytest.raises(ConfigurationError, match="no-such"):
            store_from_url(f"rediss://h?ssl_ca_certs={tmp_path}/no-such.pem")

    def test_nobody_there_is_no_mistake(self) -> None:
        """A Redis that is out of reach at the start may come later."""
        with closing(store_from_url("redis://127.0.0.1:1")) as store, pytest.raises(StoreError):
            store.ping()

    def test_without_redis_py(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who lacks the extra is told its name."""
        monkeypatch.setitem(sys.modules, "redis", None)
        monkeypatch.delitem(sys.modules, "kataven_flask.store.redis")
        with pytest.raises(ConfigurationError, match=r"kataven-flask\[redis\]"):
            store_from_url("redis://localhost")


class TestKept:
    """What is kept, and for how long."""

    def test_everything_ends(self, store: RedisStore, server: RedisServer) -> None:
        """Each entry outlives the token it stands for, and not by much."""
        for step in STEPS.values():
            step(store)
        with server.client() as client:
            keys: Any = client.keys("*")
            lifetimes = {key: client.ttl(key) for key in keys}
        notes = [lifetimes.pop(key) for key in keys if key.endswith(":since")]
        assert len(notes) == len(SHARDS)
        assert min(notes) > 9 * 365 * DAY
        assert len(lifetimes) == 3 + len(SHARDS) + 1
        for key, lifetime in lifetimes.items():
            kept = KEEP if ("spent" in key or "session" in key) else 60 if "ping" in key else 9
            assert kept - 5 <= lifetime <= kept, key

    def test_a_longer_life_stays(self, store: RedisStore, server: RedisServer) -> None:
        """A later step that asks for less shortens nothing."""
        store.rotate(refresh(keep=1000))
        store.rotate(refresh(1, keep=10))
        store.revoke_session("ses_3f1", keep_until=NOW + 10, now=NOW)
        assert 990 < int(server.command("TTL", "kataven:{3f}:session:ses_3f1")) <= 1000

    def test_keeps_no_person(self, store: RedisStore, server: RedisServer) -> None:
        """What is kept is what it was given: ids, numbers, digests."""
        store.spend(visitor())
        store.rotate(refresh())
        with server.client() as client:
            kept: Any = {
                key: client.get(key) for key in client.scan_iter("*") if "since" not in key
            }
        generation, rotated_ms, revoked, _ = kept.pop("kataven:{3f}:session:ses_3f1").split(" ")
        assert (generation, rotated_ms, revoked) == ("1", str(NOW * 1000), "0")
        assert set(kept) == {"kataven:{3f}:spent:vis_1"}

    def test_a_restart_of_redis_forgets_no_script(
        self, store: RedisStore, server: RedisServer
    ) -> None:
        """Scripts that Redis lost are sent again, within the same step."""
        store.begin(BEGAN_MS)
        server.command("SCRIPT", "FLUSH")
        assert store.spend(visitor()) is Spending.SPENT

    @pytest.mark.parametrize("damaged", ["", "1", "x y z", "1 2 3 4", "-1 5 0 x"])
    def test_a_damaged_entry_fails_closed(
        self, store: RedisStore, server: RedisServer, damaged: str
    ) -> None:
        """An entry that isn't ours gives no token."""
        store.begin(BEGAN_MS)
        server.command("SET", "kataven:{3f}:session:ses_3f1", damaged)
        for generation in (0, 1):
            with pytest.raises(StoreError):
                store.rotate(refresh(generation))

    def test_one_that_forgets_everything_is_no_store(
        self, store: RedisStore, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where nothing that is written stays, no token is taken."""
        note = RedisStore._note_since_ms  # noqa: SLF001 - nothing else is between two commands

        def note_in_vain(self: RedisStore, since_ms: int) -> None:
            note(self, since_ms)
            server.command("FLUSHALL")

        monkeypatch.setattr(RedisStore, "_note_since_ms", note_in_vain)
        server.command("FLUSHALL")
        with pytest.raises(StoreError, match="forgets"):
            store.rotate(refresh())


class TestEviction:
    """A Redis that may throw away what must be remembered."""

    def test_is_warned_of(
        self, store: RedisStore, server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The operator is told what to set."""
        server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            store.begin(BEGAN_MS)
        finally:
            server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert "maxmemory-policy noeviction" in caplog.text

    def test_is_not_warned_of_in_vain(
        self, store: RedisStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One that keeps all it is given is fine."""
        with caplog.at_level(logging.WARNING):
            store.begin(BEGAN_MS)
        assert caplog.text == ""


class Way:
    """A way to Redis that counts what is sent, and can lose the next answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lose_next = False
        self.lost = 0
        self.trips = 0
        self.delay = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close the way."""
        self._listener.close()

    def lead_to(self, port: int) -> None:
        """Lead whoever connects from now on to another port."""
        self._port = port

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            while asked := near.recv(65536):
                self.trips += 1
                far.sendall(asked)
                answer = far.recv(65536)
                time.sleep(self.delay)
                if self.lose_next:
                    self.lose_next = False
                    self.lost += 1
                    return
                near.sendall(answer)


@pytest.fixture
def way(server: RedisServer) -> Iterator[Way]:
    """Return a way to Redis."""
    with closing(Way(server.port)) as way:
        yield way


@pytest.fixture
def far_store(server: RedisServer, way: Way) -> Iterator[RedisStore]:
    """Return a store at the end of that way."""
    with closing(connected(server.url)) as store:
        store.begin(BEGAN_MS)
    with closing(connected(f"redis://127.0.0.1:{way.port}")) as store:
        yield store


@pytest.mark.parametrize("name", ["spend", "rotate", "revoke_session", "revoke_user", "ping"])
def test_one_round_trip(far_store: RedisStore, way: Way, name: str) -> None:
    """A step goes to Redis once."""
    assert trips(far_store, way, name) == 1


def test_one_round_trip_to_all_shards(far_store: RedisStore, way: Way) -> None:
    """What concerns every shard is sent without waiting, in the one or two pieces that it makes."""
    assert trips(far_store, way, "since") <= 2


def trips(store: RedisStore, way: Way, name: str) -> int:
    """Return how often a step that was done before goes to Redis."""
    STEPS[name](store)  # connects, and sends the script that Redis doesn't know yet
    before = way.trips
    STEPS[name](store)
    return way.trips - before


class TestLostAnswer:
    """The connection breaks after Redis has done what it was asked."""

    def test_of_a_spending(self, far_store: RedisStore, way: Way) -> None:
        """The visitor gets their session: the token was spent for them."""
        far_store.spend(visitor("vis_0"))
        way.lose_next = True
        assert far_store.spend(visitor()) is Spending.SPENT
        assert way.lost == 1
        assert far_store.spend(visitor()) is Spending.USED

    @pytest.mark.parametrize("grace_ms", [0, 30_000])
    def test_of_a_rotation(self, far_store: RedisStore, way: Way, grace_ms: int) -> None:
        """The session goes on by one generation, even where there is no grace."""
        far_store.rotate(refresh(sid="ses_3f0"))
        way.lose_next = True
        rotation = far_store.rotate(refresh(grace_ms=grace_ms))
        assert way.lost == 1
        assert (rotation.outcome, rotation.generation) == (Outcome.ROTATED, 1)
        again = Outcome.REPEATED if grace_ms else Outcome.REUSED
        assert far_store.rotate(refresh(grace_ms=grace_ms)).outcome is again


class TestOutOfReach:
    """Redis is down, silent, or not to be used by us."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[RedisServer]:
        """Return a redis-server that a test may do anything to."""
        with running_redis(tmp_path / "own") as server:
            yield server

    @every_step
    def test_silent(self, own: RedisServer, step: Callable[[Store], object]) -> None:
        """A Redis that stops answering is given up in time, and found again."""
        assert CONNECT_TIMEOUT + 3 * ANSWER_TIMEOUT < PROMISED
        assert STEP_TIMEOUT + ANSWER_TIMEOUT < PROMISED
        with closing(connected(own.url)) as store:
            store.begin(BEGAN_MS)
            own.pause()
            began = time.monotonic()
            with pytest.raises(StoreError, match=f":{own.port}"):
                step(store)
            assert time.monotonic() - began < PROMISED
            own.resume()
            store.ping()

    @every_step
    def test_silent_from_the_start(self, own: RedisServer, step: Callable[[Store], object]) -> None:
        """One that never answered a connection is given up in time, too."""
        own.pause()
        with closing(connected(own.url)) as store:
            began = time.monotonic()
            with pytest.raises(StoreError):
                step(store)
            assert time.monotonic() - began < PROMISED

    @every_step
    def test_down(self, own: RedisServer, step: Callable[[Store], object]) -> None:
        """A Redis that is down is told of, and found again once it is up."""
        with closing(connected(own.url)) as store:
            store.begin(BEGAN_MS)
            own.stop()
            with pytest.raises(StoreError):
                step(store)
            own.start()
            step(store)

    def test_restarted_between_steps(self, own: RedisServer) -> None:
        """A connection that broke while nothing was asked costs nobody an error."""
        with closing(connected(own.url)) as store:
            store.ping()
            store.spend(visitor("vis_0"))
            own.stop()
            own.start()
            assert store.spend(visitor("vis_0")) is Spending.UNKNOWN, "it was restarted empty"
            store.ping()

    @every_writing_step
    def test_full(self, own: RedisServer, step: Callable[[Store], object]) -> None:
        """A Redis that takes no more fails closed."""
        with closing(connected(own.url)) as store:
            store.begin(BEGAN_MS)
            own.command("CONFIG", "SET", "maxmemory", 1)
            with pytest.raises(StoreError, match="maxmemory"):
                step(store)
            own.command("CONFIG", "SET", "maxmemory", 0)
            step(store)

    @every_writing_step
    def test_read_only(self, own: RedisServer, step: Callable[[Store], object]) -> None:
        """A replica that can't be written fails closed."""
        with closing(connected(own.url)) as store:
            store.begin(BEGAN_MS)
            own.command("REPLICAOF", "127.0.0.1", 1)
            with pytest.raises(StoreError):
                step(store)
            own.command("REPLICAOF", "NO", "ONE")
            step(store)

    def test_another_takes_over(self, own: RedisServer, tmp_path: Path) -> None:
        """Where the name leads to a new primary, the old one's connections are left."""
        with running_redis(tmp_path / "next") as following:
            for server in (own, following):
                with closing(connected(server.url)) as near:
                    near.begin(BEGAN_MS)
            address = Way(own.port)
            with (
                closing(address),
                closing(connected(f"redis://127.0.0.1:{address.port}")) as store,
            ):
                store.ping()
                store.spend(visitor("vis_0"))
                own.command("REPLICAOF", "127.0.0.1", following.port)
                address.lead_to(following.port)
                with pytest.raises(StoreError):
                    store.ping()
                store.ping()
                assert store.spend(visitor()) is Spending.SPENT

    def test_slow(self, server: RedisServer) -> None:
        """A Redis that takes its time at each turn is given up in time, however many there are."""
        with closing(connected(server.url_of(3))) as near:
            near.begin(BEGAN_MS)
        server.command("SCRIPT", "FLUSH")
        address = Way(server.port)
        address.delay = ANSWER_TIMEOUT * 0.8
        with closing(address), closing(connected(f"redis://127.0.0.1:{address.port}/3")) as store:
            began = time.monotonic()
            with suppress(StoreError):
                store.rotate(refresh())
            assert time.monotonic() - began < PROMISED

    @every_step
    def test_a_wrong_password(self, tmp_path: Path, step: Callable[[Store], object]) -> None:
        """Who isn't let in is told so, without the password."""
        with running_redis(tmp_path / "own", password="hunter2") as own:
            with closing(connected(own.url)) as store:
                step(store)
            for wrong in (own.url.replace("hunter2", "wrong"), own.url.replace(":hunter2@", "")):
                with closing(connected(wrong)) as store:
                    with pytest.raises(StoreError) as error:
                        step(store)
                    assert "wrong@" not in str(error.value)
                    assert "hunter2" not in str(error.value)


class TestTls:
    """Redis behind TLS."""

    def test_is_verified(self, tmp_path: Path) -> None:
        """The authority is ours, the host name is checked, and plain text is not spoken."""
        with running_redis(tmp_path / "own", tls=True, password="p@ss/w:rd") as own:
            with closing(connected(own.url)) as store:
                store.begin(BEGAN_MS)
                assert store.spend(visitor()) is Spending.SPENT
                assert store.spend(visitor()) is Spending.USED
            unknown_authority = own.url.partition("?")[0]
            other_name = own.url.replace("127.0.0.1", "localhost")
            plain = unknown_authority.replace("rediss:", "redis:")
            for url in (unknown_authority, other_name, plain):
                with closing(connected(url)) as store, pytest.raises(StoreError):
                    store.ping()


def test_a_fork_has_its_own_connections(store: RedisStore, server: RedisServer) -> None:
    """A worker that was forked off an open store doesn't share its parent's connections."""

    def connections() -> int:
        received: int = server.command("INFO", "stats")["total_connections_received"]
        return received

    assert store.spend(visitor()) is Spending.SPENT
    before = connections()
    child = os.fork()
    if child == 0:
        os._exit(0 if store.spend(visitor()) is Spending.USED else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert connections() == before + 2, "the child's, and that by which we ask"
    assert store.spend(visitor()) is Spending.USED


def test_an_answer_is_left_to_nobody(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request was to be told that was broken off isn't told to the next one."""
    assert store.spend(visitor("vis_0")) is Spending.SPENT
    with monkeypatch.context() as patch:
        patch.setattr(redis.Connection, "read_response", _broken_off)
        with pytest.raises(KeyboardInterrupt):
            store.spend(visitor())
    assert store.rotate(refresh()).outcome is Outcome.ROTATED


def _broken_off(_connection: redis.Connection, **_options: object) -> NoReturn:
    raise KeyboardInterrupt


def test_a_database_of_its_own(server: RedisServer) -> None:
    """The number after the slash is the database that is used."""
    with closing(connected(server.url_of(3))) as third, closing(connected(server.url)) as first:
        third.begin(BEGAN_MS)
        first.begin(BEGAN_MS)
        assert third.spend(visitor()) is Spending.SPENT
        assert first.spend(visitor()) is Spending.SPENT
        assert third.spend(visitor()) is Spending.USED


class TestCluster:
    """A cluster, one node of which fails."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[RedisCluster]:
        """Return a cluster that a test may do anything to."""
        with running_cluster(tmp_path / "cluster") as cluster:
            yield cluster

    @pytest.mark.parametrize("fault", ["pause", "stop"])
    def test_a_node_fails(self, own: RedisCluster, fault: str) -> None:
        """Steps on that node are given up in time, and done again once it is back."""
        with closing(connected(own.url)) as store:
            store.begin(BEGAN_MS)
            node = own.nodes[1]
            getattr(node, fault)()
            refused = 0
            for shard in SHARDS[:12]:
                began = time.monotonic()
                try:
                    store.rotate(refresh(sid=f"ses_{shard}1"))
                except StoreError:
                    refused += 1
                assert time.monotonic() - began < PROMISED
            assert refused > 0
            node.resume() if fault == "pause" else node.start()
            wait = time.monotonic() + 20
            while True:
                with suppress(StoreError):
                    for shard in SHARDS:
                        store.rotate(refresh(sid=f"ses_{shard}2"))
                    break
                assert time.monotonic() < wait
