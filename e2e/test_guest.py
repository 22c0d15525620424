"""A visitor arrives, is a guest, and talks to the agent."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import NewContext
from e2e.support import KEY, OTHER_KEY, ServedWorld, Widget, post


def test_one_line_in_the_page_makes_a_guest(page: Page, world: ServedWorld) -> None:
    """The script tag alone gives a launcher in the tenant's words, and a guest's session."""
    page.goto(world.host.tag())
    widget = Widget(page).is_("ready", "guest")
    expect(widget.launcher).to_have_accessible_name("Talk to Acme")
    assert re.fullmatch(r"ses_[\w-]{20,}", widget.session_id)


def test_init_makes_a_guest(page: Page, world: ServedWorld) -> None:
    """`Kataven.init` without a user token does the same."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    assert re.fullmatch(r"ses_[\w-]{20,}", widget.session_id)


def test_a_guest_is_told_so_and_greeted(page: Page, world: ServedWorld) -> None:
    """The panel says who is there, in words, and the agent greets."""
    page.goto(world.host.tag())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.who).to_have_text("You're chatting as a guest")
    expect(widget.panel.get_by_role("heading")).to_have_text("Acme Support")
    expect(widget.log).to_contain_text("Hi!")


def test_a_guest_talks_to_the_agent(page: Page, world: ServedWorld) -> None:
    """The session is good for the agent, which knows the guest by it."""
    page.goto(world.host.tag())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest ")


def test_a_reload_keeps_the_session_and_the_thread(page: Page, world: ServedWorld) -> None:
    """A page that is loaded again goes on with the same session and shows what was said."""
    page.goto(world.host.tag())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    widget.launcher.click()
    expect(widget.say("One espresso")).to_contain_text("Hello guest")
    page.reload()
    widget.is_("ready", "guest")
    assert widget.session_id == session_id
    expect(widget.log).to_contain_text("One espresso")


def test_a_browser_that_keeps_nothing(page: Page, world: ServedWorld) -> None:
    """Where storage is blocked, the session lasts as long as the page."""
    page.add_init_script(
        """Object.defineProperty(window, "sessionStorage", {
          get() { throw new DOMException("blocked", "SecurityError"); },
        });"""
    )
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    widget.renew()
    assert widget.is_("ready", "guest").session_id == session_id


def test_two_profiles_are_two_guests(new_context: NewContext, world: ServedWorld) -> None:
    """Two browsers share nothing."""
    pages = [new_context().new_page() for _ in range(2)]
    for page in pages:
        page.goto(world.host.tag())
    first, second = (Widget(page).is_("ready", "guest").session_id for page in pages)
    assert first != second


def test_two_tenants_in_one_page(page: Page, world: ServedWorld) -> None:
    """Two widgets stand in one page, each with a session of its own tenant."""
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    page.evaluate("key => { Kataven.init({ publicKey: key }) }", OTHER_KEY)
    hosts = page.locator("kataven-widget[data-state=ready][data-visitor=guest]")
    expect(hosts).to_have_count(2)
    assert len({host.get_attribute("data-session-id") for host in hosts.all()}) == 2


def test_a_page_in_an_alien_style_leaves_the_widget_alone(page: Page, world: ServedWorld) -> None:
    """The page's own style sheet doesn't reach into the widget."""
    page.goto(world.host.tag())
    widget = Widget(page).is_("ready")
    before = widget.launcher.bounding_box()
    page.add_style_tag(content="* { font-size: 40px !important; padding: 30px !important }")
    assert widget.launcher.bounding_box() == before


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=UTF-8"])
def test_a_page_asks_for_a_guest_itself(page: Page, world: ServedWorld, kind: str) -> None:
    """A script of the page may call the endpoint and read the answer."""
    page.goto(world.host.blank())
    answer = post(page, world, "guest", {"client_key": KEY}, headers={"Content-Type": kind})
    assert answer.status == 200
    assert '"type":"guest"' in answer.text
