"""Behind a real nginx with the shipped file, one and two in a row: who counts as whom."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.nginx import CLIENT, GUEST, NAME, Answer, Proxy, answer_of, proxying
from tests.running import BOUND, COMMAND, free_port, running, wait_until
from tests.support import API, KEY, ORIGIN, document

PAGE: Final = (Path(__file__).parent.parent / "docs" / "deployment.md").read_text()
OWN_HSTS: Final = 'add_header Strict-Transport-Security "max-age=31536000" always;'
REPLACES: Final = "proxy_set_header X-Forwarded-For $remote_addr;"
ADDS: Final = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
BODY: Final = json.dumps({"client_key": KEY}).encode()
FORGED: Final = {
    "X-Forwarded-For": "192.0.2.{0}",
    "X-Forwarded-For, several": "192.0.2.{0}, 127.0.0.1, 127.0.0.1",
    "X-Forwarded-For, the proxy": "127.0.0.1",
    "X-Forwarded-For, garbage": "unknown, , [",
    "X-Real-Ip": "192.0.2.{0}",
    "Forwarded": "for=192.0.2.{0};proto=http;host=evil.example",
    "X-Forwarded-Host": "{0}.evil.example",
    "Host": "{0}.evil.example",
    "X-Forwarded-Proto": "http",
}
"""What a visitor may send; `{0}` is another one each time."""


@dataclass(frozen=True, slots=True)
class Door:
    """A server that lets an address in once a minute, and the proxies before it.

    Args:
        port: The server's own port.
        proxies: From the visitors' side to the server's.
    """

    port: int
    proxies: list[Proxy]

    def ask(
        self, method: str, path: str, client: str, headers: Mapping[str, str], past: int
    ) -> Answer:
        """Send a request from an address, past so many of the proxies."""
        body = BODY if method == "POST" else None
        if past < len(self.proxies):
            return self.proxies[past].ask(method, path, body, headers, client)
        where = http.client.HTTPConnection(
            CLIENT, self.port, timeout=BOUND, source_address=(client, 0)
        )
        return answer_of(where, method, path, body, {"Origin": ORIGIN, **headers})

    def guest(self, client: str, headers: Mapping[str, str] = {}, past: int = 0) -> int:
        """Begin a session, and return how that went."""
        return self.ask("POST", GUEST, client, headers, past).status


@contextmanager
def serving(folder: Path, **environ: str) -> Iterator[int]:
    """Run the server, and give its port."""
    content = document(limits={"guest_per_minute": 1})
    (folder / "tenants.yaml").write_text(yaml.safe_dump(content))
    given = {
        "KATAVEN_CONFIG": "tenants.yaml",
        "KATAVEN_LISTEN": f"{CLIENT}:{free_port()}",
        "KATAVEN_STATE": "memory:",
        "KATAVEN_TRUSTED_PROXIES": CLIENT,
        **environ,
    }
    with running(COMMAND, "serve", cwd=folder, **given) as server:
        yield server.port()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Door]]:
    """Run one nginx as it is shipped, and two in a row as the page says; each with a server."""
    with ExitStack() as stack:

        def server(**environ: str) -> int:
            return stack.enter_context(serving(tmp_path_factory.mktemp("server"), **environ))

        def nginx(port: int, **changes: str) -> Proxy:
            folder = tmp_path_factory.mktemp("nginx")
            return stack.enter_context(proxying(folder, [port, port], **changes))

        alone = server()
        behind_two = server(KATAVEN_PROXY_HOPS="2", KATAVEN_HSTS="600")
        inner = nginx(behind_two, **{REPLACES: ADDS, OWN_HSTS: ""})
        outer = nginx(inner.https, **{"http://kataven": "https://kataven", OWN_HSTS: ""})
        yield {1: Door(alone, [nginx(alone)]), 2: Door(behind_two, [outer, inner])}


_addresses: Final = map("127.0.0.{}".format, count(10))
WAYS: Final = [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
"""How many proxies there are, and past how many of them a visitor gets."""


@pytest.fixture
def visitor() -> str:
    """Return an address of this machine that nobody has had before."""
    return next(_addresses)


def test_the_page_says_how_two_are_set_up() -> None:
    """The line that lets the inner one add is on the page."""
    assert f"`{ADDS}`" in PAGE


@pytest.mark.parametrize(("proxies", "past"), WAYS)
@pytest.mark.parametrize("what", FORGED)
def test_a_visitor_counts_as_one_whatever_it_sends(
    doors: dict[int, Door], visitor: str, what: str, proxies: int, past: int
) -> None:
    """Through the proxies, past the outer one or past all, nobody passes for many."""
    name, door = what.partition(",")[0], doors[proxies]

    def guest(number: int) -> int:
        return door.guest(visitor, {name: FORGED[what].format(number)}, past)

    assert [guest(number) for number in range(3)] == [200, 429, 429]


@pytest.mark.parametrize("proxies", [1, 2])
def test_a_visitor_is_the_same_on_every_way(
    doors: dict[int, Door], visitor: str, proxies: int
) -> None:
    """Who was let in through the proxies is known where it comes past them, too."""
    door = doors[proxies]
    assert door.guest(visitor) == 200
    assert {door.guest(visitor, past=past) for past in range(proxies + 1)} == {429}


def test_each_visitor_has_a_limit_of_its_own(doors: dict[int, Door]) -> None:
    """The proxies' own address isn't what is counted."""
    for door in doors.values():
        assert [door.guest(next(_addresses)) for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("method", "path"), [("POST", GUEST), ("GET", f"{API}/config"), ("GET", "/nowhere")]
)
def test_hsts_stands_once_on_what_comes_by_tls(
    doors: dict[int, Door], visitor: str, method: str, path: str
) -> None:
    """Nginx' own, or the server's where it is set; whatever scheme a visitor claims."""
    for said in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https"}):
        for proxies, told in {1: "max-age=31536000", 2: "max-age=600"}.items():
            answer = doors[proxies].ask(method, path, visitor, said, past=0)
            assert answer.headers.get_all("Strict-Transport-Security") == [told]
            direct = doors[proxies].ask(method, path, visitor, said, past=proxies)
            assert direct.headers["Strict-Transport-Security"] is None


def test_no_answer_tells_a_version(doors: dict[int, Door], visitor: str) -> None:
    """Neither nginx' nor the server's, on a page that is there or not."""
    door = doors[1]
    assert door.ask("GET", "/healthz", visitor, {}, past=0).headers["Server"] == "nginx"
    assert door.ask("GET", "/readyz", visitor, {}, past=0).headers["Server"] == "nginx"
    assert door.proxies[0].ask_in_the_clear("GET", "/").headers["Server"] == "nginx"
    assert door.ask("GET", "/healthz", visitor, {}, past=1).headers["Server"] == "kataven-flask"


# --- slow clients


@pytest.fixture(scope="module")
def strict(
    doors: dict[int, Door], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Door, Proxy]]:
    """Run another nginx before the server, whose limits are reached sooner."""
    changes = {
        "limit_conn kataven_clients 100": "limit_conn kataven_clients 4",
        "client_header_timeout 10s": "client_header_timeout 1s",
    }
    port = doors[1].port
    with proxying(tmp_path_factory.mktemp("strict"), [port, port], **changes) as proxy:
        yield Door(port, [proxy]), proxy


@contextmanager
def talking(proxy: Proxy, client: str) -> Iterator[ssl.SSLSocket]:
    """Connect by TLS, and say nothing yet."""
    trust = ssl.create_default_context(cafile=str(proxy.folder / "fullchain.pem"))
    where = (CLIENT, proxy.https)
    with (
        socket.create_connection(where, BOUND, source_address=(client, 0)) as plain,
        trust.wrap_socket(plain, server_hostname=NAME) as connection,
    ):
        yield connection


def test_one_address_cant_hold_all_connections(strict: tuple[Door, Proxy], visitor: str) -> None:
    """Where it has too many slow requests open, it is refused, readably; others are served."""
    door, proxy = strict
    head = f"POST {GUEST} HTTP/1.1\r\nHost: {NAME}\r\nOrigin: {ORIGIN}\r\n"
    head += f"Content-Length: {len(BODY)}\r\n\r\n"
    with ExitStack() as stack:

        def hold() -> ssl.SSLSocket:
            slow = stack.enter_context(talking(proxy, visitor))
            slow.sendall(head.encode() + BODY[:1])
            return slow

        slow = [hold() for _ in range(4)]
        named = {"X-Request-Id": f"slow-{visitor}"}

        def ask() -> Answer:
            return door.ask("GET", "/healthz", visitor, named, past=0)

        def are_too_many() -> bool:
            if ask().status == 429:
                return True
            slow[:] = [hold() if is_over(each) else each for each in slow]  # this machine was slow
            return False

        wait_until(are_too_many, "nginx has read all of them")
        refused = ask()
        assert (refused.status, refused.headers["X-Error-Code"]) == (429, "rate_limited")
        assert 'upstream="-"' in proxy.logged(refused.headers["X-Request-Id"])
        assert door.ask("GET", f"{API}/config", visitor, {}, past=0).readable
        assert refused.headers["Retry-After"] == "2"
        assert refused.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert door.guest(next(_addresses)) == 200
        slow[0].sendall(BODY[1:])
        assert slow[0].recv(15) == b"HTTP/1.1 200 OK"


def is_over(connection: ssl.SSLSocket) -> bool:
    """Tell whether nginx has answered already, or hung up."""
    connection.settimeout(0.05)
    try:
        connection.recv(1)
    except TimeoutError:
        connection.settimeout(BOUND)
        return False
    except OSError:
        return True
    return True


def test_who_doesnt_finish_a_header_is_hung_up_on(strict: tuple[Door, Proxy], visitor: str) -> None:
    """However often a byte comes, a header has its time and no more."""
    with talking(strict[1], visitor) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        slow.settimeout(0.1)
        began = time.monotonic()

        def is_hung_up_on() -> bool:
            try:
                slow.sendall(b"x")
                return slow.recv(1) == b""
            except TimeoutError:  # nothing yet
                return False
            except OSError:
                return True

        wait_until(is_hung_up_on, "the connection is closed")
        assert time.monotonic() - began > 0.5
