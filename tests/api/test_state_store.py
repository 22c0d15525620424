"""When the state store is out of reach: what needs it fails closed, all the rest goes on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from kataven_flask import health, live
from kataven_flask.api import NEVER_WAITS, WAITS_FOR_COUNT, WAITS_FOR_STATE
from kataven_flask.app import parts_of
from kataven_flask.store import breaker, sqlite
from kataven_flask.store.sqlite import SqliteStore
from kataven_flask.times import iso_utc
from tests.api.wire import locked, no_limits, visitor_token
from tests.redis_server import running_redis
from tests.support import API, KEY, ORIGIN, Service, refused

OK: Final = (200, None)
DONE: Final = (204, None)
DOWN: Final = (503, "state_unavailable")
NEEDS_STATE: Final = ["exchange", "refresh", "logout", "revoke"]
THREADS: Final = 16


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the state store's file."""
    return tmp_path / "state.db"


@pytest.fixture
def stored(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return a server over a SQLite file, that waits for another writer only a moment."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.02)
    service = Service(tmp_path, state=f"sqlite:///{state}")
    no_limits(service)
    return service


def calls(service: Service) -> dict[str, Callable[[], TestResponse]]:
    """Return a call of each kind that needs the store, prepared while it is there."""
    token = visitor_token(service)
    renewed, left = (service.user_session()["refresh_token"] for _ in range(2))
    return {
        "exchange": lambda: service.exchange(token=token),
        "refresh": lambda: service.refresh(renewed),
        "logout": lambda: service.logout(left),
        "revoke": lambda: service.revoke(user_id="somebody"),
    }


@pytest.mark.parametrize("action", NEEDS_STATE)
def test_no_store_no_token(stored: Service, state: Path, action: str) -> None:
    """It is a 503 that says when to try again, and afterwards the very same call is served."""
    call = calls(stored)[action]
    with locked(state):
        answer = call()
        assert refused(answer) == DOWN
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["X-Request-Id"]
        assert str(state) not in answer.text
        assert "token" not in answer.text
    assert refused(call()) in {OK, DONE}


@pytest.mark.parametrize("action", NEEDS_STATE)
def test_a_503_can_be_read_as_a_problem(stored: Service, state: Path, action: str) -> None:
    """Who asks for RFC 9457 is told that it may try again."""
    call = calls(stored)[action]
    stored.client.environ_base["HTTP_ACCEPT"] = "application/problem+json"
    with locked(state):
        problem = call().get_json(force=True)
    assert set(problem) == {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "retryable",
        "request_id",
    }
    assert (problem["status"], problem["code"]) == DOWN
    assert problem["retryable"] is True


@pytest.mark.parametrize("action", ["exchange", "refresh", "logout"])
def test_a_page_can_read_a_503(stored: Service, state: Path, action: str) -> None:
    """The widget reads why, and when to try again."""
    call = calls(stored)[action]
    with locked(state):
        answer = call()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_no_page_can_read_a_backends_503(stored: Service, state: Path) -> None:
    """A revocation that failed is the backend's to know."""
    call = calls(stored)["revoke"]
    with locked(state):
        assert "Access-Control-Allow-Origin" not in call().headers


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(Service.config, id="config"),
        pytest.param(Service.guest, id="guest"),
        pytest.param(Service.user_token, id="user-token"),
        pytest.param(lambda s: s.client.get("/.well-known/jwks.json"), id="jwks"),
        pytest.param(lambda s: s.client.get("/healthz"), id="healthz"),
        pytest.param(lambda s: s.client.get("/widget/v1.js", buffered=True), id="widget"),
    ],
)
def test_what_needs_no_store_goes_on(
    stored: Service, state: Path, call: Callable[[Service], TestResponse]
) -> None:
    """Guests arrive and backends vouch while the store is out of reach."""
    calls(stored)
    with locked(state):
        assert refused(call(stored)) == OK


def test_the_operator_is_told(
    stored: Service,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`/readyz` is 503 while the store is out of reach, 200 before and after."""
    monkeypatch.setattr(health, "STATE_KEPT", 0.0)
    assert stored.client.get("/readyz").status_code == 200
    stored.clock.move(60)
    with locked(state):
        answer = stored.client.get("/readyz")
        assert answer.status_code == 503
        told = answer.get_json()["state"]
        assert (told["ok"], told["since"]) == (False, iso_utc(stored.clock()))
        assert "no restart" in told["do"]
        assert answer.get_json()["config"]["ok"] is True
        assert str(state) not in answer.text
        stored.clock.move(60)
        assert stored.client.get("/readyz").get_json()["state"] == told
    assert stored.client.get("/readyz").status_code == 200
    assert "\n".join(caplog.messages).count("state store answers again") == 1


def test_who_asks_for_it_often_is_told_the_same(
    stored: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers who flood `/readyz` have the store asked once a second."""
    monkeypatch.setattr(health, "STATE_KEPT", 60.0)
    first = stored.client.get("/readyz").get_json()
    monkeypatch.setattr(SqliteStore, "ping", pytest.fail)
    assert [stored.client.get("/readyz").get_json() for _ in range(50)] == [first] * 50


def test_an_outage_fills_no_log(
    stored: Service, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many ask meanwhile, the operator gets one line, with the first request's id."""
    token = stored.guest().get_json()["refresh_token"]
    with locked(state):
        answers = [stored.refresh(token) for _ in range(5)]
    assert {refused(answer) for answer in answers} == {DOWN}
    (line,) = [each for each in caplog.messages if "state store out of reach" in each]
    assert answers[0].headers["X-Request-Id"] in line


def test_an_unready_answer_is_an_error_like_any_other(stored: Service, state: Path) -> None:
    """Its 503 has a code, a request id, and says when to ask again."""
    with locked(state):
        answer = stored.client.get("/readyz")
    assert refused(answer) == DOWN
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Retry-After"]


def test_a_server_starts_while_the_store_is_locked(stored: Service, state: Path) -> None:
    """The first call under a lock is a 503, not a fault, and not remembered."""
    sqlite3.connect(state).close()
    token = visitor_token(stored)
    with locked(state):
        assert refused(stored.exchange(token=token)) == DOWN
    assert refused(stored.exchange(token=token)) == OK


@pytest.mark.parametrize("action", NEEDS_STATE)
def test_a_broken_file_fails_closed(stored: Service, state: Path, action: str) -> None:
    """A state file that is none is a 503, never a token and never a traceback."""
    prepared = visitor_token(stored), stored.guest().get_json()["refresh_token"]
    state.write_bytes(b"this is no database" * 400)
    answer = {
        "exchange": lambda: stored.exchange(token=prepared[0]),
        "refresh": lambda: stored.refresh(prepared[1]),
        "logout": lambda: stored.logout(prepared[1]),
        "revoke": lambda: stored.revoke(user_id="user-7f3a9c42"),
    }[action]()
    assert refused(answer) == DOWN


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(
            lambda s: s.exchange(token="garbage"), (400, "invalid_token"), id="invalid-token"
        ),
        pytest.param(
            lambda s: s.refresh("garbage"), (400, "invalid_refresh_token"), id="invalid-refresh"
        ),
        pytest.param(lambda s: s.revoke(), (400, "missing_field"), id="missing-field"),
        pytest.param(
            lambda s: s.revoke(secret="wrong", user_id="1"), (401, "invalid_api_key"), id="secret"
        ),
        pytest.param(
            lambda s: s.exchange("https://evil.example", token=visitor_token(s)),
            (403, "origin_not_allowed"),
            id="origin",
        ),
    ],
)
def test_what_is_wrong_is_told_without_the_store(
    stored: Service,
    state: Path,
    call: Callable[[Service], TestResponse],
    expected: tuple[int, str],
) -> None:
    """A check that comes before the store answers while it is out of reach."""
    calls(stored)
    with locked(state):
        assert refused(call(stored)) == expected


# --- many at once


def at_once(call: Callable[[], Any]) -> list[Any]:
    """Call from many threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(THREADS)]]


@pytest.fixture(params=["memory:", "sqlite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Service:
    """Return a server over each kind of store."""
    url = "memory:" if request.param == "memory:" else f"sqlite:///{tmp_path}/state.db"
    service = Service(tmp_path, state=url)
    no_limits(service)
    return service


def post(service: Service, action: str, body: dict[str, Any]) -> TestResponse:
    """Post from a client of this thread's own."""
    client = service.app.test_client()
    return client.post(f"{API}/auth/{action}", json=body, headers={"Origin": ORIGIN})


def test_of_many_exchanges_one_wins(shared: Service) -> None:
    """However many present a visitor token at once, one session begins."""
    body = {"token": visitor_token(shared)}
    got = at_once(lambda: refused(post(shared, "exchange", body)))
    assert sorted(got, key=str) == sorted([OK] + [(400, "used_token")] * (THREADS - 1), key=str)


def test_many_tabs_renew_to_one_token(shared: Service) -> None:
    """However many present a refresh token at once, all go on with the same successor."""
    body = {"refresh_token": shared.user_session()["refresh_token"]}
    got = at_once(lambda: post(shared, "refresh", body))
    assert {refused(each) for each in got} == {OK}
    (successor,) = {each.get_json()["refresh_token"] for each in got}
    assert refused(post(shared, "refresh", {"refresh_token": successor})) == OK


def test_guests_cost_no_storage(tmp_path: Path) -> None:
    """Neither a config, a guest nor a visitor token writes anything."""
    state = tmp_path / "state.db"
    service = Service(tmp_path, state=f"sqlite:///{state}")
    for _ in range(5):
        assert refused(service.config()) == OK
        assert refused(service.guest(client_key=KEY)) == OK
        assert refused(service.user_token()) == OK
    with closing(sqlite3.connect(state)) as connection:
        for table in ("spent", "session", "revoked"):
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []  # noqa: S608


def test_a_fresh_stores_first_visitors_are_all_served(tmp_path: Path) -> None:
    """However many come at once to a server that was just set up, none gets a 503."""
    service = Service(tmp_path, state=f"sqlite:///{tmp_path}/state.db")
    no_limits(service)
    bodies = [
        {"refresh_token": service.guest().get_json()["refresh_token"]} for _ in range(THREADS)
    ]
    barrier = threading.Barrier(THREADS)

    def refresh() -> tuple[int, str | None]:
        body = bodies.pop()
        barrier.wait()
        return refused(post(service, "refresh", body))

    assert set(at_once(refresh)) == {OK}


def test_the_first_visitor_waits_for_another_worker(tmp_path: Path) -> None:
    """A worker that opens a fresh store while another sets it up waits; it gives no 503."""
    state = tmp_path / "state.db"
    service = Service(tmp_path, state=f"sqlite:///{state}")
    token = visitor_token(service)
    other = sqlite3.connect(state, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # as one does that turns the file to WAL
    ended = threading.Timer(0.2, other.execute, ["COMMIT"])
    ended.start()
    try:
        assert refused(service.exchange(token=token)) == OK
    finally:
        ended.join()
        other.close()


MAY_ALWAYS_WAIT: Final = ["/readyz", "/.well-known/jwks.json", "/nowhere", ""]
NEVER_WAIT: Final = ["/healthz", "/widget/v1.js", *(f"{API}/{p}" for p in ("config", "auth/guest"))]


@pytest.mark.parametrize("action", NEEDS_STATE)
def test_who_needs_the_store_waits_where_it_is_slow(
    tmp_path: Path, state: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is prompt, the thread that reads asks it; after a wait, others do."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.02)
    monkeypatch.setattr(breaker, "PROMPT", 60.0)  # whatever else this machine does now
    service = Service(tmp_path, state=f"sqlite:///{state}")
    parts = parts_of(service.app)
    call = calls(service)[action]
    assert not parts.may_wait(f"{API}/auth/{action}")
    monkeypatch.setattr(breaker, "PROMPT", 0.0)
    with locked(state):
        assert refused(call()) == DOWN
    assert parts.may_wait(f"{API}/auth/{action}")


def test_who_may_have_the_key_ring_looked_at_waits_where_that_is_slow(
    stored: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of a stranger's costs a look at the file: no way to stop a server by a slow disk."""
    parts = parts_of(stored.app)
    monkeypatch.setattr(live, "PROMPT", 0.0)
    parts.ring.look()
    assert all(parts.may_wait(path) for path in WAITS_FOR_STATE)
    assert not any(parts.may_wait(path) for path in NEVER_WAITS | WAITS_FOR_COUNT)


def test_what_needs_no_store_never_waits(stored: Service, state: Path) -> None:
    """Whatever the state of the store, the same requests are answered where they are read."""
    parts = parts_of(stored.app)
    for _ in range(2):
        assert [parts.may_wait(path) for path in MAY_ALWAYS_WAIT] == [True] * len(MAY_ALWAYS_WAIT)
        assert [parts.may_wait(path) for path in NEVER_WAIT] == [False] * len(NEVER_WAIT)
        with locked(state):
            assert refused(stored.refresh(stored.guest().get_json()["refresh_token"])) == DOWN


def test_what_is_counted_in_the_store_waits_where_it_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Redis counts the requests, those that it counts wait for it in threads once it is slow.

    What it neither counts nor remembers goes on; so does all that a process counts for itself.
    """
    monkeypatch.setattr(breaker, "PROMPT", 60.0)  # whatever else this machine does now
    with running_redis(tmp_path / "redis") as redis:
        service = Service(tmp_path, state=redis.url)
        parts = parts_of(service.app)
        parts.store.ping()
        assert not any(parts.may_wait(path) for path in NEVER_WAITS | WAITS_FOR_COUNT)
        monkeypatch.setattr(breaker, "PROMPT", 0.0)
        parts.store.ping()
        assert all(parts.may_wait(path) for path in WAITS_FOR_COUNT)
        assert not any(parts.may_wait(path) for path in NEVER_WAITS)
        redis.stop()
        assert service.guest().status_code == 200
        assert not any(parts.may_wait(path) for path in WAITS_FOR_COUNT)


def test_every_route_is_known_to_wait_or_not(stored: Service) -> None:
    """A path that is said never to wait, or for the store alone, is one that is served."""
    served = {str(rule) for rule in stored.app.url_map.iter_rules()}
    assert served >= NEVER_WAITS | WAITS_FOR_COUNT | WAITS_FOR_STATE
    assert {f"{API}/auth/{action}" for action in NEEDS_STATE} == WAITS_FOR_STATE


def test_a_store_that_came_back_empty_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a Redis lost, the log says also where `/readyz` is the first to ask it."""
    monkeypatch.setattr(health, "STATE_KEPT", 0.0)
    with running_redis(tmp_path / "redis") as redis:
        service = Service(tmp_path, state=redis.url)
        assert service.client.get("/readyz").status_code == 200
        assert "remembers nothing" not in caplog.text
        with redis.client() as client:
            client.flushall()
        assert service.client.get("/readyz").status_code == 200
    assert "remembers nothing" in caplog.text
