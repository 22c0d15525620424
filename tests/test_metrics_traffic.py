"""`/metrics` of two workers after known traffic: each number is what happened, no more, no less."""

from __future__ import annotations

import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import values

from kataven_flask.errors import ConfigurationError
from kataven_flask.metric_files import PREFIX, metrics_folder
from kataven_flask.metrics import OTHERS, Metrics
from kataven_flask.observer import Answer
from tests.canary import hear_answer
from tests.running import BOUND, COMMAND, wait_until
from tests.support import API, KEY, NO_LIMITS, ORIGIN, OTHER_KEY, SECRET, document
from tests.test_metrics import LOOPBACK, Operator, operating

EVIL: Final = "https://evil.example"
USER: Final = "user-7f3a9c42"


class Visitors:
    """Everybody who asks a server something, each time on a new connection.

    Args:
        operator: Whose server it is.
    """

    def __init__(self, operator: Operator) -> None:
        self._port = operator.port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a request; return the status, and the body or the error code."""
        sent = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=BOUND)) as page:
            page.request(method, path, sent, headers)
            answer = page.getresponse()
            read = answer.read()
            hear_answer(answer.status, dict(answer.getheaders()), read)
            code = answer.getheader("X-Error-Code")
            return answer.status, code or (json.loads(read) if read else None)

    def post(self, action: str, body: Any, origin: str = ORIGIN) -> Any:
        """Call an endpoint as a page does; return the body, or the error code."""
        return self.ask("POST", f"{API}/auth/{action}", body, Origin=origin)[1]

    def backend(self, action: str, body: Any, secret: str = SECRET) -> Any:
        """Call an endpoint as a backend does; return the body, or the error code."""
        path = f"{API}/auth/{action}"
        return self.ask("POST", path, body, Authorization=f"Bearer {secret}")[1]

    def sign_in(self) -> Any:
        """Sign a user in."""
        body = {"client_key": KEY, "user_id": USER}
        token = self.backend("user-token", body)["token"]
        session = self.post("exchange", {"token": token})
        assert self.post("exchange", {"token": token}) == "used_token"
        return session

    def send(self, raw: bytes) -> None:
        """Send bytes, and read what is answered to its end."""
        with socket.create_connection((LOOPBACK, self._port), timeout=BOUND) as connection:
            connection.sendall(raw)
            while connection.recv(65536):
                pass


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """Run a server of two workers that limits nobody."""
    with operating(tmp_path) as running:
        running.edit(yaml.safe_dump(document(limits=NO_LIMITS)))
        running.await_samples(kataven_config_reloads_total__ok=1)
        wait_until(lambda: len(running.revisions()) == 1, "both workers have it")
        yield running


def counted(operator: Operator) -> dict[str, float]:
    """Return the counters that aren't 0, without those of the library's own making."""
    return {
        name.removeprefix("kataven_"): value
        for name, value in operator.samples().items()
        if value and "_total" in name
    }


def test_two_workers_count_what_happened(operator: Operator) -> None:
    """Guests, users, refusals, rotations and ends are each counted once, whoever answered."""
    visitors = Visitors(operator)
    key, config = {"client_key": KEY}, f"{API}/config?client_key={KEY}"
    for _ in range(7):
        assert visitors.ask("GET", config, Origin=ORIGIN)[0] == 200
    guests = [visitors.post("guest", key) for _ in range(5)]
    assert visitors.post("guest", {"client_key": OTHER_KEY})["token"]
    for _ in range(3):
        assert visitors.post("guest", key, EVIL) == "origin_not_allowed"
    assert visitors.post("guest", {"client_key": "pk_live_nobody_" + "N" * 22})
    user = visitors.sign_in()

    first = guests[0]["refresh_token"]
    second = visitors.post("refresh", {"refresh_token": first})["refresh_token"]
    assert visitors.post("refresh", {"refresh_token": first})["refresh_token"] == second
    third = visitors.post("refresh", {"refresh_token": second})["refresh_token"]
    assert visitors.post("refresh", {"refresh_token": first}) == "reused_refresh_token"
    assert visitors.post("refresh", {"refresh_token": third}) == "revoked_session"
    assert visitors.post("logout", {"refresh_token": guests[1]["refresh_token"]}) is None
    assert visitors.backend("revoke", {"user_id": USER}) is None
    assert visitors.post("refresh", {"refresh_token": user["refresh_token"]}) == "revoked_session"
    assert visitors.backend("revoke", {"user_id": USER}, SECRET[:-1] + "x") == "invalid_api_key"
    assert visitors.ask("OPTIONS", f"{API}/auth/guest", Origin=ORIGIN)[0] == 200
    assert visitors.ask("GET", "/nowhere/else")[0] == 404
    visitors.send(b"GET / HTTP/1.1\r\n\r\n")

    assert counted(operator) == {
        "requests_total ok config 200": 7,
        "requests_total ok guest 200": 6,
        "requests_total origin_not_allowed guest 403": 3,
        "requests_total unknown_client_key guest 403": 1,
        "requests_total ok user-token 200": 1,
        "requests_total ok exchange 200": 1,
        "requests_total used_token exchange 400": 1,
        "requests_total ok refresh 200": 3,
        "requests_total reused_refresh_token refresh 400": 1,
        "requests_total revoked_session refresh 400": 2,
        "requests_total ok logout 204": 1,
        "requests_total ok revoke 204": 1,
        "requests_total invalid_api_key revoke 401": 1,
        "requests_total ok preflight 200": 1,
        "requests_total not_found other 404": 1,
        "requests_total invalid_request unread 400": 1,
        "tenant_requests_total ok acme": 19,
        "tenant_requests_total ok other": 1,
        "tenant_requests_total refused acme": 7,
        "tokens_minted_total guest": 6,
        "tokens_minted_total user": 1,
        "tokens_minted_total visitor": 1,
        "tokens_minted_total refresh": 3,
        "refresh_tokens_presented_total rotated": 2,
        "refresh_tokens_presented_total repeated": 1,
        "refresh_tokens_presented_total reused": 1,
        "refresh_tokens_presented_total revoked": 2,
        "revocations_total session": 1,
        "revocations_total user": 1,
        "security_events_total origin_refused": 3,
        "security_events_total refresh_token_reused": 1,
        "security_events_total visitor_token_replayed": 1,
        "security_events_total secret_key_wrong": 1,
        "config_reloads_total ok": 1,
    }
    samples = operator.samples()
    timed = "kataven_request_duration_seconds"
    assert {route: samples[f"{timed}_count {route}"] for route in ("guest", "refresh")} == {
        "guest": 10,
        "refresh": 6,
    }
    assert samples[f"{timed}_bucket +Inf guest"] == 10
    assert 0 < samples[f"{timed}_sum guest"] < 10 * BOUND
    steps = "kataven_store_step_duration_seconds_count"
    assert {op: samples[f"{steps} {op}"] for op in ("spend", "rotate", "revoke_user")} == {
        "spend": 2,
        "rotate": 6,
        "revoke_user": 1,
    }


def test_no_text_of_a_stranger_is_a_label(operator: Operator) -> None:
    """Whatever is asked for, with whatever key, the metrics have names of ours alone."""
    visitors = Visitors(operator)
    names = {name.rpartition(" ")[0] for name in operator.samples()}
    for number in range(40):
        strange = f"zebra{number}"
        visitors.ask("GET", f"/{strange}/guest?client_key={strange}", Origin=f"https://{strange}.x")
        visitors.ask("BREW", f"/docs/{strange}")
        visitors.post("guest", {"client_key": f"pk_live_{strange}_" + "N" * 22})
        visitors.post("exchange", {"token": strange, "client_key": strange})
        visitors.backend("revoke", {"user_id": strange}, f"sk_live_{strange}_" + "N" * 43)
        visitors.send(f"{strange} / {strange}\r\n\r\n".encode())
    _, shown = operator.ask("/metrics")
    assert "zebra" not in shown
    assert not any("tenant_requests" in name for name in counted(operator))
    new = {name.rpartition(" ")[0] for name in operator.samples()} - names
    assert len(new) < 30, new


def test_no_count_is_lost_with_its_worker(operator: Operator) -> None:
    """Workers that are killed are replaced, counted, and what they had counted goes on."""
    visitors = Visitors(operator)
    folder = next((operator.config.parent).glob(f"{PREFIX}*"))
    files = sorted(each.name for each in folder.iterdir())
    for killed in range(2):
        assert visitors.post("guest", {"client_key": KEY})["token"]
        os.kill(operator.children()[0], signal.SIGKILL)
        operator.server.wait_for("a process ended; starting another", count=killed + 1)
        wait_until(lambda: len(operator.children()) == 3, "another has been started")
    assert visitors.post("guest", {"client_key": KEY})["token"]
    found = counted(operator)
    assert found["requests_total ok guest 200"] == found["tokens_minted_total guest"] == 3
    assert found["process_deaths_total"] == 2
    assert sorted(each.name for each in folder.iterdir()) == files


def test_a_store_that_is_away_is_seen(tmp_path: Path) -> None:
    """Its failed steps count, guests go on, and the tenant's refusals are our failures."""
    with operating(tmp_path, KATAVEN_STATE="redis://127.0.0.1:1/0") as operator:
        visitors = Visitors(operator)
        guest = visitors.post("guest", {"client_key": KEY})
        refused = visitors.post("refresh", {"refresh_token": guest["refresh_token"]})
        assert refused == "state_unavailable"
        found = counted(operator)
        assert found["store_errors_total rotate"] == 1
        assert found["store_errors_total hit"] >= 1
        assert found["requests_total state_unavailable refresh 503"] == 1
        assert found["tenant_requests_total failed acme"] == 1
        assert found["tokens_minted_total guest"] == 1


def test_load_and_keys_are_shown(operator: Operator) -> None:
    """Connections that are open, what there is room for, and how old the keys are."""
    open_ones = [socket.create_connection((LOOPBACK, operator.port)) for _ in range(6)]
    try:
        operator.await_samples(kataven_connections=6)
    finally:
        for each in open_ones:
            each.close()
    operator.await_samples(kataven_connections=0)
    samples = operator.samples()
    assert samples["kataven_connections_limit"] > samples["kataven_threads"] == 8
    assert samples["kataven_workers"] == 2
    assert samples["kataven_key_ring_ok"] == 1
    assert samples["kataven_keys signing_key signs"] == 1
    assert samples["kataven_keys refresh_secret prunable"] == 0
    made = samples["kataven_signing_key_created_timestamp_seconds"]
    assert made == samples["kataven_refresh_secret_created_timestamp_seconds"]
    assert 0 <= samples["kataven_start_time_seconds"] - made + 1 < BOUND


def test_a_rotation_is_shown(operator: Operator, tmp_path: Path) -> None:
    """How old the key is that signs now, and how many verify; the log tells of each edit once."""
    created = "kataven_signing_key_created_timestamp_seconds"
    before = operator.samples()[created]
    wait_until(lambda: time.time() >= before + 1, "a second has passed")
    rotate = (COMMAND, "signing-keys", "rotate", "--at-once", "--instance", "instance")
    subprocess.run(rotate, cwd=tmp_path, check=True, capture_output=True)
    operator.await_samples(
        kataven_keys__signing_key__verifies=1, kataven_keys__signing_key__signs=1
    )
    assert operator.samples()[created] > before
    operator.server.wait_for("key ring is in force")
    (tmp_path / "instance" / "keyring.json").rename(tmp_path / "away")
    operator.await_samples(kataven_key_ring_ok=0)
    operator.server.wait_for("key ring refused")
    assert operator.samples()[created] > before
    (tmp_path / "away").rename(tmp_path / "instance" / "keyring.json")
    operator.await_samples(kataven_key_ring_ok=1)
    assert operator.server.output.count("key ring refused") == 1


# --- the folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that temporary ones are made in."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # So that both are, after the test, what they were.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "the test's own")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    return tmp_path


def test_what_a_killed_server_left_is_cleared(temporary: Path) -> None:
    """The next one removes it, but nothing of a server that runs, and no link."""
    (temporary / f"{PREFIX}left").mkdir()
    (temporary / f"{PREFIX}left" / "counter_1.db").write_bytes(b"x")
    kept = temporary / "kept"
    kept.mkdir()
    (temporary / f"{PREFIX}link").symlink_to(kept)
    with metrics_folder() as first, metrics_folder() as second:
        assert first.is_dir()
        assert second.is_dir()
        assert not (temporary / f"{PREFIX}left").exists()
    assert {each.name for each in temporary.iterdir()} == {"kept", f"{PREFIX}link"}


def test_without_room_it_says_so(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told at the start, with a way out, and ends no worker later."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with metrics_folder() as folder:
        metrics = Metrics(folder)
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", fail)
            with pytest.raises(ConfigurationError, match=r"5 MiB more in .*No space left.*TMPDIR"):
                metrics.make_room(1, tenants=3_000)


def test_all_room_is_taken_and_none_of_it_a_hole(temporary: Path) -> None:
    """What was promised to a worker is its own: a disk that fills later has nothing to refuse."""
    with metrics_folder() as folder:
        Metrics(folder).make_room(2, tenants=3)
        for name in ("counter_1.db", "histogram_1.db", "counter_2.db", "histogram_2.db"):
            told = (folder / name).stat()
            assert told.st_blocks * 512 >= told.st_size > 2**18 - 1


def test_a_tenant_too_many_is_counted_with_others(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is no room for is one series, and the files don't grow."""
    monkeypatch.setattr("kataven_flask.metrics.MANY_TENANTS", 10)
    with metrics_folder() as folder:
        metrics = Metrics(folder)
        metrics.make_room(1, tenants=1)
        metrics.join(1)
        sizes = {each.name: each.stat().st_size for each in folder.iterdir()}
        for number in range(30):
            for status in (200, 403, 503):
                metrics.whose(f"{number:032}")
                metrics.answered(Answer("guest", status, "ok", 0.1, "POST", ""))
        (family,) = (f for f in metrics.registry.collect() if f.name == "kataven_tenant_requests")
        assert len({sample.labels["tenant"] for sample in family.samples}) == 11
        others = [s.value for s in family.samples if s.labels["tenant"] == OTHERS]
        assert others == [20, 20, 20]
        assert {each.name: each.stat().st_size for each in folder.iterdir()} == sizes


def work_and_die(metrics: Metrics, tenants: list[str]) -> None:
    """Answer a request of each tenant, in a worker that is forked."""
    worker = os.fork()
    if worker == 0:
        with suppress(BaseException):  # it has no business in this test
            metrics.join(1)
            for tenant in tenants:
                metrics.whose(tenant)
                metrics.answered(Answer("guest", 200, "ok", 0.1, "POST", ""))
        os._exit(0)
    os.waitpid(worker, 0)


def test_who_replaces_a_worker_has_no_more_room_than_that_one(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a worker dies while tenants come and go, the files don't grow."""
    monkeypatch.setattr("kataven_flask.metrics.MANY_TENANTS", 10)
    with metrics_folder() as folder:
        metrics = Metrics(folder)
        metrics.make_room(1, tenants=1)
        for death in range(3):
            work_and_die(metrics, [f"t{death}-{number}" for number in range(8)])
        (family,) = (f for f in metrics.registry.collect() if f.name == "kataven_tenant_requests")
        assert len({sample.labels["tenant"] for sample in family.samples}) == 11
        assert [s.value for s in family.samples if s.labels["tenant"] == OTHERS] == [14]
