"""Fixtures of the attacks: what the state store was asked to do, and what no log may have."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from kataven_flask.store.memory import MemoryStore
from tests.api.test_logs import everything_logged


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of what the state store is asked to do."""
    asked: list[str] = []
    for name in ("spend", "rotate", "revoke_session"):
        step = getattr(MemoryStore, name)

        def noted(*args: Any, _name: str = name, _step: Any = step, **options: Any) -> Any:
            asked.append(_name)
            return _step(*args, **options)

        monkeypatch.setattr(MemoryStore, name, noted)
    return asked


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[set[str]]:
    """Return a set for what no log may have; no fault of ours may stand there either."""
    caplog.set_level(logging.DEBUG)
    secrets: set[str] = set()
    yield secrets
    logged = everything_logged(caplog)
    assert not [secret for secret in secrets if secret in logged]
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or each.exc_info]
