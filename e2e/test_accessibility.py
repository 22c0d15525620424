"""Axe finds nothing wrong with the widget in any state, nor with the demo's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.axe import CONTRAST, faults, judged
from e2e.conftest import Complaints, NewContext
from e2e.looks import FACE, SHARPNESS, draw, dress
from e2e.support import ServedWorld, Widget
from kataven_flask.demo.run import DemoSites

EVIL: Final = "www.evil.localhost"
FOLLOWS: Final = ":root { color-scheme: light dark; background: Canvas }"
"""What has a page follow the visitor's choice, as the shop does; the other pages stay white."""
GREETING: Final = "Hi! Ask me about an order, or what to brew next."
BRANDING: Final[dict[str, Any]] = {
    "accent_color": "#b45309",
    "launcher_label": "Ask the barista",
    "privacy_notice": "We keep what you write for 30 days.",
}
IN_ARABIC: Final = {
    "title": "محادثة",
    "close": "إغلاق المحادثة",
    "message": "اكتب رسالة…",
    "send": "إرسال",
    "guest": "أنت تتحدث كضيف",
}
"""Some of the widget's sentences, as a page that is written from right to left has them."""


@pytest.fixture
def page(new_context: NewContext) -> Page:
    """Return a tab without motion: what moves in the demo is judged where it comes to rest."""
    return new_context(reduced_motion="reduce", device_scale_factor=SHARPNESS).new_page()


# --- the widget

Visit = Callable[[Page, ServedWorld, Complaints], Iterator[str]]
"""Stops in each state on its way, and says which."""


def a_guest_who_signs_in(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Wait for a session, talk, and sign in."""
    held: list[Route] = []
    page.route("**/auth/guest", lambda route: held.append(route))  # noqa: PLW0108
    draw(page, FACE)
    dress(page, {"avatar_url": FACE, "greeting": GREETING}, **BRANDING)
    page.goto(world.host.init())
    page.add_style_tag(content=FOLLOWS)
    widget = Widget(page).is_("loading")
    yield "widget-loading"
    page.evaluate("widget.open()")
    yield "widget-loading-open"
    held[0].continue_()
    widget.is_("ready", "guest")
    yield "widget-guest"
    expect(widget.say("Which coffee should I buy?")).to_contain_text("Hello guest")
    yield "widget-with-lines"
    page.evaluate("token => widget.identify(token)", world.api.visitor_token("ada"))
    expect(widget.is_("ready", "user").who).to_contain_text("Ada")
    expect(widget.say("And who am I now?")).to_contain_text("Hello Ada")
    yield "widget-user"
    widget.close.click()
    expect(widget.launcher).to_be_visible()
    yield "widget-closed"


def before_it_is_opened(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Come to a page that mints nothing before it has to."""
    page.goto(world.host.lazy())
    expect(Widget(page).is_("ready").launcher).to_be_visible()
    yield "widget-unopened"


def an_agent_that_is_away(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Write to an agent that is slow, and then doesn't answer."""
    complaints.expect(0, "network_error")
    held: list[Route] = []
    page.route(world.connect_url, lambda route: held.append(route))  # noqa: PLW0108
    page.goto(world.host.init())
    widget = opened(page, "ready")
    widget.input.fill("Is anybody there?")
    with page.expect_request(world.connect_url):
        widget.input.press("Enter")
    yield "widget-waiting"
    held[0].abort("connectionrefused")
    expect(widget.status).to_contain_text("That message wasn't delivered")
    yield "widget-not-delivered"


def nobody_to_write_to(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Come to a page without a `connectUrl`."""
    page.goto(world.host.init(connectUrl=None))
    expect(opened(page, "ready").status).to_contain_text("can't take messages")
    yield "widget-no-line"


def a_sign_in_that_fails(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Be a guest because the page's token is none."""
    complaints.expect(400, "invalid_token")
    page.goto(world.host.init(userToken="nonsense"))
    expect(opened(page, "ready").status).to_contain_text("invalid_token")
    yield "widget-not-signed-in"


def offline(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Wait for an API that can't be reached."""
    complaints.expect(0, "network_error")
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(world.host.init())
    expect(Widget(page).is_("offline").launcher).to_be_visible()
    yield "widget-offline"
    expect(opened(page, "offline").status).to_contain_text("Trying again")
    yield "widget-offline-open"


def refused(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Be on a site that isn't on the allowlist."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(world.host.init(EVIL))
    expect(Widget(page).is_("refused").launcher).to_be_visible()
    yield "widget-refused"
    expect(opened(page, "refused").status).to_contain_text("origin_not_allowed")
    yield "widget-refused-open"


def asked_to_sign_in(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Be a guest where the agent talks with users alone."""
    complaints.expect(403)
    page.goto(world.host.init(agentId="account"))
    expect(opened(page, "refused").status).to_contain_text("Please sign in")
    yield "widget-please-sign-in"


def right_to_left(page: Page, world: ServedWorld, complaints: Complaints) -> Iterator[str]:
    """Talk on a page that is written from right to left."""
    dress(page, **BRANDING)
    page.goto(world.host.init(strings=IN_ARABIC))
    page.evaluate("Object.assign(document.documentElement, { dir: 'rtl', lang: 'ar' })")
    widget = opened(page, "ready")
    expect(widget.who).to_have_text(IN_ARABIC["guest"])
    expect(widget.say("مرحبا")).to_contain_text("Hello guest")
    yield "widget-right-to-left"


def opened(page: Page, state: str) -> Widget:
    """Open the panel by the launcher, once the widget is in a state."""
    widget = Widget(page).is_(state)
    widget.launcher.click()
    expect(widget.panel).to_be_visible()
    return widget


@pytest.mark.parametrize(
    "visit",
    [
        a_guest_who_signs_in,
        before_it_is_opened,
        an_agent_that_is_away,
        nobody_to_write_to,
        a_sign_in_that_fails,
        offline,
        refused,
        asked_to_sign_in,
        right_to_left,
    ],
)
def test_the_widget(page: Page, world: ServedWorld, complaints: Complaints, visit: Visit) -> None:
    """Axe finds nothing, and nothing it can't judge, on the way: wide, narrow, light and dark."""
    kinds = ("violations", "incomplete")
    stops = visit(page, world, complaints)
    found = [line for state in stops for line in judged(page, state, *kinds)]
    assert not found, "\n".join(found)


# --- the demo


def test_the_shop(page: Page, demo: DemoSites) -> None:
    """Axe finds nothing in the shop, as a guest who signs in and as a user who is answered."""
    page.goto(demo.shop)
    widget = Widget(page).is_("ready", "guest")
    page.get_by_role("button", name="Sign in", exact=True).click()
    found = judged(page, "shop-sign-in")
    page.get_by_role("button", name="Ada Lovelace").click()
    widget.is_("ready", "user")
    page.get_by_role("button", name="Ask the barista").first.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada")
    found += judged(page, "shop-user")
    assert not found, "\n".join(found)


def test_the_strangers_page(page: Page, demo: DemoSites, complaints: Complaints) -> None:
    """Axe finds nothing on the site that is refused."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(demo.stranger)
    Widget(page).is_("refused", code="origin_not_allowed")
    expect(page.locator("#verdict-code")).to_have_text("origin_not_allowed")
    found = judged(page, "stranger")
    assert not found, "\n".join(found)


# --- these tests themselves

_SPOIL = """() => {
  const button = document.createElement("button");
  button.className = "unnamed";
  const words = document.createElement("p");
  words.textContent = "Hard to read in the dark";
  words.className = "faint";
  words.style.color = "light-dark(#000, #999)";
  words.style.background = "light-dark(#fff, #888)";
  document.querySelector("kataven-widget").shadowRoot.append(button, words);
}"""


def test_a_fault_would_be_noticed(page: Page, world: ServedWorld) -> None:
    """A fault in the widget's shadow root, under the shop's strict policy, does get a line."""
    page.goto(world.shop)
    Widget(page).is_("ready")
    page.evaluate(_SPOIL)
    in_light = "\n".join(faults(page))
    assert "button-name (critical) at kataven-widget >> .unnamed:" in in_light
    assert "color-contrast" not in in_light
    page.emulate_media(color_scheme="dark")
    (in_the_dark,) = faults(page, CONTRAST)
    assert in_the_dark.startswith("color-contrast (serious) at kataven-widget >> .faint:")
    assert "#999999" in in_the_dark
