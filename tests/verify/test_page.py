"""`docs/verify.md`: its code, run as it stands there against a real sign-in service."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.error import HTTPError

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol
from werkzeug.test import Client, TestResponse

from kataven_flask.verify import CLOCK_SKEW, fetching, key_cache, verifier
from tests.guide import DOCS, VERIFY_FILES, dead_links, write_file
from tests.running import BOUND, COMMAND, free_port, running
from tests.support import ORIGIN
from tests.verify.key_server import GOOD
from tests.verify.sign_in import USER, SignIn

PAGE: Final = (DOCS / "verify.md").read_text()
PUBLISHED: Final = "https://widget.example.com/.well-known/jwks.json"
PREFLIGHT: Final = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.fixture(scope="module")
def folder(sign_in: SignIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page's Python files, with our sign-in service in the place of the page's."""
    folder = tmp_path_factory.mktemp("page")
    for name in VERIFY_FILES:
        if name.endswith(".py"):
            write_file(folder, name, VERIFY_FILES)
    sessions = folder / "sessions.py"
    assert PUBLISHED in sessions.read_text()
    sessions.write_text(sessions.read_text().replace(PUBLISHED, sign_in.jwks_url))
    return folder


@pytest.fixture
def imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what imports one of the files, for this test alone."""
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def by_name(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield by_name
    for name in set(sys.modules) - before:
        if name in {"sessions", "by_hand", "flask_app", "wsgi_app"}:
            del sys.modules[name]


def signed(token: str, origin: str = ORIGIN) -> dict[str, str]:
    """Return the headers of a page's request."""
    return {"Authorization": f"Bearer {token}", "Origin": origin}


def test_by_hand(imported: Any, sign_in: SignIn) -> None:
    """A service without a framework tells a session from none."""
    answer = imported("by_hand").answer
    assert answer(signed(sign_in.mint())) == (200, "acme: user 42")
    assert answer(signed(GOOD))[0] == 401
    assert answer({})[0] == 401
    assert answer(signed(sign_in.mint(), "https://evil.example"))[0] == 401


def allowed(headers: Any) -> None:
    """Hold that a preflight's answer lets the widget send its message."""
    assert headers["Access-Control-Allow-Origin"] in {"*", ORIGIN}
    assert "POST" in headers["Access-Control-Allow-Methods"]
    named = headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type"} <= set(re.split(r", *", named))


def readable_once(response: TestResponse) -> None:
    """Hold that a page may read an answer: two of this header are as good as none."""
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["*"]


def test_flask(imported: Any, sign_in: SignIn) -> None:
    """The widget's preflight, its message, and its message with a token that has ended."""
    client = Client(imported("flask_app").app)
    allowed(client.options("/connect", headers=PREFLIGHT).headers)
    good = client.post("/connect", headers=signed(sign_in.mint()))
    assert good.json == {"reply": "Hello Ada Lovelace!"}
    ended = client.post("/connect", headers=signed(GOOD))
    assert (ended.status_code, ended.headers["X-Error-Code"]) == (401, "invalid_token")
    for response in (good, ended):
        readable_once(response)


def test_wsgi(imported: Any, sign_in: SignIn) -> None:
    """All of an app is behind the middleware, but for the path that is public."""
    client = Client(imported("wsgi_app").app)
    assert client.get("/healthz").text == "alive"
    assert client.get("/history").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert client.get("/history", headers=signed(sign_in.mint())).json == {"visitor": USER.sub}


def test_the_pages_own_tests_pass(folder: Path) -> None:
    """What a reader copies to test a service runs, and passes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_connect.py"]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed" in ran.stdout, ran.stdout


# --- ASGI, under two servers


@pytest.fixture(scope="module", params=["uvicorn", "granian"])
def asgi_url(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the page's app under a server, and return where it is."""
    port = free_port()
    bin_folder = Path(COMMAND).parent
    command = {
        "uvicorn": (str(bin_folder / "uvicorn"), "--port", str(port), "fastapi_app:app"),
        "granian": (
            str(bin_folder / "granian"),
            *("--interface", "asgi", "--port", str(port), "fastapi_app:app"),
        ),
    }[request.param]
    with running(
        *command, cwd=folder, PYTHONPATH=f"{folder}:{Path(__file__).parents[2]}"
    ) as server:
        server.wait_for(r"Uvicorn running on|Started worker-1 runtime|Listening at")
        url = f"http://127.0.0.1:{port}"
        assert ask(f"{url}/healthz", "GET", {})[0] == 200
        yield url
        server.end()
        assert "eyJ" not in server.output


def ask(url: str, method: str, headers: dict[str, str]) -> tuple[int, Any, bytes]:
    """Send a request; return the status, headers and body of its answer."""
    request = urllib.request.Request(url, None, headers, method=method)  # noqa: S310 - our own
    deadline = time.monotonic() + BOUND
    while True:
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310
                return response.status, response.headers, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.headers, error.read()
        except OSError:  # it is about to listen
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_fastapi(asgi_url: str, sign_in: SignIn) -> None:
    """The widget's preflight, its message, and its message with a token that has ended."""
    connect = f"{asgi_url}/connect"
    allowed(ask(connect, "OPTIONS", PREFLIGHT)[1])
    status, headers, body = ask(connect, "POST", signed(sign_in.mint()))
    assert (status, json.loads(body)) == (200, {"reply": "Hello Ada Lovelace!"})
    assert headers.get_all("Access-Control-Allow-Origin") == ["*"]
    status, headers, body = ask(connect, "POST", signed(GOOD))
    assert (status, json.loads(body)["code"]) == (401, "invalid_token")
    assert headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert "WWW-Authenticate" in headers["Access-Control-Expose-Headers"]
    assert ask(f"{asgi_url}/nowhere", "GET", {})[0] == 401


SCRIPT: Final = """
import { talk } from "./talk.mjs";
const tokens = process.argv.slice(3);
const widget = { getToken: async () => tokens[0], renew: async () => console.log("renewed") };
const socket = await talk(widget, process.argv[2]);
socket.addEventListener("open", () => { console.log(socket.protocol); socket.send("hello"); });
socket.addEventListener("message", ({ data }) => { console.log(data); socket.close(); });
socket.addEventListener("close", ({ code, reason }) => console.log(code, reason));
"""


@pytest.fixture
def talked(asgi_url: str, tmp_path: Path) -> Any:
    """Return what runs the page's script with a token, and returns what it heard."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    write_file(tmp_path, "talk.js", VERIFY_FILES).rename(tmp_path / "talk.mjs")
    (tmp_path / "main.mjs").write_text(SCRIPT)
    # Its WebSocket sends no origin of a page.
    command = [node, "--no-warnings", "--experimental-websocket", "main.mjs"]
    url = asgi_url.replace("http:", "ws:") + "/talk"

    def run(token: str) -> list[str]:
        ran = subprocess.run(
            [*command, url, token],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout.splitlines()

    return run


def test_a_websocket(talked: Any, sign_in: SignIn) -> None:
    """A page that offers its token by the page's script is let in, and answered."""
    assert talked(sign_in.mint())[:2] == ["kataven", "42: hello"]


def test_the_end_of_a_websocket(asgi_url: str, sign_in: SignIn) -> None:
    """It is closed when the token ends, while the app waits for the next message."""
    token = sign_in.mint(exp=math.ceil(time.time() + 1) - CLOCK_SKEW)
    with connect(
        asgi_url.replace("http:", "ws:") + "/talk",
        origin=Origin(ORIGIN),
        subprotocols=[Subprotocol("kataven"), Subprotocol(f"kataven.token.{token}")],
        proxy=None,
    ) as socket:
        socket.send("hello")
        assert socket.recv(BOUND) == "42: hello"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(BOUND)
    frame = closed.value.rcvd
    assert frame is not None
    assert (frame.code, frame.reason) == (3000, "the session token has ended")


def test_a_websocket_without_a_session(talked: Any) -> None:
    """A page whose token isn't taken can read that it is that."""
    assert talked(GOOD) == [
        "kataven",
        "renewed",
        "3000 not a live session token: no key of the service signed it",
    ]


# --- what the page says


def test_the_times_of_the_page() -> None:
    """Its table has the seconds that the code has."""
    table = PAGE.partition("## How long keys are kept")[2].partition("\n\nOne fetch")[0]
    assert re.findall(r"(?m)^\| (\d+) \|", table) == [
        str(seconds)
        for seconds in (
            key_cache.RENEWED,
            key_cache.FRESH,
            key_cache.PAUSE,
            key_cache.OFFLINE,
            fetching.TIMEOUT,
            key_cache.PATIENCE,
        )
    ]
    assert f"{fetching.MAX_BYTES // 1024} KiB at most" in table
    assert f"with {verifier.CLOCK_SKEW} s for clocks" in PAGE


def test_every_link_of_the_page_leads_somewhere() -> None:
    """No link of the page is dead."""
    assert dead_links(PAGE) == []
