"""The widget runs under a strict Content-Security-Policy, and breaks none of it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import ServedWorld, Widget


def test_the_shops_policy_is_strict(page: Page, world: ServedWorld) -> None:
    """The policy that the rest of this file relies on has no hole in it."""
    answer = page.goto(world.shop)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


def test_everything_works_under_it(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Guest, a conversation, a renewal, a user: no violation is reported."""
    page.goto(world.shop)
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    widget.is_("ready", "user")
    with page.expect_response("**/auth/refresh"):
        page.get_by_role("button", name="Renew now").click()
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada")
    assert not complaints.heard("CSP: ")


def test_the_widget_is_styled_under_it(page: Page, world: ServedWorld) -> None:
    """The brand's color arrives, without a style element or attribute that a policy forbids."""
    page.goto(world.shop)
    launcher = Widget(page).is_("ready", "guest").launcher
    expect(launcher).to_have_css("background-color", "rgb(15, 92, 77)")
    expect(launcher).to_have_css("color", "rgb(255, 255, 255)")


def test_a_violation_would_be_noticed(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """These tests do hear of a violation where there is one."""
    complaints.expect_words("violates the following Content Security Policy")
    complaints.expect_words("CSP: img-src kept out")
    page.goto(world.shop)
    Widget(page).is_("ready")
    with page.expect_event("console", lambda message: message.text.startswith("CSP: ")):
        page.evaluate("new Image().src = 'http://elsewhere.localhost/picture.png'")
