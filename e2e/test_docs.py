"""The page of the API in a browser: readable in every look, by keyboard, and free of scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.axe import judged
from e2e.conftest import NewContext
from e2e.support import ServedWorld


@pytest.fixture
def docs(page: Page, world: ServedWorld) -> Page:
    """Return the page."""
    page.goto(f"{world.api_url}/docs")
    expect(page.get_by_role("heading", name="The API")).to_be_visible()
    return page


def test_axe_finds_nothing(docs: Page) -> None:
    """In wide and narrow windows, light and dark, axe has nothing to say."""
    assert judged(docs, "docs") == []


@pytest.mark.parametrize("width", [1280, 700, 390, 320])
def test_nothing_is_cut_off(docs: Page, width: int) -> None:
    """The page is never wider than the window; what is long scrolls by itself."""
    docs.set_viewport_size({"width": width, "height": 800})
    for summary in docs.locator("summary").all():
        summary.evaluate("(summary) => summary.parentElement.open = true")
    assert docs.evaluate("document.documentElement.scrollWidth") <= width
    wide = """(own) => [...document.querySelectorAll("main table, main h3, main p")]
      .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML)"""
    assert docs.evaluate(wide) == []


def test_the_contents_lead_there(docs: Page) -> None:
    """A reader goes to an endpoint from the list, by keyboard, and from there to its errors."""
    link = docs.get_by_role("navigation").get_by_role("link", name="exchange")
    link.focus()
    docs.keyboard.press("Enter")
    expect(docs).to_have_url(re.compile(r"/docs#exchange$"))
    heading = docs.get_by_role("heading", name="A session for a signed-in user")
    expect(heading).to_be_in_viewport()
    article = docs.get_by_role("article", name="A session for a signed-in user")
    article.get_by_role("link", name="used_token").click()
    expect(docs.locator("#error-used_token")).to_be_in_viewport()


def test_the_first_tab_skips_the_contents(docs: Page) -> None:
    """Who uses a keyboard reaches the content at once."""
    docs.keyboard.press("Tab")
    skip = docs.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    docs.keyboard.press("Enter")
    expect(docs.locator("#content")).to_be_focused()


def test_the_list_stays_beside_the_text(docs: Page) -> None:
    """In a wide window the list of contents is there wherever one reads."""
    docs.set_viewport_size({"width": 1280, "height": 800})
    docs.evaluate("document.getElementById('errors').scrollIntoView({behavior: 'instant'})")
    link = docs.get_by_role("navigation").get_by_role("link", name="guest")
    expect(link).to_be_in_viewport()


def test_it_needs_no_script(new_context: NewContext, world: ServedWorld) -> None:
    """A browser that runs none shows all of it."""
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{world.api_url}/docs#user-token")
    article = page.get_by_role("article", name="A visitor token for a user of yours")
    expect(article).to_contain_text("Authorization: Bearer $SECRET_KEY")
    expect(article.get_by_role("row", name="invalid_api_key")).to_be_visible()
