"""Over a real socket: what waitress answers before the application sees a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest

from kataven_flask.app import parts_of
from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from tests.api.test_headers import ALWAYS
from tests.api.wire import no_limits
from tests.openapi.on_the_wire import check_raw
from tests.support import API, KEY, ORIGIN, Service

GUEST: Final = f"{API}/auth/guest"
BODY: Final = b'{"client_key":"%s"}' % KEY.encode()
TIMEOUT: Final = 10.0
"""Seconds that an answer may take before the test fails."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a server that listens on this machine."""
    service = Service(tmp_path_factory.mktemp("wire"))
    no_limits(service)
    listener = bind(Address("127.0.0.1", 0))
    number = listener.getsockname()[1]
    may_wait = parts_of(service.app).may_wait
    server = Server(service.app, listener, threads=4, may_wait=may_wait)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield number
    server.stop()
    thread.join()


def talk(port: int, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return the answer's status, headers in lower case, and body."""
    received = b""
    sent = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        with suppress(ConnectionError):  # it may be answered before all of it is sent
            connection.sendall(sent)
        while part := _receive(connection):
            received += part
    check_raw(sent, received)
    top, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, rest


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def head(method: str, path: str, *headers: str) -> str:
    """Write a request's head, of a page on an allowed origin."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Origin: {ORIGIN}", "Connection: close"]
    return "\n".join([*lines, *headers])


def length(body: bytes) -> str:
    """Write a body's length."""
    return f"Content-Length: {len(body)}"


def test_a_guest_arrives(port: int) -> None:
    """The server that the other tests attack serves."""
    status, _, body = talk(port, head("POST", GUEST, length(BODY)), BODY)
    assert status == 200
    assert b'"refresh_token"' in body


@pytest.mark.parametrize("size", [16 * 1024 + 1, 100_000, 1_000_000, 3_000_000])
def test_a_body_of_any_size_is_refused_readably(port: int, size: int) -> None:
    """A page reads `body_too_large`, whoever of the server noticed first."""
    body = BODY.ljust(size)
    status, headers, _ = talk(port, head("POST", GUEST, length(body)), body)
    assert (status, headers["x-error-code"]) == (413, "body_too_large")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-request-id"]


def test_a_backends_large_body_is_refused_to_no_page(port: int) -> None:
    """The same refusal of a backend's route carries no CORS header."""
    body = b" " * 3_000_000
    lines = f"POST {API}/auth/user-token HTTP/1.1\nHost: x\nConnection: close\n{length(body)}"
    status, headers, _ = talk(port, lines, body)
    assert (status, headers["x-error-code"]) == (413, "body_too_large")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param([f"Origin: {ORIGIN}"], 403, id="the-same-origin-twice"),
        pytest.param(["Origin: https://evil.example"], 403, id="two-origins"),
        pytest.param(["Origin: null"], 403, id="null-too"),
        pytest.param(["Origin:"], 403, id="an-empty-one-too"),
        pytest.param(["Referer: https://evil.example/"], 200, id="a-referer-too"),
    ],
)
def test_two_origin_headers_are_none(port: int, more: list[str], expected: int) -> None:
    """More than one `Origin` counts as none."""
    status, headers, _ = talk(port, head("POST", GUEST, length(BODY), *more), BODY)
    assert status == expected
    assert headers["access-control-allow-origin"] == "*"


def test_two_secret_keys_are_none(port: int) -> None:
    """More than one Authorization header opens nothing."""
    body = b'{"user_id":"1"}'
    lines = [f"POST {API}/auth/revoke HTTP/1.1", "Host: x", "Connection: close", length(body)]
    secret = "sk_live_acme_" + "s" * 43
    lines += [f"Authorization: Bearer {secret}"] * 2
    status, headers, _ = talk(port, "\n".join(lines), body)
    assert (status, headers["x-error-code"]) == (401, "invalid_api_key")


def test_a_chunked_body_is_read(port: int) -> None:
    """A body in chunks is a body."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, BODY[i : i + 1]) for i in range(len(BODY)))
    lines = head("POST", GUEST, "Transfer-Encoding: chunked")
    status, _, _ = talk(port, lines, chunks + b"0\r\n\r\n")
    assert status == 200


@pytest.mark.parametrize("size", [20_000, 2_000_000])
def test_a_chunked_body_has_the_same_limit(port: int, size: int) -> None:
    """What says no length is cut off all the same, and readably."""
    body = BODY.ljust(size)
    lines = head("POST", GUEST, "Transfer-Encoding: chunked")
    status, headers, _ = talk(port, lines, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert (status, headers["x-error-code"]) == (413, "body_too_large")
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(head("POST", GUEST, "Content-Length: abc"), id="length-no-number"),
        pytest.param(head("POST", GUEST, "Content-Length: -5"), id="length-negative"),
        pytest.param(head("POST", GUEST, "Content-Length: 5", "Content-Length: 6"), id="lengths"),
        pytest.param(head("POST", GUEST, "Content-Length: +5"), id="length-signed"),
        pytest.param(head("POST", GUEST, "Transfer-Encoding: gzip, chunked"), id="gzip-chunked"),
        pytest.param(
            head("POST", GUEST, "Content-Length: 5", "Transfer-Encoding: chunked"),
            id="length-and-chunked",
        ),
        pytest.param(head("GET", "/" + "a" * 40_000), id="long-path"),
        pytest.param(head("GET", "/", "X: " + "a" * 40_000), id="long-header"),
        pytest.param(head("GET", "/", "X : y"), id="blank-before-colon"),
        pytest.param(head("GET", "/", "X\x00: y"), id="null-byte-in-name"),
        pytest.param(head("GET", "/", "no colon"), id="no-colon"),
        pytest.param("GARBAGE", id="garbage"),
        pytest.param("GET / HTTP/9.9\nHost: x", id="http-9"),
        pytest.param(head("GET", "/a b"), id="blank-in-path"),
    ],
)
def test_what_is_no_http_is_refused(port: int, lines: str) -> None:
    """A malformed request gets a 4xx or 5xx of the protocol, never a traceback."""
    status, headers, body = talk(port, lines, b"0\r\n\r\n")
    assert 400 <= status < 506
    assert b"Traceback" not in body
    assert "kataven" in headers["server"]
    assert "waitress" not in headers["server"] + body.decode()
    assert headers["x-error-code"]
    assert headers["x-request-id"]


@pytest.mark.parametrize("name", ["Origin", "origin", "ORIGIN", "oRiGiN"])
def test_header_names_have_no_case(port: int, name: str) -> None:
    """However a proxy writes it, the header is read."""
    lines = f"POST {GUEST} HTTP/1.1\nHost: x\nConnection: close\n{name}: {ORIGIN}\n{length(BODY)}"
    assert talk(port, lines, BODY)[0] == 200


@pytest.mark.parametrize("name", ["X_Origin", "Origin_", "HTTP_ORIGIN", "Sec_Fetch_Site"])
def test_an_underscore_makes_no_other_header(port: int, name: str) -> None:
    """A name with an underscore can't pose as one with a hyphen."""
    lines = f"POST {GUEST} HTTP/1.1\nHost: x\nConnection: close\n{name}: {ORIGIN}\n{length(BODY)}"
    assert talk(port, lines, BODY)[0] == 403


def test_a_second_request_cannot_be_smuggled(port: int) -> None:
    """Bytes after a body's length are no part of it, and of a closed connection nothing."""
    smuggled = BODY + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    status, _, body = talk(port, head("POST", GUEST, length(BODY)), smuggled)
    assert status == 200
    assert b"alive" not in body


def test_two_requests_on_a_connection_are_two(port: int) -> None:
    """A kept connection serves one request after the other."""
    first = (
        f"GET /healthz HTTP/1.1\nHost: x\n\nGET {API}/nothing HTTP/1.1\nHost: x\nConnection: close"
    )
    status, _, rest = talk(port, first)
    assert status == 200
    assert b"404" in rest


@pytest.mark.parametrize("path", [f"//evil.example{API}/config", f"{API}//config"])
def test_no_redirect_is_built_from_the_host(port: int, path: str) -> None:
    """Nothing that a stranger sends becomes a Location."""
    lines = f"GET {path} HTTP/1.1\nHost: evil.example\nOrigin: {ORIGIN}\nConnection: close"
    status, headers, body = talk(port, lines)
    assert "location" not in headers
    assert b"evil.example" not in body
    assert status == 404


def test_a_raw_path_is_not_walked(port: int) -> None:
    """No spelling of `..` leaves the widget's folder."""
    for path in (
        "/widget/../../pyproject.toml",
        "/widget/%2e%2e/%2e%2e/pyproject.toml",
        "/widget/..%2f..%2fpyproject.toml",
        "/widget/..\\..\\pyproject.toml",
        "/widget/v1.js/../../demo/shop.html",
        "/widget/v1.js%00.html",
    ):
        status, _, body = talk(port, head("GET", path))
        assert status == 404
        assert b"[project]" not in body


@pytest.mark.parametrize(
    "head", ["GET /healthz HTTP/1.1\nConnection: close", "GET / HTTP/1.1\nbroken"]
)
def test_the_security_headers_are_there(port: int, head: str) -> None:
    """What is refused before the application sees it has them, too; no version is told."""
    _, headers, _ = talk(port, head)
    assert {name: headers.get(name.lower()) for name in ALWAYS} == ALWAYS
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["server"] == "kataven-flask"
