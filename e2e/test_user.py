"""A customer's user: vouched for by the page's backend, exchanged by the widget."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from e2e.support import ServedWorld, Widget


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
