"""The widget by keyboard, and by ear."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from e2e.conftest import Complaints
from e2e.support import ServedWorld, Widget

_LISTEN: Final = """() => {
  window.announced = [];
  const root = document.querySelector("kataven-widget").shadowRoot;
  const note = (changes) => {
    for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (node.textContent && !node.ariaHidden) announced.push(node.textContent);
    }
  };
  for (const live of root.querySelectorAll("[role=log], [role=status]")) {
    new MutationObserver(note).observe(live, { childList: true, subtree: true });
  }
}"""
"""A script that notes what a screen reader reads out: what is new in a live region."""
_OVER: Final[dict[str, Any]] = {
    "status": 400,
    "headers": {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "X-Error-Code",
        "X-Error-Code": "revoked_session",
    },
}
"""What the API says to a session that was ended elsewhere."""


def announced(page: Page) -> list[str]:
    """Return what a screen reader has read out."""
    said: list[str] = page.evaluate("announced")
    return said


def focused(page: Page) -> str:
    """Return what has the focus: the class or the element's name, in the widget or the page."""
    found: str = page.evaluate("""() => {
      const outer = document.activeElement;
      const node = outer.shadowRoot?.activeElement || outer;
      return node.className || node.localName;
    }""")
    return found


@pytest.mark.parametrize("size", [(390, 844), (844, 390)], ids=str)
def test_the_ring(page: Page, world: ServedWorld, size: tuple[int, int]) -> None:
    """Where the panel covers the page, Tab goes round in it, either way."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.focus()
    page.keyboard.press("Enter")
    ring = ["textarea", "send", "close", "log"]
    walked = []
    for _ in range(5):
        walked.append(focused(page))
        page.keyboard.press("Tab")
    assert walked == [*ring, "textarea"]
    for stop in ["textarea", *reversed(ring)]:
        page.keyboard.press("Shift+Tab")
        assert focused(page) == stop
    page.keyboard.press("Escape")
    expect(widget.panel).to_be_hidden()
    assert focused(page) == "launcher"
    assert widget.launcher.get_attribute("aria-expanded") == "false"


def test_a_phone_is_turned(page: Page, world: ServedWorld) -> None:
    """The focus is kept in a panel that comes to cover the page, and let go when it doesn't."""
    upright: ViewportSize = {"width": 430, "height": 932}
    lying: ViewportSize = {"width": 932, "height": 430}
    page.set_viewport_size(lying)
    page.goto(world.host.init())
    page.evaluate("document.querySelector('h1').innerHTML = '<a href=\"#\">A page</a>'")
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.panel).to_have_attribute("aria-modal", "false")
    page.get_by_role("link").focus()
    page.set_viewport_size(upright)
    expect(widget.panel).to_have_attribute("aria-modal", "true")
    assert focused(page) == "textarea"
    widget.close.focus()
    page.set_viewport_size(lying)
    expect(widget.panel).to_have_attribute("aria-modal", "false")
    assert focused(page) == "close", "it stays where it is"
    page.keyboard.press("Shift+Tab")
    assert focused(page) != "textarea", "there is no ring any longer"


def test_the_button_that_opened_is_gone(page: Page, world: ServedWorld) -> None:
    """Where the page took away what opened the panel, the launcher has the focus."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    page.evaluate("""() => {
      const button = document.createElement("button");
      button.onclick = () => window.widget.open();
      document.querySelector("main").append(button);
      button.focus();
    }""")
    page.keyboard.press("Enter")
    expect(widget.input).to_be_focused()
    page.evaluate("document.querySelector('main > button').remove()")
    page.keyboard.press("Escape")
    expect(widget.launcher).to_be_focused()


def test_each_line_is_announced_once(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A message and its reply are read out once, and never again, whatever the session does."""
    complaints.expect(400)
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    page.evaluate(_LISTEN)
    reply = widget.say("Who am I?")
    expect(reply).to_contain_text("Hello guest")
    said = ["Who am I?", reply.inner_text()]
    assert announced(page) == said
    widget.renew()
    page.route("**/auth/refresh", lambda route: route.fulfill(**_OVER))
    session_id = widget.session_id
    widget.renew()
    expect(widget.host).not_to_have_attribute("data-session-id", session_id)
    expect(reply).to_be_visible()
    page.evaluate("token => widget.identify(token)", world.api.visitor_token("ada"))
    widget.is_("ready", "user")
    widget.close.click()
    widget.launcher.click()
    assert announced(page) == said


def test_each_trouble_is_announced_once(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """However often the widget tries again, it says once that it does."""
    complaints.expect(0, "network_error")
    page.clock.install()
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(world.host.init())
    widget = Widget(page).is_("offline")
    widget.launcher.click()
    page.evaluate(_LISTEN)
    for _ in range(3):
        with page.expect_event("requestfailed"):
            page.clock.fast_forward("02:00")
    widget.is_("offline")
    assert announced(page) == []
    page.unroute("**/api/v1/**")
    page.clock.fast_forward("02:00")
    widget.is_("ready", "guest")
    expect(widget.status).to_be_empty()
    page.route(world.connect_url, lambda route: route.abort("connectionrefused"))
    for _ in range(2):
        widget.input.fill("Hello?")
        with page.expect_event("requestfailed"):
            widget.input.press("Enter")
        expect(widget.input).to_have_value("Hello?")
    trouble = [said for said in announced(page) if "wasn't delivered" in said]
    assert len(trouble) == 1


def test_writing(page: Page, world: ServedWorld) -> None:
    """Space opens, Enter sends, Shift and Enter begin a line, an input method's Enter does not."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.focus()
    page.keyboard.press("Space")
    expect(widget.input).to_be_focused()
    page.keyboard.type("One")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    widget.input.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    expect(widget.input).to_have_value("One\nTwo")
    page.keyboard.press("Enter")
    expect(widget.log.locator(".visitor")).to_have_text("One\nTwo")
    expect(widget.log).to_contain_text("Hello guest")
    expect(widget.input).to_have_value("")
