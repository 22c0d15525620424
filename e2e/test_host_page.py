"""The widget and the page around it leave each other alone."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Page, expect

from e2e.conftest import NewContext
from e2e.support import KEY, ServedWorld, Widget

HOSTILE: Final = """
  html { font-size: 40px !important; letter-spacing: 1em; line-height: 4; text-align: center }
  body { transform: rotate(3deg) scale(.5); filter: invert(1); perspective: 1px; overflow: hidden }
  body * {
    all: unset !important; display: none !important; visibility: hidden !important;
    font: 40px fantasy !important; color: red !important; opacity: .1 !important;
    transform: scale(3) !important; z-index: -1 !important; margin: 99px !important;
    pointer-events: none !important; user-select: none !important;
    animation: spin 1s infinite !important; transition: all 9s !important;
    clip-path: circle(1px) !important; color-scheme: only dark !important;
    --primary: red !important; --on-accent: red !important;
  }
  body *::before, body *::after, body *::backdrop {
    content: "!" !important; position: fixed !important; inset: 0 !important;
    display: block !important; background: red !important; z-index: 9 !important;
  }
  div { display: block !important; transform: scale(3) !important; margin: 99px !important }
  button, textarea, p, h2, section { font: 40px fantasy !important; border: 9px solid !important }
  .launcher, .line, .log, .who, .root { display: none !important }
  @keyframes spin { to { rotate: 1turn } }
"""
"""What no page should have, and some do."""
IN_FRONT: Final = """() => {
  const div = document.createElement("div");
  div.style = "position: fixed; inset: 0; z-index: 2147483647; background: #fff";
  document.body.append(div);
}"""
_SEEN: Final = """() => {
  const root = document.querySelector("kataven-widget").shadowRoot;
  return [...root.querySelectorAll("*")].filter((node) => node.checkVisibility()).map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    const { color, backgroundColor, font, opacity, borderTop } = getComputedStyle(node);
    return [node.localName, x, y, width, height, color, backgroundColor, font, opacity, borderTop];
  });
}"""
"""Where every part of the widget is, and how it looks."""
_WATCH: Final = """addEventListener("DOMContentLoaded", () => {
  window.shifts = [];
  const note = (list) => shifts.push(...list.getEntries().map(({ value }) => value));
  new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
});"""
_SIZE: Final = """() => {
  const { scrollWidth, scrollHeight } = document.documentElement;
  const { width, height } = document.body.getBoundingClientRect();
  return [scrollWidth, scrollHeight, width, height, document.querySelector("h1").offsetTop];
}"""


def seen(page: Page) -> Any:
    """Return what a visitor sees of the widget."""
    return page.evaluate(_SEEN)


def test_hostile_css_changes_nothing(page: Page, world: ServedWorld) -> None:
    """Whatever the page's style sheet does to everything, the widget looks as it always did."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    closed = seen(page)
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    talking, picture = seen(page), widget.panel.screenshot(caret="hide")
    page.add_style_tag(content=HOSTILE)
    assert seen(page) == talking
    assert widget.panel.screenshot(caret="hide") == picture
    widget.close.click()
    assert seen(page) == closed
    widget.launcher.click()
    expect(widget.say("And now?")).to_contain_text("Hello guest")


def test_it_is_in_front(page: Page, world: ServedWorld) -> None:
    """What a page puts over everything else, early or late, is not over the widget."""
    page.goto(world.host.blank())
    page.evaluate(IN_FRONT)
    page.add_script_tag(url=f"{world.api_url}/widget/v1.js")
    options = {"publicKey": KEY, "connectUrl": world.connect_url}
    page.evaluate("options => { Kataven.init(options) }", options)
    widget = Widget(page).is_("ready", "guest")
    page.evaluate(IN_FRONT)
    widget.launcher.click()
    page.evaluate(IN_FRONT)
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    widget.close.click()
    expect(widget.panel).to_be_hidden()


def test_the_page_stays_where_it_is(new_context: NewContext, world: ServedWorld) -> None:
    """Nothing of the page moves, and it doesn't grow, while the widget comes, opens and goes."""
    page = new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(_WATCH)
    page.goto(world.host.blank())
    alone = page.evaluate(_SIZE)
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    assert page.evaluate(_SIZE) == alone
    page.evaluate("widget.open()")
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    assert page.evaluate(_SIZE) == alone
    page.evaluate("widget.shutdown()")
    expect(widget.host).to_have_count(0)
    assert page.evaluate(_SIZE) == alone
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("shifts") == []


def test_a_shift_would_be_noticed(page: Page, world: ServedWorld) -> None:
    """The test above does hear of a shift where there is one."""
    page.add_init_script(_WATCH)
    page.goto(world.host.blank())
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    page.evaluate("document.body.prepend(document.createElement('hr'))")
    page.wait_for_function("shifts.length > 0")


def test_its_keys_are_its_own(page: Page, world: ServedWorld) -> None:
    """What a visitor types doesn't set off the page's own shortcuts."""
    page.goto(world.host.init())
    page.evaluate("""() => {
      window.heard = [];
      for (const type of ["keydown", "keypress", "keyup"]) {
        addEventListener(type, (event) => heard.push(event.key));
      }
    }""")
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    page.keyboard.type("j/k?")
    expect(widget.input).to_have_value("j/k?")
    assert page.evaluate("heard") == []
