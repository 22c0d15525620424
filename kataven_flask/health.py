"""What `/readyz` tells: the tenants' file in force, the state store, the key that signs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kataven_flask.errors import StoreError
from kataven_flask.live import Live
from kataven_flask.registry import Registry
from kataven_flask.seldom import Seldom
from kataven_flask.signing import KeyRing
from kataven_flask.store import Store
from kataven_flask.store.base import CLOCK_SKEW_MS
from kataven_flask.times import iso_utc

STATE_KEPT: Final = 1.0
"""Seconds that what was found of the state store is told again: strangers may ask, too."""
COMPLAINT: Final = 10.0
"""Seconds between two lines of the log about a store that is out of reach."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What `/readyz` tells.

    Args:
        ready: Whether every part that a token needs is there.
        parts: Each part with its state, for a person to read.
    """

    ready: bool
    parts: Mapping[str, Any]


class Health:
    """The state of a server's parts.

    Args:
        live: The registry in force.
        ring: The keys in force.
        store: The state store.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self,
        live: Live[Registry],
        ring: Live[KeyRing],
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        self._live = live
        self._ring = ring
        self._store = store
        self._clock = clock
        self._complain = Seldom(_log.error, COMPLAINT)
        self._state: Mapping[str, Any] = {}
        self._until = 0.0
        self._is_away = False

    def report(self) -> Report:
        """Look at all parts; at the state store once a second at most."""
        if time.monotonic() >= self._until:
            self._state = self._look()
            self._until = time.monotonic() + STATE_KEPT
        kid = self._ring.current.signing_key(self._clock()).kid
        parts = {
            "config": {"revision": self._live.current.revision, **_soundness(self._live)},
            "state": self._state,
            "signing_key": {**_soundness(self._ring), "kid": kid},
        }
        return Report(self._state["ok"], parts)

    def tell_of(self, error: StoreError, request: str | None = None) -> None:
        """Write to the log, once in a while, that the store is out of reach.

        Args:
            error: Why.
            request: The request that needed it, if one did.
        """
        self._is_away = True
        which = "" if request is None else f" (request {request})"
        self._complain("state store out of reach: %s%s", error, which)

    def _look(self) -> Mapping[str, Any]:
        try:
            self._store.ping()
            since_ms = self._store.since_ms()
            if since_ms is None:  # it lost its data; who comes from now on is known
                since_ms = int(self._clock() * 1000) + CLOCK_SKEW_MS
                self._store.begin(since_ms)
        except StoreError as error:
            self.tell_of(error)
            return {"ok": False, "error": "out of reach; the log says why"}
        if self._is_away:
            self._is_away = False
            _log.info("state store answers again")
        return {"ok": True, "remembers_since": iso_utc(since_ms / 1000)}


def _soundness(live: Live[Any]) -> dict[str, Any]:
    if live.fault is None:
        return {"ok": True}
    return {"ok": False, "error": "the last edit was refused; the log says why"}
