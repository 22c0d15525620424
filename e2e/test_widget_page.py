"""`docs/widget.md` and the widget's types: what is copied runs, and what is promised is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from flask import Flask, Response
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import KEY, WWW, ServedWorld, Widget, serving
from tests.guide import WIDGET_FENCED, WIDGET_FILES
from tests.typed import keys, members

STRANGER: Final = "stranger.localhost"
BUSY: Final = {
    "status": 429,
    "headers": {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "X-Error-Code",
        "X-Error-Code": "rate_limited",
    },
}


def adapted(text: str, world: ServedWorld) -> str:
    """Return a block of the page, with this world's values in the place of those that it shows."""
    shown = {
        "https://widget.example.com": world.api_url,
        "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g": KEY,
        "https://agents.example.com": world.connect_url.removesuffix("/connect"),
    }
    for value, own in shown.items():
        text = text.replace(value, own)
    return text


@pytest.fixture(scope="module")
def site(world: ServedWorld) -> Iterator[str]:
    """Serve the page's blocks of HTML, the first under the page's policy; return its origin."""
    app = Flask("shown", static_folder=None)

    @app.get("/tag.html")
    def tag() -> Response:
        policy = f"{allowed(world)} default-src 'none'; require-trusted-types-for 'script'"
        return Response(html(world, "tag.html"), headers={"Content-Security-Policy": policy})

    @app.get("/page.html")
    def page_html() -> str:
        return html(world, "page.html")

    @app.post("/widget-token")
    def widget_token() -> dict[str, str]:
        return {"user_token": world.api.visitor_token("ada")}

    app.add_url_rule("/favicon.ico", view_func=lambda: ("", 204))
    with serving(app) as port:
        yield f"http://{WWW}:{port}"


def html(world: ServedWorld, name: str) -> str:
    """Return a page that is one block."""
    return '<!doctype html><html lang="en"><title>Shop</title>' + adapted(WIDGET_FILES[name], world)


def allowed(world: ServedWorld) -> str:
    """Return what the page says that a strict page has to allow."""
    shown = next(text for _, text in WIDGET_FENCED if text.startswith("script-src"))
    return " ".join(adapted(shown, world).split())


def run(page: Page, world: ServedWorld, name: str) -> None:
    """Run a block in the page that is open."""
    page.evaluate(f"() => {{ {adapted(WIDGET_FILES[name], world)} }}")


def load(page: Page, world: ServedWorld) -> None:
    """Load the widget's script, late."""
    page.add_script_tag(url=f"{world.api_url}/widget/v1.js")


def test_the_tag_under_the_pages_policy(page: Page, site: str) -> None:
    """The snippet runs under the policy that stands beside it, with nothing else allowed."""
    page.goto(f"{site}/tag.html")
    widget = Widget(page).is_("ready")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [1, 0]


def test_the_call_and_its_events(page: Page, world: ServedWorld, site: str) -> None:
    """The page's call signs a user in, and its listeners hear what the types promise."""
    page.goto(f"{site}/page.html")
    Widget(page).is_("ready", "user")
    run(page, world, "events.js")
    expect(page).to_have_title(re.compile("^user, until "))
    assert page.evaluate("Object.keys(widget)") == members("Handle")
    heard = "type => new Promise((resolve) => widget.on(type, resolve))"
    assert names(page.evaluate(heard, "ready")["config"]) == keys("Config")
    session = page.evaluate(heard, "session")
    assert list(session) == members("Session")
    assert list(session["visitor"]) == members("Visitor")


def test_a_failure_as_it_is_typed(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """An error's event, a rejection and the console have what the page and the types say."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(world.host.init(STRANGER))
    Widget(page).is_("refused")
    failure = page.evaluate("new Promise((resolve) => widget.on('error', resolve))")
    assert list(failure) == members("Failure")
    rejected = page.evaluate("widget.getToken().catch((error) => ({ ...error }))")
    assert set(members("KatavenError")) <= set(rejected)
    shown = next(text for _, text in WIDGET_FENCED if text.startswith("Kataven: "))
    assert complaints.heard(shown.strip().replace("https://www.acme.com", page.evaluate("origin")))


def test_a_call_before_the_script(page: Page, world: ServedWorld) -> None:
    """The queue, and the button that opens the panel, with the focus where one writes."""
    page.goto(world.host.blank())
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button id=help>Help</button>')")
    run(page, world, "early.js")
    load(page, world)
    widget = Widget(page).is_("ready", "guest")
    page.get_by_role("button", name="Help").click()
    expect(widget.input).to_be_focused()
    assert page.evaluate("Object.keys(Kataven)") == members("Api")


def test_words_of_the_pages_own(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A page says it in its own language, an error by its code too."""
    complaints.expect(429, "rate_limited")
    page.goto(world.host.blank())
    load(page, world)
    run(page, world, "words.js")
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.who).to_have_text("Sie schreiben als Gast")
    expect(widget.input).to_have_accessible_name("Nachricht schreiben …")
    page.route("**/auth/refresh", lambda route: route.fulfill(**BUSY))
    heard = page.evaluate(
        """(publicKey) => new Promise((resolve) => {
          const widget = Kataven.init({ publicKey });
          widget.on("error", resolve);
          widget.renew().catch(() => {});
        })""",
        KEY,
    )
    assert heard["message"] == "Gerade ist viel los. Wir versuchen es gleich wieder."


def names(value: Any) -> list[str]:
    """Return the names of all members, in order, outer ones first."""
    if not isinstance(value, dict):
        return []
    return [name for each in value for name in (each, *names(value[each]))]
