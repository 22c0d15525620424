"""What is sent is what a browser sends; what a person types is read strictly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kataven_flask.doctor import CHECKS, SIGN_IN_CHECKS, Target, examine
from kataven_flask.doctor.steps import Grant, Visit
from kataven_flask.doctor.target import API
from kataven_flask.doctor.wire import Answer, Client
from kataven_flask.doctor.words import harmless
from kataven_flask.errors import ConfigurationError
from kataven_flask.verify import SESSION_TYP
from tests.api.wire import segment
from tests.doctor.proxy import Proxy, proxy
from tests.support import KEY, ORIGIN, SECRET

OF_EVERY_CLIENT: Final = {"Host", "User-Agent", "Accept-Encoding", "Content-Length"}
CROSS_SITE: Final = {"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"}
OF_FETCH: Final = {
    **CROSS_SITE,
    "Origin": ORIGIN,
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Accept": "application/problem+json",
}


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Proxy]:
    """Return a server behind a proxy that does nothing wrong."""
    with proxy(tmp_path) as through:
        yield through


def test_it_sends_what_a_browser_sends(behind: Proxy) -> None:
    """Each request has the headers that Chromium gives the widget's own, and no others."""
    behind.examined()
    sent = {
        (seen.method, seen.path.partition("?")[0], seen.headers.get("Content-Type")): {
            name: value for name, value in seen.headers.items() if name not in OF_EVERY_CLIENT
        }
        for seen in behind.seen
        if seen.headers.get("Origin") != "https://doctor.invalid"
    }
    assert sent["GET", "/widget/v1.js", None] == {
        **CROSS_SITE,
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "script",
        "Accept": "*/*",
    }
    assert sent["GET", f"{API}/config", None] == OF_FETCH
    for action in ("guest", "refresh", "logout"):
        text = "text/plain;charset=UTF-8"
        assert sent["POST", f"{API}/auth/{action}", text] == {**OF_FETCH, "Content-Type": text}
    for action in ("guest", "refresh"):
        form = "application/json"
        assert sent["POST", f"{API}/auth/{action}", form] == {**OF_FETCH, "Content-Type": form}
    assert sent["OPTIONS", f"{API}/auth/guest", None] == {
        **OF_FETCH,
        "Accept": "*/*",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for path in ("/healthz", "/readyz", "/.well-known/jwks.json"):
        assert sent["GET", path, None] == {"Accept": "application/json"}


def test_the_agent_is_asked_for(behind: Proxy) -> None:
    """An agent that is named goes into the query and the body, as the widget has it."""
    behind.examined(agent="sales")
    config = next(seen for seen in behind.seen if seen.path.startswith(f"{API}/config"))
    assert config.path.endswith(f"?client_key={KEY}&agent_id=sales")
    guest = next(seen for seen in behind.seen if seen.path.endswith("/guest") and seen.body)
    assert json.loads(guest.body) == {"client_key": KEY, "agent_id": "sales"}


def test_a_server_under_a_path(behind: Proxy) -> None:
    """Where a proxy serves it under a path, every request goes there."""
    target = Target.read(f"{behind.url}/chat/", ORIGIN, KEY)
    list(examine(target))
    assert {seen.path.split("/")[1] for seen in behind.seen} == {"chat"}


# --- what a person types

GOOD: Final = {
    "https://acme.com": "https://acme.com",
    "acme.com": "https://acme.com",
    "HTTPS://ACME.com:443": "https://acme.com",
    "https://münchen.de": "https://xn--mnchen-3ya.de",
    "http://localhost:3000": "http://localhost:3000",
    "http://[::1]:3000": "http://[::1]:3000",
    " https://acme.com ": "https://acme.com",
    "capacitor://localhost": "capacitor://localhost",
}


@pytest.mark.parametrize(("typed", "sent"), GOOD.items())
def test_an_origin_as_a_person_writes_it(typed: str, sent: str) -> None:
    """It is sent as a browser serializes it."""
    assert str(Target.read("https://widget.example.com", typed, KEY).page) == sent


BAD: Final = {
    "a path": ("https://w.example", "https://acme.com/shop", KEY, "write https://acme.com"),
    "a wildcard": ("https://w.example", "*.acme.com", KEY, "write one origin, without `*`"),
    "any port": ("https://w.example", "https://acme.com:*", KEY, "write one origin, without `*`"),
    "no scheme": ("https://w.example", "localhost:1", KEY, "write http://localhost:1, or https://"),
    "null": ("https://w.example", "null", KEY, "`null`"),
    "a line's end": ("https://w.example", "https://a.com\r\nx: y", KEY, "white space"),
    "not http": ("ftp://w.example", ORIGIN, KEY, "--url: write http:// or https://"),
    "a bare host": ("w.example", ORIGIN, KEY, "--url: write http:// or https://"),
    "a file": ("file:///etc/passwd", ORIGIN, KEY, "--url: write http:// or https://"),
    "a query": ("https://w.example/?a=b", ORIGIN, KEY, "--url: write http:// or https://"),
    "a user": ("https://u:p@w.example", ORIGIN, KEY, "has user information"),
    "an odd path": ("https://w.example/a b", ORIGIN, KEY, "its path has characters"),
    "a split path": ("https://w.example/a\r\nX: y", ORIGIN, KEY, "its path has characters"),
    "no key": ("https://w.example", ORIGIN, "", "not a client key"),
    "half a key": ("https://w.example", ORIGIN, KEY[:20], "not a client key"),
    "a secret key": ("https://w.example", ORIGIN, SECRET, "rotate it"),
}


@pytest.mark.parametrize(("url", "origin", "key", "told"), BAD.values(), ids=BAD)
def test_a_slip_is_told(url: str, origin: str, key: str, told: str) -> None:
    """What can't be meant is told in one line, with what to write, before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        Target.read(url, origin, key)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "page", "mixed"),
    [
        ("http://widget.example.com", "https://acme.com", True),
        ("http://10.0.0.5:8000", "https://acme.com", True),
        ("http://127.0.0.1:8000", "https://acme.com", False),
        ("http://localhost:8000", "https://acme.com", False),
        ("https://widget.example.com", "https://acme.com", False),
        ("http://widget.example.com", "http://acme.com", False),
    ],
)
def test_mixed_content(url: str, page: str, mixed: object) -> None:
    """A browser blocks http in an https page, but for this machine's own hosts."""
    assert Target.read(url, page, KEY).is_mixed_content is mixed


# --- answers of strangers


class Stub(Client):
    """Gives every request the answer that a test has for its step."""

    def __init__(self, target: Target, *answers: Answer) -> None:
        super().__init__(target.server)
        self.answers = list(answers)
        self.sent: list[str] = []

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Answer, and note what was asked."""
        self.sent.append(f"{method} {path} {headers} {body!r}")
        return self.answers[(len(self.sent) - 1) % len(self.answers)]


def answer(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    """Return an answer that a page may read."""
    return Answer(status, (("Access-Control-Allow-Origin", "*"), *headers), body, 1, "192.0.2.1")


def test_no_secret_over_http() -> None:
    """The secret key isn't sent where anybody on the way could read it."""
    target = Target.read("http://widget.example.com", "http://acme.com", KEY)
    stub = Stub(target, answer(200, b"{}"))
    visit = Visit(target, stub, lambda: 0, SECRET)
    step = next(check for check in SIGN_IN_CHECKS if check.name == "user token").taken(visit)
    assert (step.state, step.summary) == ("failed", "not sent")
    assert stub.sent == []


def test_mixed_content_is_a_warning() -> None:
    """The server answers, and yet a browser would block it."""
    target = Target.read("http://widget.example.com", "https://acme.com", KEY)
    visit = Visit(target, Stub(target, answer(200, b'{"status":"alive"}')), lambda: 0)
    step = CHECKS[0].taken(visit)
    assert step.state == "warning"
    assert "mixed content" in step.findings[0].meaning


ANY_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
MEMBERS: Final = st.fixed_dictionaries(
    {},
    optional={
        name: ANY_JSON
        | st.sampled_from([KEY, "support", "eyJ.eyJ.x", {"id": "x", "type": "user"}, [{"kty": 1}]])
        for name in (
            "status", "config", "client_key", "agent", "tenant", "token", "user_token", "keys",
            "refresh_token", "session_id", "agent_id", "visitor", "server_time", "code",
        )
    },
)  # fmt: skip
HEADERS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            ["Content-Type", "Location", "Date", "Retry-After", "X-Error-Code", "Cache-Control"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=60)
        | st.sampled_from(
            ["application/json", "text/html", "used_token", "99", "auth_mode_forbidden"]
        ),
    ),
    max_size=4,
)
ANSWERS: Final = st.builds(
    lambda status, body, headers: answer(status, body, *headers),
    st.sampled_from([200, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503]) | st.just(200),
    MEMBERS.map(lambda members: json.dumps(members).encode()) | st.binary(max_size=40),
    HEADERS,
)


KEYS: Final = (
    st.fixed_dictionaries(
        {
            "kty": st.sampled_from(["EC", "OKP", "RSA", 1]),
            "crv": st.sampled_from(["P-256", "Ed25519", None]),
            "kid": st.just("a"),
            "x": st.sampled_from(["AAAA", 5]),
        },
        optional={"alg": st.sampled_from(["ES256", "EdDSA", "none", "HS256", ["x"], 1])},
    )
    | ANY_JSON
)
TOKENS: Final = st.text(max_size=30) | st.builds(
    lambda header, claims: ".".join(segment(part) for part in (header, claims, b"AAAA")),
    st.just({"typ": SESSION_TYP, "kid": "a", "alg": "ES256"}) | ANY_JSON,
    st.just({"iss": "x", "aud": "y"}) | ANY_JSON,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=3), st.lists(KEYS, max_size=2), TOKENS)
def test_no_answer_is_a_traceback(answers: list[Answer], keys: list[Any], token: str) -> None:
    """Every step takes any answer whatever, and says nothing that a terminal would obey."""
    target = Target.read("http://localhost", ORIGIN, KEY)
    for check in (*CHECKS, *SIGN_IN_CHECKS):
        visit = Visit(target, Stub(target, *answers), lambda: 1_790_000_000, SECRET)
        visit.grant = Grant(token, "refresh", "ses_1", "support", "guest_1", "guest", None)
        visit.keys = {"keys": keys}
        step = check.taken(visit)
        told = [step.summary, *(f"{each.meaning}{each.advice}" for each in step.findings)]
        assert all(text.isprintable() for text in told)


@given(st.text())
def test_what_is_printed_is_one_harmless_line(text: str) -> None:
    """No control character, line's end or mark of direction is left, and no end is missing."""
    shown = harmless(text, 40)
    assert shown.isprintable()
    assert len(shown) <= 40


@pytest.mark.parametrize(
    "secret",
    [SECRET, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln", ".eJx" + "a" * 60, "x" * 43],
)
def test_no_token_is_printed(secret: str) -> None:
    """A server that sends back what it was sent has nothing of it shown."""
    shown = harmless(f"you sent {secret}, thanks")
    assert shown in {"you sent (hidden), thanks", "you sent .(hidden), thanks"}
