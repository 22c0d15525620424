"""The public keys fetched: by one bounded request to one address, and nowhere else.

The time is bounded for the connection (for each of the host's addresses), and then for the whole
answer: a server that sends a byte now and then doesn't keep a thread. The look-up of the host's
name takes as long as the system lets it.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
import urllib.request
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

TIMEOUT: Final = 3
"""Seconds for the connection, and then for the answer."""
MAX_BYTES: Final = 64 * 1024
"""Bytes of a JWK set; ours have 200 a key."""
_HEADERS: Final = {
    "Accept": "application/jwk-set+json, application/json",
    # A copy that a cache on the way has kept may have a key that is gone.
    "Cache-Control": "no-cache",
    "User-Agent": "kataven-flask-verify",
}


class FetchError(Exception):
    """The keys weren't had; the words say why, and may be logged or sent."""


def check_url(url: str, *, allow_http: bool = False) -> None:
    """Hold that an address is one that keys may be fetched from.

    Args:
        url: The address.
        allow_http: Whether it may be `http` on a host other than this one.

    Raises:
        ValueError: It isn't; the words say why.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("jwks_url has a character that no address may have")
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError("jwks_url has to begin with https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("jwks_url can't have a user or a password in it")
    if parts.port == 0:  # one beyond the last raises by itself
        raise ValueError("jwks_url has a port that nobody listens on")
    if parts.fragment:
        raise ValueError("jwks_url can't have a # in it")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise ValueError(
            "jwks_url has to be https:// unless it is on this host: whoever stands between could"
            " send keys of theirs; where nobody can, say allow_http=True"
        )


def fetch(url: str) -> bytes:
    """Fetch what is at an address, without following it elsewhere.

    Raises:
        FetchError: Something else than a 200 with a short enough body was answered, or nothing.
    """
    question = urllib.request.Request(url, headers=_HEADERS)  # noqa: S310 - by check_url
    try:
        with _opener(question.host).open(question, timeout=TIMEOUT) as response:
            if response.status != http.client.OK:
                raise FetchError(f"it answered {response.status}")
            body: bytes = response.read(MAX_BYTES + 1)
    except HTTPError as error:
        error.close()
        raise FetchError(f"it answered {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(_why(error)) from error
    if len(body) > MAX_BYTES:
        raise FetchError(f"it sent more than {MAX_BYTES // 1024} KiB")
    return body


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why(error: Exception) -> str:
    """Say it in words of ours: a library's may repeat what the other side sent."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"it didn't answer within {TIMEOUT} s"
    if isinstance(cause, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(cause, socket.gaierror):
        return "its host has no address"
    return f"the connection failed ({type(cause).__name__})"


# --- one bounded answer


class _Raw(io.RawIOBase):
    """A connection's bytes, until a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb", buffering=0)
        self._ends = time.monotonic() + TIMEOUT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Raw(sock))


class _Plain(http.client.HTTPConnection):
    response_class = _Response


class _Secure(http.client.HTTPSConnection):
    response_class = _Response


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Secure, req)


def _opener(netloc: str) -> urllib.request.OpenerDirector:
    """Return what knows HTTP and the environment's proxies: no redirects, files or cookies."""
    here = _is_loopback(urlsplit(f"//{netloc}").hostname or "")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if here else None),
        _PlainHandler(),
        _SecureHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener
