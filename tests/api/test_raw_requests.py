"""Bytes that no browser sends, to the real server: refused in words, with nothing of them kept."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Final

import pytest
import yaml

from tests.openapi.on_the_wire import check_raw
from tests.running import BOUND, COMMAND, Running, running
from tests.support import API, KEY, NO_LIMITS, ORIGIN, document

GUEST: Final = f"{API}/auth/guest"
BODY: Final = b'{"client_key":"%s"}' % KEY.encode()
CANARY: Final = "sk_live_acme_" + "c" * 43
"""A secret that stands in every request, and may stand nowhere else."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run one server for all of them; at the end its log has no traceback, and no secret."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document(limits=NO_LIMITS)))
    options = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *options, cwd=folder) as server:
        yield server
        assert server.end() == 0
        assert "Traceback" not in server.output
        assert CANARY not in server.output


def said(server: Running, raw: bytes) -> str:
    """Send bytes as they are, and return all that comes until the server hangs up."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port()), timeout=BOUND) as connection:
        try:
            connection.sendall(raw)
            while part := connection.recv(65_536):
                received += part
        except ConnectionError:  # it needn't take in what it has refused
            while part := _rest(connection):
                received += part
    if received:
        check_raw(raw, received)
    return received.decode("latin-1")


def _rest(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def raw(first: str, *lines: str, body: bytes = b"", host: str = "x") -> bytes:
    """Return a request that has a secret in it."""
    more = (f"Host: {host}", "Connection: close", f"Authorization: Bearer {CANARY}")
    return "\r\n".join((first, *more, *lines, "", "")).encode("latin-1") + body


def guest(*lines: str, body: bytes = BODY) -> bytes:
    """Return a guest's request, without an origin and a length."""
    return raw(f"POST {GUEST} HTTP/1.1", *lines, body=body)


ORIGIN_LINE: Final = f"Origin: {ORIGIN}"
LENGTH: Final = f"Content-Length: {len(BODY)}"
CHUNKED: Final = "Transfer-Encoding: chunked"
CHUNKS: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def in_chunks(body: bytes) -> bytes:
    """Return a guest's request whose body is as it's given."""
    return guest(ORIGIN_LINE, CHUNKED, body=body)


REFUSED: Final = [
    # what two servers may read differently
    pytest.param(
        guest(ORIGIN_LINE, LENGTH, LENGTH), 400, "invalid_request", id="same-length-twice"
    ),
    pytest.param(guest(ORIGIN_LINE, LENGTH, "Host: y"), 400, "invalid_request", id="two-hosts"),
    pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n", 400, "invalid_request", id="no-host"),
    pytest.param(guest("Origin:", f" {ORIGIN}", LENGTH), 400, "invalid_request", id="folded"),
    pytest.param(guest("Origin:", f"\t{ORIGIN}", LENGTH), 400, "invalid_request", id="tab-folded"),
    pytest.param(raw("GET /healthz HTTP/1.1", "X\t: y"), 400, "invalid_request", id="tab-colon"),
    pytest.param(raw("GET /healthz HTTP/1.1", "X: a\rY: b"), 400, "invalid_request", id="bare-cr"),
    pytest.param(
        guest(ORIGIN_LINE, CHUNKED, CHUNKED, body=CHUNKS),
        400,
        "invalid_request",
        id="chunked-twice",
    ),
    pytest.param(
        guest(ORIGIN_LINE, f"{CHUNKED}, chunked", body=CHUNKS),
        400,
        "invalid_request",
        id="chunked-2",
    ),
    pytest.param(
        guest(ORIGIN_LINE, "Transfer-Encoding : chunked", body=CHUNKS),
        400,
        "invalid_request",
        id="chunked-blank-colon",
    ),
    pytest.param(
        guest(ORIGIN_LINE, "Transfer-Encoding: \x0bchunked", body=CHUNKS),
        400,
        "invalid_request",
        id="chunked-after-a-control-character",
    ),
    pytest.param(in_chunks(b"zz\r\n"), 400, "invalid_request", id="chunk-size-no-number"),
    pytest.param(in_chunks(b"-5\r\nabcde\r\n"), 400, "invalid_request", id="chunk-size-negative"),
    pytest.param(in_chunks(b"0x5\r\nabcde\r\n"), 400, "invalid_request", id="chunk-size-with-0x"),
    pytest.param(in_chunks(b"3\r\nabcdef\r\n"), 400, "invalid_request", id="chunk-overrun"),
    pytest.param(in_chunks(b"5;\x00\r\nabcde\r\n"), 400, "invalid_request", id="chunk-extension"),
    pytest.param(in_chunks(b"1;" + b"a" * 200_000), 413, "body_too_large", id="endless-extension"),
    pytest.param(in_chunks(b"0\r\n" + b"A: b\r\n" * 40_000), 413, "body_too_large", id="trailers"),
    # characters
    pytest.param(raw("GET /healthz HTTP/1.1", "X: a\x00b"), 400, "invalid_request", id="nul"),
    pytest.param(raw("GET /healthz HTTP/1.1", "X: \x1b[31m"), 400, "invalid_request", id="escape"),
    pytest.param(raw("GET /healthz HTTP/1.1", "X: a\x7fb"), 400, "invalid_request", id="delete"),
    pytest.param(raw("GET /\xff\xfe HTTP/1.1"), 400, "invalid_request", id="eight-bits-in-path"),
    pytest.param(raw("GET /%zz%f HTTP/1.1"), 404, "not_found", id="bad-percents"),
    pytest.param(raw("GET /%ff%c0%af HTTP/1.1"), 404, "not_found", id="no-utf-8"),
    pytest.param(raw("GET /\x00\x1b HTTP/1.1"), 404, "not_found", id="control-characters-in-path"),
    pytest.param(
        raw(f"GET {API}/config?client_key=%ff%zz HTTP/1.1", ORIGIN_LINE),
        403,
        "unknown_client_key",
        id="bad-percents-in-query",
    ),
    # sizes
    pytest.param(
        raw("GET /healthz HTTP/1.1", f"X: {'a' * 100_000}"), 431, "headers_too_large", id="100-kb"
    ),
    pytest.param(
        raw("GET /healthz HTTP/1.1", *["A: b"] * 10_000), 431, "headers_too_large", id="10000-lines"
    ),
    pytest.param(
        raw("GET /healthz HTTP/1.1", *["A: b"] * 200), 431, "headers_too_large", id="200-lines"
    ),
    pytest.param(raw(f"GET /{'a' * 100_000} HTTP/1.1"), 414, "uri_too_long", id="100-kb-path"),
    pytest.param(raw(f"GET /{'a' * 20_000} HTTP/1.1"), 404, "not_found", id="20-kb-path"),
    pytest.param(raw(f"{'A' * 20_000} / HTTP/1.1"), 404, "not_found", id="20-kb-method"),
    # other protocols, and other uses of this one
    pytest.param(b"GET /healthz\r\n\r\n", 400, "invalid_request", id="http-0.9"),
    pytest.param(raw("GET /healthz HTTP/1.2"), 400, "invalid_request", id="http-1.2"),
    pytest.param(raw("GET /healthz HTTP/2.0"), 400, "invalid_request", id="http-2"),
    pytest.param(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 400, "invalid_request", id="http-2-preface"
    ),
    pytest.param(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 508,
        400,
        "invalid_request",
        id="tls",
    ),
    pytest.param(raw("GET  /healthz HTTP/1.1"), 400, "invalid_request", id="two-blanks"),
    pytest.param(raw("GET\t/healthz\tHTTP/1.1"), 400, "invalid_request", id="tabs"),
    pytest.param(raw("get /healthz HTTP/1.1"), 400, "invalid_request", id="small-method"),
    pytest.param(raw("CONNECT evil.example:443 HTTP/1.1"), 404, "not_found", id="connect"),
    pytest.param(raw("OPTIONS * HTTP/1.1"), 404, "not_found", id="asterisk"),
    pytest.param(raw(f"TRACE {GUEST} HTTP/1.1"), 405, "method_not_allowed", id="trace"),
    pytest.param(
        raw("GET file:///etc/passwd HTTP/1.1"), 404, "not_found", id="absolute-form-of-a-file"
    ),
]


@pytest.mark.parametrize(("request_bytes", "status", "code"), REFUSED)
def test_what_no_client_should_send_is_refused_readably(
    server: Running, request_bytes: bytes, status: int, code: str
) -> None:
    """One answer in words, a hung up line, nothing quoted; and the next request is answered."""
    answer = said(server, request_bytes)
    head, _, body = answer.partition("\r\n\r\n")
    assert re.match(rf"HTTP/1\.[01] {status} ", head)
    assert len(re.findall(r"HTTP/1\.[01] [1-5]", answer)) == 1
    assert f"X-Error-Code: {code}" in head.split("\r\n")
    assert "X-Request-Id: " in head
    assert CANARY not in answer
    assert "Traceback" not in answer
    assert "\n" not in body
    assert said(server, raw("GET /healthz HTTP/1.1")).startswith("HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(raw("GET http://evil.example/healthz HTTP/1.1"), id="absolute-form"),
        pytest.param(raw("GET http://x:99999999/healthz HTTP/1.1"), id="absolute-form-odd-port"),
        pytest.param(raw("GET /healthz HTTP/1.1", host="evil.example"), id="another-host"),
        pytest.param(raw("GET /healthz HTTP/1.1", host="evil/../?#@"), id="no-host-at-all"),
        pytest.param(b"\r\n\r\n\r\n" + raw("GET /healthz HTTP/1.1"), id="blank-lines-before"),
        pytest.param(raw("GET /healthz HTTP/1.1", "X: \xff\xfe"), id="eight-bits-in-a-header"),
        pytest.param(raw("GET /healthz HTTP/1.1", "Expect: wonders"), id="expects-wonders"),
        pytest.param(
            raw("GET /healthz HTTP/1.1", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), id="upgrade"
        ),
        pytest.param(raw("GET /healthz HTTP/1.1", *["A: b"] * 60), id="60-lines"),
    ],
)
def test_what_changes_nothing_is_let_pass(server: Running, request_bytes: bytes) -> None:
    """The answer is the plain one: nothing is upgraded, redirected, or taken from the Host."""
    answer = said(server, request_bytes)
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert answer.endswith('\r\n\r\n{"status":"alive"}')
    assert "evil" not in answer


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"%x;a=b;c\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), id="extensions"),
        pytest.param(b"%x\r\n%s\r\n0\r\nOrigin: null\r\n\r\n" % (len(BODY), BODY), id="trailers"),
        pytest.param(b"000%X\r\n%s\r\n00\r\n\r\n" % (len(BODY), BODY), id="zeros"),
    ],
)
def test_what_chunks_carry_besides_is_ignored(server: Running, body: bytes) -> None:
    """An extension means nothing, and a trailer is no header."""
    assert said(server, in_chunks(body)).startswith("HTTP/1.1 200 OK\r\n")


def test_a_thousand_requests_in_one_go_are_answered(server: Running) -> None:
    """Each once, in their order, and the line is closed after the last."""
    paths = [f"{API}/nothing/{number}" for number in range(999)]
    requests = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths).encode()
    answer = said(server, requests + raw("GET /healthz HTTP/1.1"))
    assert answer.count("HTTP/1.1 404 ") == 999
    assert answer.endswith('\r\n\r\n{"status":"alive"}')
