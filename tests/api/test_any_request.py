"""Whatever is sent: a documented answer that a page can read, and nothing of it in a header."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.api.recipes import ALL
from tests.api.wire import MAX_BODY, bearer, no_limits, send, visitor_token
from tests.support import API, KEY, ORIGIN, OTHER_KEY, SECRET, Service

OF_PAGES: Final = ("guest", "exchange", "refresh", "logout")
OF_BACKENDS: Final = ("user-token", "revoke")
MEMBERS: Final = (
    "client_key", "agent_id", "token", "user_token", "guest_token", "refresh_token", "user_id",
    "external_user_id", "name", "display_name", "email", "origin", "__proto__", "",
)  # fmt: skip
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
DOCUMENTED: Final = {
    endpoint: {(each.status, each.code) for each in ALL if each.endpoint == endpoint}
    for endpoint in (*OF_PAGES, *OF_BACKENDS, "config")
}
"""The refusals of each endpoint, as its own tests have them."""
SERVED: Final = {(200, None), (204, None)}
HEADERS: Final = (
    "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_AUTHORIZATION", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING",
    "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_X_REQUEST_ID",
    "HTTP_COOKIE", "HTTP_HOST", "HTTP_SEC_FETCH_SITE", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "HTTP_EXPECT",
    "HTTP_TRANSFER_ENCODING", "CONTENT_TYPE", "REMOTE_ADDR", "QUERY_STRING",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Return a server without limits, one for all that is sent."""
    service = Service(tmp_path_factory.mktemp("any"))
    no_limits(service)
    return service


def code_of(answer: TestResponse) -> tuple[int, str | None]:
    """Return an answer's status and code."""
    return answer.status_code, answer.headers.get("X-Error-Code")


def assert_sound(answer: TestResponse, *, of_browser: bool) -> None:
    """Assert what holds for every answer, whoever asked for what."""
    assert answer.status_code < 500
    assert not any("\r" in value or "\n" in value for _, value in answer.headers)
    assert "X-Evil" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers
    assert (answer.headers.get("Access-Control-Allow-Origin") == "*") is of_browser
    assert "Access-Control-Allow-Credentials" not in answer.headers
    if answer.status_code >= 400:
        assert REQUEST_ID.fullmatch(answer.headers["X-Request-Id"])
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Traceback" not in answer.text


# --- bodies

texts = st.one_of(
    st.sampled_from([KEY, OTHER_KEY, SECRET, "support", "42", "", " ", "\0", "x" * 400, "a.b.c"]),
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lo"]), max_size=5),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, st.just(10**40), st.just(1e308)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=6), values, max_size=5)
documents = (objects | values).map(lambda value: json.dumps(value).encode())
bodies = st.one_of(
    documents,
    documents.map(lambda raw: raw.decode().encode("utf-16")),
    documents.map(lambda raw: b"\xef\xbb\xbf" + raw),
    documents.map(lambda raw: raw + b"\0"),
    documents.map(lambda raw: raw[:-1]),
    documents.flatmap(lambda raw: st.integers(0, len(raw)).map(lambda at: raw[:at])),
    st.binary(max_size=60),
    st.sampled_from(b'["{-ntf0\xff').map(lambda byte: bytes([byte]) * MAX_BODY),
    st.just(b'{"a":' * 3000 + b"1" + b"}" * 3000),
    st.just(b'{"client_key":' + b"9" * 5000 + b"}"),
    st.just(b"x" * (MAX_BODY + 1)),
)


@given(raw=bodies, with_secret=st.booleans())
@example(raw=json.dumps({"client_key": KEY, "user_id": "42"}).encode(), with_secret=True)
@example(raw=b"[" * 10_000, with_secret=True)
@example(raw=b'{"a":' * 2500, with_secret=True)
@settings(deadline=None, max_examples=150)
def test_any_body_gets_a_documented_answer(
    service: Service, raw: bytes, *, with_secret: bool
) -> None:
    """Whatever the body, each endpoint answers as it documents, and a page can read it."""
    for action in OF_PAGES:
        answer = send(service, action, raw)
        assert_sound(answer, of_browser=True)
        assert code_of(answer) in DOCUMENTED[action] | SERVED
    for action in OF_BACKENDS:
        headers = bearer(SECRET) if with_secret else {}
        answer = send(service, action, raw, origin=None, headers=headers)
        assert_sound(answer, of_browser=False)
        assert code_of(answer) in DOCUMENTED[action] | (SERVED if with_secret else set())


@given(members=objects, action=st.sampled_from(OF_PAGES))
@settings(deadline=None, max_examples=150)
def test_no_member_beside_a_good_token_is_a_fault(
    service: Service, members: dict[str, Any], action: str
) -> None:
    """A good token or key among any other members is served, or refused for one of these."""
    good = {"client_key": KEY}
    if action == "exchange":
        good = {"token": visitor_token(service)}
    elif action != "guest":
        good = {"refresh_token": service.guest().get_json()["refresh_token"]}
    answer = service.post(action, {**members, **good})
    assert_sound(answer, of_browser=True)
    assert code_of(answer) in DOCUMENTED[action] | SERVED


# --- headers

natives = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.text(",;=\"' \t/*:.[]()<>@\\q0", max_size=40),
    st.sampled_from(
        [
            "x\r\nX-Evil: 1", "\nX-Evil: 1", "\r", "\0", "\x1b[31m", "a" * 5000, "," * 3000,
            "W/" * 2000, '"' * 3001, " " * 4000 + "x", ";a=" * 2000, "-1", "9" * 5000, "1e9",
            "\xff\xfe", "Bearer", "Bearer ", f"bearer  {SECRET} ", "Bearer \xff\0", "null",
            "https://acme.com, https://acme.com", f"{ORIGIN}\r\nX-Evil: 1", "[::1", "a b", "*",
            "text/html;q=nan", "*/*;q=1e400", "application/json;q=\xb2", "bytes=0-9999",
        ]
    ),
)  # fmt: skip
environs = st.dictionaries(st.sampled_from(HEADERS), natives, min_size=1, max_size=4)


@given(environ=environs)
@example(environ={"HTTP_X_REQUEST_ID": "abcdefgh\r\nX-Evil: 1"})
@example(environ={"HTTP_X_REQUEST_ID": "abcdefgh\n"})
@example(environ={"HTTP_HOST": "evil.example\r\nX-Evil: 1"})
@example(environ={"QUERY_STRING": "client_key=%ff%fe&client_key=\xff&agent_id=%0d%0aX-Evil:%201"})
@settings(deadline=None, max_examples=200)
def test_any_header_gets_a_documented_answer(service: Service, environ: dict[str, str]) -> None:
    """Whatever stands in the headers, the answer is a documented one and repeats none of them."""
    no_http = {(400, "invalid_request")} if "HTTP_HOST" in environ else set()
    body = json.dumps({"client_key": KEY, "user_id": "42"}).encode()
    for action in (*OF_PAGES, *OF_BACKENDS):
        answer = service.client.post(f"{API}/auth/{action}", data=body, environ_overrides=environ)
        assert_sound(answer, of_browser=action in OF_PAGES)
        assert code_of(answer) in DOCUMENTED[action] | SERVED | no_http
    given = environ.get("HTTP_X_REQUEST_ID", "")
    for path in (f"{API}/config", "/widget/v1.js", "/.well-known/jwks.json", f"{API}/nothing"):
        answer = service.client.get(path, environ_overrides=environ, buffered=True)
        assert_sound(answer, of_browser=True)
        if "config" in path:
            assert code_of(answer) in DOCUMENTED["config"] | SERVED | no_http | {(304, None)}
        if "X-Request-Id" in answer.headers and not REQUEST_ID.fullmatch(given):
            assert answer.headers["X-Request-Id"].startswith("req_")


@given(environ=environs)
@settings(deadline=None, max_examples=100)
def test_any_preflight_is_answered(service: Service, environ: dict[str, str]) -> None:
    """A preflight of anybody, with anything in it, is answered or refused, never a fault."""
    hostless = {name: value for name, value in environ.items() if name != "HTTP_HOST"}
    for action in OF_PAGES:
        answer = service.client.options(f"{API}/auth/{action}", environ_overrides=hostless)
        assert_sound(answer, of_browser=True)
        assert answer.status_code == 200
    for action in OF_BACKENDS:
        answer = service.client.options(f"{API}/auth/{action}", environ_overrides=hostless)
        assert_sound(answer, of_browser=False)
        assert code_of(answer) == (405, "method_not_allowed")


@given(length=natives | st.integers().map(str))
@settings(deadline=None, max_examples=80)
def test_any_content_length_is_read_or_refused(service: Service, length: str) -> None:
    """A length that is none, or isn't true, makes a refusal at most."""
    body = json.dumps({"client_key": KEY}).encode()
    answer = service.client.post(
        f"{API}/auth/guest",
        data=body,
        headers={"Origin": ORIGIN},
        environ_overrides={"CONTENT_LENGTH": length},
    )
    assert_sound(answer, of_browser=True)
    assert code_of(answer) in {
        (200, None),
        (400, "invalid_body"),
        (400, "invalid_request"),  # fewer bytes came than were announced
        (413, "body_too_large"),
    }


@given(
    path=st.text(st.characters(max_codepoint=255), max_size=30),
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "<SCRIPT>"]
    ),
)
@settings(deadline=None, max_examples=150)
def test_any_path_and_method_is_answered(service: Service, path: str, method: str) -> None:
    """Whatever is asked for, in whatever way, is refused without a fault and sends nobody on."""
    for prefix in ("/", f"{API}/", f"{API}/auth/guest", "/widget/", "/.well-known/"):
        answer = service.client.open(
            prefix, method=method, environ_overrides={"PATH_INFO": prefix + path}, buffered=True
        )
        assert answer.status_code in {200, 400, 404, 405, 403}
        assert "Location" not in answer.headers
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"].startswith("text/plain")
