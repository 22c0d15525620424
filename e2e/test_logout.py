"""Signing out is real: the server takes the session's tokens no more."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, Route, expect

from e2e.conftest import Complaints
from e2e.support import KEY, SECRET, ServedWorld, Widget, held_back, post, wait_until


def assert_over(page: Page, world: ServedWorld, refresh_token: str) -> None:
    """The server refuses to renew a session that has ended."""
    answer = post(page, world, "refresh", {"refresh_token": refresh_token})
    assert (answer.status, answer.code) == (400, "revoked_session")


def test_shutdown(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """`shutdown` takes the widget off the page, its memory out of the tab, and ends the session."""
    complaints.expect(400)
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    refresh_token = widget.stored()["refresh_token"]
    page.evaluate("window.widget.shutdown()")
    expect(widget.host).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0
    assert_over(page, world, refresh_token)


def test_shutdown_during_a_sign_in(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A sign-in that was on its way leaves no session, neither in the tab nor on the server."""
    complaints.expect(400)
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    token = world.api.visitor_token("ada")
    with page.expect_response("**/auth/exchange") as answer, held_back(page, "**/auth/exchange"):
        page.evaluate("t => { widget.identify(t).catch(() => {}) }", token)
        page.evaluate("() => { window.done = widget.shutdown() }")
    page.evaluate("window.done")
    assert page.evaluate("sessionStorage.length") == 0
    assert_over(page, world, answer.value.json()["refresh_token"])


def test_shutdown_with_a_message_under_way(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A message that fails after it brings nothing back that was written before."""
    complaints.expect(502, "http_502")
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    widget.say("My number is 12")
    held: list[Route] = []
    page.route("**/connect", lambda route: held.append(route))  # noqa: PLW0108
    widget.say("Are you there?")
    wait_until(lambda: bool(held), "the message is under way")
    page.evaluate("window.widget.shutdown()")
    with page.expect_response("**/connect"):
        held[0].fulfill(status=502)
    assert page.evaluate("sessionStorage.length") == 0


def test_shutdown_and_identify_at_once(page: Page, world: ServedWorld) -> None:
    """What was asked of the widget in the same breath doesn't bring it back."""
    page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    token = world.api.visitor_token("ada")
    page.evaluate("t => Promise.allSettled([widget.identify(t), widget.shutdown()])", token)
    assert page.evaluate("sessionStorage.length") == 0


def test_init_after_shutdown(page: Page, world: ServedWorld) -> None:
    """A page may take the widget off and put it on again: that is a new session."""
    page.goto(world.host.init())
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    page.evaluate(
        """async (key) => {
          await window.widget.shutdown();
          window.widget = Kataven.init({ publicKey: key });
        }""",
        KEY,
    )
    assert widget.is_("ready", "guest").session_id != session_id


def test_the_page_names_nobody_any_more(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """`identify(null)` makes the user a guest, and ends the user's session."""
    complaints.expect(400)
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    refresh_token, session_id = widget.stored()["refresh_token"], widget.session_id
    with page.expect_response("**/auth/logout"):
        page.evaluate("window.widget.identify(null)")
    assert widget.is_("ready", "guest").session_id != session_id
    assert_over(page, world, refresh_token)


def test_a_sign_out_reaches_a_tab_with_its_own_session(
    context: BrowserContext, world: ServedWorld
) -> None:
    """A user who signed in twice is signed out twice, where the other page says so too."""
    first, second = (context.new_page() for _ in range(2))
    ids = set()
    for page in (first, second):
        page.goto(world.host.init(userToken=[world.api.visitor_token("ada")]))
        ids.add(Widget(page).is_("ready", "user").session_id)
    assert len(ids) == 2
    first.evaluate("window.widget.identify(null)")
    Widget(first).is_("ready", "guest")
    Widget(second).is_("ready", "guest")


def test_a_sign_out_leaves_others_alone(context: BrowserContext, world: ServedWorld) -> None:
    """A tab of somebody else, or whose page still names its user, goes on as it was."""
    first, second, third = (context.new_page() for _ in range(3))
    for page, user in ((first, "ada"), (second, "ada"), (third, "mina")):
        page.goto(world.host.init(mint=user))
        Widget(page).is_("ready", "user")
    ids = [Widget(page).session_id for page in (second, third)]
    with second.expect_response("**/visitor-token?*"):
        first.evaluate("window.widget.identify(null)")
    Widget(first).is_("ready", "guest")
    for page in (second, third):
        page.evaluate("window.widget.getToken()")
        Widget(page).is_("ready", "user")
    assert [Widget(page).session_id for page in (second, third)] == ids


def test_a_reply_for_whoever_left(page: Page, world: ServedWorld) -> None:
    """An answer that comes after the sign-out isn't shown to the one who is here by then."""
    page.goto(world.host.init(mint="ada"))
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    posted = page.expect_response(lambda one: one.url == world.connect_url)
    with posted, held_back(page, world.connect_url):
        widget.input.fill("One espresso")
        widget.input.press("Enter")
        page.evaluate("window.widget.identify(null)")
        widget.is_("ready", "guest")
        expect(widget.log).not_to_contain_text("espresso")
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")
    expect(widget.log).not_to_contain_text("Ada")
    expect(widget.status).to_be_empty()


def test_a_page_after_the_sign_out(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """The next page of a site that signed its user out has a guest, and the session is over."""
    complaints.expect(400)
    page.goto(world.host.init(mint="ada"))
    refresh_token = Widget(page).is_("ready", "user").stored()["refresh_token"]
    with page.expect_response("**/auth/logout"):
        page.goto(world.host.init())
    Widget(page).is_("ready", "guest")
    assert_over(page, world, refresh_token)


def test_the_shops_sign_out(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """The button of a site with its own sign-in does the same."""
    complaints.expect(400)
    page.goto(world.shop)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Ada Lovelace").click()
    widget = Widget(page).is_("ready", "user")
    refresh_token = widget.stored()["refresh_token"]
    with page.expect_response("**/auth/logout"):
        page.get_by_role("button", name="Sign out").click()
    widget.is_("ready", "guest")
    assert_over(page, world, refresh_token)


def test_logout_twice(page: Page, world: ServedWorld) -> None:
    """To end a session that has ended is no error."""
    page.goto(world.host.init())
    refresh_token = Widget(page).is_("ready").stored()["refresh_token"]
    for _ in range(2):
        assert post(page, world, "logout", {"refresh_token": refresh_token}).status == 204


def test_the_backend_revokes_a_user(page: Page, world: ServedWorld, complaints: Complaints) -> None:
    """A user whom the site's backend revoked has to be vouched for anew."""
    complaints.expect(400)
    page.goto(world.host.init(mint="revoked-user"))
    widget = Widget(page).is_("ready", "user")
    session_id, refresh_token = widget.session_id, widget.stored()["refresh_token"]
    answer = world.api.post("revoke", {"user_id": "revoked-user"}, Authorization=f"Bearer {SECRET}")
    assert answer.status == 204
    widget.renew()
    assert widget.is_("ready", "user").session_id != session_id
    assert_over(page, world, refresh_token)
