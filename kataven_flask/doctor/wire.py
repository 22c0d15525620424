"""One request, one answer: bounded in time and size, no redirect followed, nothing believed."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from kataven_flask.origins import Origin

TIMEOUT: Final = 10.0
"""Seconds that a request may take, all in all; the widget gives up after as many."""
MAX_ANSWER: Final = 512 * 1024
"""Bytes of an answer's body; the widget's script has a tenth of it."""

Reason = Literal[
    "dns", "refused", "timeout", "unreachable", "broken", "not_http", "too_large", "not_tls",
    "no_tls", "tls", "tls_expired", "tls_host", "tls_untrusted",
]  # fmt: skip

_OF_VERIFY_CODE: Final[Mapping[int, Reason]] = {
    9: "tls_expired",  # not yet valid: the same question of a clock
    10: "tls_expired",
    18: "tls_untrusted",
    19: "tls_untrusted",
    20: "tls_untrusted",
    21: "tls_untrusted",
    62: "tls_host",
    64: "tls_host",
}
"""X509_V_ERR_…, as OpenSSL's x509_vfy.h numbers them."""
_OF_ERROR: Final[tuple[tuple[type[Exception], Reason], ...]] = (
    (socket.gaierror, "dns"),
    (UnicodeError, "dns"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "broken"),
    (http.client.IncompleteRead, "broken"),
    (OSError, "unreachable"),
    (Exception, "not_http"),
)
"""The first that fits."""
_NOT_TLS: Final = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}


class Unreachable(Exception):
    """No answer came, or none that can be read.

    Args:
        reason: Why.
        ms: How long it took, in milliseconds.
    """

    def __init__(self, reason: Reason, ms: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ms = ms


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; all of it a stranger's word.

    Args:
        status: The status.
        headers: Names and values as they came.
        body: The body; never over `MAX_ANSWER`.
        ms: How long it took, in milliseconds.
        peer: The address that answered.
        tls: The version of TLS, or empty.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    ms: int
    peer: str = ""
    tls: str = ""

    def header(self, name: str) -> str | None:
        """Return a header's values as one (Fetch, section 2.2.2, "get"), or None."""
        values = [value.strip() for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty for none."""
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def is_web_page(self) -> bool:
        """Whether it is HTML, which no endpoint ever answers with."""
        has_body = bool(self.body.strip())
        return has_body and (self.content_type == "text/html" or self.body.lstrip()[:1] == b"<")


class Client:
    """Sends requests to one server.

    Args:
        server: Its origin.
        timeout: Seconds that a request may take, all in all.
    """

    def __init__(self, server: Origin, timeout: float = TIMEOUT) -> None:
        self._server = server
        self.timeout = timeout
        self._tls = ssl.create_default_context() if server.scheme == "https" else None

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send one request on a connection of its own.

        Args:
            method: The method.
            path: The path with its query.
            headers: All headers but `Host` and those of the body's length.
            body: The body, if any.

        Raises:
            Unreachable: No answer came, or none that can be read.

        Returns:
            The answer.
        """
        began = time.monotonic()

        def ms() -> int:
            return round((time.monotonic() - began) * 1000)

        call = _Call(self._server, self._tls, self.timeout)
        request = (method, path, body, {"Host": str(self._server).partition("://")[2], **headers})
        try:
            return _within(self.timeout, call, lambda: call.exchange(request, ms))
        except Unreachable as error:
            raise Unreachable(error.reason, ms()) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(_reason(error), ms()) from error


class _Call:
    """One connection and what goes over it."""

    def __init__(self, server: Origin, tls: ssl.SSLContext | None, timeout: float) -> None:
        self._server = server
        self._tls = tls
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._began_tls = False

    def exchange(
        self, request: tuple[str, str, bytes | None, Mapping[str, str]], ms: Callable[[], int]
    ) -> Answer:
        connection = http.client.HTTPConnection(self._server.host, self._server.port)
        try:
            connection.sock = sock = self._connected()
            peer, tls = sock.getpeername()[0], _tls_version(sock)
            connection.request(*request)
            with connection.getresponse() as response:
                body = response.read(MAX_ANSWER + 1)
                missing = response.length
            if len(body) > MAX_ANSWER:
                raise Unreachable("too_large")
            if missing:
                raise http.client.IncompleteRead(body, missing)
            return Answer(response.status, tuple(response.getheaders()), body, ms(), peer, tls)
        finally:
            connection.close()
            if self._socket is not None:
                self._socket.close()

    def cut(self) -> Reason:
        """Wake the thread that still waits, and tell what it has waited for."""
        waits_for_tls = self._began_tls and not isinstance(self._socket, ssl.SSLSocket)
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        return "no_tls" if waits_for_tls else "timeout"

    def _connected(self) -> socket.socket:
        host = self._server.host.strip("[]")
        # As a browser does; not every resolver knows the names under it (RFC 6761, 6.3).
        near = "localhost" if host.endswith(".localhost") else host
        # A host may have two addresses of which one is dead: both have their turn.
        sock = socket.create_connection((near, self._server.port), self._timeout / 3)
        sock.settimeout(2 * self._timeout)  # longer than anybody waits
        self._socket = sock
        if self._tls is not None:
            self._began_tls = True
            self._socket = sock = self._tls.wrap_socket(sock, server_hostname=host)
        return sock


def _within(seconds: float, call: _Call, job: Callable[[], Answer]) -> Answer:
    """Do a job within a time: a socket's own timeout starts anew at each byte that drips in."""
    done: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(job())
        except Exception as error:  # noqa: BLE001 - it is raised again by who waits
            done.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        result = done.get(timeout=seconds)
    except queue.Empty:
        raise Unreachable(call.cut()) from None
    if isinstance(result, Exception):
        raise result
    return result


def _tls_version(sock: socket.socket) -> str:
    return (sock.version() or "") if isinstance(sock, ssl.SSLSocket) else ""


def _reason(error: Exception) -> Reason:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _OF_VERIFY_CODE.get(error.verify_code, "tls")
    if isinstance(error, ssl.SSLError):
        return "not_tls" if error.reason in _NOT_TLS else "tls"
    return next(reason for kind, reason in _OF_ERROR if isinstance(error, kind))
