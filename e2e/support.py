"""What the browser tests share: tenants, servers on loopback, host pages, the widget's handle."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import yaml
from flask import Flask, Response, jsonify, render_template_string, request
from playwright.sync_api import Locator, Page, Route, expect

from kataven_flask.app import create_app, parts_of
from kataven_flask.demo.connect import create_connect
from kataven_flask.demo.shop import create_shop
from kataven_flask.demo.stranger import create_stranger
from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server, WsgiApp
from kataven_flask.settings import Settings
from tests.support import key

LOOPBACK: Final = "127.0.0.1"
ISSUER: Final = "https://widget.example.com"
AUDIENCE: Final = "kataven:connect"
START_TIMEOUT: Final = 20.0
"""Seconds that a server has to come up, or to end."""


def _pair(tenant: str, letter: str) -> tuple[str, str]:
    return f"pk_test_{tenant}_{letter * 22}", f"sk_test_{tenant}_{letter.lower() * 43}"


KEY, SECRET = _pair("acme", "A")
"""Admits the shop and `www.acme.localhost`; the agent is the page's choice."""
PINNED_KEY, PINNED_SECRET = _pair("acme", "P")
"""Always talks to `sales`, whatever the page says."""
DISABLED_KEY, DISABLED_SECRET = _pair("acme", "D")
"""Switched off from the start."""
EDITED_KEY, EDITED_SECRET = _pair("acme", "E")
"""Switched off while the server runs."""
OTHER_KEY, OTHER_SECRET = _pair("other", "B")
"""Of another tenant; admits the same page."""
BUSY_KEY, BUSY_SECRET = _pair("busy", "C")
"""Of a tenant that takes one guest a minute."""
UNKNOWN_KEY: Final = "pk_test_acme_" + "U" * 22

ACME_SITES: Final = ("shop.acme.localhost:*", "www.acme.localhost:*")
WWW: Final = "www.acme.localhost"
"""A host name that every key above admits."""


# --- the tenants


def document() -> dict[str, Any]:
    """Return a whole `tenants.yaml` as plain data."""
    unlimited = {
        f"{action}_per_minute": None
        for action in ("guest", "exchange", "refresh", "config", "user_token")
    }
    return {
        "version": 1,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "limits": unlimited,
        "tenants": {"acme": _acme(), "other": _other(), "busy": _busy()},
    }


def _acme() -> dict[str, Any]:
    return {
        "name": "Acme Inc.",
        "default_agent": "support",
        "branding": {"primary_color": "#0f5c4d", "launcher_label": "Talk to Acme"},
        "agents": {
            "support": {"display_name": "Acme Support", "greeting": "Hi!", "auth_mode": "both"},
            "sales": {"display_name": "Acme Sales", "auth_mode": "guest"},
            "account": {"display_name": "Acme Account", "auth_mode": "user"},
            "night": {"display_name": "Acme Night", "widget_enabled": False},
        },
        "keys": [
            key(KEY, SECRET, [*ACME_SITES]),
            key(PINNED_KEY, PINNED_SECRET, [*ACME_SITES], agent_id="sales"),
            key(DISABLED_KEY, DISABLED_SECRET, [*ACME_SITES], enabled=False),
            key(EDITED_KEY, EDITED_SECRET, [*ACME_SITES]),
        ],
    }


def _other() -> dict[str, Any]:
    return {
        "name": "Other Ltd.",
        "agents": {"only": {"display_name": "Only One"}},
        "keys": [key(OTHER_KEY, OTHER_SECRET, [*ACME_SITES])],
    }


def _busy() -> dict[str, Any]:
    return {
        "name": "Busy Ltd.",
        "agents": {"only": {"display_name": "Busy One"}},
        "keys": [key(BUSY_KEY, BUSY_SECRET, [*ACME_SITES])],
        "limits": {"guest_per_minute": 1},
    }


# --- servers


@contextmanager
def serving(app: WsgiApp) -> Iterator[int]:
    """Serve an app on a free loopback port, from a thread; yield the port."""
    with bind(Address(LOOPBACK, 0)) as listener:
        server = Server(app, listener, 4)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.stop()
            thread.join(START_TIMEOUT)


def wait_until(true: Callable[[], bool], what: str, seconds: float = START_TIMEOUT) -> None:
    """Wait until something outside of the browser holds; fail where it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        threading.Event().wait(0.02)


def command() -> str:
    """Return the path of the installed command."""
    script = Path(sys.executable).with_name("kataven-flask")
    found = str(script) if script.exists() else shutil.which("kataven-flask")
    assert found, "the command kataven-flask is not installed"
    return found


class ServeProcess:
    """`kataven-flask serve` as an operator runs it, with its tenants' file at hand.

    Args:
        folder: Where its files go.
    """

    def __init__(self, folder: Path) -> None:
        self.document = document()
        self.config = folder / "tenants.yaml"
        self._folder = folder
        self._log = folder / "serve.log"
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.write()

    @property
    def url(self) -> str:
        """The address that a browser uses."""
        return f"http://localhost:{self._port}"

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

    def write(self) -> None:
        """Write the tenants' file in place."""
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))

    def start(self) -> None:
        """Start it, the second time on the same port, and wait until it answers."""
        options: list[str | Path] = [
            "--config",
            self.config,
            "--instance",
            self._folder / "instance",
        ]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [command(), "serve", "--listen", f"{LOOPBACK}:{self._port}", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self._folder,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+)", said)
        assert found, f"serve said {said!r}, and logged:\n{self.log}"
        self._port = int(found[1])
        wait_until(lambda: Api(self.url).answers(), "the server answers")

    def stop(self) -> None:
        """End it as an operator would, and see that it ends in order."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_TIMEOUT)
        assert process.returncode == 0, self.log


@dataclass
class MovableClock:
    """The real time, and as much more as the test lets pass."""

    ahead: float = 0.0

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        return time.time() + self.ahead

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that reached the server, and what it was answered."""

    method: str
    path: str
    content_type: str
    status: int
    code: str | None


class Recorder:
    """WSGI middleware that notes what reaches the server, preflights included."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self.seen: list[Seen] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Pass the request on, and note it with its answer."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            path, kind = environ["PATH_INFO"], environ.get("CONTENT_TYPE", "")
            code = dict(headers).get("X-Error-Code")
            self.seen.append(Seen(environ["REQUEST_METHOD"], path, kind, int(status[:3]), code))
            return start_response(status, headers, *more)

        return self._app(environ, start)

    def of(self, action: str) -> list[Seen]:
        """Return what was asked of one endpoint under `auth/`."""
        return [one for one in self.seen if one.path.endswith(f"/auth/{action}")]


# --- the API as a backend, or a program, calls it


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    code: str | None
    body: Any


class Api:
    """Calls the API from outside of any browser.

    Args:
        url: Its address; `localhost` is called by its number.
    """

    def __init__(self, url: str) -> None:
        self._url = url.replace("//localhost", f"//{LOOPBACK}")
        self._opener = build_opener(ProxyHandler({}))

    def answers(self) -> bool:
        """Tell whether the server is up."""
        try:
            with self._opener.open(f"{self._url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, ConnectionError):
            return False

    def post(self, action: str, body: dict[str, Any], **headers: str) -> Answer:
        """Post JSON to an endpoint under `auth/`."""
        call = Request(  # noqa: S310 - our own loopback address
            f"{self._url}/api/v1/widget/auth/{action}", json.dumps(body).encode(), headers
        )
        try:
            with self._opener.open(call, timeout=10) as answer:
                return Answer(answer.status, None, json.loads(answer.read() or "null"))
        except HTTPError as error:
            with error:
                code = error.headers.get("X-Error-Code")
                return Answer(error.code, code, error.read().decode())

    def visitor_token(
        self, user_id: str = "ada", client_key: str = KEY, secret: str = SECRET, **more: str
    ) -> str:
        """Mint a visitor token, as a customer's backend does."""
        body = {"client_key": client_key, "user_id": user_id, "name": user_id.title(), **more}
        answer = self.post("user-token", body, Authorization=f"Bearer {secret}")
        assert answer.status == 200, answer
        return str(answer.body["user_token"])


# --- the pages

_BLANK = """<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">
<main><h1>A page</h1></main>"""

_CALL = """<script>
const { userToken, mint, ...options } = {{ options | tojson }};
const asked = async () => {
  if (mint) return (await fetch("/visitor-token?user=" + mint)).json();
  return userToken.shift() ?? null;
};
window.widget = Kataven.init({
  ...options, userToken: mint || Array.isArray(userToken) ? asked : userToken,
});
</script>"""

_TAG = (
    _BLANK
    + """<script src="{{ api }}/widget/v1.js" data-client-key="{{ client_key }}"
{%- if agent %} data-agent="{{ agent }}"{% endif %}
{%- if connect_url %} data-connect-url="{{ connect_url }}"{% endif %}></script>"""
)

_INIT = _BLANK + """<script src="{{ api }}/widget/v1.js"></script>""" + _CALL

_LAZY = (
    _BLANK
    + """<script src="{{ api }}/widget/v1.js"></script><script>
window.widget = Kataven.init({ mint: "open", ...{{ options | tojson }} });
</script>"""
)


class Host:
    """A web site of a customer's: pages that embed the widget in each of its two ways.

    Args:
        api_url: The API as a browser reaches it.
        connect_url: Where visitors' messages go.
        port: Where the site is served.
    """

    def __init__(self, api_url: str, connect_url: str, port: int) -> None:
        self._api_url = api_url
        self._connect_url = connect_url
        self._port = port

    def origin(self, name: str = WWW) -> str:
        """Return the site's origin under one of its host names."""
        return f"http://{name}:{self._port}"

    def blank(self, name: str = WWW) -> str:
        """Return the address of a page without a widget."""
        return self.origin(name)

    def tag(self, name: str = WWW, client_key: str = KEY, agent: str = "") -> str:
        """Return the address of a page with the one-line snippet."""
        query = {"client_key": client_key, "agent": agent, "connect_url": self._connect_url}
        return f"{self.origin(name)}/tag?{urlencode(query)}"

    def init(self, name: str = WWW, **options: Any) -> str:
        """Return the address of a page that calls `Kataven.init`.

        Args:
            name: The host name.
            options: Options of `init`. A list as `userToken` becomes a function that gives
                its members one by one; `mint` has the page's backend mint for that user.
        """
        return f"{self.origin(name)}/init?{self._options(options)}"

    def lazy(self, **options: Any) -> str:
        """Return the address of a page whose widget mints nothing before it has to."""
        return f"{self.origin()}/lazy?{self._options(options)}"

    def tag_and_init(self, **options: Any) -> str:
        """Return the address of a page that has the snippet and calls `Kataven.init` as well."""
        return f"{self.tag()}&{self._options(options)}"

    def _options(self, options: dict[str, Any]) -> str:
        options = {"publicKey": KEY, "connectUrl": self._connect_url, **options}
        return urlencode({"options": json.dumps(options)})


def create_host(api_url: str) -> Flask:
    """Create the site behind `Host`."""
    site = Flask("host", static_folder=None)

    @site.get("/")
    def blank() -> str:
        return _BLANK

    @site.get("/tag")
    def tag() -> str:
        query = request.args.to_dict()
        options = json.loads(query.pop("options", "null"))
        template = _TAG + _CALL if options else _TAG
        return render_template_string(template, api=api_url, options=options, **query)

    @site.get("/init")
    def init() -> str:
        options = json.loads(request.args["options"])
        return render_template_string(_INIT, api=api_url, options=options)

    @site.get("/lazy")
    def lazy() -> str:
        options = json.loads(request.args["options"])
        return render_template_string(_LAZY, api=api_url, options=options)

    @site.get("/visitor-token")
    def visitor_token() -> Response:
        return jsonify(Api(api_url).visitor_token(request.args["user"]))

    return site


# --- all of it together


@dataclass(frozen=True)
class World:
    """An API and the sites around it, each an origin of its own."""

    api_url: str
    host: Host
    shop: str
    stranger: str
    connect_url: str
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "api", Api(self.api_url))


@dataclass(frozen=True)
class ServedWorld(World):
    """A world around the real command."""

    process: ServeProcess


@dataclass(frozen=True)
class ClockedWorld(World):
    """A world around a server in this process, whose clock the test moves."""

    clock: MovableClock
    recorder: Recorder


@contextmanager
def served_world(folder: Path) -> Iterator[ServedWorld]:
    """Serve a world around `kataven-flask serve`."""
    process = ServeProcess(folder)
    with ExitStack() as stack:
        stack.callback(process.stop)
        process.start()
        yield ServedWorld(**_sites(stack, process.url), process=process)
    assert "Traceback" not in process.log, process.log
    assert "eyJ" not in process.log, "a token was logged"


@contextmanager
def clocked_world(folder: Path) -> Iterator[ClockedWorld]:
    """Serve a world around a server in this process."""
    config = folder / "tenants.yaml"
    config.write_text(yaml.safe_dump(document(), sort_keys=False))
    clock = MovableClock()
    app = create_app(
        Settings(
            config=config, instance=folder / "instance", state="memory:", watch=False, clock=clock
        )
    )
    recorder = Recorder(app)
    with ExitStack() as stack:
        stack.callback(parts_of(app).close)
        url = f"http://localhost:{stack.enter_context(serving(recorder))}"
        yield ClockedWorld(**_sites(stack, url), clock=clock, recorder=recorder)


def _sites(stack: ExitStack, api_url: str) -> dict[str, Any]:
    backend_url = api_url.replace("localhost", LOOPBACK)
    jwks_url = f"{backend_url}/.well-known/jwks.json"
    connect = create_connect(jwks_url=jwks_url, issuer=ISSUER, audience=AUDIENCE)
    connect_url = f"http://localhost:{stack.enter_context(serving(connect))}/connect"
    shop = create_shop(
        api_url=api_url,
        connect_url=connect_url,
        client_key=KEY,
        secret_key=SECRET,
        backend_url=backend_url,
    )
    stranger = create_stranger(api_url=api_url, client_key=KEY)
    return {
        "api_url": api_url,
        "connect_url": connect_url,
        "shop": f"http://shop.acme.localhost:{stack.enter_context(serving(shop))}",
        "stranger": f"http://stranger.localhost:{stack.enter_context(serving(stranger))}",
        "host": Host(api_url, connect_url, stack.enter_context(serving(create_host(api_url)))),
    }


# --- the widget in a page


@dataclass(frozen=True, slots=True)
class Read:
    """What a script of a page can read of an answer; all but `text` empty where it can't."""

    status: int = 0
    code: str | None = None
    retry_after: str | None = None
    text: str = ""


_FETCH = """async ([url, init]) => {
  try {
    const answer = await fetch(url, init);
    const { status, headers } = answer;
    return { status, code: headers.get("X-Error-Code"),
             retry_after: headers.get("Retry-After"), text: await answer.text() };
  } catch (error) { return { text: String(error) }; }
}"""


def fetch(page: Page, url: str, **init: Any) -> Read:
    """Call `fetch` in a page, and return what the page could read of the answer."""
    return Read(**page.evaluate(_FETCH, [url, init]))


def post(page: Page, world: World, action: str, body: dict[str, Any], **init: Any) -> Read:
    """Post to an endpoint under `auth/` from a page, as a simple request."""
    url = f"{world.api_url}/api/v1/widget/auth/{action}"
    return fetch(page, url, method="POST", body=json.dumps(body), **init)


@contextmanager
def held_back(page: Page, url: str) -> Iterator[None]:
    """Hold back the first POST to a URL that is made in the block, until its end."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held or route.request.method != "POST":
            route.continue_()
        else:
            held.append(route)

    page.route(url, hold)
    with page.expect_request(lambda one: one.method == "POST" and one.url.endswith(url.strip("*"))):
        yield
    page.evaluate("0")  # what the browser has said by now is heard
    held[0].continue_()


class Widget:
    """The widget in a page, by what a visitor can see and what it tells the page.

    Args:
        page: The page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.host = page.locator("kataven-widget")
        self.launcher = self.host.locator(".launcher")
        self.panel = self.host.get_by_role("dialog")
        self.status = self.panel.locator("[role=status]")
        self.input = self.panel.get_by_role("textbox")
        self.send = self.panel.locator(".send")
        self.close = self.panel.locator(".close")
        self.log = self.panel.get_by_role("log")
        self.who = self.panel.locator(".who")

    def is_(self, state: str, visitor: str | None = None, code: str | None = None) -> Widget:
        """Wait until the widget is in a state, for a kind of visitor, with an error or none."""
        expect(self.host).to_have_attribute("data-state", state)
        if visitor:
            expect(self.host).to_have_attribute("data-visitor", visitor)
        if code:
            expect(self.host).to_have_attribute("data-error-code", code)
        return self

    @property
    def session_id(self) -> str:
        """The session's id."""
        found = self.host.get_attribute("data-session-id")
        assert found, "the widget has no session"
        return found

    def stored(self) -> dict[str, Any]:
        """Return what the widget keeps of its session in this tab."""
        name = self.page.evaluate("Object.keys(sessionStorage).find(n => n.startsWith('kataven:'))")
        kept: dict[str, Any] = json.loads(
            self.page.evaluate("name => sessionStorage.getItem(name)", name)
        )
        session: dict[str, Any] = kept["session"]
        return session

    def token(self) -> str:
        """Return the session token that the widget gives to its page."""
        return str(self.page.evaluate("window.widget.getToken()"))

    def renew(self) -> None:
        """Have the page renew the session, and wait until that is over, well or not."""
        self.page.evaluate("window.widget.renew().catch(() => {})")

    def say(self, text: str) -> Locator:
        """Send a message by keyboard; return the line that follows it."""
        lines = self.log.locator(".line")
        before = lines.count()
        self.input.fill(text)
        self.input.press("Enter")
        expect(lines.nth(before)).to_have_text(text)
        return lines.nth(before + 1)
