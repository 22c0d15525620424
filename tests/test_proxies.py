"""Whose request it is: what the operator writes, and what strangers send."""

from __future__ import annotations

import ipaddress
import re
import time
from pathlib import Path
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kataven_flask.proxies import Proxies, address_of, is_https

PAGE: Final = (Path(__file__).parent.parent / "docs" / "deployment.md").read_text()
PEER: Final = "10.0.1.1"
OUTER: Final = "10.0.1.2"
CLIENT: Final = "203.0.113.9"
STRANGER: Final = "198.51.100.7"
NOBODY: Final = "0.0.0.0"  # noqa: S104 - nobody listens here
TRUSTED: Final = "10.0.1.0/24, fd00::/64"

BAD_OPTIONS: Final = {
    "proxy.local": "proxy.local: not an IP address or a network; write 127.0.0.1 or 10.0.1.0/24",
    "10.0.1.0/24,": "nothing between two commas: not an IP address or a network",
    "10.0.1.0/24 10.0.2.0/24": "write 127.0.0.1 or 10.0.1.0/24",
    "10.0.1.0/33": "write 127.0.0.1 or 10.0.1.0/24",
    "010.0.1.1": "write 127.0.0.1 or 10.0.1.0/24",
    "*": "write 127.0.0.1 or 10.0.1.0/24",
    "10.0.1.9/24": "10.0.1.9/24: write 10.0.1.0/24 for the network, or 10.0.1.9 for one address",
    "fd00::1/64": "write fd00::/64 for the network, or fd00::1 for one address",
    "0.0.0.0/0": "0.0.0.0/0: trusts strangers, and whoever is trusted can pass for any address",
    "::/0": "write the proxies' own",
    "0.0.0.0/1,128.0.0.0/1": "0.0.0.0/1: trusts strangers",
    "2000::/3": "2000::/3: trusts strangers",
    "::ffff:10.0.1.0/120": "::ffff:10.0.1.0/120: write the IPv4 address or network in it",
    "fe80::1%eth0": "fe80::1%eth0: write the address without its zone",
}

CHAINS: Final = [
    # hops, peer, X-Forwarded-For, the client
    (1, PEER, CLIENT, CLIENT),
    (1, PEER, f"{STRANGER}, {CLIENT}", CLIENT),
    (1, PEER, f"{STRANGER}, {OUTER}", OUTER),
    (1, STRANGER, CLIENT, STRANGER),
    (1, PEER, "", PEER),
    (2, PEER, f"{CLIENT}, {OUTER}", CLIENT),
    (2, PEER, f"{STRANGER}, {CLIENT}, {OUTER}", CLIENT),
    (2, PEER, f"{STRANGER}, {CLIENT}", CLIENT),
    (2, PEER, OUTER, OUTER),
    (2, PEER, f"unknown, {OUTER}", OUTER),
    (2, PEER, f"{STRANGER}, {OUTER}, unknown", PEER),
    (2, STRANGER, f"{CLIENT}, {OUTER}", STRANGER),
    (3, PEER, f"{CLIENT}, {OUTER}, {OUTER}", CLIENT),
    (3, PEER, f"{STRANGER}, {CLIENT}, {OUTER}", CLIENT),
]

ENTRIES: Final = {
    CLIENT: CLIENT,
    f" \t{CLIENT} ": CLIENT,
    f"{CLIENT}:567": CLIENT,
    f"::ffff:{CLIENT}": CLIENT,
    f"[::FFFF:{CLIENT}]:80": CLIENT,
    "2001:DB8:0:0::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:db8::1]:80": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%eth0]:80": "fe80::1",
    "": None,
    "unknown": None,
    "_hidden": None,
    "-": None,
    NOBODY: None,
    "::": None,
    "203.0.113": None,
    "203.0.113.256": None,
    "203.0.113.9:": None,
    "203.0.113.9:123456": None,
    "203.0.113.9/32": None,
    f'"{CLIENT}"': None,
    f"for={CLIENT}": None,
    f"{CLIENT} {STRANGER}": None,
    "[::1": None,
    "::1]": None,
    "1::2::3": None,
    "\x00": None,
    "203.0.113.\uff19": None,
    "\udcff": None,
    "1" * 100_000: None,
}

headers = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.one_of(
            st.ip_addresses().map(str),
            st.sampled_from([*ENTRIES, PEER, OUTER, f"::ffff:{PEER}", f"{OUTER}:80"]),
        ),
        max_size=6,
    ).map(",".join),
)
hops = st.integers(1, 3)


@pytest.mark.parametrize("text", BAD_OPTIONS)
def test_what_cant_be_meant_is_refused_with_what_to_write(text: str) -> None:
    """A mistake in the option ends in a sentence, and never in trust."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its words are compared below
        Proxies.parse(text)
    assert BAD_OPTIONS[text] in str(caught.value)


def test_what_is_trusted_is_shown_as_it_was_written() -> None:
    """Networks, single addresses and Unix sockets stand in the server's first lines."""
    assert str(Proxies.parse("10.0.1.0/24,127.0.0.1 , ::1,unix")) == (
        "10.0.1.0/24, 127.0.0.1, ::1, unix"
    )
    assert str(Proxies.parse("10.0.1.1/32", 2)) == "10.0.1.1 (2 hops)"


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (PEER, True),
        (f"::ffff:{PEER}", True),
        ("fd00::9", True),
        ("fd00::9%eth0", True),
        ("10.0.2.1", False),
        ("fd00:0:0:1::9", False),
        ("", False),
        (NOBODY, False),
        ("unknown", False),
    ],
)
def test_a_peer_is_a_proxy_by_its_address(peer: str, *, trusted: bool) -> None:
    """However a socket writes an address, the networks hold for it."""
    assert Proxies.parse(TRUSTED).trusts(peer) is trusted


@pytest.mark.parametrize("peer", ["", NOBODY])
def test_who_comes_by_a_unix_socket_is_trusted_by_name_alone(peer: str) -> None:
    """`unix` trusts what has no address, which no network does; and nobody's address is no hop."""
    by_socket = Proxies.parse("unix", 2)
    assert by_socket.client(peer, CLIENT) == CLIENT
    assert by_socket.client(peer, f"{STRANGER}, {NOBODY}") == peer
    assert by_socket.client(PEER, CLIENT) == PEER
    assert Proxies.parse(TRUSTED).client(peer, CLIENT) == peer


@pytest.mark.parametrize(("count", "peer", "forwarded_for", "client"), CHAINS)
def test_the_client_is_the_last_one_vouched_for(
    count: int, peer: str, forwarded_for: str, client: str
) -> None:
    """The Nth entry from the right, where each hop before it is one of the proxies."""
    assert Proxies.parse(TRUSTED, count).client(peer, forwarded_for) == client


def test_the_page_has_a_row_for_each_case() -> None:
    """What docs/deployment.md says of a chain is so."""
    section = PAGE.split("### Whose request it is")[1].split("\n#")[0]
    (trusted,) = re.findall("With `'([^']+)'`:", section)
    row = r"(?m)^\| `([\d.]+)` \| (?:`(.*)`)? ?\| `([\d.]+)` \| `([\d.]+)` \|"
    rows = re.findall(row, section)
    assert len(rows) == 6
    for peer, forwarded_for, *clients in rows:
        for count, client in enumerate(clients, 1):
            assert Proxies.parse(trusted, count).client(peer, forwarded_for) == client


@pytest.mark.parametrize(("entry", "address"), ENTRIES.items(), ids=range(len(ENTRIES)))
def test_an_entry_is_an_address_or_nothing(entry: str, address: str | None) -> None:
    """Ports, zones and brackets are taken off; what is no address names nobody."""
    assert address_of(entry) == address
    assert Proxies.parse(TRUSTED).client(PEER, entry) == (address or PEER)


@given(st.ip_addresses())
def test_every_address_is_read_as_it_is_written(address: ipaddress.IPv4Address) -> None:
    """No address is lost, or taken for another."""
    known = address_of(str(address))
    if address.is_unspecified:
        assert known is None
    else:
        mapped = getattr(address, "ipv4_mapped", None)
        assert known is not None
        assert ipaddress.ip_address(known) == (mapped or address)


@given(peer=st.ip_addresses().map(str) | st.text(max_size=20), forwarded_for=headers, count=hops)
def test_who_isnt_a_proxy_is_known_by_its_own_address(
    peer: str, forwarded_for: str, count: int
) -> None:
    """Whatever a stranger sends, it counts by where it comes from."""
    proxies = Proxies.parse(TRUSTED, count)
    if not proxies.trusts(peer):
        assert proxies.client(peer, forwarded_for) == peer


@given(client=st.ip_addresses(), sent=headers, count=hops)
def test_a_client_behind_a_chain_changes_nothing_by_what_it_sends(
    client: ipaddress.IPv4Address, sent: str, count: int
) -> None:
    """Proxies that add whom they hear get the same client out, whatever was there before."""
    assume(not client.is_unspecified)
    proxies = Proxies.parse(TRUSTED, count)
    added = [str(client), *[OUTER] * (count - 1)]
    assert proxies.client(PEER, ",".join([sent, *added])) == address_of(str(client))


@given(sent=headers, skipped=st.integers(1, 2))
def test_who_goes_round_the_outer_proxies_is_known_all_the_same(sent: str, skipped: int) -> None:
    """A client that reaches an inner proxy by itself can't pass for another one."""
    proxies = Proxies.parse(TRUSTED, 3)
    chain = [CLIENT, *[OUTER] * (2 - skipped)]
    assert proxies.client(PEER, ",".join([sent, *chain])) == CLIENT


@given(forwarded_for=headers, count=hops, peer=st.sampled_from([PEER, "", STRANGER]))
def test_a_client_is_an_address_or_the_peer(forwarded_for: str, count: int, peer: str) -> None:
    """No word of a stranger's comes through as an address."""
    client = Proxies.parse(TRUSTED, count).client(peer, forwarded_for)
    assert client == peer or ipaddress.ip_address(client)


@pytest.mark.parametrize("piece", [f"{STRANGER}, ", ",", "x", " ", "[", ":", "%"])
def test_a_long_header_is_read_from_its_end_and_quickly(piece: str) -> None:
    """100 KB before the proxy's own entry change nothing, and hold nobody up."""
    proxies = Proxies.parse(TRUSTED, 3)
    sent = (piece * 100_000)[:100_000]
    began = time.process_time()
    for _ in range(20):
        assert proxies.client(PEER, f"{sent},{CLIENT}, {OUTER}, {OUTER}") == CLIENT
    assert time.process_time() - began < 0.5
    assert proxies.client(PEER, sent) in {PEER, STRANGER}


@pytest.mark.parametrize(
    ("said", "https"),
    [
        ("https", True),
        ("HTTPS", True),
        ("https, https", True),
        ("http", False),
        ("https, http", False),
        ("http, https", False),
        ("https,", False),
        ("", False),
        ("wss", False),
        ("https://", False),
        (",".join(["https"] * 10_000), False),
    ],
)
def test_a_scheme_is_https_where_nobody_says_otherwise(said: str, *, https: bool) -> None:
    """Of several entries each has to say it."""
    assert is_https(said) is https
