"""Redis by a name that nobody looks up in time."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Final

import pytest

from kataven_flask.errors import StoreError
from kataven_flask.listening import Address, bind
from kataven_flask.store import redis_connections, store_from_url

BOUND: Final = 10.0
"""Seconds."""


def test_a_name_server_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step fails in time, as where Redis is away; a connection that comes late is closed."""
    monkeypatch.setattr(redis_connections, "CONNECT_TIMEOUT", 0.02)
    monkeypatch.setattr(redis_connections, "ANSWER_TIMEOUT", 0.03)
    look_up, is_back = socket.getaddrinfo, threading.Event()

    def slow(_host: str, *rest: Any) -> Any:
        assert is_back.wait(BOUND)
        return look_up("127.0.0.1", *rest)

    with bind(Address("127.0.0.1", 0)) as listener:
        listener.settimeout(BOUND)
        store = store_from_url(f"redis://redis.test:{listener.getsockname()[1]}")
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        began = time.monotonic()
        with pytest.raises(StoreError, match="Timeout"):
            store.ping()
        assert time.monotonic() - began < 1
        is_back.set()
        late, _ = listener.accept()
        with late:
            late.settimeout(BOUND)
            assert late.recv(1) == b""
        store.close()
