"""What a browser asks before it asks, and what no page may ask."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page

from e2e.conftest import Complaints
from e2e.support import KEY, SECRET, ClockedWorld, Widget, fetch, post

JSON_TYPE = {"Content-Type": "application/json"}


def methods(world: ClockedWorld, action: str) -> list[str]:
    """Return the methods by which an endpoint was called, in order."""
    return [one.method for one in world.recorder.of(action)]


def test_json_is_preflighted_and_answered(page: Page, clocked: ClockedWorld) -> None:
    """A JSON body makes the browser ask first; the answer lets it go on."""
    page.goto(clocked.host.blank())
    answer = post(page, clocked, "guest", {"client_key": KEY}, headers=JSON_TYPE)
    assert answer.status == 200
    assert methods(clocked, "guest") == ["OPTIONS", "POST"]


def test_a_preflight_is_remembered(page: Page, clocked: ClockedWorld) -> None:
    """The browser asks once, not before each request."""
    page.goto(clocked.host.blank())
    for _ in range(2):
        assert post(page, clocked, "guest", {"client_key": KEY}, headers=JSON_TYPE).status == 200
    assert methods(clocked, "guest") == ["OPTIONS", "POST", "POST"]


def test_json_from_a_stranger_is_refused_readably(
    page: Page, clocked: ClockedWorld, complaints: Complaints
) -> None:
    """A page that isn't admitted gets through the preflight, and reads the refusal."""
    complaints.expect(403)
    page.goto(clocked.host.blank("www.evil.localhost"))
    answer = post(page, clocked, "guest", {"client_key": KEY}, headers=JSON_TYPE)
    assert (answer.status, answer.code) == (403, "origin_not_allowed")


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
def test_plain_text_is_not_preflighted(
    page: Page, clocked: ClockedWorld, headers: dict[str, str]
) -> None:
    """A plain text body goes out at once, and is read as the same JSON."""
    page.goto(clocked.host.blank())
    assert post(page, clocked, "guest", {"client_key": KEY}, headers=headers).status == 200
    assert methods(clocked, "guest") == ["POST"]


def test_the_widget_spares_the_preflight(page: Page, clocked: ClockedWorld) -> None:
    """Sign-in, renewal and sign-out by the widget are simple requests."""
    page.goto(clocked.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    widget.renew()
    page.evaluate("window.widget.shutdown()")
    browser = [one for one in clocked.recorder.seen if one.path.startswith("/api/")]
    assert "OPTIONS" not in [one.method for one in browser]
    assert {one.path.rsplit("/", 1)[1] for one in browser} == {
        "config",
        "user-token",
        "exchange",
        "refresh",
        "logout",
    }


@pytest.mark.parametrize("action", ["user-token", "revoke"])
@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {SECRET}"}, JSON_TYPE, {"Content-Type": "text/plain"}],
    ids=["authorization", "json", "plain"],
)
def test_a_secret_key_is_for_no_page(
    page: Page, clocked: ClockedWorld, complaints: Complaints, action: str, headers: dict[str, str]
) -> None:
    """A page that is admitted can't mint for a user, and can't even read the refusal."""
    complaints.expect(403)
    complaints.expect(0)
    complaints.expect_words("has been blocked by CORS policy")
    page.goto(clocked.host.blank())
    body = {"client_key": KEY, "user_id": "ada"}
    answer = post(page, clocked, action, body, headers=headers)
    assert "TypeError" in answer.text
    assert answer.status == 0
    seen = [(one.method, one.status, one.code) for one in clocked.recorder.of(action)]
    refused_first = [("OPTIONS", 405, "method_not_allowed")]
    assert seen in (refused_first, [("POST", 403, "browser_forbidden")])


def test_not_even_without_cors(page: Page, clocked: ClockedWorld, complaints: Complaints) -> None:
    """`no-cors` gets a request out; the server refuses it, and the browser shows no answer."""
    complaints.expect(0)
    complaints.expect_words("ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")
    page.goto(clocked.host.blank())
    url = f"{clocked.api_url}/api/v1/widget/auth/user-token"
    body = json.dumps({"client_key": KEY, "user_id": "ada"})
    answer = fetch(page, url, method="POST", mode="no-cors", body=body)
    assert answer.status == 0
    assert "TypeError" in answer.text
    assert [one.code for one in clocked.recorder.of("user-token")] == ["browser_forbidden"]
