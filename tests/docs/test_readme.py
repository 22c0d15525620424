"""The program of README.md that verifies is run as it stands, against a real server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest
import yaml

from tests.docs.blocks import Block, blocks
from tests.running import BOUND, COMMAND, running
from tests.support import API, ISSUER, KEY, ORIGIN, document

README: Final = "README.md"
FIRST: Final = "from kataven_flask.verify import"


def program() -> Block:
    """Return the program of the page that verifies."""
    (found,) = (each for each in blocks() if each.page == README and each.first.startswith(FIRST))
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server whose public name is the page's; return its address."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document(issuer=ISSUER)))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *arguments, cwd=folder) as process:
        yield f"http://127.0.0.1:{process.port()}"


def run(server: str, token: str) -> dict[str, Any]:
    """Run the program with the public keys' address of this server; return its variables."""
    shown = f"{ISSUER}/.well-known/jwks.json"
    text = program().text
    assert shown in text
    names: dict[str, Any] = {"token": token}
    exec(text.replace(shown, f"{server}/.well-known/jwks.json"), names)  # noqa: S102 - the page's
    return names


def test_a_session_is_verified(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A `/connect` service that is written so knows who is calling."""
    host, body = server.removeprefix("http://"), json.dumps({"client_key": KEY})
    with closing(http.client.HTTPConnection(host, timeout=BOUND)) as connection:
        connection.request("POST", f"{API}/auth/guest", body, {"Origin": ORIGIN})
        session = json.load(connection.getresponse())
    run(server, session["token"])
    assert capsys.readouterr().out == f"acme guest {session['visitor']['id']} None\n"


def test_a_stranger_is_not(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has no session of this service's gets to where the page says 401."""
    assert "session" not in run(server, "a.b.c")
    assert capsys.readouterr().out == ""


def test_nobody_is_where_the_keys_are_away(capsys: pytest.CaptureFixture[str]) -> None:
    """While the public keys can't be fetched, the program gets to where the page says 503."""
    assert "session" not in run("http://127.0.0.1:1", "a.b.c")
    assert capsys.readouterr().out == ""
