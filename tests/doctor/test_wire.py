"""A server that can't be reached, or that answers anything: always an end, always plain words."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kataven_flask.doctor import Step, Target, examine
from tests.doctor.proxy import raw_server, serving
from tests.running import free_port, wait_until
from tests.support import KEY, ORIGIN

SHORT: Final = 0.5
"""Seconds to wait for servers that never answer."""


def reached(url: str, timeout: float = 5) -> Step:
    """Examine a server that fails at the first step, and return that step."""
    first, *others = examine(Target.read(url, ORIGIN, KEY), timeout=timeout)
    assert {step.state for step in others} == {"skipped"}
    return first


def words(step: Step) -> str:
    """Return all that is said about a step."""
    return " ".join(f"{each.meaning} {each.advice}" for each in step.findings)


def test_nobody_listens() -> None:
    """A refused connection asks whether the server is up."""
    step = reached(f"http://127.0.0.1:{free_port()}")
    assert step.state == "failed"
    assert "Nothing listens at http://127.0.0.1:" in words(step)


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown name is named."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "There is no host named widget.exmaple.com." in words(
        reached("https://widget.exmaple.com")
    )


def test_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that isn't there is told from a server that isn't."""

    def nowhere(*_: Any, **__: Any) -> Any:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", nowhere)
    assert "no way from this machine to 192.0.2.1" in words(reached("http://192.0.2.1"))


def drip(connection: socket.socket) -> None:
    """Send one byte after another, each within any timeout of one."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    with connection.makefile("rb") as incoming:
        incoming.readline()
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"x")
            try:
                if not connection.recv(4096):
                    return
            except TimeoutError:
                continue


def silent(connection: socket.socket) -> None:
    """Take everything, and say nothing."""
    while connection.recv(4096):
        pass


@pytest.mark.parametrize("talk", [silent, drip])
def test_no_end(talk: Callable[[socket.socket], None]) -> None:
    """A server that hangs, and one that never comes to an end, are given up in time."""
    with raw_server(talk) as port:
        step = reached(f"http://127.0.0.1:{port}", SHORT)
    assert "No whole answer came within 0.5 s" in words(step)
    assert step.ms is not None
    assert SHORT * 1000 <= step.ms < SHORT * 1000 + 2000


def test_no_tls_comes() -> None:
    """A port that waits for HTTP, while we wait for TLS, is told as such."""
    with raw_server(silent) as port:
        step = reached(f"https://127.0.0.1:{port}", SHORT)
    assert "no TLS came within 0.5 s" in words(step)


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a server that gives everybody these bytes and no more."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    return talk


ODD_ANSWERS: Final = {
    "nothing": (b"", "closed before an answer was whole"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "doesn't speak HTTP"),
    "an endless line": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, "doesn't speak HTTP"),
    "too many headers": (
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        "doesn't speak HTTP",
    ),
    "cut short": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "before an answer was whole"),
    "a bad length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "before an answer was whole",
    ),
    "a lot": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 600_000, "over 512 KiB"),
}


@pytest.mark.parametrize(("answer", "told"), ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_odd_answers(answer: bytes, told: str) -> None:
    """Whatever comes instead of HTTP is a finding."""
    with raw_server(answering(answer)) as port:
        assert told in words(reached(f"http://127.0.0.1:{port}"))


def test_tls_for_a_port_without() -> None:
    """A server that answers a TLS greeting in plain HTTP is told as such."""
    with raw_server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert "doesn't speak TLS" in words(reached(f"https://127.0.0.1:{port}"))


# --- certificates


class Alive(BaseHTTPRequestHandler):
    """Answers as `/healthz` does."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"alive"}')

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Serves, and says nothing of those that turn away from its certificate."""

    def get_request(self) -> Any:
        """Accept a connection, and pass over those whose greeting fails."""
        try:
            return super().get_request()
        except ssl.SSLError as error:
            raise OSError from error


def certificate(folder: Path, host: str, days: int) -> Path:
    """Write a certificate and its key that end so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    general: x509.GeneralName = x509.DNSName(host)
    if host[0].isdigit():
        general = x509.IPAddress(ip_address(host))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - dt.timedelta(days=30))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return what runs a server with a certificate, which this machine trusts or not."""

    def run(host: str = "127.0.0.1", days: int = 20, *, trusted: bool = True) -> Any:
        path = certificate(tmp_path, host, days)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return serving(QuietServer(("127.0.0.1", 0), Alive), context)

    return run  # type: ignore[return-value]


def test_a_good_certificate(tls_server: Callable[..., Any]) -> None:
    """A server with a trusted certificate is reached, and its TLS is named."""
    with tls_server() as port:
        step = next(iter(examine(Target.read(f"https://127.0.0.1:{port}", ORIGIN, KEY))))
    assert (step.state, step.summary) == ("ok", "alive at 127.0.0.1, TLSv1.3")


CERTIFICATES: Final = {
    "expired": ({"days": -1}, "has expired"),
    "not yet": ({"days": 60}, "isn't valid yet"),
    "another host": ({"host": "widget.example.com"}, "for other names than 127.0.0.1"),
    "self-signed": ({"trusted": False}, "self-signed"),
}


@pytest.mark.parametrize(("made", "told"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_a_certificate_that_no_browser_takes(
    tls_server: Callable[..., Any], made: dict[str, Any], told: str
) -> None:
    """What is wrong with it is told in plain words."""
    with tls_server(**made) as port:
        assert told in words(reached(f"https://127.0.0.1:{port}"))


def test_plain_http_to_a_tls_port(tls_server: Callable[..., Any]) -> None:
    """The other way round: a TLS port hangs up on HTTP."""
    with tls_server() as port:
        assert "closed before an answer was whole" in words(reached(f"http://127.0.0.1:{port}"))


def test_no_thread_is_left(tls_server: Callable[..., Any]) -> None:
    """Those that waited for a silent server come to their end with it."""
    before = set(threading.enumerate())  # one of another test's may be ending just now
    with raw_server(silent) as port:
        reached(f"http://127.0.0.1:{port}", SHORT)
        wait_until(
            lambda: len(set(threading.enumerate()) - before) <= 1, "the waiting thread has ended"
        )
