"""Holds answers of real servers against the description, as they came over the wire."""

from __future__ import annotations

import http.client
import re
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from tests.openapi.described import UndescribedError, description

_LINE: Final = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r?\n")
_NOWHERE: Final = "/nowhere"
"""A path that nobody has: its refusals are those that a request may get whatever it asks for."""


def check_answer(method: str, target: str, response: http.client.HTTPResponse, body: bytes) -> None:
    """Hold an answer against the description.

    Args:
        method: The request's method.
        target: What was asked for, a query included.
        response: The answer.
        body: Its body.
    """
    _check(method, _path(target), response.status, response.getheaders(), body)


def check_raw(request: bytes, received: bytes) -> None:
    """Hold the first of the answers to some bytes against the description.

    A request that can't be read is refused before its path is known, as on any path.

    Args:
        request: The bytes.
        received: What came back until the connection ended.
    """
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    status = int(first.split()[1])
    length = next((int(v) for name, v in headers if name.lower() == "content-length"), 0)
    line = _LINE.match(request.lstrip(b"\r\n"))
    method, target = (line[1].decode(), line[2].decode("latin-1")) if line else ("GET", _NOWHERE)
    body = b"" if method == "HEAD" else rest[:length]
    if status >= 400:
        with suppress(UndescribedError):
            _check("GET", _NOWHERE, status, headers, body)
            return
    _check(method, _path(target), status, headers, body)


def _check(
    method: str, path: str, status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    description().check(method, path, status, headers, body)


def _path(target: str) -> str:
    return unquote_to_bytes(urlsplit(target).path).decode(errors="replace")
