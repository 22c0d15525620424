"""The widget looks as its tenant says, and fits wherever it is put."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from e2e.conftest import Complaints, NewContext
from e2e.looks import FACE, LOGO, SCHEMES, contrast, cut, draw, dress
from e2e.support import ServedWorld, Widget

GAP: Final = 20
"""Pixels between the launcher and the window's edges."""
READABLE: Final = 4.5
"""WCAG 2.2, 1.4.3 Contrast (Minimum)."""
LONG: Final = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"
WORDY: Final[dict[str, Any]] = {
    "agent": {"display_name": LONG, "greeting": f"{LONG}! " * 3},
    "launcher_label": LONG,
    "privacy_notice": f"{LONG}. " * 3,
}
"""A tenant whose words are longer than a phone is wide."""


def opened(page: Page) -> Widget:
    """Open the panel by the launcher."""
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.panel).to_be_visible()
    return widget


def box(node: Locator) -> FloatRect:
    """Return where something stands."""
    found = node.bounding_box()
    assert found, f"{node} is not to be seen"
    return found


# --- the brand


@pytest.mark.parametrize("corner", ["br", "bl", "tr", "tl"])
def test_the_corner(page: Page, world: ServedWorld, corner: str) -> None:
    """The launcher stands in its corner, and the panel beside it, however the page is written."""
    page.set_viewport_size({"width": 1280, "height": 800})
    dress(page, launcher_position=corner)
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => { document.dir = direction }", direction)
        assert margins(box(widget.launcher))[corner] == pytest.approx((GAP, GAP), abs=1)
    widget.launcher.click()
    launcher, panel = (margins(box(node))[corner] for node in (widget.launcher, widget.panel))
    assert launcher == pytest.approx((GAP, GAP), abs=1), "the panel doesn't move it"
    assert panel == pytest.approx((GAP, GAP + box(widget.launcher)["height"] + 8), abs=1)


def margins(place: FloatRect) -> dict[str, tuple[float, float]]:
    """Return what lies between a place and each corner of the window, across and down."""
    left, top = place["x"], place["y"]
    right, bottom = 1280 - left - place["width"], 800 - top - place["height"]
    return {"br": (right, bottom), "bl": (left, bottom), "tr": (right, top), "tl": (left, top)}


@pytest.mark.parametrize(
    ("primary", "accent"),
    [
        ("#777777", "#ffff00"),
        ("#767676", "#0000ff"),
        ("#808080", "#ff0000"),
        ("#ffff00", "#e5271f"),
        ("#0000ff", "#fff"),
        ("#000", "#00ff00"),
    ],
)
def test_the_colors(page: Page, world: ServedWorld, primary: str, accent: str) -> None:
    """Words on either of the tenant's colors can be read, whatever the colors are."""
    dress(page, primary_color=primary, accent_color=accent)
    page.goto(world.host.init())
    widget = opened(page)
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    on_primary = [widget.launcher, widget.panel.locator(".head"), widget.send]
    for node in [*on_primary, widget.log.locator(".visitor")]:
        assert contrast(node) >= READABLE, node
    for node, color in [(widget.launcher, primary), (widget.log.locator(".visitor"), accent)]:
        assert node.evaluate("node => getComputedStyle(node).backgroundColor") == rgb(color)


def rgb(color: str) -> str:
    """Return a color of hex digits as a browser has it."""
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return "rgb({}, {}, {})".format(*bytes.fromhex(digits))


def test_the_rest_of_the_brand(page: Page, world: ServedWorld) -> None:
    """Logo, label, privacy notice, and the agent's name, face and greeting are the tenant's."""
    for url in (LOGO, FACE):
        draw(page, url)
    dress(
        page,
        {"avatar_url": FACE, "display_name": "Grace", "greeting": "How do you do?"},
        logo_url=LOGO,
        launcher_label="Ask us",
        privacy_notice="We keep it for a day.",
    )
    page.goto(world.host.init())
    widget = opened(page)
    expect(widget.launcher).to_have_accessible_name("Ask us")
    expect(widget.launcher.locator("img")).to_have_attribute("src", LOGO)
    expect(widget.panel).to_have_accessible_name("Grace")
    expect(widget.panel.get_by_role("heading")).to_have_text("Grace")
    expect(widget.panel.locator(".head img")).to_have_attribute("src", FACE)
    expect(widget.log).to_have_text("How do you do?")
    expect(widget.panel).to_contain_text("We keep it for a day.")
    for image in widget.host.locator("img").all():
        assert image.evaluate("node => node.naturalWidth > 0")
        assert box(image)["width"] == box(image)["height"]


def test_a_logo_that_is_not_there(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """In the place of an image that can't be loaded stands an icon, not a broken image."""
    complaints.expect(0)
    page.route(LOGO, lambda route: route.abort("connectionrefused"))
    dress(page, logo_url=LOGO)
    with page.expect_event("requestfailed"):
        page.goto(world.host.init())
    widget = opened(page)
    expect(widget.host.locator("img")).to_have_count(0)
    expect(widget.launcher.locator("svg")).to_be_visible()
    expect(widget.panel.locator(".head > svg")).to_be_visible()


def test_the_pages_own_words(page: Page, world: ServedWorld) -> None:
    """A page replaces any sentence; the others stay."""
    words = {"close": "Weg damit", "send": "Ab die Post", "no_line": "Keiner da", "guest": "Gast"}
    page.goto(world.host.init(strings=words, connectUrl=None))
    widget = opened(page)
    expect(widget.close).to_have_accessible_name("Weg damit")
    expect(widget.send).to_have_accessible_name("Ab die Post")
    expect(widget.status).to_have_text("Keiner da")
    expect(widget.who).to_have_text("Gast")
    expect(widget.input).to_have_accessible_name("Write a message…")
    expect(widget.input).to_have_attribute("placeholder", "Write a message…")


# --- what the visitor chose


def test_light_and_dark(page: Page, world: ServedWorld) -> None:
    """The panel follows the visitor's choice, whatever the page's own colors are."""
    page.goto(world.host.init())
    widget = opened(page)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert contrast(widget.panel) > 15
        background = widget.panel.evaluate("node => getComputedStyle(node).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_nothing_moves(new_context: NewContext, world: ServedWorld) -> None:
    """For who wants less motion there is none: nothing is animated, faded or scrolled smoothly."""
    page = new_context(reduced_motion="reduce").new_page()
    page.goto(world.host.init())
    widget = opened(page)
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    moving = page.evaluate("""() => {
      const root = document.querySelector("kataven-widget").shadowRoot;
      const styles = [root.host, ...root.querySelectorAll("*")].map((n) => getComputedStyle(n));
      return root.getAnimations().length + styles.filter((style) =>
        style.animationName !== "none" || style.scrollBehavior !== "auto"
        || style.transitionDuration.split(", ").some((time) => time !== "0s")).length;
    }""")
    assert moving == 0


def test_not_on_paper(page: Page, world: ServedWorld) -> None:
    """A page that is printed has no launcher on it."""
    page.goto(world.host.init())
    expect(Widget(page).is_("ready").launcher).to_be_visible()
    page.emulate_media(media="print")
    expect(Widget(page).launcher).to_be_hidden()


# --- where it has to fit


def test_right_to_left(page: Page, world: ServedWorld) -> None:
    """On a page from right to left the panel is mirrored, and each line begins where it should."""
    page.goto(world.host.init())
    page.evaluate("document.dir = 'rtl'")
    widget = opened(page)
    reply = widget.say("مرحبا!")
    expect(reply).to_contain_text("Hello guest")
    heading = widget.panel.get_by_role("heading")
    assert box(widget.close)["x"] < box(heading)["x"]
    assert box(widget.send)["x"] < box(widget.input)["x"]
    said = widget.log.locator(".visitor")
    assert box(said)["x"] < box(reply)["x"]
    assert [ends_right(node) for node in (said, reply)] == [False, True]
    assert cut(page) == []


def ends_right(node: Locator) -> bool:
    """Tell whether a text's last mark is right of the letter before it."""
    return bool(
        node.evaluate("""(node) => {
          const range = document.createRange();
          const at = (offset) => {
            range.setStart(node.firstChild, offset);
            range.setEnd(node.firstChild, offset + 1);
            return range.getBoundingClientRect().x;
          };
          const last = node.textContent.length - 1;
          return at(last) > at(last - 1);
        }""")
    )


@pytest.mark.parametrize(("width", "height"), [(320, 568), (320, 256), (481, 401)])
def test_little_room(page: Page, world: ServedWorld, width: int, height: int) -> None:
    """On the smallest phone, and at 400 % on a laptop, nothing is cut and all can be reached."""
    page.set_viewport_size({"width": width, "height": height})
    dress(page, **WORDY)
    page.goto(world.host.init())
    launcher = box(Widget(page).is_("ready", "guest").launcher)
    assert launcher["x"] >= 0
    assert launcher["x"] + launcher["width"] <= width
    assert cut(page) == []
    widget = opened(page)
    expect(widget.say(LONG * 3)).to_contain_text("Hello guest")
    assert cut(page) == []
    widget.input.hover()
    page.mouse.wheel(0, -2000)
    expect(widget.close).to_be_in_viewport(ratio=0.99)
    widget.input.hover()
    page.mouse.wheel(0, 2000)
    expect(widget.panel.locator("form + p")).to_be_in_viewport(ratio=0.99)
    for node in (widget.log, widget.close, widget.send, widget.input):
        node.click(trial=True)


def test_safe_areas(page: Page, world: ServedWorld) -> None:
    """The launcher and the panel keep clear of a phone's notch, corners and home bar."""
    insets = {"top": 47, "left": 11, "bottom": 34, "right": 13}
    page.set_viewport_size({"width": 390, "height": 844})
    page.context.new_cdp_session(page).send(
        "Emulation.setSafeAreaInsetsOverride", {"insets": insets}
    )
    page.goto(world.host.init())
    launcher = box(Widget(page).is_("ready", "guest").launcher)
    assert launcher["y"] + launcher["height"] == pytest.approx(844 - 34 - GAP, abs=1)
    assert launcher["x"] + launcher["width"] == pytest.approx(390 - 13 - GAP, abs=1)
    panel = box(opened(page).panel)
    assert panel == {"x": 11, "y": 47, "width": 390 - 24, "height": 844 - 81}
