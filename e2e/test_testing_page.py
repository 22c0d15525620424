"""The example of `docs/testing.md` with a page, as it stands there, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from e2e.conftest import Complaints
from kataven_flask.testing import Kataven, running
from tests.testing.guide import FILES


@pytest.fixture
def kataven() -> Iterator[Kataven]:
    """Return the server that the plugin's fixture returns."""
    with running() as server:
        yield server


def test_the_example_with_a_page(page: Page, kataven: Kataven, complaints: Complaints) -> None:
    """The widget outlives an outage: it tries again by itself, and goes on with its session."""
    complaints.expect_words("404", "/favicon.ico")
    complaints.expect(503, "state_unavailable")
    names: dict[str, Any] = {}
    exec(FILES["test_page.py"], names)  # noqa: S102 - the page's own words
    example: Callable[[Page, Kataven], None] = names["test_the_widget_outlives_an_outage"]
    example(page, kataven)
    assert [r.code for r in kataven.requests if r.path.endswith("refresh")] == [
        "state_unavailable",
        None,
    ]
