"""The page of the API: whole, and with nothing on it that could do harm."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import pytest

from kataven_flask.openapi.document import document
from kataven_flask.openapi.keeping import DOCS_FILES
from kataven_flask.openapi.page import prose
from tests.support import Service

PAGE: Final = "/docs"
FROM: Final = {"src", "href", "srcset", "action", "data", "poster"}


class Reader(HTMLParser):
    """Reads a page's elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def values(self, *names: str) -> list[str]:
        """Return what attributes hold."""
        return [a[name] for _, a in self.elements for name in names if name in a]


@pytest.fixture
def text(service: Service) -> str:
    """Return the page."""
    answer = service.client.get(PAGE)
    assert answer.status_code == 200
    return answer.text


def test_nothing_runs_on_it(service: Service, text: str) -> None:
    """There is no script, no inline style and no handler, and the policy would stop them."""
    policy = service.client.get(PAGE).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    read = Reader(text)
    assert not {tag for tag, _ in read.elements} & {"script", "style", "iframe", "object", "form"}
    assert not [a for _, each in read.elements for a in each if a == "style" or a.startswith("on")]


def test_nothing_comes_from_elsewhere(service: Service, text: str) -> None:
    """Whatever it loads or links to is on this server, and is there."""
    for address in Reader(text).values(*FROM):
        assert address.startswith(("#", "/"))
        if address.startswith("/"):
            assert service.client.get(address).status_code == 200
    for name in DOCS_FILES:
        assert service.client.get(f"/docs/{name}").status_code == 200
        style = service.client.get("/docs/style.css").text
        assert not re.search(r"url\(|@import|https?://", style)


def test_every_endpoint_and_every_error_is_on_it(text: str) -> None:
    """Each has an anchor of its own, and each anchor is there once; links lead to one."""
    read = Reader(text)
    anchors = read.values("id")
    assert len(anchors) == len(set(anchors))
    whole = document()
    shown = {
        each["operationId"]
        for path, item in whole["paths"].items()
        for method, each in item.items()
        if method != "options" and not path.startswith("/docs/")
    }
    assert shown <= set(anchors)
    assert {f"error-{each['code']}" for each in whole["x-errors"]} <= set(anchors)
    linked = {each[1:] for each in read.values("href") if each.startswith("#")}
    assert linked <= set(anchors)


def test_each_endpoint_says_how_it_is_called(text: str) -> None:
    """An example in a shell for each, and in a page where a page calls it."""
    for name in ("config", "guest", "exchange", "refresh", "logout"):
        article = _article(text, name)
        assert "await fetch(" in article
        assert "curl " in article
    for name in ("user-token", "revoke"):
        article = _article(text, name)
        assert "fetch(" not in article
        assert "Authorization: Bearer $SECRET_KEY" in article
    assert 'class="needed">one of these' in _article(text, "user-token")


def test_no_token_is_shown_whole(text: str) -> None:
    """Of a token, a reader needs the beginning."""
    assert "eyJ" in text
    assert not re.search(r"eyJ[\w-]{40,}", text)


def test_a_text_is_no_markup() -> None:
    """What the description says is shown as it stands; backticks make code."""
    assert prose("a `<b>` & <i>") == "a <code>&lt;b&gt;</code> &amp; &lt;i&gt;"


def test_it_is_found_again(service: Service) -> None:
    """It may be kept, and what is known isn't sent again; no other name is a file of it."""
    answer = service.client.get(PAGE)
    known = service.client.get(PAGE, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")
    assert service.client.get("/docs/page.html").status_code == 404
    assert service.client.get("/docs/examples.json").status_code == 404


def _article(text: str, name: str) -> str:
    return text.partition(f'aria-labelledby="{name}"')[2].partition("</article>")[0]
