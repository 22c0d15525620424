"""A line for each request, where the operator asks for it: what it was, and never whose words."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
import yaml
from flask.testing import FlaskClient

from kataven_flask.app import create_app, parts_of
from kataven_flask.log_format import formatter
from kataven_flask.observer import NOBODY, Answer, Observer, together
from kataven_flask.settings import Settings
from tests.canary import HeardClient
from tests.running import COMMAND, running
from tests.support import API, KEY, ORIGIN, Service, document

EVIL: Final = "https://evil.example"


@pytest.fixture
def client(service: Service, caplog: pytest.LogCaptureFixture) -> Iterator[FlaskClient]:
    """Return a client of a server that logs its requests."""
    caplog.set_level(logging.INFO, "kataven_flask.requests")
    app = create_app(dataclasses.replace(service.settings, log_requests=True))
    app.test_client_class = HeardClient
    yield app.test_client()
    parts_of(app).close()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the lines on requests, as what collects the log reads them."""
    json_of = formatter("json", io.StringIO())
    found = [each for each in caplog.records if each.name == "kataven_flask.requests"]
    return [json.loads(json_of.format(record)) for record in found]


def test_a_line_says_what_was_asked_and_answered(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The route, the answer, the tenant, how long it took, and the id that the answer has."""
    answer = client.post(f"{API}/auth/guest", json={"client_key": KEY}, headers={"Origin": ORIGIN})
    (line,) = lines(caplog)
    assert answer.status_code == 200
    assert re.fullmatch(r"req_[0-9a-f]{16}", line["request_id"])
    assert line["request_id"] == answer.headers["X-Request-Id"]
    told = {name: line[name] for name in ("event", "method", "route", "status", "code", "tenant")}
    assert told == {
        "event": "answered",
        "method": "POST",
        "route": "guest",
        "status": 200,
        "code": "ok",
        "tenant": "acme",
    }
    assert line["milliseconds"] > 0


def test_a_refusal_is_joined_to_its_event(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The line, the event and the answer have one id between them, also where it was made here."""
    answer = client.post(f"{API}/auth/guest", json={"client_key": KEY}, headers={"Origin": EVIL})
    (line,) = lines(caplog)
    (event,) = [each for each in caplog.records if each.name == "kataven_flask.security"]
    assert (line["status"], line["code"]) == (403, "origin_not_allowed")
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert f"request_id={line['request_id']}" in event.getMessage()
    assert len(answer.headers.get_all("X-Request-Id")) == 1


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("order-4711-abc", True), ("x", False), ("a b c d e f", False), ("é" * 10, False)],
)
def test_a_caller_may_name_it(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, given: str, *, is_kept: bool
) -> None:
    """A proxy's own id goes through; one that could do harm in a log doesn't."""
    client.environ_base["HTTP_X_REQUEST_ID"] = given
    answer = client.get("/.well-known/jwks.json")
    (line,) = lines(caplog)
    assert (line["request_id"] == given) == is_kept
    assert answer.headers["X-Request-Id"] == line["request_id"]


def test_no_text_of_a_stranger_is_in_it(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A path or a key that isn't ours, and whatever stands in a query, is nowhere."""
    client.get("/wp-login.php?user=nightingale")
    client.get(f"{API}/config?client_key=pk_live_nightingale_0123456789abcdef")
    assert [line["route"] for line in lines(caplog)] == ["other", "config"]
    assert "tenant" not in lines(caplog)[1]
    assert "nightingale" not in caplog.text


def test_a_tenant_is_not_taken_for_the_next_one_s(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread answers many: what one request was about isn't told of the next."""
    client.get(f"{API}/config?client_key={KEY}", headers={"Origin": ORIGIN})
    client.get("/openapi.json")
    assert [line.get("tenant") for line in lines(caplog)] == ["acme", None]


def test_probes_have_no_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """A load balancer that is told every second that all is well fills no log."""
    client.get("/healthz")
    client.get("/readyz")
    assert lines(caplog) == []


def test_nobody_asked_for_it(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """By default there is no line, and an answer that went well names no id."""
    caplog.set_level(logging.INFO)
    answer = service.guest()
    assert lines(caplog) == []
    assert "X-Request-Id" not in answer.headers


def test_several_are_told_the_same() -> None:
    """Metrics and the log both hear of an answer, in their order."""
    heard: list[str] = []

    class Hears(Observer):
        def __init__(self, name: str) -> None:
            self._name = name

        def answered(self, answer: Answer) -> None:
            heard.append(f"{self._name} {answer.route}")

        def breaker(self, *, is_open: bool) -> None:
            heard.append(f"{self._name} {is_open}")

    both = together(Hears("one"), NOBODY, Hears("other"))
    both.answered(Answer("guest", 200, "ok", 0.1, "POST", ""))
    both.breaker(is_open=True)
    assert heard == ["one guest", "other guest", "one True", "other True"]


@pytest.mark.parametrize(("text", "is_on"), [("1", True), ("true", True), ("off", False)])
def test_a_variable_switches_it(text: str, *, is_on: bool) -> None:
    """Another WSGI server has it by the same variable as the command."""
    assert Settings.from_environ({"KATAVEN_LOG_REQUESTS": text}).log_requests == is_on


def test_two_workers_write_whole_lines(tmp_path: Path) -> None:
    """By the command, beside the metrics: each request is one line of JSON."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    options = ("--workers", "2", "--admin", "127.0.0.1:0", "--log-requests")
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", *options)
    with running(COMMAND, "serve", *arguments, cwd=tmp_path) as server:
        get(server.port(), "/.well-known/jwks.json", 20)
        server.wait_for('"answered"', 20)
    read = [json.loads(line) for line in server.lines if "answered" in line]
    assert [line["route"] for line in read] == ["jwks.json"] * 20


def get(port: int, path: str, times: int) -> None:
    """Ask for a path, again and again."""
    for _ in range(times):
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            assert answer.status == 200
