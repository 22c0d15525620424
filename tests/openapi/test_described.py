"""What holds every answer against the description: it lets the truth pass, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.openapi.described import UndescribedError, description
from tests.support import API, KEY, ORIGIN, Service

Headers = list[tuple[str, str]]
GUEST: Final = f"{API}/auth/guest"


def check(headers: Headers, body: bytes, status: int = 200, path: str = GUEST) -> None:
    """Hold an answer to a guest against the description."""
    description().check("POST", path, status, headers, body)


@pytest.fixture
def granted(service: Service) -> tuple[Headers, bytes]:
    """Return the headers and the body of a guest's session."""
    answer = service.guest()
    return list(answer.headers.items()), answer.data


@pytest.fixture
def refused(service: Service) -> tuple[Headers, bytes]:
    """Return the headers and the body of a refused guest."""
    answer = service.guest(origin="https://evil.example")
    return list(answer.headers.items()), answer.data


def test_what_is_true_passes(
    granted: tuple[Headers, bytes], refused: tuple[Headers, bytes]
) -> None:
    """Answers as the service gives them are described."""
    check(*granted)
    check(*refused, status=403)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body | {"extra": 1}, "extra"),
        (lambda body: body | {"expires_in": "600"}, "600"),
        (lambda body: body | {"expires_in": 901}, "901"),
        (lambda body: body | {"token": "not a token"}, "not a token"),
        (lambda body: body | {"visitor": body["visitor"] | {"name": "Ada"}}, "oneOf"),
        (lambda body: {name: body[name] for name in body if name != "server_time"}, "server_time"),
    ],
    ids=["foreign", "type", "too-much", "shape", "guest-with-a-name", "missing"],
)
def test_a_member_that_is_not_described(
    granted: tuple[Headers, bytes], change: Callable[[Any], Any], words: str
) -> None:
    """A member too many, too few or of another kind is found."""
    headers, body = granted
    with pytest.raises(UndescribedError, match=words):
        check(headers, json.dumps(change(json.loads(body))).encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda headers: [*headers, ("X-Debug", "1")], "x-debug"),
        (lambda headers: [*headers, ("Set-Cookie", "a=b")], "set-cookie"),
        (lambda headers: [*headers, ("Cache-Control", "no-store")], "twice"),
        (lambda headers: [h for h in headers if h[0] != "Cache-Control"], "cache-control"),
        (lambda headers: [h for h in headers if "Origin" not in h[0]], "access-control"),
        (
            lambda headers: [(n, "public" if n == "Cache-Control" else v) for n, v in headers],
            "no-store",
        ),
        (
            lambda headers: [(n, "text/html" if n == "Content-Type" else v) for n, v in headers],
            "text/html",
        ),
    ],
    ids=["foreign", "cookie", "doubled", "missing", "no-cors", "value", "type"],
)
def test_a_header_that_is_not_described(
    granted: tuple[Headers, bytes], change: Callable[[Headers], Headers], words: str
) -> None:
    """A header too many, too few or of another value is found."""
    headers, body = granted
    with pytest.raises(UndescribedError, match=words):
        check(change(headers), body)


def test_a_code_that_is_not_of_that_endpoint(refused: tuple[Headers, bytes]) -> None:
    """Another endpoint's code, or another status, is found, and so are other words."""
    headers, body = refused
    other = [(n, "used_token" if n == "X-Error-Code" else v) for n, v in headers]
    with pytest.raises(UndescribedError, match="used_token"):
        check(other, body, status=403)
    with pytest.raises(UndescribedError, match="origin_not_allowed"):
        check(headers, body, status=400)
    with pytest.raises(UndescribedError, match="undocumented status"):
        check(headers, body, status=402)
    with pytest.raises(UndescribedError, match="Forbidden"):
        check(headers, b"Forbidden", status=403)


def test_a_path_that_is_not_described(granted: tuple[Headers, bytes]) -> None:
    """A path that nobody has described refuses, or is found."""
    with pytest.raises(UndescribedError, match="undocumented status"):
        check(*granted, path=f"{API}/auth/secret")


def test_every_client_of_a_test_is_watched(service: Service) -> None:
    """A test whose server answers something else fails."""

    @service.app.get("/undescribed")
    def undescribed() -> str:
        return "hello"

    with pytest.raises(UndescribedError, match="undescribed"):
        service.client.get("/undescribed")
    body = {"client_key": KEY}
    assert service.client.post(GUEST, json=body, headers={"Origin": ORIGIN}).status_code == 200
