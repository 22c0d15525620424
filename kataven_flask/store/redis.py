"""State in Redis 6.2 or later, Valkey, or a cluster of either: for servers on several hosts."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from kataven_flask.errors import StoreError
from kataven_flask.log import Log
from kataven_flask.store.base import (
    CLOCK_SKEW_MS,
    REMEMBERS_NOTHING,
    SHARDS,
    Hit,
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Rotation,
    Spending,
    shard_of,
)
from kataven_flask.store.redis_connections import Client, Connections, client_of
from kataven_flask.store.redis_url import RedisAddress

STEP_TIMEOUT: Final = 0.9
"""Seconds after which a step isn't asked again; the caller is promised an answer within two."""
DEADLINE_MS: Final = 1_000
"""Milliseconds after which Redis doesn't begin a step: its caller has given it up."""

_ATTEMPTS: Final = 3
"""A step, after the clock and the memory were set right, if need be."""
_PREFIX: Final = "kataven"
_CALLER_BYTES: Final = 6
_SINCE_KEPT: Final = 10 * 365 * 24 * 3600
"""Seconds; every server that starts begins them anew."""
_PING_KEPT: Final = 60
"""Seconds."""

_log = Log(__name__)


class RedisStore:
    """Keeps state in Redis; each step is one round trip and one script.

    What a step touches has one hash tag, the visitor's shard, so that it is on one node
    of a cluster. Each step is named by its caller: one that the client sends again after
    a broken connection gets the answer of the first.

    Args:
        address: Where it is. Whether it is in reach shows later.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._connections = Connections(self._new_connection)
        self._ahead_ms = 0.0  # of our monotonic clock; so every first step is late, and is told

    def begin(self, now_ms: int) -> None:
        """See `Store.begin`."""
        self._note_since_ms(now_ms)
        self._warn_of_eviction()

    def since_ms(self) -> int | None:
        """See `Store.since_ms`; where one node of a cluster lost its data, it is that one's."""
        with self._reaching():
            notes = self._on_every_shard(lambda pipeline, shard: pipeline.get(_key(shard, "since")))
        return max((int(since_ms) for since_ms in notes if since_ms is not None), default=None)

    def spend(self, presented: PresentedVisitor) -> Spending:
        """See `Store.spend`."""
        shard = shard_of(presented.user)
        keys = [
            _key(shard, "spent", presented.jti),
            _key(shard, "since"),
            _key(shard, "revoked", presented.client_key),
            _key(shard, "revoked", presented.user),
        ]
        (spending,) = self._step("spend", keys, presented, presented.minted)
        return Spending[spending]

    def rotate(self, presented: PresentedRefresh) -> Rotation:
        """See `Store.rotate`."""
        shard = shard_of(presented.sid)
        keys = [
            _key(shard, "session", presented.sid),
            _key(shard, "since"),
            _key(shard, "revoked", presented.client_key),
        ]
        if presented.user is not None:
            keys.append(_key(shard, "revoked", presented.user))
        outcome, generation, rotated_ms = self._step(
            "rotate",
            keys,
            presented,
            presented.generation,
            presented.began_ms,
            presented.now_ms,
            presented.grace_ms,
            CLOCK_SKEW_MS,
        )
        return Rotation(Outcome[outcome], int(generation), int(rotated_ms))

    def revoke_session(self, sid: str, *, keep_until: int, now: int) -> None:
        """See `Store.revoke_session`."""
        key = _key(shard_of(sid), "session", sid)
        with self._reaching():
            self._run("revoke_session", [key], _lifetime(keep_until, now))

    def revoke_user(self, user: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_user`."""
        key = _key(shard_of(user), "revoked", user)
        with self._reaching():
            self._run("revoke", [key], at_ms, _lifetime(keep_until, at_ms // 1000))

    def revoke_key(self, client_key: str, *, at_ms: int, keep_until: int) -> None:
        """See `Store.revoke_key`; it is one step on each shard."""
        text, _ = _SCRIPTS["revoke"]
        arguments = str(at_ms), str(_lifetime(keep_until, at_ms // 1000))

        def revoke(pipeline: Any, shard: str) -> None:
            # redis-py's own `eval` is not for a cluster's pipeline.
            key = _key(shard, "revoked", client_key)
            pipeline.execute_command("EVAL", text, 1, key, *arguments)

        with self._reaching():
            self._on_every_shard(revoke)

    def hit(self, name: str, *, limit: int, window: int, amount: int = 1) -> Hit:
        """See `Counts.hit`; it is by Redis' clock."""
        key = _key(shard_of(name), "count", name)
        with self._reaching():
            admitted, before, present, left_ms = self._run("hit", [key], limit, window, amount)
        return Hit(bool(admitted), before, present, left_ms / 1000)

    def ping(self) -> None:
        """See `Store.ping`."""
        with self._reaching():
            self._client.set(_key(SHARDS[0], "ping"), 1, ex=_PING_KEPT)

    def close(self) -> None:
        """See `Store.close`; the next step connects again."""
        self._connections.leave()
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    @cached_property
    def _client(self) -> Client:
        return client_of(self._address)

    def _new_connection(self) -> Any:
        client: Any = self._client
        pool = client.connection_pool
        return pool.connection_class(**pool.connection_kwargs)

    def _step(
        self,
        script: str,
        keys: list[str],
        presented: PresentedVisitor | PresentedRefresh,
        *arguments: object,
    ) -> list[Any]:
        """Run a script for a token; where Redis says so, set the clock or its memory right first.

        Redis carries out what it was sent before it was paused once it goes on. By then the
        caller was told that it failed, and the visitor may be trying again: a deadline, by
        Redis' own clock, keeps a step from being done behind their backs.
        """
        named = (_caller(), _lifetime(presented.keep_until, presented.now), *arguments)
        began = time.monotonic()
        for _ in range(_ATTEMPTS):
            if time.monotonic() - began > STEP_TIMEOUT:
                break
            deadline = time.monotonic() * 1000 + self._ahead_ms + DEADLINE_MS
            with self._reaching():
                answer: list[Any] = self._run(script, keys, f"{deadline:.0f}", *named)
            outcome, clock_ms, *rest = answer
            self._ahead_ms = int(clock_ms) - time.monotonic() * 1000
            if outcome == "BEGIN":
                self._note_since_ms(presented.now_ms + CLOCK_SKEW_MS)
                _log.warning(
                    REMEMBERS_NOTHING,
                    store=str(self._address),
                )
            elif outcome != "LATE":
                return [outcome, *rest]
        raise StoreError(f"{self._address}: it is too slow, or forgets what is written to it")

    def _run(self, script: str, keys: list[str], *arguments: object) -> Any:
        text, digest = _SCRIPTS[script]
        ask = self._client.execute_command if self._address.is_cluster else self._connections.ask
        try:
            return ask("EVALSHA", digest, len(keys), *keys, *arguments)
        except NoScriptError:  # it is new there, or was restarted
            return ask("EVAL", text, len(keys), *keys, *arguments)

    def _on_every_shard(self, queue: Callable[[Any, str], object]) -> list[Any]:
        pipeline: Any = self._client.pipeline(transaction=False)
        for shard in SHARDS:
            queue(pipeline, shard)
        answers: list[Any] = pipeline.execute()
        return answers

    def _note_since_ms(self, since_ms: int) -> None:
        def note(pipeline: Any, shard: str) -> None:
            key = _key(shard, "since")
            pipeline.set(key, since_ms, nx=True, ex=_SINCE_KEPT)
            pipeline.expire(key, _SINCE_KEPT)

        with self._reaching():
            self._on_every_shard(note)

    def _warn_of_eviction(self) -> None:
        try:
            memory: Any = self._client.info("memory")
        except (RedisError, RedisClusterException, OSError):
            return  # it may be forbidden to this user
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            _log.warning(
                "state store may evict what must be remembered; set maxmemory-policy noeviction",
                store=str(self._address),
                policy=policy,
            )

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, RedisClusterException, OSError, UnicodeError) as error:
            self._leave_idle_connections()
            raise StoreError(f"{self._address}: {error}") from error

    def _leave_idle_connections(self) -> None:
        """Connect anew at the next step: the name may lead to another Redis by now.

        One that became a replica keeps its connections and refuses what is written. (A
        cluster's client follows its nodes by itself.)
        """
        self._connections.leave()
        client = self.__dict__.get("_client")
        if isinstance(client, redis.Redis):
            client.connection_pool.disconnect(inuse_connections=False)


def _key(shard: str, *parts: str) -> str:
    """Name an entry; what stands in braces decides on which node of a cluster it is."""
    return ":".join((_PREFIX, f"{{{shard}}}", *parts))


def _lifetime(keep_until: int, now: int) -> int:
    """Return how many seconds Redis keeps an entry, by its own clock."""
    return max(1, keep_until - now)


def _caller() -> str:
    return secrets.token_urlsafe(_CALLER_BYTES)


def _load(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Read scripts, each with the digest that Redis knows it by."""
    folder = files("kataven_flask.store") / "lua"
    texts = {name: (folder / f"{name}.lua").read_text() for name in names}
    return {
        name: (text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        for name, text in texts.items()
    }


_SCRIPTS: Final = _load(("spend", "rotate", "revoke_session", "revoke", "hit"))
