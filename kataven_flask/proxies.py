"""Whose request it is, and by which scheme it came, where reverse proxies stand in front."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

MAX_HOPS: Final = 8
"""Proxies one behind the other; more is a mistake."""
UNIX: Final = "unix"
"""Stands for whoever connects by a Unix socket, which the rights of its file decide."""
_UNIX_PEERS: Final = frozenset({"", "0.0.0.0"})  # noqa: S104 - so gunicorn, granian and uWSGI say
_WIDEST: Final = {4: 8, 6: 7}
"""The largest private networks, 10.0.0.0/8 and fc00::/7; what is wider has strangers in it."""
_MAPPED: Final = bytes(10) + b"\xff\xff"
"""How an IPv6 address begins that stands for an IPv4 one (RFC 4291, section 2.5.5.2)."""
_MAX_ENTRY: Final = 80
"""Characters: the longest address (45), with a zone, brackets and a port."""
_MAX_SCHEMES: Final = 64
"""Characters of an X-Forwarded-Proto that is read."""
_KEPT: Final = 1024
_DRESSED: Final = re.compile(
    r"""  ([0-9.]+) :[0-9]{1,5}
      | \[([0-9A-Fa-f:.]+) (?:%[\w.~-]+)? \] (?: :[0-9]{1,5})?
      |   ([0-9A-Fa-f:.]+) %[\w.~-]+  """,
    re.ASCII | re.VERBOSE,
)


class Proxies:
    """Whose word on the client is believed.

    Args:
        networks: Where the proxies are.
        hops: How many of them a request passes, one after the other.
        unix: Whether whoever connects by a Unix socket is one.
    """

    def __init__(self, networks: tuple[Network, ...], hops: int = 1, *, unix: bool = False) -> None:
        self.networks = networks
        self.hops = hops
        self.unix = unix
        self.trusts = lru_cache(_KEPT)(self._trusts)  # it is asked for the same few all the time

    @classmethod
    def parse(cls, text: str, hops: int = 1) -> Proxies:
        """Read what an operator writes: networks and addresses with commas between them.

        Raises:
            ValueError: It can't be meant; the message says what to write.
        """
        entries = [entry.strip() for entry in text.split(",")]
        networks = tuple(_network(entry) for entry in entries if entry != UNIX)
        return cls(networks, hops, unix=UNIX in entries)

    def client(self, peer: str, forwarded_for: str) -> str:
        """Return the address of the client that a request of `peer` is for.

        Each proxy adds whom it has the request from at the right of `X-Forwarded-For`. So that
        entry is as true as the proxy is, and what is left of it as true as whom it names. Where
        the next entry is missing, or no address, the last one that somebody vouches for stands.
        """
        client = peer
        for entry in reversed(forwarded_for.rsplit(",", self.hops)[-self.hops :]):
            address = address_of(entry) if self.trusts(client) else None
            if address is None:
                break
            client = address
        return client

    def _trusts(self, peer: str) -> bool:
        """Tell whether this is the address of one of the proxies."""
        if peer in _UNIX_PEERS:
            return self.unix
        if (known := address_of(peer)) is None:
            return False
        address = ip_address(known)
        return any(address in network for network in self.networks)

    def __str__(self) -> str:
        names = [_short(network) for network in self.networks] + [UNIX] * self.unix
        return ", ".join(names) + (f" ({self.hops} hops)" if self.hops > 1 else "")


def address_of(entry: str) -> str | None:
    """Read an address, also with a port or a zone; None where it is something else.

    It is written in one way, whichever it came in. An IPv4 address within an IPv6 one is the
    IPv4 address: a socket for both kinds shows it so.
    """
    text = entry.strip(" \t")
    if len(text) > _MAX_ENTRY:
        return None
    if (address := _plain(text)) is not None:
        return address
    match = _DRESSED.fullmatch(text)
    return _plain(match[match.lastindex or 0]) if match else None


def _plain(text: str) -> str | None:
    """Read an address; the system does it in a tenth of the time that `ipaddress` takes."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        packed = socket.inet_pton(family, text)
    except (OSError, ValueError):
        return None
    if not any(packed):  # 0.0.0.0 and :: are nobody's
        return None
    if packed[:12] == _MAPPED and len(packed) > len(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(family, packed)


def is_https(forwarded_proto: str) -> bool:
    """Tell whether a proxy's `X-Forwarded-Proto` says https, and nothing else."""
    if forwarded_proto == "https":
        return True
    if len(forwarded_proto) > _MAX_SCHEMES:
        return False
    return {each.strip(" \t").lower() for each in forwarded_proto.split(",")} == {"https"}


def _network(entry: str) -> Network:
    try:
        network = ip_network(entry, strict=False)
    except ValueError as error:
        raise ValueError(
            f"{entry or 'nothing between two commas'}: not an IP address or a network;"
            " write 127.0.0.1 or 10.0.1.0/24"
        ) from error
    if "%" in entry:
        raise ValueError(f"{entry}: write the address without its zone")
    if network.version == 6 and network.network_address.packed.startswith(_MAPPED):  # noqa: PLR2004
        raise ValueError(f"{entry}: write the IPv4 address or network in it")
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(
            f"{entry}: trusts strangers, and whoever is trusted can pass for any address;"
            " write the proxies' own"
        )
    host, _, _ = entry.partition("/")
    if ip_address(host) != network.network_address:
        raise ValueError(f"{entry}: write {network} for the network, or {host} for one address")
    return network


def _short(network: Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)
