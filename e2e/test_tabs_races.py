"""Two tabs with one visitor: whatever comes late in one of them undoes nothing in the other."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Page, Route, expect

from e2e.conftest import Complaints
from e2e.support import KEY, ServedWorld, Widget, wait_until

SECRET_LINE = "My card ends in 1234"
LOCK_FOR_EVER = "name => { navigator.locks.request(name, () => new Promise(() => {})) }"
SHORT_WAIT_FOR_THE_LOCK = """() => {
  const { timeout } = AbortSignal; // asked for the lock first, and for the request then
  AbortSignal.timeout = (ms) => {
    AbortSignal.timeout = timeout;
    return timeout.call(AbortSignal, ms / 50);
  };
}"""


class Late:
    """A request that is long on its way to the server, or its answer on the way back.

    Args:
        page: The tab that asks.
        url: What it asks.
        answered: Whether the server has done its part already.
    """

    def __init__(self, page: Page, url: str, *, answered: bool) -> None:
        self._page = page
        self._held: list[tuple[Route, APIResponse | None]] = []
        page.route(url, lambda route: self._hold(route, answered=answered))

    def wait(self) -> None:
        """Wait until it is under way."""
        wait_until(lambda: bool(self._page.evaluate("1") and self._held), "it is under way")

    def arrive(self) -> None:
        """Let it come."""
        route, answer = self._held[0]
        if answer:
            route.fulfill(response=answer)
        else:
            route.continue_()

    def _hold(self, route: Route, *, answered: bool) -> None:
        if self._held:
            route.continue_()
        else:
            self._held.append((route, route.fetch() if answered else None))


def two_tabs(context: BrowserContext, url: str) -> tuple[Widget, Widget]:
    """Open two tabs, one after the other."""
    return opened(context, url), opened(context, url)


def opened(context: BrowserContext, url: str) -> Widget:
    """Open a tab, and the panel in it."""
    page = context.new_page()
    page.goto(url)
    page.evaluate("widget.open()")
    return Widget(page).is_("ready")


@pytest.mark.parametrize(
    "case",
    [("ada", "mina", True), ("ada", "mina", False), ("ada", None, True), (None, "mina", True)],
    ids=str,
)
def test_a_late_renewal(
    context: BrowserContext,
    world: ServedWorld,
    complaints: Complaints,
    case: tuple[str | None, str | None, bool],
) -> None:
    """A renewal of another tab brings nobody back who has left, and undoes no sign-in."""
    before, after, answered = case
    complaints.expect(400, "used_token")  # the other tab's page still names who has left
    tokens = {name: world.api.visitor_token(name) if name else None for name in (before, after)}
    url = world.host.init(persist=True, userToken=tokens[before])
    here, there = two_tabs(context, url)
    renewal = Late(there.page, "**/auth/refresh", answered=answered)
    there.page.evaluate("() => { window.done = widget.renew().catch(() => {}) }")
    renewal.wait()
    here.page.evaluate("token => widget.identify(token)", tokens[after])
    words = f"You're signed in as {after.title()}" if after else "You're chatting as a guest"
    expect(there.who).to_have_text(words)
    renewal.arrive()
    there.page.evaluate("window.done")
    for tab in (there, here):
        expect(tab.who).to_have_text(words)
        said = tab.say("Who am I?")
        expect(said).to_contain_text(f"Hello {after.title() if after else 'guest'}")
    later = opened(context, world.host.init(persist=True, userToken=tokens[after]))
    expect(later.who).to_have_text(words)
    assert len({tab.session_id for tab in (there, here, later)}) == 1


def test_a_slow_sign_in(context: BrowserContext, world: ServedWorld) -> None:
    """Who signs in is signed in in every tab, though one renewed the guest meanwhile."""
    here, there = two_tabs(context, world.host.init(persist=True))
    sign_in = Late(here.page, "**/auth/exchange", answered=False)
    here.page.evaluate(
        "token => { window.done = widget.identify(token) }", world.api.visitor_token("ada")
    )
    sign_in.wait()
    there.page.evaluate("widget.renew()")
    sign_in.arrive()
    here.page.evaluate("window.done")
    for tab in (here, there):
        tab.is_("ready", "user")
    assert here.session_id == there.session_id


def test_a_shutdown_is_for_every_tab(context: BrowserContext, world: ServedWorld) -> None:
    """What a guest wrote is gone with a `shutdown`: from other tabs, and from those to come."""
    url = world.host.init(persist=True)
    here = opened(context, url)
    expect(here.say(SECRET_LINE)).to_contain_text("Hello guest")
    there = opened(context, url)
    session_id = there.session_id
    expect(there.log).to_contain_text(SECRET_LINE)
    here.page.evaluate("widget.shutdown()")
    expect(there.log).not_to_contain_text(SECRET_LINE)
    expect(there.host).not_to_have_attribute("data-session-id", session_id)
    there.is_("ready", "guest")
    assert SECRET_LINE not in there.page.evaluate("JSON.stringify({ ...localStorage })")
    later = opened(context, url)
    assert later.session_id == there.session_id
    expect(later.log).not_to_contain_text(SECRET_LINE)


def test_a_tab_that_never_lets_go(context: BrowserContext, world: ServedWorld) -> None:
    """A tab that stopped while it renewed keeps no other one from renewing."""
    stopped, page = context.new_page(), context.new_page()
    stopped.goto(world.host.blank())
    stopped.evaluate(LOCK_FOR_EVER, f"kataven:{KEY}:")
    page.goto(world.host.init(persist=True))
    session_id = Widget(page).is_("ready", "guest").session_id
    page.evaluate(SHORT_WAIT_FOR_THE_LOCK)
    with page.expect_response("**/auth/refresh") as answer:
        page.evaluate("() => { widget.renew() }")
    assert answer.value.status == 200
    assert Widget(page).is_("ready", "guest").session_id == session_id
