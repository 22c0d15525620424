"""The server as a process, for tests in another language, and its controls."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from kataven_flask.testing import Kataven, Tenant
from kataven_flask.testing.control import serve_control
from tests.running import BOUND
from tests.testing.guide import FILES

PAGE: Final = "http://localhost:3000"
START: Final = (sys.executable, "-m", "kataven_flask.testing")


@contextmanager
def started(*options: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the process, and kill it with the block if it is still there."""
    process = subprocess.Popen(
        [*START, *options],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def said_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the line that it prints."""
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said


def post(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Post to a control, or anywhere."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=BOUND)) as connection:
        sent = body if isinstance(body, str | None) else json.dumps(body)
        connection.request("POST", parts.path, sent, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, json.loads(text) if is_json else text


def test_it_tells_where_it_is_and_ends_with_its_input(tmp_path: Path) -> None:
    """Its line has the addresses and the keys, which are good; a closed input ends it."""
    with started("--origin", PAGE, "--id", "shop", cwd=tmp_path) as process:
        said = said_by(process)
        shop = said["tenants"]["shop"]
        guest = f"{said['url']}/api/v1/widget/auth/guest"
        assert post(guest, {"client_key": shop["client_key"]}, Origin=PAGE)[0] == 200
        assert post(f"{said['control']}/requests")[1][0]["tenant"] == "shop"
        told, warned = process.communicate(timeout=BOUND)
        assert process.returncode == 0
        assert told == ""
        assert "never for production" in warned
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends it in order."""
    with started(cwd=tmp_path) as process:
        assert said_by(process)["tenants"] == {}
        process.send_signal(number)
        assert process.wait(BOUND) == 0


def test_it_says_what_is_wrong_with_a_tenant(tmp_path: Path) -> None:
    """Nothing is served then, and standard output stays empty."""
    with started("--origin", "https://*", cwd=tmp_path) as process:
        told, words = process.communicate(timeout=BOUND)
        assert (process.returncode, told) == (2, "")
        assert "origins[0]" in words


def test_it_needs_its_input(tmp_path: Path) -> None:
    """Where there is none that could end, it doesn't begin."""
    command = f"exec {shlex.join(START)} <&-"
    ran = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "keep its standard input open" in ran.stderr


@pytest.fixture
def control(kataven: Kataven) -> str:
    """Return the address of a server's controls."""
    return serve_control(kataven, kataven.serve_beside)


def test_what_the_fixture_does_it_does(kataven: Kataven, control: str) -> None:
    """Tenants, time, faults, tokens and requests, each by its name."""
    status, shop = post(f"{control}/tenant", {"id": "shop", "origins": [PAGE]})
    assert (status, shop["client_key"][:8]) == (200, "pk_test_")
    assert post(f"{control}/change", {"tenant": "shop", "name": "Shop"})[0] == 200
    asked = {"tenant": "shop", "user_id": "42"}
    session = post(f"{control}/session-token", asked)[1]["token"]
    assert post(f"{control}/verify", {"token": session})[1]["visitor_id"] == "42"
    before = kataven.clock()
    assert post(f"{control}/clock", {"advance": "1h"})[1]["now"] >= before + 3600
    assert post(f"{control}/verify", {"token": session}) == (
        400,
        {"error": "not a live session token: it has expired"},
    )
    assert post(f"{control}/clock", {"reset": True, "freeze": True, "set": 60})[1] == {"now": 60}
    assert post(f"{control}/fail", {"name": "crash", "times": 1})[1] == {"failing": "crash"}
    assert post(f"{control}/restore") == (200, None)
    refresh = post(f"{control}/refresh-token", asked)[1]["refresh_token"]
    url = f"{kataven.url}/api/v1/widget/auth/refresh"
    assert post(url, {"refresh_token": refresh}, Origin=PAGE)[0] == 200
    assert post(f"{control}/wait-for", {"path": "refresh"})[1]["at"] == 60
    spent = post(f"{control}/user-token", {**asked, "state": "spent"})[1]["token"]
    assert post(url.replace("refresh", "exchange"), {"token": spent}, Origin=PAGE)[0] == 400
    assert len(post(f"{control}/requests")[1]) == 2
    assert post(f"{control}/forget-requests") == (200, None)
    assert post(f"{control}/settle") == (200, None)
    assert post(f"{control}/reset") == (200, None)
    assert post(f"{control}/user-token", asked)[0] == 400


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("fail", {"name": "stat"}, "did you mean 'state'"),
        ("fail", {}, "name"),
        ("fail", {"nam": "state"}, "nam"),
        ("tenant", {"origins": ["*.com"]}, "public suffix list"),
        ("user-token", {"tenant": "nobody"}, "no tenant 'nobody'"),
        ("clock", {"advance": "soon"}, "not a duration"),
        ("wait-for", {"path": "guest", "timeout": 0.01}, "no request"),
        ("load", {"path": "/nowhere"}, "no such file"),
        ("requests", "[]", "JSON object"),
        ("requests", "{", "JSON object"),
    ],
)
def test_what_is_wrong_is_said(control: str, name: str, body: Any, words: str) -> None:
    """A test that slips reads why."""
    status, answer = post(f"{control}/{name}", body)
    assert status == 400
    assert words in answer["error"]


def test_a_name_that_is_none(control: str) -> None:
    """The answer has all names."""
    status, answer = post(f"{control}/explode")
    assert status == 404
    assert "forget-requests" in answer["error"]


def test_no_page_gets_at_it(control: str, shop: Tenant) -> None:
    """A page that a developer has open mints no token: not by guessing, nor by another's name."""
    asked = {"tenant": shop.id}
    assert post(f"{control}/user-token", asked, Origin="http://evil.example")[0] == 403
    assert post(f"{control}/user-token", asked, **{"Sec-Fetch-Site": "none"})[0] == 403
    port = urlsplit(control).port
    assert post(f"{control}/user-token", asked, Host=f"evil.example:{port}")[0] == 403
    without = control.rpartition("/")[0]
    for guess in ("user-token", "x/user-token", "/user-token"):
        status, answer = post(f"{without}/{guess}", asked)
        assert (status, "eyJ" in str(answer)) == (404, False)
    assert len(control.rpartition("/")[2]) >= 20


def test_only_this_machine_reaches_either(control: str, kataven: Kataven) -> None:
    """Both listen on loopback."""
    assert urlsplit(kataven.url).hostname == urlsplit(control).hostname == "127.0.0.1"
    ports = {f"{urlsplit(url).port:04X}" for url in (control, kataven.url)}
    sockets = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {each for each in sockets if each.rpartition(":")[2] in ports}
    assert {each.partition(":")[0] for each in listening} == {"0100007F"}


NODE: Final = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node isn't on this machine")
def test_the_pages_example_in_node(tmp_path: Path) -> None:
    """It passes as it stands, and the server that it has started is gone with it."""
    (tmp_path / "chat.test.mjs").write_text(FILES["chat.test.mjs"])
    ran = subprocess.run(
        [str(NODE), "--test"],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# pass 3" in ran.stdout
