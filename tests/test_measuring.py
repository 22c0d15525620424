"""What an observer is told: every answer once, by names of ours, of the tenant whose it was."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Final

import pytest
from flask.testing import FlaskClient

from kataven_flask.app import create_app
from kataven_flask.errors import StoreError
from kataven_flask.handshake import Handshake
from kataven_flask.listening import Address, bind
from kataven_flask.measuring import route_names
from kataven_flask.observer import Answer, Observer
from kataven_flask.serve import Server
from kataven_flask.store import breaker
from kataven_flask.store.breaker import Breaker
from kataven_flask.store.memory import MemoryStore
from tests.running import BOUND, wait_until
from tests.support import API, KEY, ORIGIN, OTHER_KEY, Service
from tests.test_channels import Desk, Line

PAGE: Final = {"Origin": ORIGIN}


class Told(Observer):
    """Keeps what it was told of answers and of the store."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int, str, str]] = []
        self.store: list[str] = []
        self._tenant = "nobody has said"

    def whose(self, tenant: str) -> None:
        """Keep whose the next answer is."""
        self._tenant = tenant

    def answered(self, answer: Answer) -> None:
        """Keep the answer."""
        assert 0 < answer.seconds < 10
        self.answers.append((answer.route, answer.status, answer.code, self._tenant))

    def stepped(self, operation: str, seconds: float, *, done: bool) -> None:
        """Keep the step."""
        assert seconds >= 0
        self.store.append(f"{operation} {'done' if done else 'failed'}")

    def spared(self, operation: str) -> None:
        """Keep what wasn't tried."""
        self.store.append(f"{operation} spared")

    def breaker(self, *, is_open: bool) -> None:
        """Keep that the store is spared, or isn't any more."""
        self.store.append("open" if is_open else "closed")


@pytest.fixture
def told() -> Told:
    """Return an observer."""
    return Told()


@pytest.fixture
def client(service: Service, told: Told) -> FlaskClient:
    """Return a client of a server that is observed."""
    app = create_app(dataclasses.replace(service.settings), told)
    service.app = app
    return app.test_client()


ASKED: Final[list[tuple[str, Callable[[FlaskClient], object], tuple[str, int, str, str]]]] = [
    (
        "a guest",
        lambda c: c.post(f"{API}/auth/guest", json={"client_key": KEY}, headers=PAGE),
        ("guest", 200, "ok", "acme"),
    ),
    (
        "another tenant's",
        lambda c: c.post(f"{API}/auth/guest", json={"client_key": OTHER_KEY}, headers=PAGE),
        ("guest", 200, "ok", "other"),
    ),
    (
        "a key of nobody",
        lambda c: c.post(f"{API}/auth/guest", json={"client_key": "pk_live_acme_x"}, headers=PAGE),
        ("guest", 403, "unknown_client_key", ""),
    ),
    (
        "a refused page",
        lambda c: c.post(f"{API}/auth/guest", json={"client_key": KEY}),
        ("guest", 403, "origin_not_allowed", "acme"),
    ),
    ("no body", lambda c: c.post(f"{API}/auth/guest"), ("guest", 400, "invalid_body", "")),
    (
        "a wrong method",
        lambda c: c.get(f"{API}/auth/guest"),
        ("guest", 405, "method_not_allowed", ""),
    ),
    ("no path", lambda c: c.get(f"{API}/auth/guest/"), ("other", 404, "not_found", "")),
    ("a head", lambda c: c.head("/healthz"), ("healthz", 200, "ok", "")),
    ("a file of a folder", lambda c: c.get("/docs/style.css"), ("docs", 200, "ok", "")),
    ("a preflight", lambda c: c.options(f"{API}/config"), ("preflight", 200, "ok", "")),
    ("one of no path", lambda c: c.options("/nowhere"), ("preflight", 404, "not_found", "")),
]


@pytest.mark.parametrize(
    ("ask", "answer"), [(ask, answer) for _, ask, answer in ASKED], ids=[name for name, *_ in ASKED]
)
def test_each_answer_is_told_once(
    client: FlaskClient,
    told: Told,
    ask: Callable[[FlaskClient], object],
    answer: tuple[str, int, str, str],
) -> None:
    """By its route, its status and its code, whatever was asked in the same thread before."""
    client.post(f"{API}/auth/guest", json={"client_key": OTHER_KEY}, headers=PAGE)
    ask(client)
    assert told.answers[1:] == [answer]


def test_a_fault_is_told(
    client: FlaskClient,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of ours counts as one answer of 500."""
    monkeypatch.setattr(Handshake, "guest", lambda *_: 1 / 0)
    client.post(f"{API}/auth/guest", json={"client_key": KEY}, headers=PAGE)
    assert told.answers == [("guest", 500, "internal_error", "")]
    assert "unhandled fault" in caplog.text


def test_every_path_has_a_short_name(service: Service) -> None:
    """No two paths that differ are one route, but the files of the description's page."""
    rules = [rule.rule for rule in service.app.url_map.iter_rules()]
    names = route_names(rules)
    assert len(set(names.values()) - {"docs"}) == len({r for r in rules if "/docs" not in r})
    assert not {"other", "preflight", "unread"} & set(names.values())


def test_the_steps_of_a_store_are_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are done, those that fail, and when it is spared and no more."""

    def away(_store: MemoryStore) -> None:
        raise StoreError("away")

    store = Breaker(MemoryStore(), told)
    store.ping()
    with monkeypatch.context() as broken:
        broken.setattr(MemoryStore, "ping", away)
        broken.setattr(breaker, "SLOW", 0.0)
        with pytest.raises(StoreError):
            store.ping()
        with store._trying, pytest.raises(StoreError, match="another request"):  # noqa: SLF001
            store.since_ms()
    store.ping()
    store.ping()
    failed = ["open", "ping failed", "since_ms spared", "open"]
    assert told.store == ["ping done", *failed, "ping done", "closed", "ping done"]
    assert store.is_prompt


class Loaded(Observer):
    """Keeps what it was told last of a server's load, and what no app was asked."""

    load = (0, 0, 0)
    refused = (0, "")

    def loaded(self, connections: int, busy: int, waiting: int) -> None:
        """Keep the load."""
        self.load = (connections, busy, waiting)

    def refused_unread(self, status: int, code: str) -> None:
        """Keep the refusal."""
        self.refused = (status, code)


def test_the_load_of_a_server_is_told() -> None:
    """Who is connected, who is being worked for, who waits; and what was no request at all."""
    desk, loaded = Desk(), Loaded()
    listener = bind(Address("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(desk, listener, 1, observer=loaded)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with Line(port) as first, Line(port) as second, Line(port) as third:
            first.send("/waits")
            assert desk.arrived.acquire(timeout=BOUND)
            second.send("/waits")
            wait_until(lambda: loaded.load == (3, 1, 1), "one is worked for, and one waits")
            desk.may_answer.set()
            assert first.answer()[0] == second.answer()[0] == "200 OK"
            wait_until(lambda: loaded.load == (3, 0, 0), "nobody waits any more")
            assert third.ask("/", more="Transfer-Encoding: chunked, chunked\r\n")[0][:3] == "400"
            assert loaded.refused == (400, "invalid_request")
        wait_until(lambda: loaded.load == (0, 0, 0), "all have gone")
    finally:
        desk.may_answer.set()
        server.stop()
        thread.join(BOUND)
    assert not thread.is_alive()
