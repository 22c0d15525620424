"""Wherever a page puts the script, and whatever it does to its body, the widget is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from e2e.conftest import Complaints
from e2e.support import KEY, WWW, ServedWorld, Widget, serving

EVIL = "http://evil.localhost"
MADE = """<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,">
{head}</head><body style="transform: translateY(300px)"><h1>A page</h1>{body}</body></html>"""
HEARD = """<script>
window.heard = [];
for (const type of ["session", "ready"]) {
  document.addEventListener(`kataven:${type}`, () => heard.push(type));
}
</script>"""
PUT_IN = """<script>
const late = () => {
  const script = document.createElement("script");
  script.async = false;
  script.src = "SRC";
  script.dataset.clientKey = "KEY";
  document.head.append(script);
};
addEventListener("DOMContentLoaded", () => setTimeout(late));
</script>"""
HIT = """() => {
  const launcher = document.querySelector("kataven-widget").shadowRoot.querySelector(".launcher");
  const { x, y, right, bottom, width, height } = launcher.getBoundingClientRect();
  const hit = document.elementFromPoint(x + width / 2, y + height / 2);
  return [innerWidth - right, innerHeight - bottom, hit?.localName];
}"""
IN_ITS_CORNER = [20, 20, "kataven-widget"]
SWAP = """key => {
  document.body = document.createElement("body");
  document.body.style.transform = "translateY(200px)";
  Kataven.init({ publicKey: key });
}"""


class Site:
    """A site with one page, which a test makes.

    Args:
        port: Where it is served.
        pages: What it serves.
    """

    def __init__(self, port: int, pages: dict[str, str]) -> None:
        self.url = f"http://{WWW}:{port}/"
        self._pages = pages

    def make(self, head: str = "", body: str = "") -> str:
        """Make the page; return its address."""
        self._pages["/"] = MADE.format(head=head, body=body)
        return self.url


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve the site."""
    app = Flask("site", static_folder=None)
    pages: dict[str, str] = {}
    app.get("/")(lambda: pages["/"])
    with serving(app) as port:
        yield Site(port, pages)


def script(world: ServedWorld, call: str, attributes: str = "") -> str:
    """Return the script's tag, and a call of `init` after it."""
    tag = f'<script src="{world.api_url}/widget/v1.js" {attributes}></script>'
    options = f'{{ publicKey: "{KEY}", connectUrl: "{world.connect_url}" }}'
    return f"{tag}<script>{call.replace('OPTIONS', options)}</script>"


def test_in_the_head(page: Page, world: ServedWorld, site: Site) -> None:
    """A widget that begins before there is a body is heard by the page, on each of its pages."""
    head = HEARD + script(world, "window.widget = Kataven.init(OPTIONS)")
    url = site.make(head)
    for _ in range(2):
        page.goto(url)
        Widget(page).is_("ready", "guest")
        page.wait_for_function("heard.length === 2")
        assert page.evaluate("heard") == ["session", "ready"]
        assert page.evaluate(HIT) == IN_ITS_CORNER


def test_opened_in_the_head(page: Page, world: ServedWorld, site: Site) -> None:
    """A page that opens the panel in its first breath has an open one when all is there."""
    url = site.make(script(world, "window.widget = Kataven.init(OPTIONS); widget.open()"))
    page.goto(url)
    widget = Widget(page).is_("ready", "guest")
    expect(widget.panel).to_be_visible()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")


@pytest.mark.parametrize("opened", [False, True])
def test_a_page_that_swaps_its_body(page: Page, world: ServedWorld, *, opened: bool) -> None:
    """With `init` after it the widget is back in its corner, in front of a body that moved too."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    if opened:
        widget.launcher.click()
    page.evaluate(SWAP, KEY)
    assert page.evaluate(HIT) == IN_ITS_CORNER
    if not opened:
        widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")


def test_a_picture_in_the_scripts_name(
    page: Page, world: ServedWorld, site: Site, complaints: Complaints
) -> None:
    """What a stranger may put into a page, an image with a name, gets nothing of a visitor's."""
    complaints.expect(404, "http_404")
    seen: list[str] = []

    def note(route: Route) -> None:
        seen.append(f"{route.request.method} {route.request.url}")
        route.fulfill(status=204)

    page.route(f"{EVIL}/**", note)
    tag = f'<script defer src="{world.api_url}/widget/v1.js"></script>'
    call = f"""<script>addEventListener("DOMContentLoaded", () => {{
      window.widget = Kataven.init({{ publicKey: "{KEY}", userToken: "secret" }});
    }})</script>"""
    image = f'<img alt="" name="currentScript" src="{EVIL}/x.png">'
    page.goto(site.make(tag, image + call))
    Widget(page).is_("refused")
    assert seen == [f"GET {EVIL}/x.png"]


def test_a_picture_in_the_scripts_place(page: Page, world: ServedWorld, site: Site) -> None:
    """Nor does such an image begin a widget, before the page's own, that talks to another one."""
    tag = f'<script defer src="{world.api_url}/widget/v1.js"></script>'
    call = f"""<script>addEventListener("load", () => setTimeout(() => {{
      window.widget = Kataven.init({{
        publicKey: "{KEY}", apiUrl: "{world.api_url}", connectUrl: "{world.connect_url}",
      }});
    }}, 50))</script>"""
    names = f'name="currentScript" data-client-key="{KEY}" data-connect-url="{EVIL}"'
    page.goto(site.make(tag, f'<img alt="" {names}>{call}'))
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")


def test_a_tag_names_nobody(page: Page, world: ServedWorld, site: Site) -> None:
    """What isn't among the tag's attributes is no option: no user, and no other service."""
    names = f'data-client-key="{KEY}" data-user-token="secret" data-api-url="{EVIL}"'
    page.goto(site.make(f'<script src="{world.api_url}/widget/v1.js" {names}></script>'))
    Widget(page).is_("ready", "guest")


def test_put_in_before_all_is_loaded(page: Page, world: ServedWorld, site: Site) -> None:
    """A script that another one puts in, when the page is parsed but not yet loaded, begins."""
    held: list[Route] = []
    page.route(f"{site.url}slow.png", lambda route: held.append(route))  # noqa: PLW0108
    head = PUT_IN.replace("SRC", f"{world.api_url}/widget/v1.js").replace("KEY", KEY)
    page.goto(site.make(head, '<img alt="" src="/slow.png">'), wait_until="commit")
    Widget(page).is_("ready", "guest")
    assert page.evaluate("document.readyState") == "interactive"
    held[0].fulfill(status=204)
