"""How Redis is connected to: for how long one waits, and what is used again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kataven_flask.store.redis_url import RedisAddress

CONNECT_TIMEOUT: Final = 0.3
"""Seconds to wait for a connection."""
ANSWER_TIMEOUT: Final = 0.5
"""Seconds to wait for an answer: of the password, of the database and of the step itself."""
MAX_CONNECTIONS: Final = 256
"""As many as a server may have threads; each needs one at a time."""

Client = redis.Redis | redis.RedisCluster


def client_of(address: RedisAddress) -> Client:
    """Return a client of a Redis; a cluster's asks for its nodes here, so this may fail."""
    options: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "username": address.username,
        "password": address.password,
        "protocol": 2,  # the older needs no greeting,
        "driver_info": None,  # and a name is one more thing to wait for
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        "socket_keepalive": True,
        "max_connections": MAX_CONNECTIONS,
        "decode_responses": True,
        # A broken connection is worth one more try; a slow answer isn't. A cluster's
        # client can't tell them apart, and has asked the other nodes before it gives up.
        "retry": Retry(
            NoBackoff(),
            0 if address.is_cluster else 1,
            supported_errors=(redis.ConnectionError,),
        ),
    }
    if address.tls:
        verify = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        options |= {"ssl": True, **verify, **address.options}
    if address.is_cluster:
        return redis.RedisCluster(**options)
    client = redis.Redis(db=address.database, **options)
    pool: Any = client.connection_pool
    pool.connection_class = _bounded(pool.connection_class)
    return client


def _bounded(kind: Any) -> Any:
    """Return a class of connections that are made in time, or not at all.

    The system looks a name up for as long as it likes: with a name server that is away, 10 s and
    more. That thread may be the one that reads all requests, so another one does it.
    """

    class Bounded(kind):  # type: ignore[misc]
        def _connect(self) -> Any:
            return _within(CONNECT_TIMEOUT + ANSWER_TIMEOUT, super()._connect)

    return Bounded


def _within(seconds: float, connect: Callable[[], Any]) -> Any:
    made: Future[Any] = Future()

    def run() -> None:
        try:
            made.set_result(connect())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            made.set_exception(error)

    threading.Thread(target=run, name="redis-connect", daemon=True).start()
    try:
        return made.result(seconds)
    except TimeoutError:
        made.add_done_callback(_close)
        raise


def _close(made: Future[Any]) -> None:
    """Close a socket that came too late."""
    if made.exception() is None:
        made.result().close()


class Connections:
    """Connections that stay open, each for one thread at a time.

    redis-py's own pool asks the system before each command whether the connection has broken
    since, and keeps accounts: a third of what a step costs. Here that shows when the command
    is sent, and then it is sent once more. An answer can't be left for the next command:
    whatever goes wrong, the connection is closed.

    Args:
        make: Makes one that isn't open yet, of redis-py's, which has no types.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._idle: list[Any] = []
        self._owner = os.getpid()

    def ask(self, *command: object) -> Any:
        """Send a command and return its answer.

        Raises:
            redis.RedisError: Redis is out of reach, or refuses it.
        """
        connection = self._take()
        try:
            connection.connect()
            answer = connection.retry.call_with_retry(
                lambda: _answer(connection, command), lambda _: connection.disconnect()
            )
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return answer

    def leave(self) -> None:
        """Close those that nobody uses now."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.disconnect()

    def _take(self) -> Any:
        if self._owner != os.getpid():  # what was open before a fork is the parent's
            self._idle, self._owner = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()


def _answer(connection: Any, command: tuple[object, ...]) -> Any:
    connection.send_command(*command)
    return connection.read_response()
