"""Security events of several processes: counted by one, whatever becomes of the others."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kataven_flask.app import parts_of
from kataven_flask.event_log import EventLog
from kataven_flask.origins import Origin
from kataven_flask.security_events import Event
from tests.logfmt import told
from tests.running import BOUND, COMMAND, Running, running, wait_until
from tests.support import KEY, Service, document

WWW: Final = "https://www.acme.net"


def refuse(events: EventLog) -> None:
    """Tell of an origin that was refused."""
    events.tell(Event.ORIGIN_REFUSED, client_key=KEY, origin=Origin.parse(WWW))


def test_many_threads_are_counted_right(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Of a thousand events on eight threads, each counts once."""
    events = parts_of(service.app).events

    def work() -> None:
        for _ in range(125):
            refuse(events)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.close()
    assert [fields["count"] for fields in told(caplog)] == ["1", "999"]


def test_outside_of_a_request_an_event_is_told_too(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread of the server's own has no request to name; a reason stands in quotes."""
    events = parts_of(service.app).events
    events.tell(Event.RATE_LIMITER_UNAVAILABLE, why='redis:6379 says "no"')
    (record,) = caplog.records
    assert record.getMessage() == (r'rate_limiter_unavailable count=1 why="redis:6379 says \"no\""')


def test_every_event_counts_told_or_not(service: Service) -> None:
    """What is kept out of the log to keep it short is in the metrics."""
    counted: list[Event] = []
    parts_of(service.app).events.counted = counted.append
    for _ in range(3):
        service.guest(WWW)
    service.refresh("nonsense")
    assert counted == [Event.ORIGIN_REFUSED] * 3 + [Event.TOKEN_INVALID]


@contextmanager
def shared(service: Service) -> Iterator[EventLog]:
    """Give a server's events the pipe that workers write into."""
    events = parts_of(service.app).events
    events.share()
    yield events
    events.close()


def started_worker(work: Callable[[], Any]) -> int:
    """Do something in a forked process, as a worker does, and kill it there; return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    return child


def in_a_worker(work: Callable[[], Any]) -> None:
    """Do something in a forked process, and wait for its end."""
    os.waitpid(started_worker(work), 0)


def test_a_killed_worker_has_told_what_it_refused(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of a worker, its parent has the count."""
    with shared(service) as events:
        for _ in range(3):
            in_a_worker(lambda: refuse(events))
        assert told(caplog) == []
        events.look()
        (fields,) = told(caplog)
        assert fields["origin"] == WWW
    assert [fields["count"] for fields in told(caplog)] == ["2"]


def test_a_full_pipe_keeps_nobody_waiting(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker under a flood drops what doesn't fit, and how many these were is told."""
    with shared(service) as events:

        def flood() -> None:
            for _ in range(20_000):
                refuse(events)
            os.write(tell_full, b"x")
            os.read(is_drained, 1)
            events.look()

        (is_full, tell_full), (is_drained, tell_drained) = os.pipe(), os.pipe()
        worker = started_worker(flood)
        os.read(is_full, 1)
        events.look()
        os.write(tell_drained, b"x")
        os.waitpid(worker, 0)
        for end in (is_full, tell_full, is_drained, tell_drained):
            os.close(end)
        events.look()
        first, lost = told(caplog)
        assert first["origin"] == WWW
        assert (lost["client_key"], lost["why"]) == ("others", "too many to be told one by one")
    (rest,) = told(caplog)
    assert sum(int(fields["count"]) for fields in (first, lost, rest)) == 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe holds what it holds")
def test_no_flood_keeps_out_what_matters(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """After 2,000 refusals between two looks, a leaked secret key is told with all about it."""

    def flood() -> None:
        for number in range(2000):
            origin = Origin.parse(f"https://a{number}.example")
            events.tell(Event.ORIGIN_REFUSED, client_key=KEY, origin=origin)
        events.tell(Event.SECRET_KEY_FROM_BROWSER, client_key=KEY, origin=Origin.parse(WWW))

    with shared(service) as events:
        in_a_worker(flood)
        events.look()
        leaked = [each for each in told(caplog) if each["event"] == "secret_key_from_browser"]
        assert [(each["client_key"], each["origin"]) for each in leaked] == [(KEY, WWW)]


def test_nonsense_in_the_pipe_ends_nothing(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the log is no fault of the parent, which has workers to look after."""
    with shared(service) as events:
        monkeypatch.setattr("json.dumps", lambda _: "nonsense")
        in_a_worker(lambda: refuse(events))
        monkeypatch.undo()
        events.look()
        assert "security events can't be told" in caplog.text
        caplog.clear()
        in_a_worker(lambda: refuse(events))
        events.look()
        assert len(told(caplog)) == 1


def test_what_does_not_fit_into_the_pipe_is_counted(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A reason of odd letters is longer in the pipe than it may be; the event still counts."""
    with shared(service) as events:

        def work() -> None:
            events.tell(Event.RATE_LIMITER_UNAVAILABLE, why="\U0001f600" * 512)
            events.look()

        in_a_worker(work)
        events.look()
        (fields,) = told(caplog)
        assert fields["event"] == "rate_limiter_unavailable"


def refuse_on(port: int, origin: str) -> int:
    """Ask a server as a page that isn't admitted; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    try:
        body = json.dumps({"client_key": KEY})
        connection.request("POST", "/api/v1/widget/auth/guest", body, {"Origin": origin})
        return connection.getresponse().status
    finally:
        connection.close()


def refusals(server: Running) -> list[dict[str, Any]]:
    """Return what a server has printed of refused origins."""
    log = [json.loads(line) for line in server.lines if line.startswith("{")]
    return [line for line in log if line["event"] == "origin_refused"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_workers_write_one_line(tmp_path: Path, workers: str) -> None:
    """Whichever worker refuses, the log has the origin once, and at the end the count of all."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", workers)
    with running(COMMAND, "serve", *arguments, cwd=tmp_path) as server:
        port = server.port()
        for _ in range(40):
            assert refuse_on(port, WWW) == 403
        wait_until(lambda: len(refusals(server)) > 0, "a line on the origin")
        assert refuse_on(port, "https://evil.example") == 403
        server.wait_for("evil.example")
        assert len(refusals(server)) == 2
        assert server.end(signal.SIGTERM) == 0
    first, other, rest = refusals(server)
    add = f"kataven-flask origins add {KEY} {WWW} --config {tmp_path}/tenants.yaml"
    assert (first["origin"], first["count"], first["add"]) == (WWW, 1, add)
    assert other["origin"] == "https://evil.example"
    assert (rest["origin"], rest["count"]) == (WWW, 39)
