"""The listening socket: where it is, how it is opened, and how it is closed with nobody lost."""

from __future__ import annotations

import ctypes
import re
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.origins import MAX_PORT

BACKLOG: Final = 4096
"""Connections that wait to be taken in, as far as the system goes along (`somaxconn`); whoever
comes when it's full tries again after a second."""
_PORT: Final = re.compile("[0-9]{1,5}")
_SO_ATTACH_FILTER: Final = 26
"""Linux, asm-generic/socket.h; Python has no name for it."""
_ALL_BUT_SYN: Final = b"".join(
    struct.pack("@HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags of the TCP header (RFC 9293, section 3.1)
        (0x54, 0, 0, 0x12),  # of these, SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone is how a connection begins:
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # and let everything else through
    )
)
"""A classic BPF program, as in Linux' Documentation/networking/filter.rst."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Args:
        host: A host name or an IP address; an IPv6 address without brackets.
        port: The port; 0 for a free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str = "--listen") -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`.

        Args:
            text: What the operator wrote.
            option: Where.

        Raises:
            ConfigurationError: It isn't one.
        """
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (host and _PORT.fullmatch(port) and int(port) <= MAX_PORT):
            raise ConfigurationError(
                f"{option} {text}: write HOST:PORT, for example 127.0.0.1:8000"
            )
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def bind(address: Address) -> socket.socket:
    """Open the listening socket.

    Args:
        address: Where to listen.

    Raises:
        ConfigurationError: It is taken, not ours, or not an address.

    Returns:
        The socket, listening: who connects from now on waits for a server.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(f"can't listen on {address}: {error.strerror}") from error
    except UnicodeError as error:
        raise ConfigurationError(f"can't listen on {address}: not a host name") from error
    return listener


def turn_away(listener: socket.socket) -> None:
    """Let no further connection begin, so that all that have begun can be accepted.

    The system makes connections by itself, and resets those that nobody has accepted when the
    socket is closed: a proxy has sent its request by then, and may not send it again. What is
    dropped here the other side begins anew within a second, and is then refused in the open.
    Where the system isn't Linux, this does nothing.

    Args:
        listener: The socket; every process that has it is affected.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_ALL_BUT_SYN, len(_ALL_BUT_SYN))
    count = len(_ALL_BUT_SYN) // struct.calcsize("@HBBI")
    pointer = struct.pack("@HP", count, ctypes.addressof(program))
    with suppress(OSError):  # a sandbox forbids it
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
