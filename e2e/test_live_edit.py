"""A line edited in the running server's file ends the sessions that it covers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import EDITED_KEY, ServedWorld, Widget, fetch, wait_until

PROMISED = 2.0
"""Seconds within which an edit is in force."""

Edit = Callable[[dict[str, Any]], None]


def switch_key_off(tenant: dict[str, Any]) -> None:
    """Disable the key."""
    edited_key(tenant)["enabled"] = False


def strike_origin(tenant: dict[str, Any]) -> None:
    """Take the page's origin off the key's list."""
    edited_key(tenant)["domain_allowlist"] = ["shop.acme.localhost:*"]


def switch_agent_off(tenant: dict[str, Any]) -> None:
    """Switch the agent off."""
    tenant["agents"]["support"]["widget_enabled"] = False


def edited_key(tenant: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of the key that is edited."""
    entry: dict[str, Any] = next(k for k in tenant["keys"] if k["client_key"] == EDITED_KEY)
    return entry


def wait_in_force(page: Page, world: ServedWorld, code: str | None) -> None:
    """Wait until the server answers by the edited file, as long as was promised."""
    url = f"{world.api_url}/api/v1/widget/config?client_key={EDITED_KEY}"
    wait_until(
        lambda: fetch(page, url, cache="no-store").code == code, f"{code} is in force", PROMISED
    )


@pytest.mark.parametrize(
    ("edit", "code", "words"),
    [
        (switch_key_off, "client_key_disabled", "can't start here"),
        (strike_origin, "origin_not_allowed", "isn't on the allowlist"),
        (switch_agent_off, "agent_disabled", "can't start here"),
    ],
)
def test_an_edit_ends_the_session_at_its_next_renewal(  # noqa: PLR0913, PLR0917 - a row each
    page: Page, own_world: ServedWorld, complaints: Complaints, edit: Edit, code: str, words: str
) -> None:
    """The edit is in force within two seconds, and the page shows it when it renews."""
    complaints.expect(403, code)
    page.goto(own_world.host.init(publicKey=EDITED_KEY))
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    edit(own_world.process.document["tenants"]["acme"])
    own_world.process.write()
    wait_in_force(page, own_world, code)
    widget.is_("ready", "guest")
    widget.renew()
    widget.is_("refused", code=code)
    expect(widget.status).to_contain_text(words)
    expect(widget.status).to_contain_text(code)
    expect(widget.input).to_be_hidden()


def test_automatic_renewal_meets_the_edit(
    page: Page, own_world: ServedWorld, complaints: Complaints
) -> None:
    """Nobody needs to do anything: the next automatic renewal is refused."""
    complaints.expect(403, "client_key_disabled")
    page.clock.install()
    page.goto(own_world.host.init(publicKey=EDITED_KEY))
    widget = Widget(page).is_("ready", "guest")
    switch_key_off(own_world.process.document["tenants"]["acme"])
    own_world.process.write()
    wait_until_logged(own_world, "is in force")
    page.clock.fast_forward("09:01")
    widget.is_("refused", code="client_key_disabled")


def test_switched_on_again(page: Page, own_world: ServedWorld, complaints: Complaints) -> None:
    """A key that is switched on again lets the page in at its next load."""
    complaints.expect(403, "client_key_disabled")
    tenant = own_world.process.document["tenants"]["acme"]
    switch_key_off(tenant)
    own_world.process.write()
    page.goto(own_world.host.blank())
    wait_in_force(page, own_world, "client_key_disabled")
    page.goto(own_world.host.init(publicKey=EDITED_KEY))
    Widget(page).is_("refused", code="client_key_disabled")
    edited_key(tenant)["enabled"] = True
    own_world.process.write()
    wait_in_force(page, own_world, None)
    page.reload()
    Widget(page).is_("ready", "guest")


def test_a_file_with_a_fault_changes_nothing(page: Page, own_world: ServedWorld) -> None:
    """The last good file stays in force, and the log says what to mend."""
    page.goto(own_world.host.init(publicKey=EDITED_KEY))
    widget = Widget(page).is_("ready", "guest")
    session_id = widget.session_id
    path: Path = own_world.process.config
    path.write_text(path.read_text() + "\nsurprise: true\n")
    wait_until_logged(own_world, "surprise")
    widget.renew()
    assert widget.is_("ready", "guest").session_id == session_id
    page.reload()
    widget.is_("ready", "guest")


def wait_until_logged(world: ServedWorld, words: str) -> None:
    """Wait until the server's log has the words, as long as was promised."""
    wait_until(lambda: words in world.process.log, words, PROMISED)
