"""The handshake inspector beside the demo's shop: what it shows is what really happened."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from e2e.conftest import Complaints
from e2e.support import Widget
from kataven_flask.demo.run import SECRET_KEY

AUTH: Final = "/api/v1/widget/auth"
UNREACHABLE: Final = "be reached. Are they still running?"
MOST_STOPS: Final = 80
"""More presses of Tab than the shop and its inspector need."""


@pytest.fixture
def user(guest: Page) -> Page:
    """Return the shop's page with a customer signed in."""
    guest.get_by_role("button", name="Do it now").click()
    guest.get_by_role("button", name="Ada Lovelace").click()
    Widget(guest).is_("ready", "user")
    return guest


def lines(page: Page) -> Locator:
    """Return the requests, as the list has them."""
    return page.locator("#request-list .line code")


def attack(page: Page, name: str) -> Locator:
    """Make one of the attacks; return its card once it's over."""
    button = page.get_by_role("button", name=name)
    button.click()
    card = page.locator("[data-trial]", has=button)
    expect(card).to_have_attribute("data-state", re.compile("held|failed|off"))
    return card


# --- the requests


def test_a_guests_requests_stand_in_order(guest: Page) -> None:
    """The page, the widget, and how a guest begins; each with its parties and its answer."""
    said = lines(guest)
    expect(said).to_have_count(4)
    first, second, *together = said.all_inner_texts()
    assert (first, second) == ("GET /", "GET /widget/v1.js")
    assert sorted(together) == ["GET /api/v1/widget/config", f"POST {AUTH}/guest"]
    item = guest.locator("#request-list li", has_text=f"POST {AUTH}/guest")
    expect(item).to_contain_text("this page → the sign-in API")
    expect(item).to_contain_text("200")
    expect(item).to_contain_text(re.compile(r"\d ms · no preflight: a simple request"))


def test_signing_in_shows_who_vouches(user: Page) -> None:
    """The page asks the shop, the shop the API, and the widget swaps what it got: in that order."""
    expect(lines(user).last).to_have_text(f"POST {AUTH}/exchange")
    vouching = [text for text in lines(user).all_inner_texts() if "token" in text]
    assert vouching == ["POST /widget-token", f"POST {AUTH}/user-token"]
    item = user.locator("#request-list li", has_text="user-token")
    expect(item).to_contain_text(re.compile("the shop.s backend → the sign-in API"))
    expect(item).to_contain_text("Authorization: Bearer sk_test_…")
    expect(item).to_contain_text("no preflight: no browser")
    expect(lines(user).first).to_have_text("GET /")  # what came before the new page is still there
    expect(user.get_by_role("link", name="Now attack it")).to_be_visible()
    assert_drawn(user)


def assert_drawn(page: Page) -> None:
    """Each request of the list is an arrow of the diagram, with its number and its answer."""
    numbers = page.locator("#request-list .number").all_inner_texts()
    diagram = page.get_by_role("img", name="Who called whom")
    expect(diagram.locator(".answer")).to_have_count(len(numbers))
    assert sorted(diagram.locator(".ask .number").all_text_contents()) == sorted(numbers)
    expect(diagram.locator(".ask.backend")).to_contain_text("POST /user-token")


def test_a_message_needs_a_preflight(guest: Page) -> None:
    """A message carries the token in a header, so the browser asks first, and the list says so."""
    widget = Widget(guest)
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    item = guest.locator("#request-list li", has_text="POST /connect")
    expect(item).to_contain_text("this page → the agent")
    expect(item).to_contain_text("preflight: the browser asks first (OPTIONS)")


def test_the_secret_key_never_reaches_the_browser(user: Page, complaints: Complaints) -> None:
    """Nothing that the browser gets has it, its backend's report included; nor is any host far."""
    complaints.expect(400)
    answers: list[Response] = []
    user.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - marked by it
    user.reload()
    Widget(user).is_("ready", "user")
    attack(user, "Spend it twice")
    texts = [
        answer.text() + str(answer.all_headers()) for answer in answers if answer.status // 100 != 3
    ]
    assert all((urlsplit(answer.url).hostname or "").endswith("localhost") for answer in answers)
    assert any("sk_test_" in text for text in texts)  # the mask is there to be seen
    assert not [text for text in texts if SECRET_KEY.rpartition("_")[2] in text]


# --- the tokens


def test_every_claim_is_explained(user: Page) -> None:
    """No claim of the visitor's and the session token stands there without a sentence."""
    expect(user.locator("#session-token")).to_be_visible()
    user.locator("#visitor-token summary").click()
    for kind in ("session", "visitor"):
        rows = user.locator(f"#{kind}-token .claims div")
        claims = rows.locator("dt").all_inner_texts()
        assert {"iss", "sub", "aud", "exp", "jti"} <= set(claims)
        assert all(rows.locator(".meaning").all_inner_texts()), claims
    expect(user.locator("#refresh-token")).to_contain_text("It can be read")


def test_the_time_to_expiry_counts_down(user: Page) -> None:
    """Each token says how long it lasts, less every second; a spent one, that it is spent."""
    expect(user.locator("#visitor-token .left")).to_have_text("spent")
    left = [user.locator(f"#{kind}-token .left") for kind in ("session", "refresh")]
    for one in left:
        expect(one).to_have_text(re.compile(r"ends in [\d:]+"))
    before = [one.inner_text() for one in left]
    for one, text in zip(left, before, strict=True):
        expect(one).not_to_have_text(text)


# --- the attacks


ATTACKS: Final = {
    "Spend it twice": ["200", "400 used_token"],
    "Replay it": ["200", "400 reused_refresh_token", "400 revoked_session", "a new session"],
    "Call from there": ["403 origin_not_allowed"],
    "Carry it over": ["403 origin_not_allowed"],
    "Forge it": ["200", "401 invalid_token"],
}
"""Each attack's button, and what has to come of it."""


def test_every_attack_fails_as_announced(
    user: Page, complaints: Complaints, caplog: pytest.LogCaptureFixture
) -> None:
    """What was expected is what came; the requests are in the list, and the visitor goes on."""
    for status in (400, 401, 403):
        complaints.expect(status)
    for button, came in ATTACKS.items():
        user.get_by_role("button", name="Clear").click()
        card = attack(user, button)
        expect(card).to_have_attribute("data-state", "held")
        assert card.locator(".came code").all_inner_texts() == came
        refused = user.locator("#request-list .refused .status").all_inner_texts()
        assert refused == [text for text in came if text.startswith("4")]
        assert "Refused." not in user.locator("#request-list .why").all_inner_texts()  # but why
        tags = user.locator("#request-list .tag")
        expect(tags.first).to_have_text("to compare" if button == "Forge it" else "your attack")
        expect(tags.last).to_have_text("your attack")
        expect(card.locator(".seen-as")).to_have_text(re.compile(r"See requests? \d+"))
        Widget(user).is_("ready", "user")
    frame = user.locator("iframe").first  # is as tall as what it says
    tall = frame.content_frame.locator("body").evaluate("node => node.offsetHeight")
    expect(frame).to_have_js_property("clientHeight", tall)
    assert "token_replayed" in caplog.text  # what is logged is heard
    assert "eyJ" not in caplog.text, "a token was logged"


def test_attacks_made_at_once_take_turns(user: Page, complaints: Complaints) -> None:
    """Whoever clicks every button at once sees each attack for itself, and the widget go on."""
    for status in (400, 401, 403):
        complaints.expect(status)
    user.evaluate("for (const one of document.querySelectorAll('[data-trial] button')) one.click()")
    user.get_by_role("button", name="Another color").click()
    expect(user.locator("[data-trial][data-state=held]")).to_have_count(len(ATTACKS))
    expect(user.locator("#file-note")).to_contain_text("In force")
    Widget(user).is_("ready", "user")


def test_a_guest_has_no_visitor_token_to_spend(guest: Page, complaints: Complaints) -> None:
    """Who isn't signed in is told to, and nothing is sent to the API."""
    complaints.expect(401)
    card = attack(guest, "Spend it twice")
    expect(card).to_contain_text("Sign in to the shop first")
    expect(card).to_have_attribute("data-state", "off")


def test_an_attack_by_keyboard(guest: Page, complaints: Complaints) -> None:
    """Tab reaches every attack, Enter makes it, and the focus stays where it was."""
    complaints.expect(403)
    button = guest.get_by_role("button", name="Call from there")
    for _ in range(MOST_STOPS):
        guest.keyboard.press("Tab")
        if button.evaluate("node => node === document.activeElement"):
            break
    guest.keyboard.press("Enter")
    expect(guest.locator("[data-trial=stranger]")).to_have_attribute("data-state", "held")
    expect(button).to_be_focused()


# --- the file


def test_the_page_follows_an_edit_of_the_file(guest: Page) -> None:
    """Another color and another label: the diff is shown, and the widget wears them."""
    launcher = Widget(guest).launcher
    before = launcher.evaluate("node => getComputedStyle(node).backgroundColor")
    guest.get_by_role("button", name="Another color").click()
    expect(guest.locator("#diff .added")).to_contain_text("primary_color")
    expect(guest.locator("#file-note")).to_contain_text("without a restart")
    expect(launcher).not_to_have_css("background-color", before)
    guest.get_by_role("button", name="Another label").click()
    expect(guest.locator("#diff .added")).to_have_text(re.compile("launcher_label: Coffee"))
    expect(launcher).to_contain_text("Coffee? Ask away")


def test_a_key_that_is_switched_off_and_on(guest: Page, complaints: Complaints) -> None:
    """Its sessions can't be renewed; switched on, the widget begins anew."""
    complaints.expect(403, "client_key_disabled")
    guest.get_by_role("button", name="Switch the key off").click()
    Widget(guest).is_("refused", code="client_key_disabled")
    expect(guest.locator("#live-note")).to_contain_text("client_key_disabled")
    guest.reload()
    Widget(guest).is_("refused", code="client_key_disabled")
    expect(guest.locator("#live-expiry")).to_have_text("none")
    expect(guest.locator("#live-bar")).to_have_css("width", "0px")
    expect(attack(guest, "Call from there")).to_contain_text("The key is switched off")
    guest.get_by_role("button", name="Switch the key on").click()
    Widget(guest).is_("ready", "guest")
    expect(guest.get_by_role("button", name="Switch the key off")).to_be_visible()


# --- the page


def test_while_nothing_can_be_reached(guest: Page, complaints: Complaints) -> None:
    """Without a connection each button says so; with it, all goes on."""
    complaints.expect(0)
    complaints.expect(403)
    guest.context.set_offline(True)
    for button in ("Spend it twice", "Call from there"):
        card = attack(guest, button)
        expect(card).to_have_attribute("data-state", "off")
        expect(card).to_contain_text(UNREACHABLE)
    guest.get_by_role("button", name="Another label").click()
    expect(guest.locator("#file-note")).to_contain_text(UNREACHABLE)
    color = guest.locator(".refused .status").first.evaluate("node => getComputedStyle(node).color")
    expect(guest.locator("#file-note")).to_have_css("color", color)
    guest.context.set_offline(False)
    expect(attack(guest, "Call from there")).to_have_attribute("data-state", "held")


def test_the_parts_are_reached_by_their_links(guest: Page) -> None:
    """A link shows its part of the inspector, and leaves the shop where it is."""
    for name, part in (("Attacks", "attacks"), ("The file", "file"), ("Requests", "requests")):
        guest.get_by_role("link", name=name, exact=True).click()
        expect(guest.locator(f"#{part} h3")).to_be_in_viewport()
        assert guest.evaluate("scrollY") == 0


def test_on_paper(user: Page) -> None:
    """Printed, the inspector stands alone, with all that was tried, and nothing is out of sight."""
    expect(lines(user).last).to_have_text(f"POST {AUTH}/exchange")
    user.emulate_media(media="print")
    expect(user.locator(".store")).to_be_hidden()
    for part in ("#renew", "#attacks", "#file"):
        expect(user.locator(part)).to_be_hidden()
    for box in user.locator(".scroll").all():
        assert box.evaluate("node => node.scrollHeight <= node.clientHeight + 1")
    parts = [part.bounding_box() for part in user.locator(".inspector > section").all()]
    edges = [edge for box in parts if box for edge in (box["y"], box["y"] + box["height"])]
    assert edges == sorted(edges)
