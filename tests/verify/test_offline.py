"""What holds while the public keys can't be fetched, and when a fetch never ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kataven_flask.verify import KeysUnavailableError, SessionVerifier
from kataven_flask.verify.jwks import KeySet, parse_jwks
from kataven_flask.verify.key_cache import BOUND, FRESH, OFFLINE, PAUSE, RENEWED, KeyCache
from tests import running
from tests.support import AUDIENCE, ISSUER, FrozenClock
from tests.verify.key_server import (
    BY_NEXT,
    NEXT,
    OURS,
    KeyServer,
    flood,
    jwks,
    takes,
)


def test_offline_for_a_while(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """While the keys can't be fetched the last ones are used for an hour; then nobody is let in."""
    assert takes(verifier)
    keys.fail()
    for _ in range(11):
        clock.move(OFFLINE / 12)
        assert takes(verifier)
    clock.move(OFFLINE / 12 - 1)
    assert takes(verifier)
    clock.move(1)
    for _ in range(3):
        with pytest.raises(KeysUnavailableError, match="it answered 500"):
            takes(verifier)


def test_it_is_tried_again_and_again(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """While the keys can't be fetched, that is tried every ten seconds, and ends when it can."""
    keys.fail()
    for count in range(1, 4):
        for _ in range(5):
            with pytest.raises(KeysUnavailableError) as refusal:
                takes(verifier)
            assert refusal.value.retry_after == PAUSE
        assert keys.fetches == count
        clock.move(PAUSE)
    keys.publish(OURS)
    assert takes(verifier)


def test_an_unknown_key_while_offline(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """While the keys can't be fetched, nobody is told that a new key's token is a bad one."""
    assert takes(verifier)
    keys.fail()
    clock.move(PAUSE)
    with pytest.raises(KeysUnavailableError):
        takes(verifier, BY_NEXT)
    assert takes(verifier)


def test_no_time_offline(keys: KeyServer, clock: FrozenClock) -> None:
    """Who allows no time offline lets nobody in once the keys are five minutes old, nor sooner."""
    verifier = SessionVerifier(keys.url, ISSUER, AUDIENCE, clock=clock, offline=0)
    assert takes(verifier)
    keys.fail()
    clock.move(PAUSE)
    flood(verifier, 1)
    clock.move(FRESH - 1 - PAUSE)
    assert takes(verifier)
    clock.move(1)
    with pytest.raises(KeysUnavailableError):
        takes(verifier)


@pytest.mark.parametrize("seconds", [-1, 24 * 3600 + 1, float("nan"), float("inf")])
def test_the_time_offline_is_bounded(seconds: float) -> None:
    """Nobody can have removed keys go on for ever."""
    with pytest.raises(ValueError, match="offline is 0 to 86400 seconds"):
        SessionVerifier("https://widget.example.com/j", ISSUER, AUDIENCE, offline=seconds)


def test_emptied_keys(keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock) -> None:
    """Where a service takes all its keys back, nothing verifies, and no visitor is to blame."""
    assert takes(verifier)
    keys.publish()
    clock.move(RENEWED)
    with pytest.raises(KeysUnavailableError, match="no key of use"):
        takes(verifier)


def test_the_log_says_how_long_it_holds(
    keys: KeyServer,
    verifier: SessionVerifier,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who is paged reads why the keys can't be had, for how long that is no harm, and the end."""
    takes(verifier)
    keys.fail(502)
    clock.move(RENEWED)
    takes(verifier)
    keys.publish(OURS)
    clock.move(PAUSE)
    takes(verifier)
    assert [each.getMessage() for each in caplog.records] == [
        (
            "the sign-in service's keys can't be fetched: it answered 502;"
            " the last ones are used for 3360 s more"
        ),
        "the sign-in service's keys can be fetched again",
    ]


# --- a fetch that never ends


def test_a_lost_fetch_is_given_up(clock: FrozenClock) -> None:
    """A fetch that is lost, as in a process that forked meanwhile, doesn't stop the next."""
    hang, asked = threading.Event(), threading.Event()

    def fetch() -> KeySet:
        if asked.is_set():
            return parse_jwks(jwks(OURS))
        asked.set()
        hang.wait(running.BOUND)
        return parse_jwks(jwks(NEXT))

    cache = KeyCache(fetch, clock)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(cache.find, OURS.kid)
        asked.wait()
        clock.move(BOUND)
        assert cache.find(OURS.kid).alg == "ES256"
        hang.set()
        assert lost.result().alg == "ES256"
    assert cache.find_at_once(OURS.kid) is not None


def test_a_fetch_that_is_broken_off(clock: FrozenClock) -> None:
    """A fetch that ends in the thread's own end lets the next one try."""
    results = iter([None, parse_jwks(jwks(OURS))])

    def fetch() -> KeySet:
        result = next(results)
        if result is None:
            raise KeyboardInterrupt
        return result

    cache = KeyCache(fetch, clock)
    with pytest.raises(KeyboardInterrupt):
        cache.find(OURS.kid)
    with pytest.raises(KeysUnavailableError):
        cache.find(OURS.kid)
    clock.move(PAUSE)
    assert cache.find(OURS.kid)
