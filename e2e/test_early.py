"""A page may call the widget early, twice, and before its script is there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import KEY, ServedWorld, Widget

STUB = "window.Kataven ??= { q: [], init(...call) { this.q.push(call) } };"


def load(page: Page, world: ServedWorld) -> None:
    """Load the widget's script, late."""
    page.add_script_tag(url=f"{world.api_url}/widget/v1.js")


def test_a_stub_keeps_the_calls(page: Page, world: ServedWorld) -> None:
    """What a page asked for before the script came is done when it comes."""
    page.goto(world.host.blank())
    page.evaluate(STUB)
    page.evaluate(
        """(publicKey) => Kataven.init({ publicKey }, (handle) => {
          window.widget = handle;
          handle.on("ready", ({ config }) => { document.title = config.tenant.name; });
        })""",
        KEY,
    )
    load(page, world)
    Widget(page).is_("ready", "guest")
    expect(page).to_have_title("Acme Inc.")
    page.evaluate("key => Kataven.init({ publicKey: key }, (same) => { window.same = same })", KEY)
    assert page.evaluate("window.same === window.widget")
    expect(page.locator("kataven-widget")).to_have_count(1)


def test_a_mistake_in_the_queue_is_its_own(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A call that fails is said, and the next one is done."""
    complaints.expect_words("uncaught: ", "publicKey")
    page.goto(world.host.blank())
    page.evaluate(STUB)
    page.evaluate("(publicKey) => { Kataven.init({}); Kataven.init({ publicKey }) }", KEY)
    load(page, world)
    Widget(page).is_("ready", "guest")
    assert complaints.heard("publicKey")


def test_the_script_twice(page: Page, world: ServedWorld) -> None:
    """A page that has the script twice has one widget, and one global name."""
    page.goto(world.host.blank())
    before = page.evaluate("Object.keys(window)")
    for _ in range(2):
        load(page, world)
        page.evaluate("key => { Kataven.init({ publicKey: key }) }", KEY)
    Widget(page).is_("ready", "guest")
    expect(page.locator("kataven-widget")).to_have_count(1)
    assert set(page.evaluate("Object.keys(window)")) - set(before) == {"Kataven"}


def test_a_late_listener_hears_what_holds(page: Page, world: ServedWorld) -> None:
    """A listener that comes when all is said learns it; one that has left hears no more."""
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    heard = page.evaluate("new Promise((resolve) => widget.on('session', resolve))")
    assert heard["visitor"]["type"] == "guest"
    page.evaluate(
        "() => { window.times = 0; window.off = widget.on('open', () => { times += 1 }) }"
    )
    page.evaluate("widget.open(); widget.close(); off(); widget.open()")
    assert page.evaluate("times") == 1


def test_a_tag_without_a_key(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """An empty `data-client-key`, as of a template without its value, is said in the console."""
    complaints.expect_words("uncaught: ", "publicKey")
    with page.expect_event("pageerror"):
        page.goto(world.host.tag(client_key=""))


@pytest.mark.parametrize("given", ["undefined", "() => undefined", "async () => ({}).token"])
def test_a_token_that_is_undefined(
    page: Page, world: ServedWorld, complaints: Complaints, given: str
) -> None:
    """Nobody is `null`; `undefined` is a mistake of the page, and is called so."""
    complaints.expect(0, "user_token_failed")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    page.evaluate(f"widget.identify({given})")
    widget.is_("ready", "guest", "user_token_failed")
    assert complaints.heard(
        "Kataven: user_token_failed", "gave undefined, and no string or null in 10 s"
    )
