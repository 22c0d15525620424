"""A server for tests, tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kataven_flask.testing import Kataven, Tenant, running

PAGE = "https://shop.example"


@pytest.fixture
def kataven() -> Iterator[Kataven]:
    """Return the server that the plugin's fixture returns."""
    with running() as server:
        yield server


@pytest.fixture
def shop(kataven: Kataven) -> Tenant:
    """Return a tenant whose pages are on one origin."""
    return kataven.tenant("shop", origins=[PAGE])
