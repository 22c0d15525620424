"""A customer's user: vouched for by the page's backend, exchanged by the widget."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from e2e.conftest import Complaints
from e2e.support import ServedWorld, Widget, held_back, wait_until

MOST_IN_5_MINUTES = 30


def test_a_user_is_called_by_name(page: Page, world: ServedWorld) -> None:
    """A visitor token as a string makes the user's session, and the panel says whose."""
    page.goto(world.host.init(userToken=world.api.visitor_token("ada", name="Ada Lovelace")))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text("You're signed in as Ada Lovelace")


def test_the_agent_knows_the_user_by_name(page: Page, world: ServedWorld) -> None:
    """The agent reads the name out of the session, which the page's backend vouched for."""
    page.goto(world.host.init(userToken=world.api.visitor_token("ada", name="Ada Lovelace")))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello Ada,")


def test_a_function_gives_the_token(page: Page, world: ServedWorld) -> None:
    """A page may give a function that asks its own backend."""
    page.goto(world.host.init(mint="grace"))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text("You're signed in as Grace")


def test_a_reload_keeps_the_users_session(page: Page, world: ServedWorld) -> None:
    """The same user on the next page goes on with the same session, with a token to spare."""
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    page.reload()
    assert widget.is_("ready", "user").session_id == session_id


def test_a_guest_becomes_a_user_without_a_reload(page: Page, world: ServedWorld) -> None:
    """`identify` turns the guest into a user, and the thread comes along."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    guest = widget.session_id
    widget.launcher.click()
    expect(widget.say("One espresso")).to_contain_text("Hello guest")
    page.evaluate("token => window.widget.identify(token)", world.api.visitor_token("ada"))
    widget.is_("ready", "user")
    assert widget.session_id != guest
    expect(widget.who).to_have_text("You're signed in as Ada")
    expect(widget.log).to_contain_text("One espresso")


@pytest.mark.parametrize(
    ("last", "words"),
    [("mina", "You're signed in as Mina"), (None, "You're chatting as a guest")],
)
def test_the_last_identify_wins(
    page: Page, world: ServedWorld, last: str | None, words: str
) -> None:
    """Who is named while a sign-in is on its way is who is here, not the one before."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    with held_back(page, "**/auth/exchange"):
        page.evaluate("t => { widget.identify(t) }", world.api.visitor_token("ada"))
        token = world.api.visitor_token(last) if last else None
        page.evaluate("t => { window.done = widget.identify(t) }", token)
    page.evaluate("window.done")
    expect(widget.who).to_have_text(words)
    assert widget.stored()["visitor"]["type"] == ("user" if last else "guest")


def test_two_identifies_at_once(page: Page, world: ServedWorld) -> None:
    """Of two calls in one breath the second holds."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    token = world.api.visitor_token("ada")
    page.evaluate("t => Promise.all([widget.identify(t), widget.identify(null)])", token)
    assert widget.is_("ready", "guest").stored()["visitor"]["type"] == "guest"


def test_the_tag_lets_init_come_first(page: Page, world: ServedWorld) -> None:
    """A page with both keeps its user's session and thread: the tag doesn't begin as a guest."""
    page.goto(world.host.tag_and_init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    expect(widget.host).to_have_count(1)
    session_id = widget.session_id
    widget.launcher.click()
    expect(widget.say("One espresso")).to_contain_text("Hello Ada")
    page.reload()
    assert widget.is_("ready", "user").session_id == session_id
    expect(widget.log).to_contain_text("Hello Ada")
    expect(widget.host).to_have_count(1)


def test_a_page_that_cant_say_who_is_here(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A failure of the page's backend ends no session: the page is asked again, and it goes on."""
    complaints.expect(500, "user_token_failed")
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    page.route("**/visitor-token?*", lambda route: route.fulfill(status=500, body="Oops"))
    page.reload()
    widget.is_("offline", code="user_token_failed")
    assert widget.host.get_attribute("data-visitor") is None
    page.unroute("**/visitor-token?*")
    assert widget.is_("ready", "user").session_id == session_id


def test_a_first_page_that_cant_say_who_is_here(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """The visitor is a guest meanwhile, and is told; once the page can say, the thread goes on."""
    complaints.expect(500, "user_token_failed")
    page.route("**/visitor-token?*", lambda route: route.fulfill(status=500, body="Oops"))
    page.clock.install()
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "guest", "user_token_failed")
    widget.launcher.click()
    expect(widget.status).to_contain_text("We couldn't confirm your sign-in.")
    expect(widget.say("Who am I?")).to_contain_text("Hello guest ")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108
    for _ in range(5 * 12):
        page.clock.run_for(5_000)
    asks = [one for one in asked if "/visitor-token" in one.url]
    assert 1 < len(asks) < MOST_IN_5_MINUTES, "less often as it lasts"
    page.unroute("**/visitor-token?*")

    def signed_in_later() -> bool:
        page.clock.run_for(5_000)
        return widget.host.get_attribute("data-visitor") == "user"

    wait_until(signed_in_later, "the page was asked again")
    widget.is_("ready", "user")
    expect(widget.status).to_be_empty()
    expect(widget.log).to_contain_text("Hello guest ")


@pytest.mark.parametrize("token", [7, {"user_token": "x"}])
def test_what_is_no_token_signs_nobody_in(
    page: Page, world: ServedWorld, complaints: Complaints, token: object
) -> None:
    """The visitor is a guest and is told so; what the page did wrong is for its console."""
    complaints.expect(0, "user_token_failed")
    page.goto(world.host.init(userToken=token))
    widget = Widget(page).is_("ready", "guest", "user_token_failed")
    widget.launcher.click()
    expect(widget.status).to_contain_text("We couldn't confirm your sign-in.")
    expect(widget.status).not_to_contain_text("no string")
    assert complaints.heard("Kataven: user_token_failed", "and no string or null")


def test_another_user_doesnt_see_the_thread(page: Page, world: ServedWorld) -> None:
    """What one user wrote is gone when the next one signs in at the same screen."""
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.say("One espresso")).to_contain_text("Hello Ada")
    page.goto(world.host.init(mint="mina"))
    widget.is_("ready", "user")
    expect(widget.who).to_have_text("You're signed in as Mina")
    expect(widget.log).not_to_contain_text("espresso")


def test_a_name_is_text_and_nothing_else(page: Page, world: ServedWorld) -> None:
    """Markup in a user's name is shown as it was written, and never run."""
    name = "<img src=x onerror=alert(1)>"
    page.goto(world.host.init(userToken=world.api.visitor_token("mallory", name=name)))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text(f"You're signed in as {name}")
    expect(widget.who.locator("img")).to_have_count(0)


def test_a_name_from_anywhere_is_shown(page: Page, world: ServedWorld) -> None:
    """A name in any script survives the whole way."""
    page.goto(world.host.init(userToken=world.api.visitor_token("u", name="Zoë 李 👩🏽‍🚀")))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text("You're signed in as Zoë 李 👩🏽‍🚀")
    expect(widget.say("Who am I?")).to_contain_text("Hello Zoë,")
