"""Keys rotated at a real server, as a `/connect` service lives through it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kataven_flask.verify import InvalidSession, SessionVerifier
from kataven_flask.verify.key_cache import PAUSE, RENEWED
from tests.support import AUDIENCE, ISSUER, FrozenClock
from tests.verify.world import World, running_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Run a server that is this test's alone."""
    with running_world(tmp_path) as world:
        yield world


def test_a_rotation_in_haste_and_one_after_a_leak(world: World) -> None:
    """A new key's sessions are taken ten seconds on; a leaked key's are refused within minutes."""
    clock = FrozenClock(time.time())
    verifier = SessionVerifier(world.jwks_url, ISSUER, AUDIENCE, clock=clock)
    first = world.guest()
    assert verifier.verify(first).visitor_type == "guest"

    world.rotate("--at-once")
    second = world.guest()
    clock.move(PAUSE)
    assert verifier.verify(second).tenant == "acme"
    assert verifier.verify(first)

    world.rotate("--leaked")
    clock.move(RENEWED)
    for ended in (first, second):
        with pytest.raises(InvalidSession, match="no key of the service signed it"):
            verifier.verify(ended)
    assert verifier.verify(world.guest())
