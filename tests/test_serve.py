"""`kataven-flask serve` as an operator meets it: started, asked, signalled, misused."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from kataven_flask.channels import HEADER_LIMIT
from tests.running import BOUND, COMMAND, Running, running
from tests.support import KEY, ORIGIN, document

GUEST = "/api/v1/widget/auth/guest"


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Running]:
    """Run the server on a free port with a test's own tenants."""
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document()))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", *options)
    with running(COMMAND, "serve", *arguments, cwd=folder) as server:
        yield server


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """Send one request; return the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    try:
        connection.request(method, path, body, {"Origin": ORIGIN})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_it_says_where_it_listens_what_it_read_and_what_to_open(tmp_path: Path) -> None:
    """The first lines are all an operator needs to go on."""
    with serving(tmp_path) as server:
        port = server.port()
        server.wait_for(r"Next: open http://127\.0\.0\.1:\d+/readyz")
        assert f"http://127.0.0.1:{port}" in server.output
        assert "2 with 3 client keys, from tenants.yaml" in server.output
        status, body = ask(port, "GET", "/readyz")
        assert status == 200
        assert json.loads(body)["status"] == "ready"


def test_it_says_what_stands_before_it(tmp_path: Path) -> None:
    """Whom it believes and what it has browsers keep to are said at the start, too."""
    options = ("--trusted-proxies", "10.0.0.0/24", "--proxy-hops", "2", "--hsts", "86400")
    with serving(tmp_path, *options) as server:
        server.wait_for("Next: open")
        assert "  proxies   10.0.0.0/24 (2 hops)\n  hsts      86400 s\n" in server.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals, workers: str) -> None:
    """Ctrl-C and SIGTERM end every worker without a traceback, with status 0."""
    with serving(tmp_path, "--workers", workers) as server:
        port = server.port()
        assert ask(port, "GET", "/healthz")[0] == 200
        assert server.end(number) == 0
        assert "Traceback" not in server.output
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/healthz")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_requests_in_flight_are_finished(tmp_path: Path, workers: str) -> None:
    """A request that has begun when SIGTERM comes is answered, and only then it ends."""
    body = json.dumps({"client_key": KEY}).encode()
    lines = (
        f"POST {GUEST} HTTP/1.1",
        "Host: x",
        f"Origin: {ORIGIN}",
        f"Content-Length: {len(body)}",
    )
    head = "\r\n".join((*lines, "", ""))
    with serving(tmp_path, "--workers", workers) as server:
        with socket.create_connection(("127.0.0.1", server.port()), BOUND) as connection:
            connection.sendall(head.encode() + body[:5])
            await_acceptance(server)
            server.process.send_signal(signal.SIGTERM)
            await_refusal(server)
            connection.sendall(body[5:])
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert server.ended() == 0


def await_acceptance(server: Running) -> None:
    """Wait until the workers have taken every connection that was made before this one."""
    for _ in range(20):
        assert ask(server.port(), "GET", "/healthz")[0] == 200


def await_refusal(server: Running) -> None:
    """Wait until no new connection is taken."""
    deadline = time.monotonic() + BOUND
    while time.monotonic() < deadline:
        try:
            ask(server.port(), "GET", "/healthz")
        except OSError:
            return
    pytest.fail("the server went on taking connections")


def connection_after_an_answer(kept: http.client.HTTPConnection) -> str | None:
    """Ask something, and return what the answer says of the connection."""
    kept.request("GET", "/healthz")
    answer = kept.getresponse()
    assert answer.read() == b'{"status":"alive"}'
    return answer.headers["Connection"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_kept_connection_is_given_back_at_the_end(tmp_path: Path, workers: str) -> None:
    """A proxy that keeps its connections doesn't hold up the end: each closes with its answer."""
    with serving(tmp_path, "--workers", workers) as server:
        where = ("127.0.0.1", server.port())
        with (
            closing(http.client.HTTPConnection(*where, timeout=BOUND)) as kept,
            socket.create_connection(where, BOUND) as begun,
        ):
            assert connection_after_an_answer(kept) is None
            begun.sendall(f"POST {GUEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".encode())
            await_acceptance(server)
            server.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + BOUND
            while (said := connection_after_an_answer(kept)) is None:  # its worker doesn't know yet
                assert time.monotonic() < deadline, "the connection is kept for ever"
            assert said == "close"
            begun.sendall(b"{}")
        assert server.ended() == 0


@pytest.mark.parametrize("workers", ["1", "4"])
def test_whoever_has_connected_is_answered(tmp_path: Path, workers: str) -> None:
    """Requests that were sent before SIGTERM are all answered, taken in or not."""
    body = json.dumps({"client_key": KEY}).encode()
    lines = (
        f"POST {GUEST} HTTP/1.1",
        "Host: x",
        f"Origin: {ORIGIN}",
        f"Content-Length: {len(body)}",
    )
    head = "\r\n".join((*lines, "", ""))
    with serving(tmp_path, "--workers", workers) as server, ExitStack() as open_connections:
        where = ("127.0.0.1", server.port())
        connections = [
            open_connections.enter_context(socket.create_connection(where, BOUND))
            for _ in range(40)
        ]
        for connection in connections:
            connection.sendall(head.encode() + body)
        server.process.send_signal(signal.SIGTERM)
        assert {connection.recv(12) for connection in connections} == {b"HTTP/1.1 200"}
        assert server.ended() == 0


def test_a_new_worker_doesnt_bring_back_what_was_switched_off(tmp_path: Path) -> None:
    """A worker that is started later knows the last good file, not the one at the start."""
    with serving(tmp_path, "--workers", "2") as server:
        port, content = server.port(), document()
        content["tenants"]["acme"]["keys"][0]["enabled"] = False
        (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(content))
        server.wait_for("is in force")
        (tmp_path / "tenants.yaml").write_text("version: [")
        server.wait_for("config refused")
        for worker in children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        server.wait_for("starting another", count=2)
        body = json.dumps({"client_key": KEY})
        assert {ask(port, "POST", GUEST, body)[0] for _ in range(10)} == {403}


def test_ctrl_c_twice_is_an_orderly_end_too(tmp_path: Path) -> None:
    """An impatient Ctrl-C to the whole group doesn't end in a traceback."""
    with serving(tmp_path, "--workers", "4") as server:
        assert ask(server.port(), "GET", "/healthz")[0] == 200
        workers = children(server.process.pid)
        for _ in range(2):
            for process in (server.process.pid, *workers):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGINT)
        assert server.ended() == 0
        assert "Traceback" not in server.output


def test_a_dead_worker_is_replaced(tmp_path: Path) -> None:
    """The server goes on with a full set of workers after one of them was killed."""
    with serving(tmp_path, "--workers", "2") as server:
        port = server.port()
        assert ask(port, "GET", "/healthz")[0] == 200
        first = children(server.process.pid)
        os.kill(min(first), signal.SIGKILL)
        server.wait_for("starting another")
        deadline = time.monotonic() + BOUND
        while len(children(server.process.pid)) < 2 and time.monotonic() < deadline:
            pass
        assert len(children(server.process.pid) - first) == 1
        assert {ask(port, "GET", "/healthz")[0] for _ in range(10)} == {200}
        assert server.end() == 0


def children(pid: int) -> set[int]:
    """Return the processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return set(map(int, listed.split()))


def test_workers_share_what_is_spent(tmp_path: Path) -> None:
    """A session begun on one worker is refreshed on any."""
    with serving(tmp_path, "--workers", "2") as server:
        port = server.port()
        session = json.loads(ask(port, "POST", GUEST, json.dumps({"client_key": KEY}))[1])
        token = session["refresh_token"]
        for _ in range(10):
            body = json.dumps({"refresh_token": token})
            status, text = ask(port, "POST", "/api/v1/widget/auth/refresh", body)
            assert status == 200, text
            token = json.loads(text)["refresh_token"]


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """A port in use is told in a line, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path, "--listen", where) as server:
            assert server.ended() == 1
            assert server.output == f"Error: can't listen on {where}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "8000"], "write HOST:PORT"),
        (["--listen", "127.0.0.1:http"], "write HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "write HOST:PORT"),
        (["--listen", "no.such.host.invalid:8000"], "can't listen on"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--state", "mysql://host"], "write sqlite:///path, redis:"),
        (["--state", "sqlite:////nowhere/state.db"], "no such folder"),
        (["--state", "memory:", "--workers", "2"], "one worker's own"),
        (["--state", "memory:", "--admin", "127.0.0.1:0"], "with --workers or --admin use sqlite"),
        (["--admin", "9100"], "--admin 9100: write HOST:PORT"),
        (["--state", "sqlite:////usr"], "/usr: is a folder"),
        (["--listen", "a..b:80"], "not a host name"),
        (["--listen", "127.0.0.1:" + "9" * 5000], "write HOST:PORT"),
        (["--trusted-proxies", "proxy.local"], "--trusted-proxies: proxy.local: not an IP address"),
        (["--trusted-proxies", "0.0.0.0/0"], "0.0.0.0/0: trusts strangers"),
        (["--proxy-hops", "2"], "--trusted-proxies is missing"),
        (["--proxy-hops", "0"], "Invalid value for '--proxy-hops'"),
        (["--hsts", "31536000"], "--hsts needs --trusted-proxies"),
        (["--hsts", "1y"], "Invalid value for '--hsts'"),
        (["--issuer", "foo bar"], "--issuer foo bar: not an https:// URL"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--threads", "many"], "Invalid value for '--threads'"),
        (["--signing-alg", "HS256"], "Invalid value for '--signing-alg'"),
        (["--instance", "/dev/null/x"], "Not a directory"),
        (["--frobnicate"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_option_is_a_clear_line(tmp_path: Path, options: list[str], words: str) -> None:
    """A mistake on the command line says what to write, without a traceback."""
    with serving(tmp_path, *options) as server:
        assert server.ended() in {1, 2}
        assert words in server.output
        assert "Traceback" not in server.output


def test_an_open_instance_folder_is_refused(tmp_path: Path) -> None:
    """A folder that others can read is refused with the command that mends it."""
    instance = tmp_path / "instance"
    instance.mkdir()
    instance.chmod(0o755)
    with serving(tmp_path) as server:
        assert server.ended() == 1
        assert "run: chmod 700 instance" in server.output


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    """Every option can be given as a KATAVEN_ variable."""
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document()))
    environ = {
        "KATAVEN_CONFIG": "mine.yaml",
        "KATAVEN_LISTEN": "127.0.0.1:0",
        "KATAVEN_INSTANCE": "keys",
        "KATAVEN_STATE": "memory:",
        "KATAVEN_SIGNING_ALG": "EdDSA",
        "KATAVEN_THREADS": "2",
    }
    with running(COMMAND, "serve", cwd=tmp_path, **environ) as server:
        status, body = ask(server.port(), "GET", "/.well-known/jwks.json")
        assert status == 200
        assert json.loads(body)["keys"][0]["alg"] == "EdDSA"
        assert (tmp_path / "keys" / "keyring.json").exists()


def test_flask_runs_it_too(tmp_path: Path) -> None:
    """`flask --app kataven_flask run` serves the same endpoints."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tenants.yaml").write_text(yaml.safe_dump(document()))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    flask = (sys.executable, "-m", "flask", "--app", "kataven_flask", "run", "--port", str(port))
    with running(*flask, cwd=tmp_path) as server:
        server.wait_for("Running on")
        assert ask(port, "POST", GUEST, json.dumps({"client_key": KEY}))[0] == 200


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    """Where the parent is killed outright, the port is free again shortly."""
    with serving(tmp_path, "--workers", "2") as server:
        port = server.port()
        assert ask(port, "GET", "/healthz")[0] == 200
        server.end(signal.SIGKILL)
        await_refusal(server)


@pytest.mark.parametrize(("path", "cors"), [(GUEST, "*"), ("/api/v1/widget/auth/user-token", None)])
def test_a_body_that_is_refused_unread_is_refused_readably(
    tmp_path: Path, path: str, cors: str | None
) -> None:
    """A page can read why even where the server doesn't take the body in at all."""
    with serving(tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port(), timeout=BOUND)
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", str(2**31))
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert response.headers["X-Error-Code"] == "body_too_large"
        assert response.headers["Access-Control-Allow-Origin"] == cors
        assert response.read() == b"Body too large: send at most 16 KiB"
        connection.close()


def test_what_is_not_http_is_refused(tmp_path: Path) -> None:
    """Garbage on the line gets 400 and an error code, never a traceback."""
    with serving(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port()), BOUND) as connection:
            connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.0 400 Bad Request")
        assert b"X-Error-Code: invalid_request" in answer
        assert "Traceback" not in server.output


def test_a_broken_header_is_not_sent_back(tmp_path: Path) -> None:
    """A secret key with a newline at its end doesn't get into the log of whoever notes answers."""
    with serving(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port()), BOUND) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nAuthorization: Bearer sk_x\n\r\n\r\n")
            answer = connection.makefile("rb").read()
        assert answer.endswith(b"\r\n\r\nInvalid request: Bare CR or LF found in header line")
        assert "sk_x" not in server.output


def test_a_header_that_is_refused_unread_is_refused_readably(tmp_path: Path) -> None:
    """A page can read why its request was refused even where the path wasn't read."""
    # All of it is taken in: who goes on sending may be cut off before they have read why.
    headers = {"X-Padding": "x" * HEADER_LIMIT}
    with (
        serving(tmp_path) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port(), timeout=BOUND)) as client,
    ):
        client.request("POST", GUEST, headers=headers)
        response = client.getresponse()
        assert response.status == 431
        assert response.headers["X-Error-Code"] == "headers_too_large"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
