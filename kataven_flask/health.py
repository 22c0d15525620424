"""What `/readyz` tells: the tenants' file in force, the state store, the key that signs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kataven_flask.errors import StoreError
from kataven_flask.live import Live
from kataven_flask.log import Log
from kataven_flask.registry import Registry
from kataven_flask.seldom import Seldom
from kataven_flask.signing import KeyRing
from kataven_flask.store import Store
from kataven_flask.store.base import CLOCK_SKEW_MS, REMEMBERS_NOTHING
from kataven_flask.times import iso_utc

STATE_KEPT: Final = 1.0
"""Seconds that what was found of the state store is told again: strangers may ask, too."""
OUT_OF_REACH: Final = "state store out of reach"
COMPLAINT: Final = 10.0
"""Seconds between two lines of the log about that."""

_CONFIG: Final = {
    "error": "the last edit was refused; the log says why",
    "do": "mend the tenants' file, which `kataven-flask check` reads: until then the last good one"
    " is in force, and a restart fails",
    "see": "docs/runbook.md#katavenconfigrefused",
}
STATE_AWAY: Final = {
    "error": "out of reach; the log says why",
    "do": "bring it back: until then guests begin, and nobody signs in or is renewed; no restart is"
    " needed",
    "see": "docs/runbook.md#katavenstatestoreaway",
}
_KEYS: Final = {
    "error": "its file is gone, damaged, or others can read it; the log says which",
    "do": "restore the key ring's file before a restart: until then the last good keys are in"
    " force",
    "see": "docs/runbook.md#katavenkeyringrefused",
}
"""What is told of a part that isn't sound: nothing that a stranger could use, as anybody may ask.
"""

_log = Log(__name__)


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
        key = self._ring.current.signing_key(self._clock())
        parts = {
            "config": {
                "is": "the tenants' file",
                **_soundness(self._live, self._live.since, _CONFIG),
                "revision": self._live.current.revision,
            },
            "state": {"is": "what was spent, rotated and revoked", **self._state},
            "signing_key": {
                "is": "what signs tokens",
                **_soundness(self._ring, key.signs_from, _KEYS),
                "kid": key.kid,
            },
        }
        return Report(self._state["ok"], parts)

    def tell_of(self, error: StoreError) -> None:
        """Write to the log, once in a while, that the store is out of reach, and why."""
        self._is_away = True
        self._complain(OUT_OF_REACH, error=str(error))

    def _look(self) -> Mapping[str, Any]:
        try:
            self._store.ping()
            since_ms = self._store.since_ms()
            if since_ms is None:  # it lost its data; who comes from now on is known
                since_ms = int(self._clock() * 1000) + CLOCK_SKEW_MS
                self._store.begin(since_ms)
                _log.warning(REMEMBERS_NOTHING)
        except StoreError as error:
            self.tell_of(error)
            return {"ok": False, "since": self._state_since(ok=False), **STATE_AWAY}
        if self._is_away:
            self._is_away = False
            _log.info("state store answers again")
        since = self._state_since(ok=True)
        return {"ok": True, "since": since, "remembers_since": iso_utc(since_ms / 1000)}

    def _state_since(self, *, ok: bool) -> str:
        """Return since when it is so, as far as somebody has asked."""
        if self._state and self._state["ok"] == ok:
            since: str = self._state["since"]
            return since
        return iso_utc(self._clock())


def _soundness(live: Live[Any], since: float, unsound: Mapping[str, str]) -> dict[str, Any]:
    if live.fault is None:
        return {"ok": True, "since": iso_utc(since)}
    return {"ok": False, "since": iso_utc(live.faulty_since or since), **unsound}
