"""The listening socket."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from kataven_flask.errors import ConfigurationError
from kataven_flask.listening import Address, bind, turn_away
from tests.running import BOUND

HOSTS = ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Address("127.0.0.1", 8000)),
        ("[::1]:8000", Address("::1", 8000)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    """`--listen` takes a host or an IP address of either family."""
    assert Address.parse(text) == address
    assert str(address) == text


def test_a_port_of_another_user_is_one_line() -> None:
    """An address that isn't this machine's is told in a line."""
    with pytest.raises(ConfigurationError, match=r"can't listen on 192\.0\.2\.1:80"):
        bind(Address("192.0.2.1", 80))


def test_two_on_one_port() -> None:
    """The second of two servers that start at once is told in a line."""
    with bind(Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match="Address already in use"):
            bind(Address("127.0.0.1", port))


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a filter on a socket")
@pytest.mark.parametrize("host", HOSTS)
def test_nobody_is_lost_when_it_closes(host: str) -> None:
    """Who had connected is accepted, whoever comes later is made to wait, and then refused."""
    listener = bind(Address(host, 0))
    where = listener.getsockname()[:2]
    with closing(socket.create_connection(where, BOUND)) as early:
        turn_away(listener)
        turn_away(listener)  # as each worker may
        with ThreadPoolExecutor() as pool:
            late = pool.submit(socket.create_connection, where, BOUND)
            accepted, peer = listener.accept()
            assert peer == early.getsockname()
            listener.settimeout(0.2)
            with pytest.raises(TimeoutError):
                listener.accept()
            listener.close()
            with pytest.raises(ConnectionRefusedError):
                late.result()
        early.settimeout(BOUND)
        early.sendall(b"?")
        assert accepted.recv(1) == b"?"
        accepted.sendall(b"!")
        assert early.recv(1) == b"!"
        accepted.close()


def test_another_kind_of_system_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no such filters, it goes on listening."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with bind(Address("127.0.0.1", 0)) as listener:
        turn_away(listener)
        socket.create_connection(listener.getsockname(), BOUND).close()
