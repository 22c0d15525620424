"""What goes wrong once doesn't stay so: what is kept and is no good, a service that fails."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.conftest import Complaints
from e2e.support import KEY, ServedWorld, Widget, wait_until

NAME = f"kataven:{KEY}:"
READABLE = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
NOW_MS = int(time.time() * 1000)
GOOD = {"sent": NOW_MS, "life": 600_000, "renew": 540_000, "refresh_expires_in": 86_400}
IN_ITS_LAST_MINUTE = """name => {
  const kept = JSON.parse(sessionStorage[name]);
  kept.session.sent -= 545_000; // of the 600 s that a token lasts
  sessionStorage[name] = JSON.stringify(kept);
}"""


@pytest.mark.parametrize(
    "kept",
    [
        5,
        {"lines": None},
        {"lines": 5},
        {"lines": [5]},
        {"config": 5},
        {"config": {}},
        {"config": {"agent": {"id": "support"}, "branding": None}},
        {"session": 5},
        {"session": {**GOOD, "visitor": None}},
    ],
    ids=[
        "number",
        "no lines",
        "lines 5",
        "line 5",
        "config 5",
        "no config",
        "no branding",
        "session 5",
        "no visitor",
    ],
)
def test_what_is_kept_is_no_good(
    page: Page, world: ServedWorld, complaints: Complaints, kept: Any
) -> None:
    """Whatever stands where the widget keeps things, it is well again on the next page."""
    complaints.expect_words("Kataven: widget_error")
    page.goto(world.host.blank())
    page.evaluate("([name, kept]) => { sessionStorage[name] = kept }", [NAME, json.dumps(kept)])
    page.goto(world.host.init())
    expect(Widget(page).host).not_to_have_attribute("data-state", "loading")
    page.reload()
    Widget(page).is_("ready", "guest")


@pytest.mark.parametrize("status", [408, 500])
def test_looks_that_fail(
    page: Page, world: ServedWorld, complaints: Complaints, status: int
) -> None:
    """Where the looks alone can't be had, the visitor reads that it is tried again; and it is."""
    complaints.expect(status, f"http_{status}")
    page.clock.install()
    page.route("**/config?*", lambda route: route.fulfill(status=status, headers=READABLE))
    page.goto(world.host.init())
    widget = Widget(page).is_("offline", code=f"http_{status}")
    widget.launcher.click()
    expect(widget.status).to_contain_text("The chat can't be reached. Trying again…")
    page.unroute("**/config?*")
    page.clock.fast_forward(5000)
    widget.is_("ready", "guest")
    expect(widget.status).to_be_empty()


def test_a_pause_of_less_than_nothing(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A `Retry-After` below zero, as of a proxy with a wrong clock, makes no storm of requests."""
    complaints.expect(429, "http_429")
    asked: list[float] = []

    def refuse(route: Route) -> None:
        asked.append(time.monotonic())
        route.fulfill(status=429, headers={**READABLE, "Retry-After": "-100"})

    page.add_init_script("Math.random = () => 0")
    page.route("**/auth/guest", refuse)
    page.goto(world.host.init())
    Widget(page).is_("offline", code="http_429")
    wait_until(lambda: bool(page.evaluate("1")) and len(asked) > 1, "it is tried again")
    assert asked[1] - asked[0] > 0.9


def test_a_token_in_its_last_minute(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """While a token is good the next page can chat with it, though the service fails."""
    complaints.expect(500, "http_500")
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    token = Widget(page).token()
    page.evaluate(IN_ITS_LAST_MINUTE, NAME)
    for url in ("**/auth/*", "**/config?*"):
        page.route(url, lambda route: route.fulfill(status=500, headers=READABLE))
    page.reload()
    widget = Widget(page).is_("ready", "guest")
    assert widget.token() == token
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
