"""What README.md has a tenant paste into its pages, as it stands there, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from e2e.support import KEY, WWW, ServedWorld, Widget, serving
from tests.docs.blocks import pages

TAG, CALL = (block.text for block in pages()["README.md"].blocks if block.language == "html")
SHOWN_KEY: Final = "pk_live_bikes_…"
HEAD: Final = '<!doctype html><html lang="en"><title>Bikes</title><link rel="icon" href="data:,">'


def adapted(text: str, world: ServedWorld) -> str:
    """Return a block as a page, with this world's values in the place of those that it shows."""
    shown = {
        "https://widget.example.com": world.api_url,
        SHOWN_KEY: KEY,
        "https://agents.example.com/connect": world.connect_url,
    }
    for value, own in shown.items():
        assert value in text
        text = text.replace(value, own)
    return HEAD + text


@pytest.fixture
def signed_in() -> list[str]:
    """Return who is signed in at the tenant's site: nobody, or one."""
    return []


@pytest.fixture
def site(world: ServedWorld, signed_in: list[str]) -> Iterator[str]:
    """Serve the tenant's site; return its origin."""
    app = Flask("bikes", static_folder=None)
    for name, text in {"tag": TAG, "call": CALL}.items():
        app.add_url_rule(f"/{name}", name, partial(adapted, text, world))

    @app.post("/widget-token")
    def widget_token() -> dict[str, str] | tuple[str, int]:
        if not signed_in:
            return "", 204
        return {"user_token": world.api.visitor_token(signed_in[0])}

    with serving(app) as port:
        yield f"http://{WWW}:{port}"


def test_the_tag(page: Page, site: str) -> None:
    """Pasted as it is, the tag brings the widget up for a guest, who is answered."""
    page.goto(f"{site}/tag")
    widget = Widget(page).is_("ready", "guest")
    widget.launcher.click()
    expect(widget.say("Who am I?")).to_contain_text("Hello guest")


def test_the_call(page: Page, site: str, signed_in: list[str]) -> None:
    """Pasted as it is, the call makes a guest where nobody is signed in, and else that user."""
    page.goto(f"{site}/call")
    Widget(page).is_("ready", "guest")
    signed_in.append("ada")
    page.reload()
    widget = Widget(page).is_("ready", "user")
    widget.launcher.click()
    expect(widget.who).to_have_text(re.compile("^You're signed in as "))
