"""Several tabs are one visitor; and a tab outlives sleep, tunnels and clocks that are wrong."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.conftest import Complaints
from e2e.support import ClockedWorld, ServedWorld, Widget, wait_until

RENEWAL_DUE = "09:01"
HOUR = 3600.0


def shown(page: Page) -> None:
    """Tell the page that somebody looks at it, as a browser does after a sleep."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_five_tabs_renew_once(context: BrowserContext, clocked: ClockedWorld) -> None:
    """With `persist` all tabs have one session, and one of them renews it for all."""
    context.clock.install()
    tabs = [context.new_page() for _ in range(5)]
    for tab in tabs:
        tab.goto(clocked.host.init(persist=True))
        Widget(tab).is_("ready", "guest")
    assert len({Widget(tab).session_id for tab in tabs}) == 1
    old = Widget(tabs[0]).token()
    context.clock.fast_forward(RENEWAL_DUE)
    wait_until(lambda: old not in {Widget(tab).token() for tab in tabs}, "all have the new token")
    assert len({Widget(tab).token() for tab in tabs}) == 1
    assert [one.status for one in clocked.recorder.of("refresh")] == [200]


def test_a_sign_in_reaches_every_tab(context: BrowserContext, world: ServedWorld) -> None:
    """With `persist` who signs in, or out, in one tab has done so in the others."""
    first, second = (context.new_page() for _ in range(2))
    for page in (first, second):
        page.goto(world.host.init(persist=True))
        Widget(page).is_("ready", "guest")
    first.evaluate("token => widget.identify(token)", world.api.visitor_token("ada"))
    for page in (first, second):
        Widget(page).is_("ready", "user")
    assert Widget(first).session_id == Widget(second).session_id
    first.evaluate("widget.identify(null)")
    for page in (first, second):
        Widget(page).is_("ready", "guest")
    expect(Widget(second).host).to_have_attribute("data-session-id", Widget(first).session_id)


def test_offline_and_back(
    context: BrowserContext, page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """The session goes on as soon as the browser is online again, not when a pause is over."""
    complaints.expect(0, "network_error")
    page.clock.install()
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    context.set_offline(True)
    page.evaluate("Math.random = () => 0.99")
    for _ in range(6):
        with page.expect_event("requestfailed"):
            page.clock.fast_forward("10:01")
    widget.is_("offline", code="network_error")
    context.set_offline(False)
    assert widget.is_("ready", "guest").session_id == session_id


def test_a_sleep_that_no_timer_counts(page: Page, clocked: ClockedWorld) -> None:
    """Not a timer ran while the lid was shut: the session is renewed when somebody looks."""
    page.clock.install()
    page.goto(clocked.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    clocked.clock.move(3 * HOUR)
    page.clock.set_fixed_time(time.time() + 3 * HOUR)
    with page.expect_response("**/auth/refresh") as answer:
        shown(page)
    assert answer.value.json()["session_id"] == session_id


def test_a_clock_that_is_set_back(page: Page, clocked: ClockedWorld) -> None:
    """A visitor's clock that jumps to yesterday doesn't put the renewal off by a day."""
    page.clock.install()
    page.goto(clocked.host.init())
    Widget(page).is_("ready", "guest")
    page.clock.set_fixed_time(time.time() - 24 * HOUR)
    with page.expect_response("**/auth/refresh") as answer:
        shown(page)
    assert answer.value.status == 200
    shown(page)
    page.evaluate("widget.getToken()")
    assert len(clocked.recorder.of("refresh")) == 1


def test_a_slow_network(page: Page, world: ServedWorld) -> None:
    """While the guest's session is on its way there is a launcher, and no word of an error."""
    held: list[Route] = []
    page.route("**/auth/guest", lambda route: held.append(route))  # noqa: PLW0108
    page.goto(world.host.init())
    widget = Widget(page).is_("loading")
    expect(widget.launcher).to_have_accessible_name("Talk to Acme")
    widget.launcher.click()
    expect(widget.status).to_be_empty()
    expect(widget.input).to_be_disabled()
    held[0].continue_()
    widget.is_("ready", "guest")
    expect(widget.say("Who am I?")).to_contain_text("Hello guest ")


@pytest.mark.parametrize("persist", [False, True])
def test_storage_that_is_blocked_or_full(
    page: Page, world: ServedWorld, *, persist: bool
) -> None:
    """What can't be kept lasts as long as the page."""
    page.add_init_script(
        """const full = () => { throw new DOMException("full", "QuotaExceededError"); };
        Storage.prototype.setItem = full;
        for (const name of ["localStorage", "sessionStorage"]) {
          const area = new Proxy(window[name], { set: full });
          Object.defineProperty(window, name, { get: () => area });
        }"""
        if persist
        else """for (const name of ["localStorage", "sessionStorage"]) {
          Object.defineProperty(window, name, {
            get() { throw new DOMException("blocked", "SecurityError"); } });
        }"""
    )
    page.goto(world.host.init(persist=persist))
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    widget.renew()
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest ")
    assert widget.session_id == session_id


def test_out_of_the_page_cache(page: Page, world: ServedWorld) -> None:
    """A page that comes back out of the browser's cache asks who is here by now."""
    page.goto(world.host.init(userToken=[world.api.visitor_token("ada")]))
    widget = Widget(page).is_("ready", "user")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    widget.is_("ready", "guest")
