"""The clock that a test moves."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kataven_flask.testing import Clock, Kataven, RefusedError, Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("by", [900, 900.0, "15m", "900s", timedelta(minutes=15)])
def test_it_is_advanced_at_once(by: Any) -> None:
    """Seconds, a text with a unit and a timedelta are the same."""
    clock = Clock()
    clock.freeze()
    before = clock()
    clock.advance(by)
    assert clock() == before + 900


def test_it_goes_on_from_where_it_was_put() -> None:
    """It isn't a clock that stands still, unless it is told to."""
    clock = Clock()
    clock.set(NOON)
    assert 0 <= clock() - NOON.timestamp() < 60
    first = clock()
    while clock() == first:
        pass
    clock.freeze()
    assert clock() == clock()
    clock.set(NOON)
    assert clock.now == NOON
    clock.reset()
    assert abs(clock() - time.time()) < 60


def test_it_follows_a_test_that_replaces_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the whole process is put to another time, it is there too."""
    clock = Clock()
    monkeypatch.setattr(time, "time", NOON.timestamp)
    assert clock.now == NOON


@pytest.mark.parametrize("by", ["15", "15 m", "soon", "", float("nan"), float("inf"), -(2**33)])
def test_what_is_no_duration_is_refused(by: Any) -> None:
    """Nothing moves, and the message says how one is written, or how far time goes."""
    clock = Clock()
    clock.freeze()
    before = clock()
    with pytest.raises(ValueError, match=r"for example 10m|1970 to 2105"):
        clock.advance(by)
    assert clock() == before


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody has to guess where it is noon."""
    with pytest.raises(ValueError, match="time zone"):
        Clock().set(NOON.replace(tzinfo=None))


def test_a_session_ends_when_its_time_is_over(kataven: Kataven, shop: Tenant) -> None:
    """What is moved is what the server goes by."""
    visitor = kataven.guest(shop)
    kataven.clock.advance("25h")
    with pytest.raises(RefusedError) as refused:
        kataven.refresh(visitor)
    assert (refused.value.status, refused.value.code) == (400, "expired_refresh_token")


def test_it_may_be_put_back(kataven: Kataven, shop: Tenant) -> None:
    """A visitor who came years ago is let in as one who comes today."""
    kataven.clock.set(NOON - timedelta(days=3650))
    ada = kataven.sign_in(shop)
    assert kataven.refresh(ada).session_id == ada.session_id
    assert ada.expires_at == NOON.timestamp() - 3650 * 86400 + 600
