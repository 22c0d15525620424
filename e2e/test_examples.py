"""A shop of `examples/` in a real browser, with the page that all of them serve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import judged
from e2e.support import KEY, SECRET, ServedWorld, Widget
from tests.test_examples import opened


@pytest.fixture
def shop(tmp_path: Path, world: ServedWorld) -> Iterator[str]:
    """Run the shop in Flask; return its address, on a host that the key admits."""
    environ = {
        "KATAVEN_URL": world.api_url,
        "KATAVEN_CONNECT_URL": world.connect_url,
        "KATAVEN_CLIENT_KEY": KEY,
        "KATAVEN_SECRET_KEY": SECRET,
    }
    with opened("flask", tmp_path, **environ) as found:
        yield f"http://shop.acme.localhost:{found.port}"


def test_the_chat_knows_who_signs_in_and_out(page: Page, shop: str) -> None:
    """A guest signs in on the page and is called by name in the chat, until the sign-out."""
    page.goto(shop)
    widget = Widget(page).is_("ready", "guest")
    expect(page.get_by_role("status")).to_have_text("Nobody is signed in.")
    page.get_by_role("button", name="Sign in as Ada").click()
    widget.is_("ready", "user")
    expect(page.get_by_role("status")).to_have_text("You are signed in as Ada Lovelace.")
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    widget.launcher.click()
    expect(widget.who).to_have_text("You're signed in as Ada Lovelace")
    expect(widget.say("Who am I?")).to_contain_text("Ada")
    page.reload()
    widget.is_("ready", "user")
    page.get_by_role("button", name="Sign out").click()
    widget.is_("ready", "guest")
    expect(page.get_by_role("button", name="Sign in as Grace")).to_be_visible()


def test_everybody_can_use_the_page(page: Page, shop: str) -> None:
    """By the keyboard alone, in light and dark, on a phone too."""
    page.goto(shop)
    widget = Widget(page).is_("ready", "guest")
    assert judged(page, "the example shop") == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign in as Ada")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    widget.is_("ready", "user")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
