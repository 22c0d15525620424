"""Off the page and on again: what has gone leaves nothing, and breaks nothing."""

from __future__ import annotations

import json

from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.support import KEY, ServedWorld, Widget

ON_AND_OFF = """async ([options, times]) => {
  for (let i = 0; i < times; i++) {
    const widget = Kataven.init(options);
    await widget.getToken();
    widget.open();
    await widget.shutdown();
  }
}"""
IN_ONE_BREATH = """options => {
  Kataven.init(options).shutdown();
  window.widget = Kataven.init(options);
  widget.open();
}"""


def with_script(page: Page, world: ServedWorld) -> dict[str, str]:
    """Open a page that has the script and calls nothing; return the options of a call."""
    page.goto(world.host.blank())
    page.add_script_tag(url=f"{world.api_url}/widget/v1.js")
    return {"publicKey": KEY, "connectUrl": world.connect_url}


def test_nothing_piles_up(context: BrowserContext, page: Page, world: ServedWorld) -> None:
    """A page that takes the widget off and puts it on all day doesn't grow by it."""
    options = with_script(page, world)
    devtools = context.new_cdp_session(page)

    def counted(times: int) -> dict[str, int]:
        page.evaluate(ON_AND_OFF, [options, times])
        devtools.send("HeapProfiler.collectGarbage")
        counters: dict[str, int] = devtools.send("Memory.getDOMCounters")
        return counters

    before, after = counted(3), counted(20)
    assert after["jsEventListeners"] <= before["jsEventListeners"]
    assert after["nodes"] <= before["nodes"] + 20


def test_off_and_on_in_one_breath(page: Page, world: ServedWorld) -> None:
    """As React does it in development: the second one's session and thread outlive the page."""
    options = with_script(page, world)
    held: list[Route] = []
    page.route("**/auth/guest", lambda route: route.continue_() if held else held.append(route))
    page.evaluate(IN_ONE_BREATH, options)
    widget = Widget(page).is_("ready", "guest")
    expect(widget.say("One espresso")).to_contain_text("Hello guest")
    with page.expect_response("**/auth/logout"):
        held[0].continue_()
    session_id = widget.session_id
    page.goto(world.host.init())
    assert widget.is_("ready", "guest").session_id == session_id
    expect(widget.log).to_contain_text("One espresso")


def test_calls_after_a_shutdown(page: Page, world: ServedWorld) -> None:
    """What a page still calls of a widget that is gone does nothing, and throws nothing."""
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    page.evaluate("widget.shutdown()")
    page.evaluate("widget.open(); widget.toggle(); widget.close(); widget.toggle()")
    expect(Widget(page).host).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0


def test_narrow_after_a_shutdown(page: Page, world: ServedWorld) -> None:
    """A phone that is turned when the widget has gone meets no error of it."""
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest").launcher.click()
    page.evaluate("widget.shutdown()")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("innerWidth === 390")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def test_a_draft_out_of_the_page_cache(
    context: BrowserContext, page: Page, world: ServedWorld
) -> None:
    """What one user had begun to write isn't there for the next one who goes back to the page."""
    who = ["ada"]
    context.route(
        "**/visitor-token?*",
        lambda route: route.fulfill(json=world.api.visitor_token(who[0])),
    )
    url = world.host.init(mint="whoever")
    page.goto(url)
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    widget.input.fill("My card ends in 1234")
    who[0] = "mina"
    later = context.new_page()  # for the same tab's next page: only one of them can be looked at
    later.goto(url)
    Widget(later).is_("ready", "user")
    kept = json.loads(later.evaluate("JSON.stringify(sessionStorage)"))
    later.close()
    page.evaluate("kept => { Object.assign(sessionStorage, kept) }", kept)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(widget.who).to_have_text("You're signed in as Mina")
    expect(widget.input).to_have_value("")
