"""The handshake in Firefox, where it is installed, whatever a visitor lets a page keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from flask import Flask, Response, request

from e2e.bidi import Connection, Tab
from e2e.conftest import REPORT_CSP, Complaints
from e2e.firefox import FirefoxWidget, Preferences, firefox, preferring
from e2e.support import KEY, ServedWorld, serving

EVIL: Final = "www.evil.localhost"
PRIVACY: Final[dict[str, Preferences]] = {
    "strict": {
        "browser.contentblocking.category": "strict",
        "network.cookie.cookieBehavior": 5,
        "privacy.trackingprotection.enabled": True,
        "privacy.trackingprotection.socialtracking.enabled": True,
    },
    "no-third-party-cookies": {"network.cookie.cookieBehavior": 1},
    "no-storage": {"network.cookie.cookieBehavior": 2},
}
"""What a visitor may have chosen, and the preferences behind it."""


@pytest.fixture(scope="module", params=PRIVACY)
def privacy(request: pytest.FixtureRequest) -> str:
    """Return a visitor's choice."""
    return str(request.param)


@pytest.fixture(scope="module")
def storage(privacy: str) -> bool:
    """Tell whether a page may keep anything."""
    return privacy != "no-storage"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Start a Firefox once."""
    with firefox(tmp_path_factory.mktemp("firefox")) as connection:
        yield connection


@pytest.fixture(scope="module")
def connection(started: Connection, privacy: str) -> Iterator[Connection]:
    """Return the Firefox of a visitor who chose so."""
    with preferring(started, PRIVACY[privacy]):
        yield started


@pytest.fixture
def tab(connection: Connection, complaints: Complaints) -> Iterator[Tab]:
    """Return one tab; whatever goes wrong in it unannounced fails the test."""
    opened = Tab(connection)
    opened.run_first(REPORT_CSP)
    yield opened
    for line in opened.errors():
        complaints.hear(line)
    opened.close()


def test_a_guest_is_answered(tab: Tab, world: ServedWorld) -> None:
    """A guest session begins without a cookie, and the agent answers."""
    tab.goto(world.host.tag())
    widget = FirefoxWidget(tab).is_("ready", "guest")
    widget.open()
    widget.say("Who am I?", "Hello guest")
    assert tab.cookies() == []


def test_a_user_signs_in(tab: Tab, world: ServedWorld) -> None:
    """A visitor token becomes a user's session, and what the guest said stays."""
    tab.goto(world.host.init())
    widget = FirefoxWidget(tab).is_("ready", "guest")
    guest = widget.session_id
    widget.open()
    widget.say("I'm still a guest", "Hello guest")
    tab.evaluate(f"window.widget.identify({json.dumps(world.api.visitor_token('ada'))})")
    widget.is_("ready", "user")
    assert widget.session_id != guest
    widget.shows("You're signed in as Ada")
    widget.shows("I'm still a guest", "[role=log]")
    widget.say("Who am I?", "Hello Ada")


def test_a_reload(tab: Tab, world: ServedWorld, storage: bool) -> None:  # noqa: FBT001
    """A reload goes on with the session and asks for no other; without storage one begins."""
    tab.goto(world.host.init(mint="ada"))
    session_id = FirefoxWidget(tab).is_("ready", "user").session_id
    before = tab.posts()
    tab.reload()
    widget = FirefoxWidget(tab).is_("ready", "user")
    assert (widget.session_id == session_id) == storage
    after = [url.rpartition("/")[2] for url in tab.posts()[len(before) :]]
    assert after == ([] if storage else ["exchange"])


def test_a_renewal(tab: Tab, world: ServedWorld) -> None:
    """The session goes on with a new token."""
    tab.goto(world.host.init())
    widget = FirefoxWidget(tab).is_("ready", "guest")
    session_id, token = widget.session_id, widget.token()
    tab.evaluate("window.widget.renew()")
    assert widget.is_("ready", "guest").session_id == session_id
    assert widget.token() != token


def test_a_refusal_is_readable(tab: Tab, world: ServedWorld, complaints: Complaints) -> None:
    """A site off the allowlist reads why: in the widget, in the console, and by a script."""
    complaints.expect(403, "origin_not_allowed")
    tab.goto(world.host.init(EVIL))
    widget = FirefoxWidget(tab).is_("refused", code="origin_not_allowed")
    widget.open()
    widget.shows("This site isn't on the allowlist.")
    assert any(line.startswith("Kataven: origin_not_allowed (403)") for line in tab.errors())
    url = f"{world.api_url}/api/v1/widget/auth/guest"
    answer = post(tab, url, {"client_key": KEY})
    assert (answer["status"], answer["code"]) == (403, "origin_not_allowed")
    assert answer["text"].startswith("Origin not in allowlist for this client_key")


def post(tab: Tab, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post from a page, and return what the page could read of the answer."""
    init = json.dumps({"method": "POST", "body": json.dumps(body)})
    read: dict[str, Any] = tab.evaluate(
        f"""fetch({json.dumps(url)}, {init}).then(async (answer) => ({{
          status: answer.status, code: answer.headers.get("X-Error-Code"), text: await answer.text()
        }}))"""
    )
    return read


def test_a_strict_policy(tab: Tab, world: ServedWorld) -> None:
    """Under the shop's policy, with Trusted Types, a guest is answered."""
    tab.goto(world.shop)
    assert tab.evaluate("'trustedTypes' in window"), "this Firefox has no Trusted Types"
    widget = FirefoxWidget(tab).is_("ready", "guest")
    widget.open()
    widget.say("Who am I?", "Hello guest")


def test_the_choice_is_in_force(tab: Tab, world: ServedWorld, storage: bool) -> None:  # noqa: FBT001
    """What a third party sets is not there when it is the first; storage is there or it isn't."""
    with serving(create_third_party()) as port:
        third_party = f"http://third.localhost:{port}/"
        tab.goto(world.host.blank())
        fetched = f"fetch('{third_party}', {{mode: 'no-cors', credentials: 'include'}})"
        tab.evaluate(f"{fetched}.then(() => null)")
        tab.goto(third_party)
        assert tab.evaluate("document.body.innerText") == "no cookie"
    tab.goto(world.host.blank())
    assert tab.evaluate(_CAN_STORE) == storage


_CAN_STORE = """(() => {
  try { return Boolean(sessionStorage); } catch { return false; }
})()"""


def create_third_party() -> Flask:
    """Create a site that sets a cookie, and says whether it got it back."""
    site = Flask("third_party", static_folder=None)

    @site.get("/")
    def root() -> Response:
        answer = Response("a cookie" if "seen" in request.cookies else "no cookie")
        answer.set_cookie("seen", "yes")
        return answer

    return site
