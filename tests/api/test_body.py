"""What a body may be: one JSON object in UTF-8 of at most 16 KiB, whatever its Content-Type."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from tests.api.wire import MAX_BODY, bearer, no_limits, send, visitor_token
from tests.support import API, KEY, ORIGIN, SECRET, Service, refused

ACTIONS: Final = ["guest", "user-token", "exchange", "refresh", "logout", "revoke"]
BACKEND: Final = {"user-token", "revoke"}
BAD_BODY: Final = (400, "invalid_body")

every_endpoint = pytest.mark.parametrize("action", ACTIONS)


def post(service: Service, action: str, body: bytes, **options: Any) -> TestResponse:
    """Post bytes as the endpoint's own caller would."""
    if action in BACKEND:
        options["headers"] = bearer(SECRET) | options.get("headers", {})
        return send(service, action, body, origin=None, **options)
    return send(service, action, body, origin=ORIGIN, **options)


def sound(service: Service, action: str) -> dict[str, Any]:
    """Return a body that is served."""
    match action:
        case "guest":
            return {"client_key": KEY}
        case "user-token":
            return {"client_key": KEY, "user_id": "user-7f3a9c42"}
        case "revoke":
            return {"user_id": "user-7f3a9c42"}
        case "exchange":
            return {"token": visitor_token(service)}
        case _:
            return {"refresh_token": service.guest().get_json()["refresh_token"]}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \r\n\t", id="blank"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="true"),
        pytest.param(b"user-7f3a9c42", id="number"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'[{"client_key":"x"}]', id="object-in-a-list"),
        pytest.param(b"{", id="open"),
        pytest.param(b"}", id="close"),
        pytest.param(b"{}{}", id="two-objects"),
        pytest.param(b"{} x", id="more-after-it"),
        pytest.param(b"{}\x00", id="null-byte-after-it"),
        pytest.param(b"\x00", id="null-byte"),
        pytest.param(b"{'client_key':'x'}", id="single-quotes"),
        pytest.param(b"{client_key:1}", id="no-quotes"),
        pytest.param(b'{"a":1,}', id="trailing-comma"),
        pytest.param(b'{"a":1 /* x */}', id="comment"),
        pytest.param(b'{"a":"\x00"}', id="raw-null-byte-in-text"),
        pytest.param(b'{"a":"\n"}', id="raw-line-break-in-text"),
        pytest.param(b'{"a":"\\x41"}', id="bad-escape"),
        pytest.param(b'{"a":"\\u12"}', id="short-escape"),
        pytest.param(b'{"a":01}', id="leading-zero"),
        pytest.param(b'{"a":.5}', id="no-zero"),
        pytest.param(b'{"a":0x10}', id="hex"),
        pytest.param(b'{"a":NaN}', id="nan"),
        pytest.param(b'{"a":Infinity}', id="infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus-infinity"),
        pytest.param(b'{"a":[{"b":[NaN]}]}', id="nan-deep-inside"),
        pytest.param(b"NaN", id="nan-alone"),
        pytest.param(b'{"a":1,"a":1}', id="same-member-twice"),
        pytest.param(b'{"a":1,"a":2}', id="member-twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="member-twice-escaped"),
        pytest.param(b'{"x":{"a":1,"a":2}}', id="member-twice-inside"),
        pytest.param(b'{"":1,"":2}', id="nameless-twice"),
        pytest.param(b"client_key=pk&user_id=42", id="form"),
        pytest.param(b"<xml/>", id="xml"),
        pytest.param(b'{"a":"\xff"}', id="not-utf-8"),
        pytest.param(b'{"a":"\xc3"}', id="cut-character"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="overlong"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param('{"a":"ü"}'.encode("latin-1"), id="latin-1"),
        pytest.param('{"a":1}'.encode("utf-16"), id="utf-16"),
        pytest.param('{"a":1}'.encode("utf-32"), id="utf-32"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte-order-mark"),
        pytest.param(gzip.compress(b'{"a":1}'), id="gzip"),
        pytest.param(b"[" * MAX_BODY, id="deep-lists"),
        pytest.param(b'{"a":' * (MAX_BODY // 5), id="deep-objects"),
        pytest.param(b'{"a":' + b"[" * 8000 + b"]" * 8000 + b"}", id="deep-and-closed"),
        pytest.param(b'{"a":' + b"9" * 6000 + b"}", id="number-of-6000-digits"),
    ],
)
@every_endpoint
def test_what_is_no_object_is_refused(service: Service, action: str, body: bytes) -> None:
    """Whatever isn't one JSON object, read strictly, is a 400 at every endpoint."""
    answer = post(service, action, body)
    if body.startswith(b'{"a":[[') and answer.headers["X-Error-Code"] != "invalid_body":
        # Nested lists that close are JSON; a server may read them, and then miss a member.
        assert answer.headers["X-Error-Code"].startswith("missing_")
    else:
        assert refused(answer) == BAD_BODY


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json; charset=utf-16",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "garbage",
        "",
        None,
    ],
)
@every_endpoint
def test_any_content_type_is_read(service: Service, action: str, content_type: str | None) -> None:
    """A widget may send `text/plain` to spare the preflight; the bytes decide."""
    body = json.dumps(sound(service, action)).encode()
    answer = post(service, action, body, content_type=content_type)
    assert answer.status_code in {200, 204}


@every_endpoint
def test_unknown_members_are_ignored(service: Service, action: str) -> None:
    """A newer widget may send more than this server knows."""
    more = {"x": 1, "deep": [[{"a": None}]], "__proto__": {}, "\ud800": "\udfff", "big": 1e308}
    body = json.dumps(sound(service, action) | more).encode()
    assert post(service, action, body).status_code in {200, 204}


@every_endpoint
def test_white_space_around_is_fine(service: Service, action: str) -> None:
    """JSON may be laid out as one likes."""
    body = json.dumps(sound(service, action), indent=4).encode()
    assert post(service, action, b"\r\n\t " + body + b"\n").status_code in {200, 204}


@every_endpoint
def test_16_kib_are_read_and_no_byte_more(service: Service, action: str) -> None:
    """A body of exactly 16 KiB is served; one byte more is a 413."""
    body = json.dumps(sound(service, action)).encode()
    assert refused(post(service, action, body.ljust(MAX_BODY + 1))) == (413, "body_too_large")
    assert post(service, action, body.ljust(MAX_BODY)).status_code in {200, 204}


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
def test_a_body_without_a_length_has_the_same_limit(
    service: Service, size: int, status: int
) -> None:
    """A chunked body that says no length is cut off at the same size."""
    body = json.dumps({"client_key": KEY}).encode().ljust(size)
    answer = service.client.post(
        f"{API}/auth/guest",
        headers={"Origin": ORIGIN},
        environ_overrides={
            "CONTENT_LENGTH": "",
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
        },
    )
    assert answer.status_code == status


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 30, "1e3", " ", "\u0661"])
def test_a_strange_length_is_no_fault_of_ours(service: Service, length: str) -> None:
    """A Content-Length that is no number ends in a 4xx."""
    answer = service.client.post(
        f"{API}/auth/guest",
        data=b'{"client_key":"%s"}' % KEY.encode(),
        headers={"Origin": ORIGIN},
        environ_overrides={"CONTENT_LENGTH": length},
    )
    assert answer.status_code in {400, 413}
    assert answer.headers["X-Error-Code"] in {"invalid_body", "body_too_large", "invalid_request"}


def test_a_members_value_never_comes_back(service: Service) -> None:
    """A refusal names the member, not what was sent in it."""
    no_limits(service)
    for body in ({"client_key": "<script>" * 99}, {"client_key": KEY, "agent_id": "<script>"}):
        assert "script" not in service.post("guest", body).text
