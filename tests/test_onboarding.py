"""`docs/onboarding.md`: what is copied out of it is run as it stands, against a real server."""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from flask import Flask

from kataven_flask import errors
from tests.guide import FENCED, FILES, PAGE, dead_links, write_file
from tests.running import BOUND, COMMAND, running
from tests.snippets import LANGUAGES, USER, Language, Snippet, environment
from tests.support import API, KEY, NO_LIMITS, ORIGIN, SECRET, document

WRONG: Final = "sk_live_acme_" + "w" * 43

Written = Callable[[Language], Snippet]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Written:
    """Return what makes a language's block ready, once; where the language lacks, it skips."""
    done: dict[str, Snippet] = {}
    kept = request.config.cache
    go_cache = kept.mkdir("go-build") if kept else tmp_path_factory.mktemp("go-build")

    def write(language: Language) -> Snippet:
        if not language.is_here:
            pytest.skip(f"{language.name} isn't on this machine")
        if language.name not in done:
            done[language.name] = Snippet(language, tmp_path_factory.mktemp("snippet"), go_cache)
        return done[language.name]

    return write


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def snippet(request: pytest.FixtureRequest, written: Written) -> Snippet:
    """Return the block in each language."""
    return written(request.param)


# --- the service, and one that isn't


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the error code if any, and the body."""

    status: int
    code: str | None
    body: Any


@dataclass(frozen=True)
class Service:
    """A running server, as a page calls it."""

    url: str

    def page(self, action: str, **body: str) -> Answer:
        """Post to an endpoint under `auth/` from an allowed page."""
        host = self.url.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=BOUND)) as connection:
            path = f"{API}/auth/{action}"
            connection.request("POST", path, json.dumps(body), {"Origin": ORIGIN})
            answer = connection.getresponse()
            text, code = answer.read().decode(), answer.headers["X-Error-Code"]
            return Answer(answer.status, code, text if code else json.loads(text))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one server for the whole page."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document(limits=NO_LIMITS)))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *arguments, cwd=folder) as server:
        yield Service(f"http://127.0.0.1:{server.port()}")


class _Stranger(BaseHTTPRequestHandler):
    """Answers as the first part of the path says, and notes what was asked of it."""

    server: StrangeServer

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, how, *_ = self.path.split("/")
        self.server.asked.append(how)
        if how == "silent":
            self.server.over.wait()
        elif how.isdigit():
            self._answer(int(how), {"Location": f"{self.server.url}/elsewhere"})
        elif how == "busy":
            self._answer(429, {"Retry-After": "7"}, b"Too many requests")
        else:
            self._answer(200, {"Content-Type": "text/html"}, b"<p>Welcome")

    def do_GET(self) -> None:
        """Answer those who make a GET of a redirected POST."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@dataclass
class StrangeServer(ThreadingHTTPServer):
    """A server that is not the service, or not as it should be."""

    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Stranger)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def stranger() -> Iterator[StrangeServer]:
    """Run a server of another kind."""
    server = StrangeServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


# --- the function, in each language


def test_the_token_signs_the_user_in(snippet: Snippet, service: Service) -> None:
    """What the function gives is exchanged for the session of that user, whatever the name."""
    answer = service.page("exchange", token=snippet.token(service.url), client_key=KEY)
    assert answer.status == 200
    assert answer.body["visitor"] == {**USER, "type": "user"}


@pytest.mark.parametrize("secret", [WRONG, WRONG + "\n"], ids=["wrong", "with a newline"])
def test_a_wrong_secret_fails_and_is_not_shown(
    snippet: Snippet, service: Service, secret: str
) -> None:
    """The developer reads the code and why, and the secret key doesn't end up in the log."""
    status, printed, complaint = snippet.run(service.url, secret)
    assert status != 0
    assert WRONG[-20:] not in printed + complaint
    if secret == WRONG:
        assert "401" in complaint
        assert "invalid_api_key" in complaint
        assert "Missing or invalid API key: it is nobody's secret key" in printed + complaint


def test_a_refusal_says_when_to_try_again(snippet: Snippet, stranger: StrangeServer) -> None:
    """Where the service has too much to do, its `Retry-After` is in the message."""
    status, printed, complaint = snippet.run(f"{stranger.url}/busy")
    assert status != 0
    assert "429" in complaint
    assert "Too many requests" in printed + complaint
    assert re.search(r"Retry-After: \D?7", complaint)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_does_not_get_the_secret(
    snippet: Snippet, stranger: StrangeServer, status: int
) -> None:
    """Whoever redirects the call doesn't learn the secret key, and the developer notices."""
    ended, printed, _ = snippet.run(f"{stranger.url}/{status}")
    assert stranger.asked == [str(status)]
    assert printed.strip() == ""
    if snippet.language.main:  # curl takes an empty answer for an answer
        assert ended != 0


def test_a_page_instead_of_an_answer_is_no_token(written: Written, stranger: StrangeServer) -> None:
    """Where another server listens, its page isn't taken for a token."""
    for language in LANGUAGES:
        if language.main and language.is_here:
            assert written(language).run(f"{stranger.url}/welcome")[0] != 0, language.name


def test_a_service_that_is_silent_is_given_up(written: Written, stranger: StrangeServer) -> None:
    """Each gives up by itself: a page's visitor doesn't wait for ever. All at once, to be quick."""
    here = [language for language in LANGUAGES if language.is_here]
    started = [(each.name, written(each).start(f"{stranger.url}/silent")) for each in here]
    for name, process in started:
        printed, complaint = process.communicate(timeout=BOUND)
        assert process.returncode != 0, name
        assert SECRET not in printed + complaint, name
    assert len(stranger.asked) == len(here)


# --- the route


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service) -> Iterator[Flask]:
    """Import the page's route, with the page's function beside it."""
    write_file(tmp_path, "widget_token.py")
    write_file(tmp_path, "shop.py")
    for name, value in {**environment(service.url), "SHOP_SECRET_KEY": "s" * 32}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shop").app
    for name in ("shop", "widget_token"):
        del sys.modules[name]


def ask(shop: Flask, user: dict[str, str] | None, **headers: str) -> Any:
    """Ask the route for a token, as the browser of somebody who is signed in, or of nobody."""
    client, where = shop.test_client(), "https://shop.example"
    if user is not None:
        with client.session_transaction(base_url=where) as session:
            session["user"] = user
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/widget-token", base_url=where, headers=names)


def test_the_route_gives_a_token_to_the_user_who_is_signed_in(
    shop: Flask, service: Service
) -> None:
    """The token is that user's, and nobody keeps it."""
    answer = ask(shop, USER, Sec_Fetch_Site="same-origin")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    session = service.page("exchange", token=answer.get_json()["user_token"])
    assert session.body["visitor"]["id"] == "42"


def test_the_route_gives_nothing_where_nobody_is_signed_in(shop: Flask) -> None:
    """A guest's page learns that there is nobody, and no cache remembers it."""
    answer = ask(shop, None)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_the_route_refuses_another_sites_page(shop: Flask, site: str) -> None:
    """A page of another site gets no token in the user's name."""
    assert ask(shop, USER, Sec_Fetch_Site=site).status_code == 403


def test_the_route_says_later_where_there_is_no_token(
    shop: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The user's page gets no error of ours; the shop's log has the reason without the secret."""
    monkeypatch.setenv("KATAVEN_SECRET_KEY", WRONG)
    with caplog.at_level(logging.ERROR):
        answer = ask(shop, USER)
    assert (answer.status_code, answer.data) == (503, b"")
    assert "401 invalid_api_key: Missing or invalid API key" in caplog.text
    assert WRONG[-20:] not in caplog.text


# --- signing out


def test_revoke_ends_the_users_sessions(written: Written, service: Service, tmp_path: Path) -> None:
    """After it no session of the user is renewed."""
    curl = written(LANGUAGES[-1])
    session = service.page("exchange", token=curl.token(service.url)).body
    done = subprocess.run(
        ["/bin/sh", write_file(tmp_path, "revoke.sh")],
        env=environment(service.url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    answer = service.page("refresh", refresh_token=session["refresh_token"])
    assert (answer.status, answer.code) == (400, "revoked_session")


# --- the page itself


def test_every_block_of_code_is_run_by_a_test() -> None:
    """Nothing is shown that nobody has tried: each block of a program has a name and a test."""
    programs = [text for language, text in FENCED if language not in ("", "sh", "yaml", "console")]
    assert set(programs) <= set(FILES.values())
    tried = {language.file for language in LANGUAGES} | {"shop.py", "revoke.sh", "page.html"}
    assert set(FILES) == tried


def test_every_block_for_the_shell_is_sound() -> None:
    """The shell reads each block without a complaint."""
    blocks = [text for language, text in FENCED if language == "sh"]
    assert blocks
    for block in blocks:
        subprocess.run(["/bin/sh", "-n"], input=block, text=True, check=True)


def test_every_code_in_the_tables_has_its_status() -> None:
    """A reader finds the error by what the server says."""
    statuses = {
        kind.code: kind.status
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and hasattr(kind, "code")
    }
    statuses["bad_gateway"] = 502  # the proxy's own
    rows = re.findall(r"(?m)^\| (\d{3}) ((?:`\w+` ?)+)\|", PAGE)
    shown = {code: int(status) for status, codes in rows for code in re.findall(r"\w+", codes)}
    assert {"origin_not_allowed", "invalid_api_key", "used_token"} <= set(shown)
    assert shown == {code: statuses.get(code) for code in shown}


def test_every_link_of_the_page_leads_somewhere() -> None:
    """A reader in front of an error meets no dead link."""
    assert not dead_links(PAGE)
