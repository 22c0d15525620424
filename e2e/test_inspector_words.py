"""What the handshake inspector says: true at every turn, and where one looks for it."""

from __future__ import annotations

import re
from typing import Final

from playwright.sync_api import Page, expect

from e2e.conftest import Complaints, NewContext
from e2e.support import Widget
from kataven_flask.demo.run import DemoSites

PHONE: Final = {"width": 390, "height": 844}


def test_a_token_that_is_out_outlives_its_key(guest: Page, complaints: Complaints) -> None:
    """The key off, renewals are refused, which the widget shows; the agent takes the last token."""
    complaints.expect(403, "client_key_disabled")
    complaints.expect(401)
    button = guest.locator("#switch-key")
    button.click()
    expect(guest.locator("#file-note")).to_contain_text("works at the agent until it ends")
    expect(guest.locator("#live-note")).to_contain_text("still takes the token that is out")
    expect(Widget(guest).panel).to_be_visible()
    expect(button).to_be_focused()
    guest.get_by_role("button", name="Forge it").click()
    card = guest.locator("[data-trial=forge]")
    expect(card).to_have_attribute("data-state", "held")
    assert card.locator(".came code").all_inner_texts() == ["200", "401 invalid_token"]
    button.click()
    Widget(guest).is_("ready", "guest")


def test_new_looks_leave_what_was_said(guest: Page) -> None:
    """With another color the panel stays open, and the thread and the session go on."""
    widget = Widget(guest)
    session_id = widget.session_id
    toggle = guest.locator("#toggle")
    toggle.click()
    expect(toggle).to_have_text("Close the widget")
    widget.say("Which coffee should I buy?")
    guest.get_by_role("button", name="Another color").click()
    expect(guest.locator("#file-note")).to_contain_text("and wears it")
    expect(widget.log).to_contain_text("Which coffee should I buy?")
    expect(widget.panel).to_be_visible()
    assert widget.session_id == session_id
    toggle.click()
    expect(widget.panel).to_be_hidden()
    expect(toggle).to_have_text("Open the widget")


def test_signed_out_in_another_tab(page: Page, demo: DemoSites, complaints: Complaints) -> None:
    """A page that greets who has left says so, and has a way on."""
    complaints.expect(401)
    page.goto(demo.shop)
    page.get_by_role("button", name="Do it now").click()
    page.get_by_role("button", name="Jun Park").click()
    Widget(page).is_("ready", "user")
    other = page.context.new_page()
    other.goto(demo.shop)
    Widget(other).is_("ready", "user")
    expect(page.locator("#glance")).to_contain_text("Jun Park · ")
    other.get_by_role("button", name="Sign out").click()
    news = page.locator("#news")
    expect(news).to_contain_text("You signed out in another tab.")
    expect(page.locator("#live-visitor")).to_have_text("guest")
    news.get_by_role("link").click()
    expect(page.get_by_role("button", name="Do it now")).to_be_visible()
    expect(news).to_be_empty()


def test_a_phone_has_the_inspector_in_sight(demo: DemoSites, new_context: NewContext) -> None:
    """Under the shop's head stands who one is and how much was sent, and leads to the rest."""
    page = new_context(viewport=PHONE).new_page()
    page.goto(demo.shop)
    strip = page.get_by_role("link", name="See the handshake")
    expect(strip).to_contain_text(re.compile(r"guest · \d+ requests"))
    page.locator("#shelf").scroll_into_view_if_needed()
    expect(strip).to_be_in_viewport(ratio=1)
    strip.click()
    expect(page.get_by_role("heading", name="The handshake, as it happens")).to_be_in_viewport()


def test_a_link_leads_to_its_requests(guest: Page, complaints: Complaints) -> None:
    """By Enter, the list comes into sight whole, at the first one named; those named are marked."""
    complaints.expect(400)
    guest.get_by_role("button", name="Replay it").click()
    link = guest.get_by_role("link", name="See requests")
    link.focus()
    first, last = map(int, re.findall(r"\d+", link.inner_text()))
    guest.keyboard.press("Enter")
    meant = guest.locator("#request-list .meant .number").all_inner_texts()
    assert meant == [str(number) for number in range(first, last + 1)]
    expect(guest.locator(f"#request-{first}")).to_be_focused()
    expect(guest.locator(f"#request-{first}")).to_be_in_viewport(ratio=0.9)
    expect(guest.locator(".scroll.list")).to_be_in_viewport(ratio=1)


def test_without_scripts(demo: DemoSites, new_context: NewContext) -> None:
    """Where no script runs the inspector says so, and shows no empty boxes."""
    page = new_context(java_script_enabled=False).new_page()
    page.goto(demo.shop)
    expect(page.get_by_text("this browser runs none")).to_be_visible()
    expect(page.locator("#diagram-frame")).to_be_hidden()
    expect(page.locator("#renew")).to_be_hidden()


def test_cleared(guest: Page) -> None:
    """The list is emptied by its button, which stays where it is, and goes on with what comes."""
    lines = guest.locator("#request-list .line code")
    expect(lines).to_have_count(4)
    clear = guest.get_by_role("button", name="Clear")
    clear.scroll_into_view_if_needed()
    place = clear.bounding_box()
    clear.click()
    expect(lines).to_have_count(0)
    expect(guest.get_by_text("Nothing yet.")).to_be_visible()
    assert clear.bounding_box() == place
    guest.get_by_role("button", name="Renew now").click()
    expect(lines.filter(has_text="/auth/refresh")).to_have_count(1)
    assert "GET /" not in lines.all_inner_texts()
