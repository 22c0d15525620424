"""What is on the way to the public keys: one bounded request, to one address, and no further."""

from __future__ import annotations

import gzip
import json
import ssl
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest

from kataven_flask.listening import Address, bind
from kataven_flask.verify import KeysUnavailableError, SessionVerifier, fetching
from kataven_flask.verify.fetching import MAX_BYTES
from tests.doctor.test_wire import certificate
from tests.running import BOUND
from tests.support import AUDIENCE, ISSUER, NOON
from tests.verify.key_server import (
    OURS,
    Answer,
    KeyServer,
    jwks,
    send,
    send_json,
    serving_keys,
    takes,
)

SHORT: Final = 0.5
"""Seconds for an answer, where a test waits for their end."""
GOOD_BODY = json.dumps(jwks(OURS)).encode()


def padded(size: int) -> bytes:
    """Return a JWK set of so many bytes."""
    empty = len(json.dumps({**jwks(OURS), "more": ""}))
    return json.dumps({**jwks(OURS), "more": "x" * (size - empty)}).encode()


def refusal(verifier: SessionVerifier) -> str:
    """Return why the keys can't be had."""
    with pytest.raises(KeysUnavailableError) as error:
        takes(verifier)
    return str(error.value).partition("can't be had: ")[2]


NOT_A_SET = "it sent something else than a JWK set"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (send(GOOD_BODY, 404), "it answered 404"),
        (send(GOOD_BODY, 500), "it answered 500"),
        (send(GOOD_BODY, 201), "it answered 201"),
        (send(b"", 204), "it answered 204"),
        (send(b""), NOT_A_SET),
        (send(b"{"), NOT_A_SET),
        (send(b"\xff\xfe"), NOT_A_SET),
        (send(b"[" * 60_000), NOT_A_SET),
        (send(b'{"keys": ' * 6_000), NOT_A_SET),
        (send(b"9" * 60_000), NOT_A_SET),
        (send(gzip.compress(GOOD_BODY), Content_Encoding="gzip"), NOT_A_SET),
        (send_json([]), NOT_A_SET),
        (send_json({"status": "alive"}), NOT_A_SET),
        (send_json({"keys": {}}), NOT_A_SET),
        (send_json({"keys": None}), NOT_A_SET),
        (send_json(None), NOT_A_SET),
        (send(padded(MAX_BYTES + 1)), "it sent more than 64 KiB"),
        (send(b" " * 10_000_000), "it sent more than 64 KiB"),
        (send(GOOD_BODY[:-9], Content_Length=str(len(GOOD_BODY))), NOT_A_SET),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_jwk_set(
    keys: KeyServer, verifier: SessionVerifier, answer: Answer, why: str
) -> None:
    """Where something else than public keys is sent, nobody is let in, and the log says what."""
    keys.answer = answer
    assert refusal(verifier).startswith(why)
    assert keys.fetches == 1


def test_the_largest_set(keys: KeyServer, verifier: SessionVerifier) -> None:
    """A JWK set of 64 KiB is read."""
    keys.answer = send(padded(MAX_BYTES))
    assert takes(verifier)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(keys: KeyServer, verifier: SessionVerifier, status: int) -> None:
    """Who can have the service answer a redirect can't have keys of theirs fetched."""
    with serving_keys() as elsewhere:
        keys.answer = send(b"", status, Location=elsewhere.url)
        assert refusal(verifier) == f"it answered {status}"
        assert elsewhere.fetches == 0


def trickle(request: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    while True:
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.02)


def trickling_body(request: BaseHTTPRequestHandler) -> None:
    """Send an answer whose body never ends."""
    request.send_response(200)
    request.end_headers()
    trickle(request)


def trickling_headers(request: BaseHTTPRequestHandler) -> None:
    """Send an answer whose headers never end."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    trickle(request)


def endless_hopes(request: BaseHTTPRequestHandler) -> None:
    """Say for ever that an answer is to come."""
    while True:
        request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_chunks(request: BaseHTTPRequestHandler) -> None:
    """Send a body without an end, a little at a time."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        request.wfile.write(b"1\r\n \r\n")


def endless_headers(request: BaseHTTPRequestHandler) -> None:
    """Send headers that never end, quickly."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        request.wfile.write(b"X-More: 1\r\n")


def silence(request: BaseHTTPRequestHandler) -> None:
    """Send nothing, and keep the connection."""
    request.server.open.clear()  # type: ignore[attr-defined]  # a KeyServer
    request.server.open.wait(BOUND)  # type: ignore[attr-defined]


def a_byte_at_the_last_moment(request: BaseHTTPRequestHandler) -> None:
    """Send one byte when the time is nearly over, and nothing more."""
    time.sleep(0.9 * SHORT)
    request.wfile.write(b"H")
    silence(request)


SLOW: Final = [
    trickling_body,
    trickling_headers,
    endless_hopes,
    silence,
    a_byte_at_the_last_moment,
]


@pytest.mark.parametrize("answer", SLOW)
def test_a_slow_server(
    keys: KeyServer, verifier: SessionVerifier, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends a byte now and then, or none, doesn't keep a thread beyond the time for it."""
    monkeypatch.setattr(fetching, "TIMEOUT", SHORT)
    keys.answer = answer
    before = time.monotonic()
    assert refusal(verifier) == f"it didn't answer within {SHORT} s"
    assert time.monotonic() - before < 1.8 * SHORT


def test_endless_headers(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Who sends headers without an end is left."""
    keys.answer = endless_headers
    assert refusal(verifier) == "the connection failed (HTTPException)"


def test_endless_chunks(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Who sends a body without an end is left once it is too long."""
    keys.answer = endless_chunks
    assert refusal(verifier) == "it sent more than 64 KiB"


def test_nobody_there(keys: KeyServer) -> None:
    """Where nobody listens, the words say so."""
    with bind(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    verifier = SessionVerifier(f"http://127.0.0.1:{port}/jwks.json", ISSUER, AUDIENCE)
    assert refusal(verifier) == "nobody listens there"


def test_a_host_without_an_address() -> None:
    """A misspelt host is told by its words."""
    verifier = SessionVerifier("https://no-such-host.invalid/jwks.json", ISSUER, AUDIENCE)
    assert refusal(verifier) == "its host has no address"


def test_plain_http_where_tls_is_expected(keys: KeyServer) -> None:
    """Who stands between and speaks no TLS sends no keys."""
    verifier = SessionVerifier(keys.url.replace("http:", "https:"), ISSUER, AUDIENCE)
    assert refusal(verifier).startswith("the connection failed (SSL")


CERTIFICATES: Final[dict[str, tuple[dict[str, Any], bool]]] = {
    "good": ({"host": "127.0.0.1", "days": 20}, True),
    "of nobody's": ({"host": "127.0.0.1", "days": 20}, False),
    "of another host": ({"host": "widget.example.com", "days": 20}, True),
    "ended": ({"host": "127.0.0.1", "days": -1}, True),
}


@pytest.mark.parametrize(("made", "trusted"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates(
    keys: KeyServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: dict[str, Any],
    *,
    trusted: bool,
) -> None:
    """Keys are taken from whom a trusted certificate names, and from nobody else."""
    path = certificate(tmp_path, **made)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    keys.socket = context.wrap_socket(keys.socket, server_side=True)
    url = keys.url.replace("http:", "https:")
    verifier = SessionVerifier(url, ISSUER, AUDIENCE, clock=lambda: NOON)
    if trusted and made == CERTIFICATES["good"][0]:
        assert takes(verifier)
    else:
        assert refusal(verifier) == "the connection failed (SSLCertVerificationError)"


def test_no_copy_of_a_cache_is_asked_for(keys: KeyServer, verifier: SessionVerifier) -> None:
    """A cache on the way is asked to fetch the keys anew, so that no removed one comes of it."""
    assert takes(verifier)
    assert keys.asked[0]["Cache-Control"] == "no-cache"
    assert set(keys.asked[0]) == {
        "Accept",
        "Accept-Encoding",
        "Cache-Control",
        "Connection",
        "Host",
        "User-Agent",
    }


def test_this_host_is_asked_without_a_proxy(
    keys: KeyServer, verifier: SessionVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain HTTP stays on this host, whatever proxy the environment names."""
    monkeypatch.delenv("no_proxy", raising=False)
    with serving_keys() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert takes(verifier)
        assert (keys.fetches, proxy.fetches) == (1, 0)


def test_another_host_is_asked_by_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that reaches the world through a proxy has its keys by it."""
    monkeypatch.delenv("no_proxy", raising=False)
    with serving_keys() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        url = "http://sign-in.internal/jwks.json"
        verifier = SessionVerifier(url, ISSUER, AUDIENCE, allow_http=True, clock=lambda: NOON)
        assert takes(verifier)
        assert proxy.asked[0]["Host"] == "sign-in.internal"
