"""The public keys, kept for a while: fetched seldom, by one at a time, and kept through a fault.

Whoever finds the keys old fetches them in its own thread, so that nothing runs in the background:
a process may fork, sleep or be frozen. Others meanwhile go on with the keys that are there.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kataven_flask.verify.fetching import FetchError
from kataven_flask.verify.jwks import KeySet, PublicKey
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError

RENEWED: Final = 240
"""Seconds after which one request fetches the keys anew, and the others don't wait for it."""
FRESH: Final = 300
"""Seconds after which a key isn't used any more unless it was fetched again, or can't be: the
service's own `Cache-Control`."""
PAUSE: Final = 10
"""Seconds between one fetch and the next, however many unknown keys are asked for."""
OFFLINE: Final = 3600
"""Seconds that the last keys are used while they can't be fetched, counted from when they were."""
MAX_OFFLINE: Final = 24 * 3600
PATIENCE: Final = 1
"""Seconds of a fetch that those wait who have an unknown key, while there are known ones."""
BOUND: Final = 15
"""Seconds after which a fetch that hasn't ended is given up for lost."""
_log = logging.getLogger("kataven_flask.verify")


@dataclass(frozen=True, slots=True)
class Held:
    """Keys, and when they were fetched by the cache's clock."""

    keys: Mapping[str, PublicKey]
    at: float


_NOTHING: Final = Held(MappingProxyType({}), -math.inf)


class FixedKeys:
    """Keys that are known from the start, and never fetched.

    Args:
        keys: The keys by their ids.
    """

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = keys

    def find(self, kid: str) -> PublicKey:
        """Return a key, or raise InvalidSession."""
        if not self._keys:
            raise KeysUnavailableError("the sign-in service publishes no key of use")
        key = self._keys.get(kid)
        if key is None:
            raise InvalidSession("not a live session token: no key of the service signed it")
        return key

    def find_at_once(self, kid: str) -> PublicKey:
        """Return a key, or raise InvalidSession."""
        return self.find(kid)

    def fetch(self) -> None:
        """Do nothing."""


class KeyCache:
    """Keys that are fetched, for all threads of a process.

    Args:
        fetch: Fetches them, or raises FetchError.
        clock: Tells seconds that only grow.
        offline: Seconds that the last keys are used while they can't be fetched.
    """

    def __init__(
        self, fetch: Callable[[], KeySet], clock: Callable[[], float], offline: float = OFFLINE
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._offline = max(offline, FRESH)
        self._held = _NOTHING
        self._be_alone()
        self._began = -math.inf
        self._ended = -math.inf
        self._fault: str | None = None
        _caches.add(self)

    def _be_alone(self) -> None:
        """Begin without other threads, which a process that was forked doesn't have."""
        self._moved = threading.Condition()
        self._turn: object | None = None

    @staticmethod
    def after_fork() -> None:
        """Wait in the child for no thread that only the parent has."""
        for cache in list(_caches):
            cache._be_alone()  # noqa: SLF001 - our own

    def find(self, kid: str) -> PublicKey:
        """Return a key; fetch the keys first, or wait for who does, where that has to be.

        Raises:
            InvalidSession: There is no such key.
            KeysUnavailableError: Nobody can tell.
        """
        while True:
            key = self.find_at_once(kid)
            if key is not None:
                return key
            self._fetch_or_wait(kid)

    def find_at_once(self, kid: str) -> PublicKey | None:
        """Return a key, or None where that may take a while: then `find` is to be asked.

        Raises:
            InvalidSession: There is no such key.
            KeysUnavailableError: Nobody can tell.
        """
        now, held = self._clock(), self._held
        key = held.keys.get(kid)
        if key is not None and 0 <= now - held.at < RENEWED:
            return key
        with self._moved:
            return self._judge(kid)

    def fetch(self) -> None:
        """Fetch the keys unless they are fresh, as at the start of a service.

        Raises:
            KeysUnavailableError: They can't be had.
        """
        while self._clock() - self._held.at >= FRESH:
            with self._moved:
                if self._rests():
                    raise self._unavailable()
            self._fetch_or_wait(None)
        if not self._held.keys:
            raise self._unavailable()

    # --- by whoever has the lock

    def _judge(self, kid: str) -> PublicKey | None:
        fetching, key = self._fetches(), self._usable(kid)
        if not fetching and not self._rests():
            return None
        if key is not None or fetching:
            return key
        if self._fault is not None or not self._held.keys:
            raise self._unavailable()
        raise InvalidSession("not a live session token: no key of the service signed it")

    def _usable(self, kid: str) -> PublicKey | None:
        """Return a key that may be used without another fetch: fresh, or none fresher to be had."""
        faulty = self._fault is not None and self._clock() - self._ended < PAUSE + BOUND
        age = self._clock() - self._held.at
        return self._held.keys.get(kid) if age < (self._offline if faulty else FRESH) else None

    def _fetches(self) -> bool:
        return self._turn is not None and self._clock() - self._began < BOUND

    def _rests(self) -> bool:
        return not self._fetches() and self._clock() - self._ended < PAUSE

    def _unavailable(self) -> KeysUnavailableError:
        again = 1 if self._fetches() else self._ended + PAUSE - self._clock()
        reason = self._fault or "it publishes no key of use"
        return KeysUnavailableError(f"the sign-in service's keys can't be had: {reason}", again)

    # --- one fetches

    def _fetch_or_wait(self, kid: str | None) -> None:
        turn = object()
        with self._moved:
            if self._fetches():
                self._wait(kid)
                return
            if self._rests():
                return  # another has just done it
            self._turn, self._began = turn, self._clock()
        fault: str | None = "the fetch was broken off"
        found = None
        try:
            found = self._fetch()
            fault = None
        except FetchError as error:
            fault = str(error)
        finally:
            self._settle(turn, found, fault)

    def _wait(self, kid: str | None) -> None:
        """Wait for the end of a fetch, within reason."""
        hopeful = kid is not None and self._held.keys and kid not in self._held.keys
        bound = self._began + (PATIENCE if hopeful else BOUND) - self._clock()
        if not self._moved.wait_for(lambda: not self._fetches(), max(0, bound)):
            raise KeysUnavailableError("the sign-in service's keys are being fetched")

    def _settle(self, turn: object, found: KeySet | None, fault: str | None) -> None:
        with self._moved:
            if self._turn is not turn:  # it took so long that another was sent
                return
            before, self._fault = self._fault, fault
            self._turn, self._ended = None, self._clock()
            if found is not None:
                self._held = Held(found.keys, self._began)
            left = self._held.at + self._offline - self._ended
            self._moved.notify_all()
        if found is None:
            _tell_fault(fault, left)
        else:
            _tell_found(found, before)


_caches: Final[weakref.WeakSet[KeyCache]] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=KeyCache.after_fork)


def _tell_fault(fault: str | None, left: float) -> None:
    how_long = f"the last ones are used for {left:.0f} s more" if left > 0 else "nobody is let in"
    _log.warning("the sign-in service's keys can't be fetched: %s; %s", fault, how_long)


def _tell_found(found: KeySet, fault_before: str | None) -> None:
    if found.leaked:
        _log.error(
            "the sign-in service publishes private keys (%d): they are not used here, but whoever"
            " has read them can sign in as anybody elsewhere; replace them",
            found.leaked,
        )
    if fault_before is not None:
        _log.warning("the sign-in service's keys can be fetched again")
