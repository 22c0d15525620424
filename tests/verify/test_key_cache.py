"""When the public keys are fetched: seldom, by one at a time, and what holds when they can't be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kataven_flask.verify import KeysUnavailableError, SessionVerifier, key_cache
from kataven_flask.verify.jwks import PublicKey
from kataven_flask.verify.key_cache import FRESH, PAUSE, RENEWED, KeyCache
from tests.running import wait_until
from tests.support import FrozenClock
from tests.verify.key_server import (
    BY_NEXT,
    NEXT,
    OURS,
    KeyServer,
    flood,
    made_up,
    takes,
)

# --- how often


def test_one_fetch_serves_many_tokens(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Keys are fetched when the first token comes, and not again for the next."""
    assert keys.fetches == 0
    assert all(takes(verifier) for _ in range(20))
    assert keys.fetches == 1


def test_keys_may_be_fetched_before_anybody_waits(
    keys: KeyServer, verifier: SessionVerifier
) -> None:
    """A service that fetches the keys at its start has them when its first visitor comes."""
    verifier.fetch_keys()
    verifier.fetch_keys()
    keys.fail()
    assert takes(verifier)
    assert keys.fetches == 1


def test_a_service_learns_at_its_start_that_there_are_no_keys(
    keys: KeyServer, verifier: SessionVerifier
) -> None:
    """Where the keys can't be had, a service may refuse to start, and is told why."""
    keys.fail(404)
    for _ in range(2):
        with pytest.raises(KeysUnavailableError, match="it answered 404"):
            verifier.fetch_keys()
    assert keys.fetches == 1


def test_fifty_threads_and_one_fetch(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Fifty requests that come at once, before there are keys, cost one fetch, and all get in."""
    keys.open.clear()
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(takes, verifier) for _ in range(50)]
        wait_until(lambda: keys.fetches == 1, "one asks")
        keys.open.set()
        assert all(each.result() for each in waiting)
    assert keys.fetches == 1


def test_who_is_overtaken_on_the_way_to_its_fetch_does_none(
    keys: KeyServer, verifier: SessionVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread found no key; before its turn came, another had fetched: it takes what is there."""
    look = KeyCache.find_at_once

    def look_and_be_overtaken(cache: KeyCache, kid: str) -> PublicKey | None:
        found = look(cache, kid)
        monkeypatch.setattr(KeyCache, "find_at_once", look)
        assert takes(verifier)
        return found

    monkeypatch.setattr(KeyCache, "find_at_once", look_and_be_overtaken)
    assert takes(verifier)
    assert keys.fetches == 1


def test_made_up_keys_cause_no_fetch(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """A flood of made-up key ids costs one fetch in ten seconds, and refuses nobody else."""
    flood(verifier)
    assert keys.fetches == 1
    for count in range(2, 5):
        clock.move(PAUSE)
        flood(verifier)
        assert takes(verifier)
        assert keys.fetches == count


def test_a_flood_from_many_threads(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """The bound is one for all threads."""
    assert takes(verifier)
    clock.move(PAUSE)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: flood(verifier, 10), range(20)))
    assert keys.fetches == 2


# --- rotation


def test_a_new_key_is_fetched_when_it_is_first_seen(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """A key that was made in haste signs at once, and its first token is taken."""
    assert takes(verifier)
    keys.publish(OURS, NEXT)
    clock.move(PAUSE)
    assert takes(verifier, BY_NEXT)
    assert takes(verifier)
    assert keys.fetches == 2


def test_a_new_key_just_after_a_fetch(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """One that was made right after a fetch is taken ten seconds after it, whatever comes."""
    assert takes(verifier)
    keys.publish(OURS, NEXT)
    clock.move(PAUSE - 1)
    assert not takes(verifier, BY_NEXT)
    flood(verifier)
    clock.move(1)
    assert takes(verifier, BY_NEXT)


def test_a_removed_key(keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock) -> None:
    """A key that was removed verifies nothing four minutes after the last fetch, or sooner."""
    assert takes(verifier)
    keys.publish(NEXT)
    clock.move(RENEWED - 1)
    assert takes(verifier)
    clock.move(1)
    assert not takes(verifier)
    assert takes(verifier, BY_NEXT)


def test_a_removed_key_after_a_quiet_night(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """After hours without a request, nobody gets in by a removed key while the keys are fetched."""
    assert takes(verifier)
    keys.publish(NEXT)
    clock.move(FRESH)
    keys.open.clear()
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(takes, verifier) for _ in range(5)]
        wait_until(lambda: keys.fetches == 2, "one asks")
        keys.open.set()
        assert not any(each.result() for each in waiting)


def test_nobody_waits_for_a_renewal(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """While one request fetches the keys anew, the others go on with those that are there."""
    assert takes(verifier)
    clock.move(RENEWED)
    keys.open.clear()
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(takes, verifier)
        wait_until(lambda: keys.fetches == 2, "one asks")
        assert all(takes(verifier) for _ in range(20))
        assert not renewing.done()
        keys.open.set()
        assert renewing.result()
    assert keys.fetches == 2


def test_those_with_an_unknown_key_wait_a_moment(
    keys: KeyServer,
    verifier: SessionVerifier,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Made-up keys don't hold a service's threads while a fetch is slow: they are sent off."""
    monkeypatch.setattr(key_cache, "PATIENCE", 0.05)
    assert takes(verifier)
    clock.move(PAUSE)
    keys.open.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(takes, verifier, made_up(0))
        wait_until(lambda: keys.fetches == 2, "one asks")
        for number in range(1, 10):
            with pytest.raises(KeysUnavailableError) as refusal:
                takes(verifier, made_up(number))
            assert refusal.value.retry_after == 1
        assert takes(verifier)
        keys.open.set()
        assert not first.result()
