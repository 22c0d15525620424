"""A real Chromium, pages that may not fail unnoticed, and the worlds they are opened in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Response,
    WebError,
    expect,
    sync_playwright,
)

from e2e.support import ClockedWorld, ServedWorld, Widget, clocked_world, served_world
from kataven_flask.assets import example_config
from kataven_flask.demo.run import DemoSites, demo_sites
from kataven_flask.widget import widget_script
from tests.canary import silence
from tests.openapi.described import UndescribedError, description

SYSTEM_CHROMIUMS: Final = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""Debian's, the quicker first: the same engine, without the browser's own windows."""
ARGUMENTS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)
NO_BROWSER: Final = """The browser tests need a Chromium, and found none.
Install one by either of:
    python -m playwright install --with-deps chromium
    apt-get install chromium-headless-shell"""
SERVER: Final = "kataven-flask"
"""What our servers call themselves; what a test gives a page in their place doesn't."""
TIMEOUT: Final = 10_000.0
"""Milliseconds that a page has for anything awaited."""

REPORT_CSP: Final = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} kept out ${event.blockedURI}`));"""
"""A script that has a page complain about what its policy kept out."""


def system_chromium() -> Path | None:
    """Return Debian's Chromium, or None for Playwright's own."""
    return next((path for path in SYSTEM_CHROMIUMS if path.exists()), None)


@pytest.fixture(autouse=True)
def no_secret_is_said() -> Iterator[None]:
    """Fail a test in which a token, a secret key or a person was logged."""
    with silence():
        yield


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Start Playwright once."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Start a browser once; its absence is a failure, not a skip."""
    system = system_chromium()
    if not system and not Path(playwright.chromium.executable_path).exists():
        pytest.fail(NO_BROWSER, pytrace=False)
    expect.set_options(timeout=TIMEOUT)
    as_root = os.name == "posix" and os.geteuid() == 0
    started = playwright.chromium.launch(
        executable_path=system,
        args=[*ARGUMENTS, *(["--no-sandbox"] if as_root else [])],
    )
    yield started
    started.close()


class Complaints:
    """What went wrong in the pages of one test; whatever wasn't announced fails it."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._expected: list[tuple[str, ...]] = []

    def expect(self, status: int, *codes: str) -> None:
        """Announce answers of one status, and the widget's own words about the codes.

        Args:
            status: The status; 0 for a connection that fails.
            codes: What the widget may name in the console.
        """
        words = f"the server responded with a status of {status} " if status else "net::ERR_"
        self._expected += [("Failed to load resource: ", words)]
        self._expected += [(f"Kataven: {code}",) for code in codes]

    def expect_words(self, *words: str) -> None:
        """Announce a console message that has all of the words."""
        self._expected.append(words)

    def heard(self, *words: str) -> bool:
        """Tell whether a message with all of the words came."""
        return any(all(word in line for word in words) for line in self._heard)

    def listen(self, context: BrowserContext) -> None:
        """Hear all that goes wrong in the pages of a context."""
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("response", self._on_response)

    def hear(self, line: str) -> None:
        """Take note of something that went wrong."""
        self._heard.append(line)

    def check(self) -> None:
        """Fail on whatever wasn't announced."""
        unexpected = [line for line in self._heard if not self._is_expected(line)]
        assert not unexpected, "the page complained:\n" + "\n".join(unexpected)

    def _is_expected(self, line: str) -> bool:
        return any(all(word in line for word in words) for words in self._expected)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.hear(f"{message.text} [{message.location.get('url', '')}]")

    def _on_error(self, error: WebError) -> None:
        self.hear(f"uncaught: {error.error}")

    def _on_response(self, response: Response) -> None:
        """Hold what a server of ours answers against the description of the service."""
        path = urlsplit(response.url).path
        is_ours = response.headers.get("server") == SERVER
        is_the_service = (
            is_ours and "cross-origin-resource-policy" in response.headers
        )  # not a site
        if not is_the_service or not description().knows(path):
            return
        headers = response.headers.items()
        try:
            description().check(response.request.method, path, response.status, headers, None)
        except UndescribedError as error:
            self.hear(f"undescribed: {error}")


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Return what the test announces its refusals to; whatever else goes wrong fails it."""
    heard = Complaints()
    yield heard
    heard.check()


RequestCounts = Callable[[str, int], None]
_COUNTED: Final = "requests"


@pytest.fixture
def request_counts(record_property: Callable[[str, object], None]) -> RequestCounts:
    """Return what notes how many requests a visit cost, to be said at the end of the run."""
    return lambda visit, count: record_property(_COUNTED, f"{visit} {count}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the widget costs."""
    reports = [one for one in terminalreporter.getreports("passed") if one.when == "call"]
    said = [value for one in reports for name, value in one.user_properties if name == _COUNTED]
    if said:
        size = len(widget_script().packed)
        terminalreporter.write_line(f"widget: {size:,} bytes packed; requests: {', '.join(said)}")


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser, complaints: Complaints) -> Iterator[NewContext]:
    """Return a maker of browser profiles: nothing is shared between two of them."""
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(locale="en-GB", **options)
        opened.append(context)
        context.set_default_timeout(TIMEOUT)
        context.add_init_script(REPORT_CSP)
        complaints.listen(context)
        return context

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def context(new_context: NewContext) -> BrowserContext:
    """Return one browser profile."""
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return one tab."""
    return context.new_page()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    """Serve one world by the real command, for every test that leaves it as it was."""
    with served_world(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[ServedWorld]:
    """Serve a world by the real command, for a test that stops or changes it."""
    with served_world(tmp_path) as served:
        yield served


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[ClockedWorld]:
    """Serve a world whose clock the test moves, and which notes what it is asked."""
    with clocked_world(tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Run the whole demo, with the tenants' file that is shipped."""
    with demo_sites(example_config()) as sites:
        yield sites


@pytest.fixture
def guest(page: Page, demo: DemoSites) -> Page:
    """Return the shop's page with a guest in it."""
    page.goto(demo.shop)
    Widget(page).is_("ready", "guest")
    return page
