"""The demo, walked through as a visitor does; with KATAVEN_SCREENSHOTS=dir, in pictures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from e2e.conftest import Complaints, NewContext
from e2e.support import START_TIMEOUT, Widget, command
from kataven_flask.demo.run import DemoSites

LOOKS = [("1280", "light"), ("1280", "dark"), ("390", "light"), ("390", "dark")]
SIZES: dict[str, ViewportSize] = {
    "1280": {"width": 1280, "height": 800},
    "390": {"width": 390, "height": 844},
}
MOST_STOPS = 60
"""More presses of Tab than any page of the demo needs."""

Snap = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """A page in one size and color scheme, and how to keep a picture of it."""

    page: Page
    snap: Snap
    narrow: bool


@pytest.fixture(params=LOOKS, ids="-".join)
def look(request: pytest.FixtureRequest, new_context: NewContext) -> Look:
    """Return a page in each size and color scheme."""
    width, scheme = request.param
    context = new_context(
        viewport=SIZES[width],
        color_scheme=scheme,
        has_touch=width == "390",
        reduced_motion="reduce",
    )
    page = context.new_page()
    folder = os.environ.get("KATAVEN_SCREENSHOTS")

    def snap(state: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{state}-{width}-{scheme}.png")

    return Look(page, snap, narrow=width == "390")


def test_the_whole_walk(look: Look, demo: DemoSites, complaints: Complaints) -> None:
    """Guest, conversation, sign-in, user, renewal, inspection, sign-out, and the stranger."""
    page, widget = look.page, Widget(look.page)
    arrive_as_a_guest(look, demo)
    become_a_user(look)
    renew(look)
    complaints.expect(403, "origin_not_allowed")
    inspect(look)
    page.get_by_role("button", name="Sign out").click()
    widget.is_("ready", "guest")
    expect(page.locator("#live")).to_have_attribute("data-state", "guest")
    look.snap("8-signed-out")
    meet_the_stranger(look)


def arrive_as_a_guest(look: Look, demo: DemoSites) -> None:
    """Open the shop, and talk to the agent as a guest."""
    page, widget = look.page, Widget(look.page)
    page.goto(demo.shop)
    widget.is_("ready", "guest")
    expect(page.locator("#live-visitor")).to_have_text("guest")
    look.snap("1-guest")
    page.get_by_role("button", name="Ask the barista").first.click()
    expect(widget.panel).to_be_visible()
    look.snap("2-guest-open")
    expect(widget.say("Which coffee should I buy?")).to_contain_text("Hello guest")
    look.snap("3-guest-talks")
    widget.close.click()
    expect(widget.panel).to_be_hidden()
    assert_fits(page)


def become_a_user(look: Look) -> None:
    """Sign in to the shop, and be answered by name."""
    page, widget = look.page, Widget(look.page)
    guest = widget.session_id
    page.get_by_role("button", name="Sign in", exact=True).click()
    look.snap("4-sign-in")
    page.get_by_role("button", name="Ada Lovelace").click()
    widget.is_("ready", "user")
    assert widget.session_id != guest
    expect(page.locator("#live-visitor")).to_have_text("user · Ada Lovelace")
    look.snap("5-user")
    page.get_by_role("button", name="Ask the barista").first.click()
    expect(widget.who).to_have_text("You're signed in as Ada Lovelace")
    expect(widget.log).to_contain_text("Which coffee should I buy?")
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada,")
    look.snap("6-user-talks")
    widget.close.click()


def renew(look: Look) -> None:
    """Renew by the page's button: another token of the same session."""
    page, widget = look.page, Widget(look.page)
    session_id, token = widget.session_id, page.locator("#live-token").inner_text()
    page.get_by_role("button", name="Renew now").click()
    expect(page.locator("#live-note")).to_have_text("Renewed: the same session, a new token.")
    expect(page.locator("#live-token")).not_to_have_text(token)
    assert widget.session_id == session_id
    page.locator("#live").scroll_into_view_if_needed()
    look.snap("7-renewed")
    page.evaluate("scrollTo(0, 0)")


def inspect(look: Look) -> None:
    """Look at what the inspector shows, and make one of its attacks."""
    page = look.page
    page.get_by_role("button", name="Call from there").click()
    expect(page.locator("[data-trial=stranger]")).to_have_attribute("data-state", "held")
    assert_fits(page)
    for part in ("requests", "tokens", "attacks", "file"):
        page.locator(f"#{part}").evaluate("node => node.scrollIntoView()")
        look.snap(f"7-{part}")
    page.evaluate("scrollTo(0, 0)")


def meet_the_stranger(look: Look) -> None:
    """Follow the link to the page of the site that copied the snippet."""
    page, widget = look.page, Widget(look.page)
    page.get_by_role("link", name="See it on a stranger").click()
    widget.is_("refused", code="origin_not_allowed")
    expect(page.locator("#verdict-code")).to_have_text("origin_not_allowed")
    expect(page.locator("#verdict-words")).to_contain_text("is not one of its origins")
    look.snap("9-stranger")
    page.get_by_role("button", name="See it in the widget").click()
    expect(widget.status).to_contain_text("This site isn't on the allowlist.")
    look.snap("10-stranger-open")
    assert_fits(page)


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_command(page: Page) -> None:
    """`kataven-flask demo` says where the shop is, and it works there."""
    process = subprocess.Popen(
        [command(), "demo", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        shop = next(line.split()[2] for line in process.stdout if "http://shop." in line)
        page.goto(shop)
        Widget(page).is_("ready", "guest")
    finally:
        process.terminate()
        process.communicate(timeout=START_TIMEOUT)
    assert process.returncode == 0


def test_the_focus_returns_to_the_button_that_opened(page: Page, demo: DemoSites) -> None:
    """A page's own button that opens the widget has the focus again when it closes."""
    page.goto(demo.shop)
    widget = Widget(page).is_("ready", "guest")
    button = page.get_by_role("button", name="Ask the barista").first
    button.focus()
    page.keyboard.press("Enter")
    expect(widget.input).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_the_widget_while_the_api_is_away(
    look: Look, demo: DemoSites, complaints: Complaints
) -> None:
    """What a visitor sees while the API can't be reached."""
    complaints.expect(0, "network_error")
    page, widget = look.page, Widget(look.page)
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(demo.shop)
    widget.is_("offline", code="network_error")
    page.get_by_role("button", name="Ask the barista").first.click()
    expect(widget.status).to_contain_text("Trying again")
    look.snap("11-offline")
    page.unroute("**/api/v1/**")
    widget.is_("ready", "guest")
    look.snap("12-back-again")


def test_the_keyboard_alone(look: Look, demo: DemoSites) -> None:
    """Tab to the launcher, Enter, write, Escape: the focus is where it was."""
    page, widget = look.page, Widget(look.page)
    page.goto(demo.shop)
    widget.is_("ready", "guest")
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if widget.launcher.evaluate("node => node.getRootNode().activeElement === node"):
            break
    expect(widget.launcher).to_be_focused()
    look.snap("13-keyboard-launcher")
    page.keyboard.press("Enter")
    expect(widget.input).to_be_focused()
    page.keyboard.type("Any decaf?")
    page.keyboard.press("Enter")
    expect(widget.log).to_contain_text("Hello guest")
    expect(widget.input).to_have_value("")
    expect(widget.input).to_be_focused()
    page.keyboard.press("Escape")
    expect(widget.panel).to_be_hidden()
    expect(widget.launcher).to_be_focused()


def test_the_focus_stays_in_a_panel_that_covers_the_page(look: Look, demo: DemoSites) -> None:
    """On a small screen Tab goes round in the panel; on a large one it leaves for the page."""
    page, widget = look.page, Widget(look.page)
    page.goto(demo.shop)
    widget.is_("ready", "guest")
    widget.launcher.click()
    expect(widget.panel).to_have_attribute("aria-modal", str(look.narrow).lower())
    inside = "() => document.activeElement?.tagName === 'KATAVEN-WIDGET'"
    stays = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stays.append(page.evaluate(inside))
    assert all(stays) == look.narrow
