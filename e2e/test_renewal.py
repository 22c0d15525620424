"""A session outlives its tokens: renewal in time, a lost answer, two tabs, a copied token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.conftest import Complaints, NewContext
from e2e.support import ClockedWorld, ServedWorld, Widget, post, wait_until

RENEWAL_DUE = "09:01"
"""A token of ten minutes is renewed a minute before its end."""
NO_LOCK_AND_NO_NEWS = """
Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
delete window.BroadcastChannel;
"""


def second_tab(page: Page) -> Page:
    """Open the page again from itself: the browser copies the session into the new tab."""
    with page.context.expect_page() as opened:
        page.evaluate("window.open(location.href)")
    return opened.value


def test_renewed_before_it_expires(page: Page, world: ServedWorld) -> None:
    """Nobody does anything: a minute before its end the token is exchanged for a new one."""
    page.clock.install()
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id, token = widget.session_id, widget.token()
    with page.expect_response("**/auth/refresh") as answer:
        page.clock.fast_forward(RENEWAL_DUE)
    assert answer.value.status == 200
    expect(widget.host).to_have_attribute("data-session-id", session_id)
    assert widget.token() != token


def test_renewed_again_and_again(page: Page, world: ServedWorld) -> None:
    """One renewal schedules the next."""
    page.clock.install()
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    for _ in range(3):
        with page.expect_response("**/auth/refresh") as answer:
            page.clock.fast_forward(RENEWAL_DUE)
        assert answer.value.json()["session_id"] == session_id
        answer.value.finished()


def test_not_renewed_before_it_is_time(page: Page, clocked: ClockedWorld) -> None:
    """A young token is left alone."""
    page.clock.install()
    page.goto(clocked.host.init())
    widget = Widget(page).is_("ready", "guest")
    page.clock.fast_forward("08:30")
    widget.token()
    assert not clocked.recorder.of("refresh")


def test_a_user_is_renewed_as_that_user(page: Page, world: ServedWorld) -> None:
    """The new token is of the same visitor, without asking the page's backend."""
    page.clock.install()
    page.goto(world.host.init(userToken=world.api.visitor_token("ada", name="Ada Lovelace")))
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    with page.expect_response("**/auth/refresh") as answer:
        page.clock.fast_forward(RENEWAL_DUE)
    assert answer.value.json()["visitor"]["name"] == "Ada Lovelace"
    assert answer.value.json()["session_id"] == session_id


def test_a_renewed_token_is_good_for_the_agent(page: Page, world: ServedWorld) -> None:
    """The agent answers the renewed session as it did the first."""
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    widget.renew()
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada")


def test_an_agent_that_takes_a_token_no_more(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A token that the agent refuses is renewed, and the message sent again: nobody notices."""
    complaints.expect(401)
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    widget.launcher.click()
    refusal = {"status": 401, "headers": {"Access-Control-Allow-Origin": "*"}}
    page.route(world.connect_url, lambda route: route.fulfill(**refusal), times=1)
    with page.expect_response("**/auth/refresh"):
        expect(widget.say("Who am I?")).to_contain_text("Hello Ada")
    assert widget.session_id == session_id


def test_a_laptop_sleeps_past_the_token(page: Page, clocked: ClockedWorld) -> None:
    """Three hours later the same session goes on."""
    page.clock.install()
    page.goto(clocked.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    clocked.clock.move(3 * 3600)
    with page.expect_response("**/auth/refresh") as answer:
        page.clock.fast_forward("03:00:00")
    assert answer.value.json()["session_id"] == session_id
    widget.is_("ready", "guest")
    assert widget.session_id == session_id


def test_a_guest_who_comes_back_the_next_day(
    page: Page, clocked: ClockedWorld, complaints: Complaints
) -> None:
    """A session that is over is followed by a new one, without a word to the visitor."""
    complaints.expect(400)
    page.clock.install()
    page.goto(clocked.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    clocked.clock.move(25 * 3600)
    page.clock.fast_forward("25:00:00")
    expect(widget.host).not_to_have_attribute("data-session-id", session_id)
    widget.is_("ready", "guest")
    assert widget.host.get_attribute("data-error-code") is None


def lose_first_answer(page: Page) -> list[int]:
    """Let the first renewal reach the server and be answered, and the answer get lost."""
    statuses: list[int] = []

    def lose(route: Route) -> None:
        statuses.append(route.fetch().status)
        route.abort("connectionreset")

    page.route("**/auth/refresh", lose, times=1)
    return statuses


def test_a_lost_answer(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """The server rotated and the widget never heard: it asks again, and the session goes on."""
    complaints.expect(0, "network_error")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id, token = widget.session_id, widget.token()
    lost = lose_first_answer(page)
    with page.expect_response("**/auth/refresh") as answer:
        widget.renew()
    assert (lost, answer.value.status) == ([200], 200)
    assert answer.value.json()["session_id"] == session_id
    widget.is_("ready", "guest")
    assert widget.token() != token
    widget.renew()
    assert widget.is_("ready", "guest").session_id == session_id


def test_a_lost_answer_goes_unnoticed(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """While the old token is good, the visitor sees nothing of a renewal that is tried again."""
    complaints.expect(0, "network_error")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    lose_first_answer(page)
    with page.expect_response("**/auth/refresh"):
        widget.renew()
        widget.is_("ready", "guest")
        expect(widget.status).to_be_empty()


def test_two_tabs_renew_once(context: BrowserContext, clocked: ClockedWorld) -> None:
    """Two tabs with one session: one renews, and the other hears of it."""
    context.clock.install()
    first = context.new_page()
    first.goto(clocked.host.init())
    session_id = Widget(first).is_("ready", "guest").session_id
    second = second_tab(first)
    assert Widget(second).is_("ready", "guest").session_id == session_id
    old = Widget(first).token()
    context.clock.fast_forward(RENEWAL_DUE)
    tabs = [Widget(first), Widget(second)]
    wait_until(lambda: old not in {tab.token() for tab in tabs}, "both tabs have the new token")
    tokens = {tab.token() for tab in tabs}
    assert [one.status for one in clocked.recorder.of("refresh")] == [200]
    assert len(tokens) == 1
    for tab in tabs:
        assert tab.is_("ready", "guest").session_id == session_id


def test_two_tabs_renew_at_once_without_locks(
    context: BrowserContext, clocked: ClockedWorld
) -> None:
    """Two tabs that know nothing of each other renew at once: both go on, again and again."""
    context.add_init_script(NO_LOCK_AND_NO_NEWS)
    first = context.new_page()
    first.goto(clocked.host.init())
    session_id = Widget(first).is_("ready", "guest").session_id
    tabs = [first, second_tab(first)]
    Widget(tabs[1]).is_("ready", "guest")
    for _ in range(3):
        for tab in tabs:
            tab.evaluate("() => { window.done = window.widget.renew() }")
        for tab in tabs:
            tab.evaluate("window.done")
    refreshes = clocked.recorder.of("refresh")
    assert [one.status for one in refreshes] == [200] * 6, refreshes
    for tab in tabs:
        assert Widget(tab).is_("ready", "guest").session_id == session_id


def test_a_sign_out_reaches_the_other_tab(context: BrowserContext, world: ServedWorld) -> None:
    """A tab isn't left with a session that was ended in another one."""
    first = context.new_page()
    first.goto(world.host.init(userToken=[world.api.visitor_token("ada")]))
    session_id = Widget(first).is_("ready", "user").session_id
    second = Widget(second_tab(first)).is_("ready", "user")
    assert second.session_id == session_id
    first.evaluate("window.widget.identify(null)")
    expect(second.host).not_to_have_attribute("data-session-id", session_id)
    assert second.is_("ready", "guest").session_id != session_id


def copy_session(source: Page, target: BrowserContext) -> None:
    """Put one tab's session into another browser, as a thief or a restored profile would."""
    kept = source.evaluate("JSON.stringify(sessionStorage)")
    origin = json.dumps(source.evaluate("location.origin"))
    target.add_init_script(
        f"if (location.origin === {origin} && !sessionStorage.length)"
        f" Object.assign(sessionStorage, {kept})"
    )


def test_a_copied_token_after_the_grace(
    new_context: NewContext, clocked: ClockedWorld, complaints: Complaints
) -> None:
    """A token used again after the grace ends the session for both; each begins anew."""
    complaints.expect(400)
    owner = new_context().new_page()
    owner.goto(clocked.host.init())
    widget = Widget(owner).is_("ready", "guest")
    session_id = widget.session_id
    thief = new_context()
    copy_session(owner, thief)
    widget.renew()
    clocked.clock.move(31)
    copy = thief.new_page()
    copy.goto(clocked.host.init())
    stolen = Widget(copy).is_("ready", "guest")
    assert stolen.session_id == session_id
    stolen.renew()
    expect(stolen.host).not_to_have_attribute("data-session-id", session_id)
    widget.renew()
    expect(widget.host).not_to_have_attribute("data-session-id", session_id)
    codes = [one.code for one in clocked.recorder.of("refresh")]
    assert codes == [None, "reused_refresh_token", "revoked_session"]
    assert widget.is_("ready", "guest").session_id != stolen.is_("ready", "guest").session_id


def test_a_user_whose_session_was_ended_signs_in_again(
    page: Page, clocked: ClockedWorld, complaints: Complaints
) -> None:
    """A session ended elsewhere is followed by a new one of the same user, if the page says so."""
    complaints.expect(400)
    page.goto(clocked.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    refresh_token = widget.stored()["refresh_token"]
    assert post(page, clocked, "logout", {"refresh_token": refresh_token}).status == 204
    widget.renew()
    expect(widget.host).not_to_have_attribute("data-session-id", session_id)
    widget.is_("ready", "user")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_refresh_token"),
        ({"refresh_token": "nonsense"}, "invalid_refresh_token"),
        ({"refresh_token": 7}, "invalid_field"),
    ],
)
def test_no_refresh_token_raw(
    page: Page, world: ServedWorld, complaints: Complaints, body: dict[str, Any], code: str
) -> None:
    """A page reads what was wrong with its refresh."""
    complaints.expect(400)
    page.goto(world.host.blank())
    answer = post(page, world, "refresh", body)
    assert (answer.status, answer.code) == (400, code)


def test_a_session_stays_on_its_origin(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A page on another origin of the same allowlist can't renew the session."""
    complaints.expect(403)
    page.goto(world.host.init())
    refresh_token = Widget(page).is_("ready").stored()["refresh_token"]
    page.goto(world.host.blank("shop.acme.localhost"))
    answer = post(page, world, "refresh", {"refresh_token": refresh_token})
    assert (answer.status, answer.code) == (403, "origin_not_allowed")
    assert answer.text.startswith("Origin not in allowlist for this client_key")
