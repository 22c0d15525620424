"""The documentation in a browser: readable in every look, by keyboard, without a script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from flask import Flask, Response
from playwright.sync_api import Page, expect

from docsite.sources import FILES, ROOT
from e2e.axe import judged
from e2e.conftest import NewContext
from e2e.support import serving

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'"
)
"""As strict as CONTRIBUTING.md says it may be."""
WIDE: Final = """[...document.querySelectorAll("article *")].filter((node) =>
  node.getBoundingClientRect().right > innerWidth + 1 && !node.closest("pre, .table-wrapper")
).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the site, serve it under a strict policy, and give its address."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-c", "docsite", ".", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    app = Flask("site", static_folder=str(folder), static_url_path="/")

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    with serving(app) as port:
        yield f"http://localhost:{port}"


@pytest.mark.parametrize("name", ["index", "configuration", "readme"])
def test_axe_finds_nothing(page: Page, site: str, name: str) -> None:
    """In wide and narrow windows, light and dark, axe has nothing to say."""
    page.goto(f"{site}/{name}.html")
    assert judged(page, f"site-{name}") == []


def test_nothing_is_cut_off(page: Page, site: str) -> None:
    """No page is wider than a phone; tables and code scroll within themselves."""
    page.set_viewport_size({"width": 390, "height": 844})
    for name in FILES:
        page.goto(f"{site}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate(WIDE) == [], name


def test_wide_code_scrolls_by_keyboard(page: Page, site: str) -> None:
    """Who has no mouse reaches the end of a long line."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site}/configuration.html")
    code = page.get_by_role("group", name="Code, wider than the window").last
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => document.activeElement.matches('pre') && document.activeElement.scrollLeft > 0"
    )


def test_pages_are_found_by_keyboard_on_a_phone(page: Page, site: str) -> None:
    """The first Tab skips to the content; the next opens the list of pages, Escape closes it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site}/index.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Tab")
    list_ = page.get_by_role("button", name="Toggle site navigation sidebar")
    expect(list_).to_be_focused()
    page.keyboard.press("Enter")
    link = page.locator(".sidebar-tree").get_by_role("link", name="Deployment")
    expect(link).to_be_in_viewport()
    assert page.evaluate("document.activeElement.closest('.sidebar-drawer') !== null")
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(list_).to_be_focused()


def test_the_search_finds(page: Page, site: str) -> None:
    """A word leads to the pages that have it, with what stands around it; nobody else is asked."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/index.html")
    page.get_by_role("textbox", name="Search").fill("KATAVEN_HSTS")
    page.keyboard.press("Enter")
    found = page.locator("ul.search li")
    expect(found.filter(has_text="The environment")).to_contain_text("Strict-Transport-Security")
    found.get_by_role("link", name="The environment").click()
    expect(page).to_have_url(re.compile(r"/environment\.html"))
    assert [url for url in asked if not url.startswith(site)] == []


def test_the_search_shows_what_was_asked_as_text(page: Page, site: str) -> None:
    """A link to the search with markup for a query runs nothing, and shows nothing of it."""
    page.goto(f"{site}/search.html?q=refresh+%3Cimg+src%3Dx+onerror%3D%22document.title%3D1%22%3E")
    expect(page.get_by_role("heading", name="Search Results")).to_be_visible()
    expect(page.locator("article img")).to_have_count(0)
    expect(page).to_have_title(re.compile("Search"))


def test_a_reader_chooses_the_look(page: Page, site: str) -> None:
    """Light or dark is the system's, until somebody chooses; then it stays so on every page."""
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    toggle = page.get_by_role("button", name="Toggle Light / Dark / Auto color theme")
    toggle.click()
    page.wait_for_function(f"light => {background} !== light", arg=light)
    page.goto(f"{site}/widget.html")
    assert page.evaluate(background) != light


def test_it_needs_no_script(new_context: NewContext, site: str) -> None:
    """A browser that runs none shows all of it, in the system's look, and the list of pages."""
    context = new_context(
        java_script_enabled=False, color_scheme="dark", viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    page.goto(f"{site}/environment.html")
    expect(page.get_by_role("row", name="KATAVEN_STATE")).to_be_visible()
    page.locator(".sidebar-tree").get_by_role("link", name="The widget").click()
    expect(page.get_by_role("heading", name="The widget", exact=True)).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    link = page.locator(".sidebar-tree").get_by_role("link", name="Deployment")
    expect(link).to_be_hidden()
    page.get_by_role("checkbox", name="Toggle site navigation sidebar").focus()
    page.keyboard.press("Space")
    expect(link).to_be_in_viewport()


def test_pictures_are_shown(page: Page, site: str) -> None:
    """Every picture of the pages is there, and fits into a phone."""
    page.set_viewport_size({"width": 390, "height": 844})
    seen = 0
    for name, file in FILES.items():
        if "](" not in Path(ROOT / file).read_text() or "images/" not in (ROOT / file).read_text():
            continue
        page.goto(f"{site}/{name}.html")
        pictures = page.locator("article img")
        for picture in pictures.all():
            assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
            assert picture.evaluate("(image) => image.getBoundingClientRect().width") <= 390
            seen += 1
    assert seen
