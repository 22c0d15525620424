"""The page and the route of `docs/onboarding.md`, as they stand there, in a real browser."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, session
from playwright.sync_api import Page, expect

from e2e.conftest import Complaints
from e2e.support import KEY, LOOPBACK, SECRET, ServedWorld, Widget, serving
from tests.guide import FILES, write_file
from tests.snippets import USER


def page_of(world: ServedWorld) -> str:
    """Return the page, with this world's values in the place of those that it shows."""
    text = FILES["page.html"]
    for shown, own in {
        "https://widget.example.com": world.api_url,
        "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g": KEY,
        "https://agents.example.com/connect": world.connect_url,
    }.items():
        assert shown in text
        text = text.replace(shown, own)
    head = '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">'
    return head + text


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: ServedWorld) -> Iterator[str]:
    """Serve the shop of the page, with a sign-in of its own; return its address."""
    for name in ("widget_token.py", "shop.py"):
        write_file(tmp_path, name)
    for name, value in {
        "KATAVEN_URL": world.api_url.replace("localhost", LOOPBACK),
        "KATAVEN_CLIENT_KEY": KEY,
        "KATAVEN_SECRET_KEY": SECRET,
        "SHOP_SECRET_KEY": "s" * 32,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path)
    app: Flask = importlib.import_module("shop").app
    app.add_url_rule("/", view_func=lambda: page_of(world))
    app.add_url_rule("/<way>", view_func=go, methods=["POST"])
    with serving(app) as port:
        yield f"http://shop.acme.localhost:{port}"
    for name in ("shop", "widget_token"):
        del sys.modules[name]


def go(way: str) -> str:
    """Sign the user in, or out: the shop's own way, which the page says nothing of."""
    if way == "in":
        session["user"] = USER
    else:
        session.clear()
    return way


def sign(page: Page, way: str) -> None:
    """Sign in, or out, without a new page."""
    ask = "way => fetch(way, {method: 'POST'}).then(answer => answer.text())"
    assert page.evaluate(ask, way) == way


def init_again(page: Page) -> None:
    """Call the same `Kataven.init` again, as a page does that isn't loaded anew."""
    page.evaluate(page.locator("script").last.text_content() or "")


def test_a_guest_signs_in_and_out_by_the_pages_code(page: Page, shop: str) -> None:
    """Pasted as it is, it makes a guest, then a user of the one who signs in, then a guest."""
    page.goto(shop)
    widget = Widget(page).is_("ready", "guest")
    sign(page, "in")
    page.reload()
    widget.is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text(f"You're signed in as {USER['name']}")
    assert widget.stored()["visitor"] == {**USER, "type": "user"}
    sign(page, "out")
    page.reload()
    widget.is_("ready", "guest")


def test_a_page_that_is_not_loaded_anew_calls_init_again(page: Page, shop: str) -> None:
    """After a sign-in and a sign-out the same call tells the widget who is here."""
    page.goto(shop)
    widget = Widget(page).is_("ready", "guest")
    sign(page, "in")
    init_again(page)
    widget.is_("ready", "user")
    sign(page, "out")
    init_again(page)
    widget.is_("ready", "guest")


def test_a_user_outlives_a_backend_that_fails(
    page: Page, shop: str, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the shop gets no token its signed-in user keeps the session, reload or not."""
    page.goto(shop)
    sign(page, "in")
    page.reload()
    widget = Widget(page).is_("ready", "user")
    session_id = widget.session_id
    complaints.expect(503, "user_token_failed")
    monkeypatch.setenv("KATAVEN_SECRET_KEY", "sk_test_acme_" + "w" * 43)
    page.reload()
    widget.is_("offline", code="user_token_failed")
    monkeypatch.setenv("KATAVEN_SECRET_KEY", SECRET)
    assert widget.is_("ready", "user").session_id == session_id


def test_the_page_has_no_secret() -> None:
    """What a reader pastes into a page has the public key alone."""
    assert not re.search("sk_|SECRET", FILES["page.html"])
