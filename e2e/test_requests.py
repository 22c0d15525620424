"""What the widget asks for, counted where it arrives: no page pays for more than it uses."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.conftest import Complaints, NewContext, RequestCounts
from e2e.support import EDITED_KEY, ClockedWorld, ServedWorld, Widget, wait_until


class Asked:
    """What browsers asked of the API since the last look, in order.

    Args:
        world: The world that notes it.
    """

    def __init__(self, world: ClockedWorld) -> None:
        self._seen = world.recorder.seen

    def by(self, page: Page) -> list[str]:
        """Return it, once a page is done with asking; preflights stand out."""
        page.wait_for_load_state("networkidle")
        paths = [
            (one.method, one.path.rpartition("/")[2])
            for one in self._seen
            if one.path.startswith("/api/") and not one.path.endswith("user-token")
        ]
        self._seen.clear()
        return [f"{method} {name}" if method == "OPTIONS" else name for method, name in paths]


@pytest.fixture
def asked(clocked: ClockedWorld) -> Asked:
    """Return what browsers ask of the clocked world."""
    return Asked(clocked)


def test_one_round_trip_and_then_none(
    page: Page, clocked: ClockedWorld, asked: Asked, request_counts: RequestCounts
) -> None:
    """The first page asks for two things at once, without a preflight, and the next for none."""
    page.goto(clocked.host.init())
    session_id = Widget(page).is_("ready", "guest").session_id
    first = asked.by(page)
    assert sorted(first) == ["config", "guest"]
    page.goto(clocked.host.init("www.acme.localhost"))
    widget = Widget(page).is_("ready", "guest")
    assert widget.session_id == session_id
    expect(widget.launcher).to_have_accessible_name("Talk to Acme")
    following = asked.by(page)
    assert not following
    request_counts("first page", len(first))
    request_counts("next page", len(following))


def test_neither_waits_for_the_other(page: Page, world: ServedWorld) -> None:
    """The guest is asked for before the config is there."""
    held: list[Route] = []
    page.route("**/widget/config?*", lambda route: held.append(route))  # noqa: PLW0108
    with page.expect_response("**/auth/guest"):
        page.goto(world.host.init())
    assert held
    widget = Widget(page).is_("loading")
    expect(widget.launcher).to_be_hidden()  # its looks aren't known
    held[0].continue_()
    widget.is_("ready", "guest")
    expect(widget.launcher).to_have_accessible_name("Talk to Acme")


def test_a_users_next_page(page: Page, clocked: ClockedWorld, asked: Asked) -> None:
    """A user's session goes on in the next page without a word to the API."""
    page.goto(clocked.host.init(mint="ada"))
    Widget(page).is_("ready", "user")
    assert sorted(asked.by(page)) == ["config", "exchange"]
    page.reload()
    Widget(page).is_("ready", "user")
    assert not asked.by(page)


def test_nothing_is_minted_before_the_visitor_opens(
    page: Page, clocked: ClockedWorld, asked: Asked, request_counts: RequestCounts
) -> None:
    """With `mint: "open"` a page that is only read costs the config alone."""
    page.goto(clocked.host.lazy())
    widget = Widget(page).is_("ready")
    expect(widget.launcher).to_have_accessible_name("Talk to Acme")
    assert widget.host.get_attribute("data-visitor") is None
    closed = asked.by(page)
    assert closed == ["config"]
    page.reload()
    widget.is_("ready")
    assert not asked.by(page)
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest ")
    assert sorted(asked.by(page)) == ["config", "guest"], "what is read then is what holds"
    page.reload()
    widget.is_("ready", "guest")
    assert not asked.by(page)
    request_counts("mint: open", len(closed))


@pytest.mark.parametrize("call", ["widget.getToken()", "widget.identify(null)"])
def test_a_page_that_asks_mints(page: Page, clocked: ClockedWorld, asked: Asked, call: str) -> None:
    """A page that wants a token, or says who is here, needs no visitor to open anything."""
    page.goto(clocked.host.lazy())
    widget = Widget(page).is_("ready")
    page.evaluate(call)
    widget.is_("ready", "guest")
    assert asked.by(page).count("guest") == 1


def test_an_agent_for_users_costs_no_refusal(
    page: Page, clocked: ClockedWorld, asked: Asked
) -> None:
    """Where the config says that the agent takes no guests, none is asked for."""
    page.goto(clocked.host.lazy(agentId="account"))
    widget = Widget(page).is_("ready")
    widget.launcher.click()
    widget.is_("refused", code="auth_mode_forbidden")
    expect(widget.status).to_contain_text("Please sign in")
    assert set(asked.by(page)) == {"config"}


def test_a_visitor_who_comes_back(
    new_context: NewContext, clocked: ClockedWorld, asked: Asked, request_counts: RequestCounts
) -> None:
    """With `persist` a session outlives the browser, and costs one request at most."""
    context = new_context()
    page = context.new_page()
    page.goto(clocked.host.init(persist=True))
    session_id = Widget(page).is_("ready", "guest").session_id
    assert len(asked.by(page)) == 2
    tab = context.new_page()
    tab.goto(clocked.host.init(persist=True))
    assert Widget(tab).is_("ready", "guest").session_id == session_id
    assert not asked.by(tab)

    later = restarted(new_context, context, hours=1 / 3)
    clocked.clock.move(20 * 60)
    later.goto(clocked.host.init(persist=True))
    assert Widget(later).is_("ready", "guest").session_id == session_id
    returning = asked.by(later)
    assert returning == ["refresh"]
    with later.expect_response("**/widget/config?*"):
        Widget(later).launcher.click()
    assert asked.by(later) == ["config"], "what the visitor reads is what holds now"
    assert not context.cookies()
    request_counts("returning with persist", len(returning))

    tomorrow = restarted(new_context, later.context, hours=25)
    tomorrow.goto(clocked.host.init(persist=True))
    assert Widget(tomorrow).is_("ready", "guest").session_id != session_id
    assert asked.by(tomorrow) == ["guest"]


def test_looks_that_nobody_opens(
    new_context: NewContext, clocked: ClockedWorld, asked: Asked
) -> None:
    """With `persist` and `mint: "open"` an edit's looks arrive a day later at the latest."""
    context = new_context()
    for hours, expected in [(0, ["config"]), (23, []), (25, ["config"]), (47, [])]:
        page = restarted(new_context, context, hours)
        page.goto(clocked.host.lazy(persist=True))
        Widget(page).is_("ready")
        assert asked.by(page) == expected
        context = page.context


def restarted(new_context: NewContext, context: BrowserContext, hours: float) -> Page:
    """Open a page of the same browser after a restart, some time later."""
    later = new_context(storage_state=context.storage_state())
    page = later.new_page()
    now = page.evaluate("Date.now()") / 1000
    page.clock.install(time=now + hours * 3600)
    return page


def test_shutdown_forgets_what_persisted(page: Page, world: ServedWorld) -> None:
    """`shutdown` leaves nothing in the browser's memory."""
    page.goto(world.host.init(persist=True))
    Widget(page).is_("ready", "guest")
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [1, 0]
    page.evaluate("window.widget.shutdown()")
    assert page.evaluate("localStorage.length") == 0


def test_an_edit_arrives_with_the_renewal(page: Page, own_world: ServedWorld) -> None:
    """The agent's new name is there a token's life after the edit at the latest."""
    page.goto(own_world.host.init(publicKey=EDITED_KEY))
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    heading = widget.panel.get_by_role("heading")
    expect(heading).to_have_text("Acme Support")
    agents = own_world.process.document["tenants"]["acme"]["agents"]
    agents["support"]["display_name"] = "Acme Helpdesk"
    own_world.process.write()
    wait_until(lambda: "is in force" in own_world.process.log, "the edit is in force")
    widget.renew()
    expect(heading).to_have_text("Acme Helpdesk")


def test_a_network_that_the_policy_cuts(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A page whose CSP keeps the API out is told which CSP it needs."""
    complaints.expect_words("Content Security Policy")
    complaints.expect_words("CSP: connect-src")
    complaints.expect_words("Kataven: network_error")
    page.goto(world.host.blank())
    page.evaluate(
        """document.head.append(Object.assign(document.createElement("meta"),
          { httpEquiv: "Content-Security-Policy", content: "connect-src 'self'" }))"""
    )
    page.add_script_tag(url=f"{world.api_url}/widget/v1.js")
    options = {"publicKey": EDITED_KEY, "connectUrl": world.connect_url}
    page.evaluate("options => { Kataven.init(options) }", options)
    Widget(page).is_("offline", code="network_error")
    connect = world.connect_url.removesuffix("/connect")
    needed = f"script-src {world.api_url}; connect-src {world.api_url} {connect}."
    assert complaints.heard("Kataven: network_error", needed)
