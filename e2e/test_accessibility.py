"""Axe finds nothing wrong with the widget in any state, nor with the demo's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, Route, ViewportSize, expect

from e2e.axe import CONTRAST, assert_accessible, faults
from e2e.conftest import Complaints, NewContext
from e2e.support import ServedWorld, Widget
from kataven_flask.assets import example_config
from kataven_flask.demo.run import DemoSites, demo_sites

SIZES: Final[dict[str, ViewportSize]] = {
    "1280": {"width": 1280, "height": 800},
    "390": {"width": 390, "height": 844},
}
EVIL: Final = "www.evil.localhost"
IN_ARABIC: Final = {
    "title": "محادثة",
    "launcher": "تحدث معنا",
    "close": "إغلاق المحادثة",
    "log": "المحادثة",
    "message": "اكتب رسالة…",
    "send": "إرسال",
    "guest": "أنت تتحدث كضيف",
}
"""Some of the widget's sentences, as a page that is written from right to left has them."""


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, new_context: NewContext) -> Page:
    """Return a tab in each size, without motion: what moves is judged where it comes to rest."""
    return new_context(viewport=SIZES[request.param], reduced_motion="reduce").new_page()


# --- the widget

Reach = Callable[[Page, ServedWorld, Complaints], None]


def loading(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Wait for a session that doesn't come."""
    page.route("**/auth/guest", leave)
    page.goto(world.host.init())
    Widget(page).is_("loading")


def leave(route: Route) -> None:
    """Let a request wait."""


def closed(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Be a guest who hasn't opened the panel."""
    page.goto(world.host.init())
    expect(Widget(page).is_("ready", "guest").launcher).to_be_visible()


def opened(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Be a guest who has opened the panel."""
    page.goto(world.host.init())
    open_panel(Widget(page).is_("ready", "guest"))


def opened_for_a_user(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Be a user who has opened the panel."""
    page.goto(world.host.init(mint="ada"))
    open_panel(Widget(page).is_("ready", "user"))


def in_a_conversation(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Write, and be answered."""
    opened(page, world, complaints)
    expect(Widget(page).say("Who am I?")).to_contain_text("Hello guest")


def refused(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Be on a site that isn't on the allowlist."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(world.host.init(EVIL))
    open_panel(Widget(page).is_("refused", code="origin_not_allowed"))


def asked_to_sign_in(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Be a guest where the agent talks with users alone."""
    complaints.expect(403)
    page.goto(world.host.init(agentId="account"))
    open_panel(Widget(page).is_("refused", code="auth_mode_forbidden"))


def offline(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Wait for an API that can't be reached."""
    complaints.expect(0, "network_error")
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(world.host.init())
    widget = Widget(page).is_("offline", code="network_error")
    open_panel(widget)
    expect(widget.status).to_contain_text("Trying again")


def not_delivered(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Write to an agent that doesn't answer."""
    complaints.expect(0, "network_error")
    opened(page, world, complaints)
    page.route(world.connect_url, lambda route: route.abort("connectionrefused"))
    widget = Widget(page)
    widget.input.fill("Is anybody there?")
    widget.input.press("Enter")
    expect(widget.status).to_contain_text("That message wasn't delivered")


def right_to_left(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Talk on a page that is written from right to left."""
    page.goto(world.host.init(strings=IN_ARABIC))
    page.evaluate("Object.assign(document.documentElement, { dir: 'rtl', lang: 'ar' })")
    widget = Widget(page).is_("ready", "guest")
    open_panel(widget)
    expect(widget.who).to_have_text(IN_ARABIC["guest"])
    expect(widget.say("مرحبا")).to_contain_text("Hello guest")


def open_panel(widget: Widget) -> None:
    """Open the panel by the launcher."""
    widget.launcher.click()
    expect(widget.panel).to_be_visible()


@pytest.mark.parametrize(
    "reach",
    [
        loading,
        closed,
        opened,
        opened_for_a_user,
        in_a_conversation,
        refused,
        asked_to_sign_in,
        offline,
        not_delivered,
        right_to_left,
    ],
)
def test_the_widget(page: Page, world: ServedWorld, complaints: Complaints, reach: Reach) -> None:
    """Axe finds nothing in this state, in light nor in dark."""
    reach(page, world, complaints)
    assert_accessible(page)


# --- the demo


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Run the whole demo, with the tenants' file that is shipped."""
    with demo_sites(example_config()) as sites:
        yield sites


def test_the_shop(page: Page, demo: DemoSites) -> None:
    """Axe finds nothing in the shop, as a guest who signs in and as a user who is answered."""
    page.goto(demo.shop)
    widget = Widget(page).is_("ready", "guest")
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert_accessible(page)
    page.get_by_role("button", name="Ada Lovelace").click()
    widget.is_("ready", "user")
    page.get_by_role("button", name="Ask the barista").first.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada")
    assert_accessible(page)


def test_the_strangers_page(page: Page, demo: DemoSites, complaints: Complaints) -> None:
    """Axe finds nothing on the site that is refused."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(demo.stranger)
    Widget(page).is_("refused", code="origin_not_allowed")
    expect(page.locator("#verdict-code")).to_have_text("origin_not_allowed")
    assert_accessible(page)


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
