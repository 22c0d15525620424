"""Each refusal is readable in the page that gets it: in words, with its code."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.conftest import Complaints, NewContext
from e2e.support import (
    BUSY_KEY,
    DISABLED_KEY,
    KEY,
    UNKNOWN_KEY,
    WWW,
    ServedWorld,
    Widget,
    fetch,
    post,
)

EVIL = "www.evil.localhost"


def test_the_strangers_page_shows_the_reason(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A site that copied the snippet shows what the server said, its status and its code."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(world.stranger)
    expect(page.locator("#verdict-status")).to_have_text("403")
    expect(page.locator("#verdict-code")).to_have_text("origin_not_allowed")
    expect(page.locator("#verdict-words")).to_contain_text("is not one of its origins")
    expect(page.locator("#verdict")).to_contain_text(world.stranger)


def test_the_strangers_widget_shows_the_reason(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """The widget itself says it too, and can't be written to."""
    complaints.expect(403, "origin_not_allowed")
    page.goto(world.stranger)
    widget = Widget(page).is_("refused", code="origin_not_allowed")
    widget.launcher.click()
    expect(widget.status).to_contain_text("This site isn't on the allowlist.")
    expect(widget.status).to_contain_text("origin_not_allowed")
    expect(widget.input).to_be_hidden()
    assert widget.host.get_attribute("data-visitor") is None


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        (EVIL, {}, "origin_not_allowed", "This site isn't on the allowlist."),
        (
            "www.acme.localhost.evil.localhost",
            {},
            "origin_not_allowed",
            "This site isn't on the allowlist.",
        ),
        (WWW, {"publicKey": UNKNOWN_KEY}, "unknown_client_key", "can't start here"),
        (WWW, {"publicKey": DISABLED_KEY}, "client_key_disabled", "can't start here"),
        (WWW, {"agentId": "night"}, "agent_disabled", "can't start here"),
        (WWW, {"agentId": "nobody"}, "unknown_agent_id", "The chat can't start here."),
    ],
    ids=["other-site", "lookalike", "unknown-key", "disabled-key", "agent-off", "unknown-agent"],
)
def test_refused(  # noqa: PLR0913, PLR0917 - a row of the table each
    page: Page,
    world: ServedWorld,
    complaints: Complaints,
    name: str,
    options: dict[str, Any],
    code: str,
    words: str,
) -> None:
    """The widget says what is wrong, and the code by which to look it up."""
    complaints.expect(400 if code == "unknown_agent_id" else 403, code)
    page.goto(world.host.init(name, **options))
    widget = Widget(page).is_("refused", code=code)
    widget.launcher.click()
    expect(widget.status).to_contain_text(words)
    expect(widget.status).to_contain_text(code)
    assert complaints.heard(f"Kataven: {code} (4")


@pytest.mark.parametrize(
    ("name", "body", "status", "code", "words"),
    [
        (EVIL, {"client_key": KEY}, 403, "origin_not_allowed", "Origin not in allowlist for this"),
        (WWW, {}, 400, "missing_client_key", "Missing client_key"),
        (WWW, {"client_key": UNKNOWN_KEY}, 403, "unknown_client_key", "Unknown client_key"),
        (WWW, {"client_key": DISABLED_KEY}, 403, "client_key_disabled", "client_key is disabled"),
        (WWW, {"client_key": KEY, "agent_id": "night"}, 403, "agent_disabled", "Agent is disabled"),
        (WWW, {"client_key": KEY, "agent_id": "x"}, 400, "unknown_agent_id", "Unknown agent_id"),
        (WWW, {"client_key": ["x"]}, 400, "invalid_field", "Invalid field"),
        (WWW, {"client_key": KEY, "x": "y" * 20_000}, 413, "body_too_large", "Body too large"),
    ],
)
def test_read_from_another_origin(  # noqa: PLR0913, PLR0917 - a row of the table each
    page: Page,
    world: ServedWorld,
    complaints: Complaints,
    name: str,
    body: dict[str, Any],
    status: int,
    code: str,
    words: str,
) -> None:
    """A script on any origin reads the status, the code and the words of a refusal."""
    complaints.expect(status)
    page.goto(world.host.blank(name))
    answer = post(page, world, "guest", body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.text.startswith(words)


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/api/v1/widget/auth/nothing", "POST", 404, "not_found"),
        ("/api/v1/widget/auth/guest", "GET", 405, "method_not_allowed"),
        ("/api/v1/widget/config", "GET", 400, "missing_client_key"),
    ],
)
def test_mistakes_are_readable_too(  # noqa: PLR0913, PLR0917 - a row of the table each
    page: Page,
    world: ServedWorld,
    complaints: Complaints,
    path: str,
    method: str,
    status: int,
    code: str,
) -> None:
    """A wrong path or method is answered so that the page can read it."""
    complaints.expect(status)
    page.goto(world.host.blank())
    answer = fetch(page, world.api_url + path, method=method)
    assert (answer.status, answer.code) == (status, code)


def test_a_page_without_an_origin(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A sandboxed frame sends `Origin: null`, which counts as none."""
    complaints.expect(403)
    page.goto(world.host.blank())
    with page.expect_event("console", lambda m: m.text.startswith("read: ")) as said:
        page.evaluate(
            """([url, key]) => {
              const frame = document.createElement("iframe");
              frame.sandbox = "allow-scripts";
              frame.srcdoc = `<script>
                fetch(${JSON.stringify(url)}, { method: "POST", body: '{"client_key": "${key}"}' })
                  .then((a) => console.log("read: " + a.status + a.headers.get("X-Error-Code")));
              <` + "/script>";
              document.body.append(frame);
            }""",
            [f"{world.api_url}/api/v1/widget/auth/guest", KEY],
        )
    assert said.value.text == "read: 403origin_not_allowed"


def test_a_body_supplies_no_origin(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A body can't supply an origin."""
    complaints.expect(403)
    page.goto(world.host.blank(EVIL))
    body = {"client_key": KEY, "origin": world.host.origin()}
    assert post(page, world, "guest", body).code == "origin_not_allowed"


def test_one_guest_too_many(
    new_context: NewContext, world: ServedWorld, complaints: Complaints
) -> None:
    """Over the limit the widget waits and says so, and a page reads for how long."""
    complaints.expect(429, "rate_limited")
    first, second = (new_context().new_page() for _ in range(2))
    first.goto(world.host.init(publicKey=BUSY_KEY))
    Widget(first).is_("ready", "guest")
    second.goto(world.host.init(publicKey=BUSY_KEY))
    widget = Widget(second).is_("offline", code="rate_limited")
    widget.launcher.click()
    expect(widget.status).to_contain_text("Trying again")
    answer = post(second, world, "guest", {"client_key": BUSY_KEY})
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert 1 <= int(answer.retry_after or 0) <= 61  # the window, and a second


def test_a_proxys_page_isnt_shown(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """Markup from somewhere on the way is no sentence for a visitor."""
    complaints.expect(403, "http_403")
    page.route(
        "**/auth/guest",
        lambda route: route.fulfill(
            status=403,
            content_type="text/html",
            headers={"Access-Control-Allow-Origin": "*"},
            body="<html><h1>Forbidden by the proxy</h1></html>",
        ),
    )
    page.goto(world.host.init())
    widget = Widget(page).is_("refused", code="http_403")
    widget.launcher.click()
    expect(widget.status).to_contain_text("The chat can't start here.")
    expect(widget.status).not_to_contain_text("Forbidden")
    expect(widget.status).not_to_contain_text("<")


def test_no_network_at_first(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """The API can't be reached: the widget says so, tries again and begins."""
    complaints.expect(0, "network_error")
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(world.host.init())
    widget = Widget(page).is_("offline", code="network_error")
    widget.launcher.click()
    expect(widget.status).to_contain_text("The chat can't be reached. Trying again…")
    page.unroute("**/api/v1/**")
    widget.is_("ready", "guest")
    assert widget.host.get_attribute("data-error-code") is None


def test_a_message_written_while_away_is_not_lost_unseen(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """Without a session nothing can be sent: the widget takes no message, or says it failed."""
    complaints.expect(0, "network_error")
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto(world.host.init())
    widget = Widget(page).is_("offline", code="network_error")
    widget.launcher.click()
    if widget.input.is_enabled():
        widget.input.fill("Is anybody there?")
        widget.input.press("Enter")
        expect(widget.panel).to_contain_text("wasn't delivered")
    page.unroute("**/api/v1/**")
    widget.is_("ready", "guest")
    expect(widget.say("And now?")).to_contain_text("Hello guest")


def test_an_agent_that_doesnt_answer(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A message that didn't get through is said to be so; the session is as good as before."""
    complaints.expect(0, "network_error")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    page.route(world.connect_url, lambda route: route.abort("connectionrefused"))
    widget.input.fill("Is anybody there?")
    widget.input.press("Enter")
    expect(widget.status).to_contain_text("That message wasn't delivered")
    expect(widget.input).to_have_value("Is anybody there?")
    expect(widget.log).not_to_contain_text("Is anybody there?")
    widget.is_("ready", "guest")
    page.unroute(world.connect_url)
    expect(widget.say("And now?")).to_contain_text("Hello guest")
    expect(widget.status).to_be_empty()


def test_messages_come_back_in_order(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """Two messages that weren't delivered are in the input as they were written."""
    complaints.expect(0, "network_error")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    routes: list[Route] = []
    page.route(world.connect_url, lambda route: routes.append(route))  # noqa: PLW0108
    for text in ("First", "second"):
        with page.expect_request(world.connect_url):
            widget.input.fill(text)
            widget.input.press("Enter")
    widget.input.fill("and a draft")
    for route, left in zip(
        routes, ("First\nand a draft", "First\nsecond\nand a draft"), strict=True
    ):
        route.abort("connectionreset")
        expect(widget.input).to_have_value(left)


def test_a_draft_outlives_the_time_away(
    page: Page, own_world: ServedWorld, complaints: Complaints
) -> None:
    """What was being written when the session was lost is there, and in focus, when it is back."""
    complaints.expect(0, "network_error")
    page.clock.install()
    page.goto(own_world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    widget.input.press_sequentially("One esp")
    own_world.process.stop()
    page.clock.fast_forward("10:01")
    widget.is_("offline", code="network_error")
    expect(widget.input).to_be_disabled()
    expect(widget.input).to_have_value("One esp")
    expect(widget.log).to_be_focused()
    own_world.process.start()
    page.clock.fast_forward("01:00")
    widget.is_("ready", "guest")
    expect(widget.input).to_be_focused()
    page.keyboard.type("resso")
    page.keyboard.press("Enter")
    expect(widget.log).to_contain_text("One espresso")
    expect(widget.log).to_contain_text("Hello guest")


def test_a_message_that_meets_the_end_of_the_session(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A message for which no token could be had is in the input again, not in the thread."""
    complaints.expect(0, "network_error")
    page.clock.install()
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page.clock.set_system_time(time.time() + 3600)
    widget.input.fill("Is anybody there?")
    widget.input.press("Enter")
    widget.is_("offline", code="network_error")
    expect(widget.input).to_have_value("Is anybody there?")
    expect(widget.log).not_to_contain_text("Is anybody there?")
    expect(widget.status).to_contain_text("Trying again")


def test_the_server_goes_away_and_comes_back(
    page: Page, own_world: ServedWorld, complaints: Complaints
) -> None:
    """The widget goes on while its token lives, then is offline, then the same session again."""
    complaints.expect(0, "network_error")
    page.clock.install()
    page.goto(own_world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    own_world.process.stop()
    with page.expect_event("requestfailed"):
        page.clock.fast_forward("09:01")
    widget.is_("ready", "guest")
    page.clock.fast_forward("01:01")
    widget.is_("offline", code="network_error")
    own_world.process.start()
    page.clock.fast_forward("01:00")
    assert widget.is_("ready", "guest").session_id == session_id


@pytest.mark.parametrize(
    ("options", "words"),
    [({"publicKey": "sk_test_acme_x"}, "secret key"), ({"publicKey": ""}, "publicKey")],
)
def test_a_mistake_of_the_page(
    page: Page, world: ServedWorld, complaints: Complaints, options: dict[str, Any], words: str
) -> None:
    """`init` with a secret key, or none, fails at once and says why."""
    complaints.expect_words("uncaught: ", words)
    page.goto(world.host.init(**options))
    expect(Widget(page).host).to_have_count(0)
    assert complaints.heard(words)
