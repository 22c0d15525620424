"""What stands between a page and the service, and breaks it: each fault is found and named."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.doctor import Step, Target, examine
from tests.doctor.proxy import ALLOW_ORIGIN, GUEST, Proxy, Reply, Request, answer_of, proxy
from tests.support import API, KEY, ORIGIN, SECRET, Service

CONFIG: Final = f"{API}/config"
WIDGET: Final = "/widget/v1.js"
PAGE: Final = b"<!doctype html><title>Welcome</title>"


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Proxy]:
    """Return a server behind a proxy that does nothing wrong yet."""
    with proxy(tmp_path) as through:
        yield through


def failed(steps: dict[str, Step]) -> list[str]:
    """Return the names of the steps that failed."""
    return [step.name for step in steps.values() if step.state == "failed"]


def words(step: Step) -> str:
    """Return all that is said about a step."""
    parts = [f"{each.meaning} {each.advice} {each.command}" for each in step.findings]
    return " ".join([step.summary, *parts])


def test_a_good_proxy(behind: Proxy) -> None:
    """Where nothing is wrong, every step goes well, a user's too."""
    steps = behind.examined(secret=SECRET)
    assert {step.state for step in steps.values()} == {"ok"}
    assert len(steps) == 20


def test_nothing_is_left_behind(behind: Proxy) -> None:
    """The sessions that were begun and renewed can't be refreshed afterwards."""
    given: list[str] = []

    def note(_: Request, reply: Reply) -> Reply:
        if b'"refresh_token"' in reply.body:
            given.append(json.loads(reply.body)["refresh_token"])
        return reply

    behind.send = note
    behind.examined(secret=SECRET)
    assert len(given) == 6
    alone = given.pop(1)  # of the second guest, which nobody has renewed: no record to end
    assert behind.service.refresh(alone).status_code == 200
    for token in given:
        assert behind.service.refresh(token).headers["X-Error-Code"] == "revoked_session"


# --- CORS

CORS_FAULTS: Final[dict[str, tuple[Callable[[Reply], Reply], str]]] = {
    "stripped": (lambda reply: reply.without(ALLOW_ORIGIN), "a proxy strips it"),
    "twice": (lambda reply: reply.having(ALLOW_ORIGIN, ORIGIN), "stands twice"),
    "another's": (
        lambda reply: reply.without(ALLOW_ORIGIN).having(ALLOW_ORIGIN, "https://www.acme.com"),
        "is https://www.acme.com, so this page sees a network error",
    ),
    "with a slash": (
        lambda reply: reply.without(ALLOW_ORIGIN).having(ALLOW_ORIGIN, f"{ORIGIN}/"),
        "so this page sees a network error",
    ),
}


@pytest.mark.parametrize(("change", "told"), CORS_FAULTS.values(), ids=CORS_FAULTS)
def test_cors_is_held_against_the_fetch_standard(
    behind: Proxy, change: Callable[[Reply], Reply], told: str
) -> None:
    """An answer that a browser keeps from the page fails, though its status is 200."""
    behind.of_all(change)
    steps = behind.examined()
    assert failed(steps) == ["config", "preflight"]
    assert steps["config"].status == 200
    assert told in words(steps["config"])
    assert steps["guest"].summary == "needs config"


def test_the_pages_own_origin_will_do(behind: Proxy) -> None:
    """A proxy may name the one origin instead of `*`."""
    behind.of_all(lambda reply: reply.without(ALLOW_ORIGIN).having(ALLOW_ORIGIN, ORIGIN))
    steps = behind.examined()
    assert failed(steps) == []


def test_a_refusal_without_cors_is_told_twice(behind: Proxy) -> None:
    """Why it was refused, and that the page can't read it."""
    behind.of_all(lambda reply: reply.without(ALLOW_ORIGIN))
    step = behind.examined(origin="https://www.acme.net")["config"]
    assert step.code == "origin_not_allowed"
    assert "domain_allowlist doesn't admit https://www.acme.net" in words(step)
    assert "a proxy strips it" in words(step)


def test_a_page_on_the_servers_own_origin(behind: Proxy) -> None:
    """CORS has no part in it: no preflight, and no `Origin` on a GET."""
    behind.service.document["tenants"]["acme"]["keys"][0]["domain_allowlist"] = ["127.0.0.1:*"]
    behind.service.edit()
    behind.of_all(lambda reply: reply.without(ALLOW_ORIGIN))
    steps = behind.examined(origin=behind.url)
    assert failed(steps) == []
    assert steps["preflight"].state == "skipped"
    config = next(seen for seen in behind.seen if seen.path.startswith(CONFIG))
    assert "Origin" not in config.headers
    assert config.headers["Sec-Fetch-Site"] == "same-origin"


def test_hidden_headers_are_a_warning(behind: Proxy) -> None:
    """A page that can't read X-Error-Code still works, and is harder to mend."""
    behind.of(CONFIG, lambda reply: reply.without("Access-Control-Expose-Headers"))
    step = behind.examined()["config"]
    assert step.state == "warning"
    assert "can't read X-Error-Code" in words(step)


# --- the preflight

PREFLIGHT_FAULTS: Final[dict[str, tuple[Callable[[Reply], Reply], str]]] = {
    "refused": (lambda reply: dataclasses.replace(reply, status=405), "refused with 405"),
    "without headers": (
        lambda reply: reply.without("Access-Control-Allow-Headers"),
        "doesn't have content-type",
    ),
    "other headers": (
        lambda reply: reply.without("Access-Control-Allow-Headers").having(
            "Access-Control-Allow-Headers", "authorization"
        ),
        "doesn't have content-type",
    ),
    "unreadable": (
        lambda reply: reply.having("Access-Control-Allow-Methods", "POST; GET"),
        "can't be read",
    ),
}


@pytest.mark.parametrize(("change", "told"), PREFLIGHT_FAULTS.values(), ids=PREFLIGHT_FAULTS)
def test_a_preflight_that_stops_a_browser(
    behind: Proxy, change: Callable[[Reply], Reply], told: str
) -> None:
    """Widgets that post JSON fail; ours, which needs no preflight, goes on."""
    behind.send = lambda request, reply: change(reply) if request.method == "OPTIONS" else reply
    steps = behind.examined()
    assert failed(steps) == ["preflight"]
    assert told in words(steps["preflight"])
    assert steps["guest"].state == "ok"
    assert steps["guest, JSON"].summary == "needs preflight"


@pytest.mark.parametrize("headers", ["*", "Content-Type, Accept"])
def test_a_preflight_needs_no_leave_for_post(behind: Proxy, headers: str) -> None:
    """POST is safelisted; a proxy that lists no methods blocks nothing."""

    def change(request: Request, reply: Reply) -> Reply:
        if request.method != "OPTIONS":
            return reply
        bare = reply.without("Access-Control-Allow-Methods").without("Access-Control-Allow-Headers")
        return dataclasses.replace(
            bare.having("Access-Control-Allow-Headers", headers), status=204, body=b""
        )

    behind.send = change
    assert behind.examined()["preflight"].state == "ok"


# --- somebody else answers


def test_a_web_page_instead(behind: Proxy) -> None:
    """A site that answers everything with its home page is told from the service."""
    behind.of_all(lambda reply: dataclasses.replace(reply.saying(PAGE, "text/html"), status=200))
    steps = behind.examined()
    assert failed(steps) == ["ready", "widget", "config", "keys"]
    for name in ("ready", "widget", "config", "keys"):
        assert "A web page came instead" in words(steps[name])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"hello", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000, b"{}", b"null"]
)
def test_something_else_than_an_answer(behind: Proxy, body: bytes) -> None:
    """Whatever another service answers, it is a finding and no traceback."""
    behind.of_all(lambda reply: dataclasses.replace(reply.saying(body), status=200))
    steps = behind.examined(secret=SECRET)
    assert "config" in failed(steps)
    assert "not what kataven-flask answers" in words(steps["config"])


@pytest.mark.parametrize("status", [502, 503, 504])
def test_no_server_behind_the_proxy(behind: Proxy, status: int) -> None:
    """A proxy's own error says that the server is down; nothing else is tried."""
    bad = Reply(status, (("Content-Type", "text/html"),), PAGE)
    behind.of_all(lambda _: bad)
    steps = behind.examined()
    assert failed(steps) == ["reach"]
    assert "reaches no server behind it" in words(steps["reach"])
    assert {step.summary for step in steps.values() if step.state == "skipped"} >= {"needs reach"}
    assert len(behind.seen) == 1


def test_a_redirect_is_not_followed(behind: Proxy) -> None:
    """A redirect is a finding: it names where to, without what a terminal would obey."""
    to = "https://www.example.com/\x1b[31mred\u202e"
    moved = Reply(301, (("Location", to.encode().decode("latin-1")),), b"")
    behind.of_all(lambda _: moved)
    steps = behind.examined()
    assert failed(steps) == ["reach"]
    assert "elsewhere to https://www.example.com/" in words(steps["reach"])
    assert words(steps["reach"]).isprintable()
    assert len(behind.seen) == 1


def test_a_firewalls_refusal(behind: Proxy) -> None:
    """A refusal without a reason of ours is somebody else's."""
    behind.of(CONFIG, lambda _: Reply(403, (("Content-Type", "text/plain"),), b"Forbidden"))
    step = behind.examined()["config"]
    assert (step.state, step.status, step.code) == ("failed", 403, None)
    assert "A proxy, a firewall or another server answers in its place" in words(step)


def test_a_reason_in_the_body_alone(behind: Proxy) -> None:
    """Where a proxy strips X-Error-Code, the body still has the reason."""
    behind.of_all(lambda reply: reply.without("X-Error-Code"))
    assert behind.examined(origin="https://www.acme.net")["config"].code == "origin_not_allowed"


def test_a_huge_answer(behind: Proxy) -> None:
    """What has no end is not read to its end."""
    behind.of(CONFIG, lambda reply: reply.saying(b"{" * 600_000))
    step = behind.examined()["config"]
    assert "over 512 KiB" in words(step)


def test_a_strangers_words_are_made_harmless(behind: Proxy) -> None:
    """Terminal codes, marks of direction and tokens in an answer don't reach the terminal."""
    hostile = "Evil\x1b]0;owned\x07 \u202egpj.exe\r\n sk_live_acme_sss eyJhbGciOi.eyJzdWIi.c2ln"

    def change(reply: Reply) -> Reply:
        members = json.loads(reply.body)
        members["agent"]["display_name"] = hostile
        return reply.saying(json.dumps(members).encode())

    behind.of(CONFIG, change)
    step = behind.examined()["config"]
    assert step.state == "ok"
    assert step.summary.isprintable()
    assert "sk_live" not in step.summary
    assert "eyJ" not in step.summary


# --- the widget's script

SCRIPT_FAULTS: Final[dict[str, tuple[Callable[[Reply], Reply], str]]] = {
    "another type": (lambda reply: reply.saying(b"let x", "text/plain"), "not text/javascript"),
    "no type": (lambda reply: reply.without("Content-Type"), "Its type is missing"),
    "a page": (lambda reply: reply.saying(PAGE, "text/javascript"), "A web page came instead"),
    "empty": (lambda reply: reply.saying(b" ", "text/javascript"), "not what kataven-flask"),
    "gone": (
        lambda _: Reply(404, (("Content-Type", "text/plain"),), b"no"),
        "Status 404, and no reason",
    ),
    "kept from other sites": (
        lambda reply: reply.without("Cross-Origin-Resource-Policy").having(
            "Cross-Origin-Resource-Policy", "same-origin"
        ),
        "other sites' pages can't load it",
    ),
}


@pytest.mark.parametrize(("change", "told"), SCRIPT_FAULTS.values(), ids=SCRIPT_FAULTS)
def test_a_script_that_no_page_can_run(
    behind: Proxy, change: Callable[[Reply], Reply], told: str
) -> None:
    """The handshake is sound, and yet no widget comes up: that is told, too."""
    behind.of(WIDGET, change)
    steps = behind.examined()
    assert failed(steps) == ["widget"]
    assert told in words(steps["widget"])


# --- what passes is changed


def test_an_origin_that_the_proxy_writes(behind: Proxy) -> None:
    """A proxy that puts an admitted origin into every request opens the key to everybody."""
    behind.receive = lambda request: dataclasses.replace(
        request, headers={**request.headers, "Origin": ORIGIN}
    )
    steps = behind.examined()
    assert failed(steps) == ["stranger"]
    assert "the allowlist protects nobody" in words(steps["stranger"])


def test_a_backends_call_that_looks_like_a_browsers(behind: Proxy) -> None:
    """A proxy that adds `Sec-Fetch-Site` breaks the backend's call alone."""
    behind.receive = lambda request: dataclasses.replace(
        request, headers={"Sec-Fetch-Site": "cross-site", **request.headers}
    )
    steps = behind.examined(secret=SECRET)
    assert failed(steps) == ["user token"]
    assert steps["user token"].code == "browser_forbidden"


def test_requests_that_the_proxy_sends_twice(behind: Proxy) -> None:
    """A proxy that repeats a POST has spent the visitor token before its answer comes."""

    def twice(request: Request) -> Request:
        if request.path.endswith("/exchange"):
            behind.service.client.post(request.path, data=request.body, headers=request.headers)
        return request

    behind.receive = twice
    steps = behind.examined(secret=SECRET)
    assert failed(steps) == ["exchange"]
    assert "must not repeat a POST" in words(steps["exchange"])


def test_another_keys_config(behind: Proxy) -> None:
    """A cache that leaves out the query is told by the key in the answer."""
    other = behind.service.config().get_data().replace(b"pk_live_acme_A", b"pk_live_acme_Z")
    behind.of(CONFIG, lambda reply: reply.saying(other))
    assert "A cache on the way" in words(behind.examined()["config"])


def test_an_answer_that_may_be_cached(behind: Proxy) -> None:
    """A token's answer without `no-store` is a warning."""
    behind.of(GUEST, lambda reply: reply.without("Cache-Control"))
    step = behind.examined()["guest"]
    assert step.state == "warning"
    assert "no-store" in words(step)


# --- several servers behind one address


def test_servers_that_share_no_keys(behind: Proxy, tmp_path: Path) -> None:
    """A session that another server's keys don't verify, nor renew, is told as such."""
    (tmp_path / "other").mkdir()
    other = Service(tmp_path / "other", clock=behind.service.settings.clock)

    def second(request: Request, reply: Reply) -> Reply:
        if "jwks" not in request.path and "refresh" not in request.path:
            return reply
        return answer_of(other, request)

    behind.send = second
    steps = behind.examined()
    assert failed(steps) == ["token", "refresh"]
    assert "need the same signing keys" in words(steps["token"])
    assert steps["refresh"].code == "invalid_refresh_token"
    assert "need the same signing keys" in words(steps["refresh"])


def test_servers_that_share_no_state(behind: Proxy) -> None:
    """A visitor token that a second server takes again is a fault, and a grave one."""
    sent: list[bytes] = []

    def forget(request: Request, reply: Reply) -> Reply:
        if request.path.endswith("/exchange"):
            sent.append(reply.body)
            if len(sent) == 2:
                return dataclasses.replace(reply.saying(sent[0]), status=200)
        return reply

    behind.send = forget
    steps = behind.examined(secret=SECRET)
    assert failed(steps) == ["used twice"]
    assert "One visitor token began two sessions" in words(steps["used twice"])
    assert steps["user: logout"].state == "ok"


def test_a_session_of_another_page(behind: Proxy) -> None:
    """A cache that gives one page's session to another is told by the token's claims."""
    other = behind.service.guest(origin="https://shop.acme.com").get_data()
    behind.of(GUEST, lambda reply: reply.saying(other))
    steps = behind.examined()
    assert steps["token"].state == "failed"
    assert steps["token"].summary == "another origin"


def test_two_successors(behind: Proxy) -> None:
    """A refresh token that a second server rotates to something else is a fault."""

    def change(request: Request, reply: Reply) -> Reply:
        if not (request.path.endswith("/refresh") and b"json" in content_type(request)):
            return reply
        members = {**json.loads(reply.body), "refresh_token": "another"}
        return reply.saying(json.dumps(members).encode())

    behind.send = change
    steps = behind.examined()
    assert failed(steps) == ["second tab"]
    assert "One refresh token had two successors" in words(steps["second tab"])


def content_type(request: Request) -> bytes:
    """Return a request's media type."""
    return request.headers.get("Content-Type", "").encode()


def test_a_refresh_that_renews_nothing(behind: Proxy) -> None:
    """An answer with the tokens that were sent is none of the service's."""
    first: list[bytes] = []

    def change(request: Request, reply: Reply) -> Reply:
        if request.path == GUEST and request.method == "POST":
            first.append(reply.body)
        return reply.saying(first[0]) if request.path.endswith("/refresh") else reply

    behind.send = change
    steps = behind.examined()
    assert failed(steps) == ["refresh"]
    assert steps["refresh"].summary == "the same tokens again"
    assert steps["logout"].state == "ok"


def test_somebody_elses_session(behind: Proxy) -> None:
    """A sign-in that gives another visitor's session fails."""
    other = json.dumps(behind.service.user_session(user_id="user-7f3a9c42")).encode()
    behind.of(f"{API}/auth/exchange", lambda reply: reply.saying(other))
    steps = behind.examined(secret=SECRET)
    assert failed(steps) == ["exchange"]
    assert steps["exchange"].summary == "the session is somebody else's"


def test_a_local_issuer(behind: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public server whose tokens name its own machine's address is warned of."""
    behind.service.document["issuer"] = "http://localhost:8000"
    behind.service.edit()
    assert behind.examined()["token"].state == "ok"
    there = Target.read("http://widget.example.com", ORIGIN, KEY)
    real, port = socket.create_connection, int(behind.url.rpartition(":")[2])
    monkeypatch.setattr(
        socket, "create_connection", lambda _, timeout: real(("127.0.0.1", port), timeout)
    )
    token = {step.name: step for step in examine(there)}["token"]
    assert token.state == "warning"
    assert "Write `issuer:` in the tenants' file" in words(token)
