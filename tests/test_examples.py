"""The shops in `examples/`, each run by its own command against a real sign-in service."""

from __future__ import annotations

import http.client
import http.cookies
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kataven_flask.demo import run as demo
from tests.running import BOUND, COMMAND, Running, free_port, running
from tests.support import API, KEY, NO_LIMITS, ORIGIN, SECRET, document
from tests.verify_elsewhere.languages import NODE_PACKAGES, needs

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
CONNECT: Final = "https://agents.example.com/connect"
WRONG: Final = "sk_live_acme_" + "w" * 43
ADA: Final = {"id": "42", "name": "Ada Lovelace", "email": "ada@example.com"}
OTHER_SITES: Final = ("cross-site", "same-site", "none")
COMMANDS: Final[Mapping[str, str]] = {
    "flask": "flask run --host localhost",
    "fastapi": "uvicorn app:app --host localhost --port 5000",
    "express": "npm start",
}
"""What each README says."""
NEEDED: Final = ("KATAVEN_URL", "KATAVEN_CLIENT_KEY", "KATAVEN_SECRET_KEY", "SHOP_SECRET_KEY")


def command(name: str, port: int) -> list[str]:
    """Return what a README's command starts, on a port of the test's."""
    if name == "express":
        scripts = json.loads((EXAMPLES / name / "package.json").read_text())["scripts"]
        return str(scripts["start"]).split()
    program, *arguments = COMMANDS[name].removesuffix(" --port 5000").split()
    return [sys.executable, "-m", program, *arguments, "--port", str(port)]


@dataclass(frozen=True)
class Answer:
    """What a shop answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.text)


@dataclass
class Shop:
    """A shop that is up, and a browser's cookies of it.

    Args:
        port: Where it listens.
        process: What serves it.
        cookies: What it had the browser keep.
    """

    port: int
    process: Running
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """Ask as a browser does, with the cookies that it keeps."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with closing(http.client.HTTPConnection("localhost", self.port, timeout=BOUND)) as wire:
            wire.request(method, path, headers=sent)
            found = wire.getresponse()
            answer = Answer(found.status, found.headers, found.read().decode())
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def post(self, path: str, **headers: str) -> Answer:
        """Post as a script of the shop's own page does."""
        return self.ask("POST", path, **{"Sec-Fetch-Site": "same-origin", **headers})


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a sign-in service; give its address."""
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document(limits=NO_LIMITS)))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *arguments, cwd=folder) as server:
        yield f"http://127.0.0.1:{server.port()}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one sign-in service for all shops; return its address."""
    with serving(tmp_path_factory.mktemp("service")) as url:
        yield url


@contextmanager
def started(name: str, folder: Path, port: int, **environ: str) -> Iterator[Running]:
    """Start a shop from a copy of its folder and of the page beside it."""
    for part in (name, "page"):
        shutil.copytree(EXAMPLES / part, folder / part, dirs_exist_ok=True)
    if name == "express":
        needs(shutil.which("node"), "Node.js")
        needs((NODE_PACKAGES / "cookie-session").is_dir(), "express and cookie-session (npm)")
        (folder / name / "node_modules").symlink_to(NODE_PACKAGES)
    known = {"KATAVEN_CLIENT_KEY": KEY, "KATAVEN_SECRET_KEY": SECRET, "SHOP_SECRET_KEY": "s" * 32}
    more = {"KATAVEN_CONNECT_URL": CONNECT, "SHOP_INSECURE_COOKIE": "1", "PORT": str(port)}
    with running(
        *command(name, port), cwd=folder / name, **{**known, **more, **environ}
    ) as process:
        yield process


@contextmanager
def opened(name: str, folder: Path, **environ: str) -> Iterator[Shop]:
    """Run a shop, and wait until it is up."""
    port = free_port()
    with started(name, folder, port, **environ) as process:
        process.wait_for(rf"http://localhost:{port}")
        yield Shop(port, process)


@pytest.fixture(scope="module", params=COMMANDS)
def running_shop(
    request: pytest.FixtureRequest, service: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """Run each shop once."""
    folder = tmp_path_factory.mktemp(request.param)
    with opened(request.param, folder, KATAVEN_URL=service) as shop:
        yield shop


@pytest.fixture
def shop(running_shop: Shop) -> Shop:
    """Return each shop, to a browser that was never there."""
    running_shop.cookies.clear()
    return running_shop


def exchanged(service: str, token: str) -> Any:
    """Exchange a visitor token as the widget does; return whose session it is."""
    with closing(http.client.HTTPConnection(service.removeprefix("http://"))) as wire:
        wire.request(
            "POST", f"{API}/auth/exchange", json.dumps({"token": token}), {"Origin": ORIGIN}
        )
        return json.load(wire.getresponse())["visitor"]


def test_gives_the_widget_who_is_signed_in(shop: Shop, service: str) -> None:
    """A user who signs in is that user in the chat too; after the sign-out nobody is."""
    assert shop.post("/widget-token").status == 204
    assert shop.post("/sign-in/ada").json["user"]["name"] == "Ada Lovelace"
    given = shop.post("/widget-token")
    assert (given.status, given.headers["Cache-Control"]) == (200, "no-store")
    assert exchanged(service, given.json["user_token"]) == {**ADA, "type": "user"}
    assert shop.post("/sign-out").json["user"] is None
    assert (shop.post("/widget-token").status, shop.post("/sign-in/nobody").status) == (204, 404)


def test_each_page_gets_a_token_of_its_own(shop: Shop, service: str) -> None:
    """A token is good for one sign-in, so no page is given another's."""
    shop.post("/sign-in/ada")
    first, second = (shop.post("/widget-token").json["user_token"] for _ in range(2))
    assert first != second
    assert exchanged(service, first) == exchanged(service, second)


@pytest.mark.parametrize("path", ["/sign-in/ada", "/sign-out", "/widget-token"])
def test_refuses_what_another_site_asks(shop: Shop, path: str) -> None:
    """No other site signs anybody in or out, or gets a token in a user's name."""
    shop.post("/sign-in/grace")
    before = dict(shop.cookies)
    for site in OTHER_SITES:
        assert shop.ask("POST", path, Sec_Fetch_Site=site).status == 403
    for origin in ("https://evil.example", "null", f"http://localhost:{shop.port}.evil.example"):
        assert shop.ask("POST", path, Origin=origin).status == 403, "an old browser"
    assert shop.cookies == before
    assert shop.ask("GET", path).status in {404, 405}
    assert shop.ask("GET", "/me").json["user"]["name"] == "Grace Hopper"


def test_takes_nobody_by_the_requests_word(shop: Shop) -> None:
    """Whoever names a user in a query, a header or a made-up cookie is still nobody."""
    for path in ("/widget-token?user=ada", "/widget-token?user_id=42"):
        assert shop.post(path, X_User="ada", Authorization="Bearer ada").status == 204
    shop.post("/sign-in/ada")
    for name, value in shop.cookies.items():
        shop.cookies[name] = f"{value[:-4]}AAAA"
    assert shop.post("/widget-token").status == 204


def test_an_old_browser_is_served(shop: Shop) -> None:
    """One that doesn't say `Sec-Fetch-Site` names the shop's own origin, and gets in."""
    signed_in = shop.ask("POST", "/sign-in/ada", Origin=f"http://localhost:{shop.port}")
    assert signed_in.json["user"]["name"] == "Ada Lovelace"


@pytest.mark.parametrize("name", COMMANDS)
def test_does_not_start_with_a_key_that_anybody_guesses(name: str, tmp_path: Path) -> None:
    """A shop whose cookies anybody could sign says so, and isn't there."""
    short = {"KATAVEN_URL": "http://localhost:1", "SHOP_SECRET_KEY": "s" * 31}
    with started(name, tmp_path, free_port(), **short) as process:
        process.wait_for("SHOP_SECRET_KEY is too short")
        assert process.ended() != 0
        assert "Traceback" not in process.output


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("missing", NEEDED)
def test_says_what_it_lacks(name: str, missing: str, tmp_path: Path) -> None:
    """A shop without a variable ends with its name, and where to read on; one of blanks is none."""
    given = {"KATAVEN_URL": "http://localhost:1", missing: " "}
    with started(name, tmp_path, free_port(), **given) as process:
        process.wait_for(f"^{missing} isn't set: ../README.md")
        assert process.ended() != 0
        assert "Traceback" not in process.output
        assert "    at " not in process.output, "Node's"


def test_its_cookie_is_out_of_others_reach(shop: Shop) -> None:
    """No script reads the cookie that says who is signed in, and no other site's form sends it."""
    kept = shop.post("/sign-in/ada").headers.get_all("Set-Cookie", [])
    assert kept
    for line in kept:
        assert re.search("httponly", line, re.IGNORECASE), line
        assert re.search("samesite=lax", line, re.IGNORECASE), line


def test_serves_the_page(shop: Shop, service: str) -> None:
    """The page has what the widget needs, and a policy that lets it in and no other script."""
    index = shop.ask("GET", "/")
    assert (index.status, "Corner Coffee" in index.text) == (200, True)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', index.text):
        assert shop.ask("GET", path).status == 200, path
    policy = index.headers["Content-Security-Policy"]
    assert f"script-src 'self' {service};" in policy
    assert f"connect-src 'self' {service} {CONNECT};" in policy
    assert "unsafe" not in policy
    told = shop.ask("GET", "/me")
    assert told.json["widget"] == {"url": service, "client_key": KEY, "connect_url": CONNECT}
    assert SECRET not in index.text + told.text
    assert shop.ask("GET", "/static/%2e%2e/flask/app.py").status in {400, 404}


@pytest.mark.parametrize("name", COMMANDS)
def test_says_later_where_there_is_no_token(name: str, tmp_path: Path) -> None:
    """A user's page hears to ask again; the shop's log says why, and has no secret in it."""
    with ExitStack() as stack:
        up = stack.enter_context(ExitStack())
        url = up.enter_context(serving(tmp_path))
        wrong = opened(name, tmp_path, KATAVEN_URL=url, KATAVEN_SECRET_KEY=WRONG)
        shop = stack.enter_context(wrong)
        shop.post("/sign-in/ada")
        for _ in ("refused", "not there any more"):
            later = shop.post("/widget-token")
            assert (later.status, "user-token" in later.text) == (503, False)
            assert later.headers["Cache-Control"] == "no-store"
            up.close()
        assert shop.post("/sign-out").json["user"] is None
        shop.process.wait_for("user-token: 401 invalid_api_key: Missing or invalid API key")
        shop.process.wait_for("no widget token", count=2)
        assert not re.search(r"sk_live_acme_|Ada Lovelace", shop.process.output)


def test_what_is_installed_is_what_the_example_names() -> None:
    """The shop in Express is tested with the very versions that its package.json pins."""
    named = json.loads((EXAMPLES / "express" / "package.json").read_text())["dependencies"]
    script = (NODE_PACKAGES.parent / "install.sh").read_text()
    for name, version in named.items():
        assert re.search(rf"\b{name}@{re.escape(version)}\b", script), name


@pytest.mark.parametrize("name", COMMANDS)
def test_its_readme_starts_it(name: str) -> None:
    """What is run here is what the README says, and its links lead somewhere."""
    text = (EXAMPLES / name / "README.md").read_text()
    assert text.count(f"\n. ../demo.sh && {COMMANDS[name]}\n") == 1
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (EXAMPLES / name / target).exists(), target


def test_the_demos_values_are_the_demos(tmp_path: Path) -> None:
    """A shell that has read `demo.sh` has the keys that `kataven-flask demo` serves."""
    ran = subprocess.run(
        ["sh", "-c", f". {EXAMPLES / 'demo.sh'} && env"],  # noqa: S607 - wherever it is
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    set_ = dict(line.split("=", 1) for line in ran.stdout.splitlines())
    keys = set_["KATAVEN_CLIENT_KEY"], set_["KATAVEN_SECRET_KEY"]
    assert keys == (demo.CLIENT_KEY, demo.SECRET_KEY)
    assert {name for name in set_ if name.startswith(("KATAVEN_", "SHOP_"))} == set(
        re.findall(r"`((?:KATAVEN|SHOP)_\w+)`", (EXAMPLES / "README.md").read_text())
    )
