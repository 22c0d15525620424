"""Visitor tokens that are no good: the page can read why, and the visitor isn't stuck."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import (
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    ClockedWorld,
    Read,
    ServedWorld,
    Widget,
    World,
    clocked_world,
    post,
)


def spend(page: Page, world: World, token: str) -> None:
    """Exchange a token from the page, as somebody who was faster."""
    page.goto(world.host.blank())
    assert post(page, world, "exchange", {"token": token, "client_key": KEY}).status == 200


def exchange(page: Page, world: World, token: str) -> Read:
    """Exchange a token from a script of the page."""
    page.goto(world.host.blank())
    return post(page, world, "exchange", {"token": token, "client_key": KEY})


def assert_guest_for_now(widget: Widget, code: str) -> None:
    """The widget runs with a guest, and says that the sign-in failed, and by what code."""
    widget.is_("ready", "guest", code)
    widget.launcher.click()
    expect(widget.status).to_contain_text("We couldn't confirm your sign-in")
    expect(widget.status).to_contain_text(code)
    expect(widget.who).to_have_text("You're chatting as a guest")


def test_spent_token_raw(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """The second exchange of one token is refused, and a page on another origin reads why."""
    complaints.expect(400)
    token = world.api.visitor_token()
    spend(page, world, token)
    answer = exchange(page, world, token)
    assert (answer.status, answer.code) == (400, "used_token")
    assert answer.text.startswith("Missing or expired token")


def test_spent_token_in_the_widget(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A spent token leaves the visitor a guest, who is told."""
    complaints.expect(400, "used_token")
    token = world.api.visitor_token()
    spend(page, world, token)
    page.goto(world.host.init(userToken=token))
    assert_guest_for_now(Widget(page), "used_token")
    assert complaints.heard("Kataven: used_token (400)")


def test_guest_for_now_still_talks(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A failed sign-in costs the name, not the conversation."""
    complaints.expect(400, "used_token")
    token = world.api.visitor_token()
    spend(page, world, token)
    page.goto(world.host.init(userToken=token))
    widget = Widget(page).is_("ready", "guest", "used_token")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")


def test_spent_token_and_then_a_good_one(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A page that gives a function is asked once more, and the visitor is signed in."""
    complaints.expect(400)
    tokens = [world.api.visitor_token(), world.api.visitor_token()]
    spend(page, world, tokens[0])
    page.goto(world.host.init(userToken=tokens))
    widget = Widget(page).is_("ready", "user")
    assert widget.host.get_attribute("data-error-code") is None


def test_expired_token_raw(page: Page, clocked: ClockedWorld, complaints: Complaints) -> None:
    """A token past its five minutes is refused, and a page on another origin reads why."""
    complaints.expect(400)
    token = clocked.api.visitor_token()
    clocked.clock.move(301)
    answer = exchange(page, clocked, token)
    assert (answer.status, answer.code) == (400, "expired_token")
    assert answer.text.startswith("Missing or expired token")


def test_expired_token_in_the_widget(
    page: Page, clocked: ClockedWorld, complaints: Complaints
) -> None:
    """An expired token leaves the visitor a guest, who is told."""
    complaints.expect(400, "expired_token")
    token = clocked.api.visitor_token()
    clocked.clock.move(301)
    page.goto(clocked.host.init(userToken=token))
    assert_guest_for_now(Widget(page), "expired_token")


def test_token_of_another_server_raw(
    page: Page, world: ServedWorld, complaints: Complaints, tmp_path: Path
) -> None:
    """A token that another installation signed is refused, whatever it says."""
    complaints.expect(400)
    with clocked_world(tmp_path) as foreign:
        token = foreign.api.visitor_token()
    answer = exchange(page, world, token)
    assert (answer.status, answer.code) == (400, "invalid_token")
    assert answer.text.startswith("Missing or expired token")


def test_token_of_another_server_in_the_widget(
    page: Page, world: ServedWorld, complaints: Complaints, tmp_path: Path
) -> None:
    """A token that another installation signed leaves the visitor a guest, who is told."""
    complaints.expect(400, "invalid_token")
    with clocked_world(tmp_path) as foreign:
        token = foreign.api.visitor_token()
    page.goto(world.host.init(userToken=token))
    assert_guest_for_now(Widget(page), "invalid_token")


def test_token_of_another_tenant_raw(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A token minted for another client key is refused, and a page reads why."""
    complaints.expect(403)
    answer = exchange(page, world, world.api.visitor_token("ada", OTHER_KEY, OTHER_SECRET))
    assert (answer.status, answer.code) == (403, "client_key_mismatch")


def test_token_of_another_tenant_in_the_widget(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A token minted for another client key is the page's mistake: it is shown, with its code."""
    complaints.expect(403, "client_key_mismatch")
    token = world.api.visitor_token("ada", OTHER_KEY, OTHER_SECRET)
    page.goto(world.host.init(userToken=token))
    widget = Widget(page).is_("refused", code="client_key_mismatch")
    widget.launcher.click()
    expect(widget.status).to_contain_text("client_key_mismatch")
    assert widget.host.get_attribute("data-visitor") is None


@pytest.mark.parametrize("token", ["not a token", "a.b.c", "ey" * 2000])
def test_nonsense_raw(page: Page, world: ServedWorld, complaints: Complaints, token: str) -> None:
    """What is no token at all is refused in the same words."""
    complaints.expect(400)
    answer = exchange(page, world, token)
    assert (answer.status, answer.code) == (400, "invalid_token")


def test_a_session_token_is_no_visitor_token(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A session can't be exchanged for another."""
    complaints.expect(400)
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    answer = exchange(page, world, Widget(page).stored()["token"])
    assert (answer.status, answer.code) == (400, "invalid_token")
