"""Whom a visitor talks to, and which visitors an agent takes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import KEY, PINNED_KEY, SECRET, ServedWorld, Widget, post


def title(widget: Widget) -> str:
    """Open the panel and return whom it is headed with."""
    widget.launcher.click()
    return widget.panel.get_by_role("heading").inner_text()


@pytest.mark.parametrize(
    ("client_key", "asked", "agent", "name"),
    [
        (KEY, "", "support", "Acme Support"),
        (KEY, "sales", "sales", "Acme Sales"),
        (PINNED_KEY, "", "sales", "Acme Sales"),
        (PINNED_KEY, "support", "sales", "Acme Sales"),
        (PINNED_KEY, "night", "sales", "Acme Sales"),
    ],
    ids=["default", "asked", "pinned", "pinned-not-asked", "pinned-not-even-disabled"],
)
def test_the_agent(  # noqa: PLR0913, PLR0917 - a row of the table each
    page: Page, world: ServedWorld, client_key: str, asked: str, agent: str, name: str
) -> None:
    """A pinned agent wins over the page's, the page's over the tenant's default."""
    page.goto(world.host.tag(client_key=client_key, agent=asked))
    widget = Widget(page).is_("ready", "guest")
    assert widget.stored()["agent_id"] == agent
    assert title(widget) == name


def test_guests_alone(world: ServedWorld) -> None:
    """An agent for guests mints no token for a user, and says why."""
    answer = world.api.post(
        "user-token",
        {"client_key": KEY, "user_id": "ada", "agent_id": "sales"},
        Authorization=f"Bearer {SECRET}",
    )
    assert (answer.status, answer.code) == (403, "auth_mode_forbidden")


def test_users_alone_ask_a_guest_to_sign_in(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """An agent for users asks whoever comes as a guest to sign in."""
    complaints.expect(403)
    page.goto(world.host.init(agentId="account"))
    widget = Widget(page).is_("refused", code="auth_mode_forbidden")
    widget.launcher.click()
    expect(widget.status).to_contain_text("Please sign in to chat.")


def test_users_alone_are_asked_for_a_guest_once(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A tab that has learned that its agent takes no guests doesn't run into the refusal again."""
    complaints.expect(403)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(world.host.init(agentId="account"))
    Widget(page).is_("refused", code="auth_mode_forbidden")
    assert asked.count("guest") == 1
    page.reload()
    widget = Widget(page).is_("refused", code="auth_mode_forbidden")
    widget.launcher.click()
    expect(widget.status).to_contain_text("Please sign in to chat.")
    assert asked.count("guest") == 1


def test_users_alone_refuse_a_guest_raw(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A page reads that the agent takes no guests."""
    complaints.expect(403)
    page.goto(world.host.blank())
    answer = post(page, world, "guest", {"client_key": KEY, "agent_id": "account"})
    assert (answer.status, answer.code) == (403, "auth_mode_forbidden")


def test_users_alone_take_a_user(page: Page, world: ServedWorld) -> None:
    """An agent for users takes one whom the page vouches for."""
    token = world.api.visitor_token("ada", agent_id="account")
    page.goto(world.host.init(agentId="account", userToken=token))
    widget = Widget(page).is_("ready", "user")
    assert widget.stored()["agent_id"] == "account"


def test_users_alone_after_signing_in(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A guest who was asked to sign in, and does, is let in without a reload."""
    complaints.expect(403)
    page.goto(world.host.init(agentId="account"))
    widget = Widget(page).is_("refused", code="auth_mode_forbidden")
    token = world.api.visitor_token("ada", agent_id="account")
    page.evaluate("token => window.widget.identify(token)", token)
    widget.is_("ready", "user")


def test_users_alone_and_a_page_that_names_nobody(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """A page whose function gives null has nobody signed in: the visitor is asked to sign in."""
    complaints.expect(403, "auth_mode_forbidden")
    page.goto(world.host.init(agentId="account", userToken=[]))
    widget = Widget(page).is_("refused", code="auth_mode_forbidden")
    widget.launcher.click()
    expect(widget.status).to_contain_text("Please sign in")
    expect(widget.status).not_to_contain_text("can't start here")


def test_users_alone_and_a_spent_token(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """Where a guest can't go on, a failed sign-in is said to be just that."""
    complaints.expect(400, "used_token")
    complaints.expect(403, "auth_mode_forbidden")
    token = world.api.visitor_token("ada", agent_id="account")
    page.goto(world.host.blank())
    assert post(page, world, "exchange", {"token": token}).status == 200
    page.goto(world.host.init(agentId="account", userToken=token))
    widget = Widget(page).is_("refused")
    widget.launcher.click()
    expect(widget.status).to_contain_text("sign")
    expect(widget.status).not_to_contain_text("can't start here")


def test_a_user_where_only_guests_are_taken(
    page: Page, world: ServedWorld, complaints: Complaints
) -> None:
    """The panel never bears one agent's name while the session is with another."""
    complaints.expect(403, "auth_mode_forbidden")
    page.goto(world.host.init(agentId="sales", userToken=world.api.visitor_token("ada")))
    widget = Widget(page)
    expect(widget.host).to_have_attribute("data-state", re.compile("ready|refused"))
    if widget.host.get_attribute("data-state") == "ready":
        names = {"sales": "Acme Sales", "support": "Acme Support"}
        assert names[widget.stored()["agent_id"]] == title(widget)
