"""`examples/websocket`, run as it stands: its server, and its page's side in Node."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Origin

from kataven_flask.verify import CLOCK_SKEW
from tests.canary import CANARY
from tests.running import BOUND, Running, running
from tests.support import ISSUER, ORIGIN
from tests.verify.sign_in import USER
from tests.verify.world import World, running_world

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "websocket"
FIRST_SECONDS: Final = 0.3
NODE: Final = shutil.which("node")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run a sign-in service."""
    with running_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@contextlib.contextmanager
def serving(world: World, seconds: float) -> Iterator[tuple[str, Running]]:
    """Run the example, and return where it listens."""
    environ = {"JWKS_URL": world.jwks_url, "ISSUER": ISSUER, "PORT": "0"}
    command = (sys.executable, str(EXAMPLE / "server.py"))
    with running(*command, cwd=world.folder, **environ, FIRST_SECONDS=str(seconds)) as server:
        yield server.wait_for(r"listens on (ws://\S+)")[1], server


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """Run the example; at the end, hold that it has printed nothing but where it listens."""
    with serving(world, BOUND) as (url, server):
        yield url
        assert len(server.lines) == 1, server.output


class Page:
    """A page that is connected."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def send(self, **message: Any) -> None:
        """Send a message."""
        self._socket.send(json.dumps(message))

    def send_text(self, text: str) -> None:
        """Send anything."""
        self._socket.send(text)

    def hear(self) -> dict[str, Any]:
        """Return the next message."""
        message: dict[str, Any] = json.loads(self._socket.recv(BOUND))
        return message

    def sent_off(self) -> tuple[int, str]:
        """Wait for the end, and return its code and reason."""
        with pytest.raises(ConnectionClosed) as closed:
            self._drain()
        frame = closed.value.rcvd
        assert frame is not None
        return frame.code, frame.reason

    def _drain(self) -> None:
        while True:
            self._socket.recv(BOUND)


@contextlib.contextmanager
def page(url: str, origin: str = ORIGIN) -> Iterator[Page]:
    """Connect as a page does."""
    with connect(url, origin=Origin(origin), proxy=None) as socket:
        yield Page(socket)


def ending(world: World, seconds: float, **session: Any) -> str:
    """Return a token that is taken for so many seconds more, or less than one longer."""
    claims = dataclasses.replace(USER, **session)
    return world.sign_in.mint(claims, exp=math.ceil(time.time() + seconds) - CLOCK_SKEW)


def test_a_guest_talks(world: World, url: str) -> None:
    """A visitor signs in by the first message, and is answered."""
    with page(url) as guest:
        guest.send(type="token", token=world.guest())
        assert guest.hear()["visitor"].startswith("guest_")
        for text in ("Hello", "Is anybody there?"):
            guest.send(type="say", text=text)
            assert guest.hear() == {"type": "reply", "text": f"You said: {text}"}


def test_the_token_ends(world: World, url: str) -> None:
    """Before a token ends the next is asked for; where none comes, the socket is closed.

    With the next token of the same session the talk goes on.
    """
    token = ending(world, 1)
    with page(url) as leaves, page(url) as stays:
        for user in (leaves, stays):
            user.send(type="token", token=token)
            assert [user.hear()["type"] for _ in range(2)] == ["welcome", "renew"]
        stays.send(type="token", token=world.sign_in.mint())
        leaves.send(type="say", text="one more")
        assert leaves.hear()["type"] == "reply"
        assert leaves.sent_off() == (3000, "the session token has ended")
        stays.send(type="say", text="still here")
        assert stays.hear() == {"type": "reply", "text": "You said: still here"}


def test_another_sessions_token(world: World, url: str) -> None:
    """Nobody becomes somebody else on an open socket."""
    with page(url) as user:
        user.send(type="token", token=world.sign_in.mint())
        assert user.hear()["type"] == "welcome"
        user.send(type="token", token=ending(world, 600, sid="ses_2"))
        assert user.sent_off() == (3000, "this token is of another session")


FIRST: Final[dict[str, Callable[[World], str]]] = {
    "nothing of a token": lambda _: json.dumps({"type": "say", "text": "hi"}),
    "no JWT": lambda _: json.dumps({"type": "token", "token": "x"}),
    "no text": lambda _: json.dumps({"type": "token", "token": {"$ne": None}}),
    "ended": lambda world: json.dumps({"type": "token", "token": ending(world, -2)}),
    "bent": lambda world: json.dumps({"type": "token", "token": world.guest()[:-6] + "AAAAAA"}),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_a_first_message_that_is_no_token(
    world: World, url: str, first: Callable[[World], str]
) -> None:
    """Whoever begins with anything else than a good token is sent off, and told that it's that."""
    with page(url) as stranger:
        stranger.send_text(first(world))
        assert stranger.sent_off()[0] == 3000


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 30_000, "x" * 100_000])
def test_what_is_no_message(url: str, text: str) -> None:
    """What is no JSON object, or too long, ends the connection, and no more than that."""
    with page(url) as stranger:
        stranger.send_text(text)
        assert stranger.sent_off()[0] in {1008, 1009}


def test_a_page_of_another_origin(world: World, url: str) -> None:
    """A token that was made for another page opens nothing."""
    with page(url, origin="https://evil.example") as stranger:
        stranger.send(type="token", token=world.guest())
        assert stranger.sent_off() == (3000, "this session token was made for another origin")


def test_a_silent_stranger(world: World) -> None:
    """Whoever sends no token in time doesn't keep a socket."""
    with serving(world, FIRST_SECONDS) as (url, _), page(url) as stranger:
        assert stranger.sent_off() == (3000, "no session token came in time")


# --- the page's side

SCRIPT: Final = """
import { talk } from "CHAT";
const tokens = process.env.TOKENS.split(" ");
const widget = {
  getToken: async () => tokens[0],
  renew: async () => { tokens.shift(); console.log("renewed"); },
};
const chat = talk(process.env.URL, widget, (message) => {
  console.log(JSON.stringify(message));
  if (message.type === "welcome") chat.say("Hello");
  if (message.type === "reply") chat.leave();
});
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, Sequence[str]], list[str]]:
    """Return what runs the page's side with tokens, and returns what it heard."""
    if NODE is None:
        pytest.skip("there is no node on this machine")
    path = tmp_path / "page.mjs"
    chat = shutil.copy(EXAMPLE / "chat.js", tmp_path / "chat.mjs")
    path.write_text(SCRIPT.replace("CHAT", str(chat)))

    def run(url: str, tokens: Sequence[str]) -> list[str]:
        for token in tokens:
            CANARY.note(token, "token")
        ran = subprocess.run(
            [str(NODE), "--no-warnings", "--experimental-websocket", str(path)],
            env={"URL": url, "TOKENS": " ".join(tokens)},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout.splitlines()

    return run


Script = Callable[[str, Sequence[str]], list[str]]
WELCOME: Final = '{"type":"welcome","visitor":"42"}'
REPLY: Final = '{"type":"reply","text":"You said: Hello"}'


def test_the_page_comes_back_with_another_token(world: World, url: str, script: Script) -> None:
    """A page whose token isn't taken any more renews it and connects again."""
    heard = script(url, [ending(world, -2), world.sign_in.mint()])
    assert heard == ["renewed", WELCOME, REPLY]


def test_the_page_is_asked_for_its_next_token(script: Script) -> None:
    """A page that is asked for its next token renews, and sends it on the same socket."""
    heard: list[Any] = []

    def chat(socket: ServerConnection) -> None:
        heard.append(json.loads(socket.recv()))
        socket.send('{"type": "renew"}')
        heard.append(json.loads(socket.recv()))
        socket.send('{"type": "reply"}')

    with serve(chat, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        printed = script(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", ["one", "two"])
        server.shutdown()
        thread.join()
    assert heard == [{"type": "token", "token": token} for token in ("one", "two")]
    assert printed == ["renewed", '{"type":"reply"}']
