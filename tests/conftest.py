"""Fixtures that every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import FrozenClock, Service


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Return a server in this process."""
    return Service(tmp_path)
