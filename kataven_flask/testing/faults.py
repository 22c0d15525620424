"""What a test can have go wrong, each in the way in which it does in production."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, Self

from kataven_flask.cors import API

STATE: Final = "state"
RATE_LIMIT: Final = "rate limit"
CRASH: Final = "crash"
CONFIG: Final = "config"
JWKS: Final = "jwks"
NETWORK: Final = "network"
SLOW: Final = "slow"

KNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        STATE: "the state store is out of reach: 503 to whoever exchanges, renews or logs out",
        RATE_LIMIT: "429 to every call of the API, with a `Retry-After` of `seconds`",
        CRASH: "500 to every request",
        CONFIG: "500 to the call that tells the widget's looks",
        JWKS: "500 to whoever fetches the public keys",
        NETWORK: "every connection is closed without an answer",
        SLOW: "every answer comes later by `seconds`",
    }
)
"""Each fault by its name, and what it does."""
_SECONDS: Final[Mapping[str, float]] = MappingProxyType({SLOW: 2.0, RATE_LIMIT: 60.0})
"""Which faults have a number of seconds, and how many where the test doesn't say."""
MAX_SECONDS: Final = 3600
_OWN_PATHS: Final[Mapping[str, str]] = MappingProxyType(
    {CONFIG: f"{API}/config", JWKS: "/.well-known/jwks.json", RATE_LIMIT: f"{API}/"}
)
"""Where a fault happens at all; what ends with a slash is all that is below it."""


def path_fits(path: str, wanted: str) -> bool:
    """Tell whether a path is the wanted one, or ends with it: `refresh`, `auth/refresh`."""
    return path == wanted or path.endswith("/" + wanted.removeprefix("/"))


class Fault:
    """Something that goes wrong, from when it was made until it is ended, or its block is left.

    Args:
        name: What.
        path: The path that it happens on, or how that ends; None for all.
        times: How many requests it hits; None for any number.
        seconds: How much later an answer comes, or after how long to try again.
    """

    def __init__(self, name: str, path: str | None, times: int | None, seconds: float) -> None:
        self.name = name
        self.path = path
        self.hits = 0
        """How many requests it has hit."""
        self._times = times
        self.seconds = seconds
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<Fault {self.name!r}, {self.hits} hit, {'over' if self.is_over else 'goes on'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def is_over(self) -> bool:
        """Whether it hits nobody any more."""
        return self._ended.is_set()

    def end(self) -> None:
        """End it; whoever it keeps waiting is answered."""
        self._ended.set()

    def is_at(self, path: str) -> bool:
        """Tell whether it happens on a path."""
        own = _OWN_PATHS.get(self.name)
        if own is not None and not (path.startswith(own) if own[-1] == "/" else path == own):
            return False
        return self.path is None or path_fits(path, self.path)

    def hit(self) -> bool:
        """Hit one request, and tell whether it did; keep it waiting if that is what it does."""
        with self._lock:
            if self.is_over or self.hits == self._times:
                return False
            self.hits += 1
            if self.hits == self._times and self.name != SLOW:
                self.end()
        if self.name == SLOW:
            self._ended.wait(self.seconds)
        return True


class Faults:
    """Those that go on."""

    def __init__(self) -> None:
        self._all: list[Fault] = []

    def begin(self, name: str, path: str | None, times: int | None, seconds: float | None) -> Fault:
        """Begin one; see `Kataven.fail`."""
        plain = name.replace("_", " ").replace("-", " ")
        if plain not in KNOWN:
            raise ValueError(_unknown(name, plain))
        if times is not None and times < 1:
            raise ValueError(f"times={times}: it hits one request at least, or leave it out")
        if seconds is not None and plain not in _SECONDS:
            raise ValueError(f"{plain!r} takes no seconds; {SLOW!r} and {RATE_LIMIT!r} do")
        if seconds is not None and not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"seconds={seconds}: write more than 0, and at most {MAX_SECONDS}")
        fault = Fault(plain, path, times, _SECONDS.get(plain, 0.0) if seconds is None else seconds)
        self._all.append(fault)
        return fault

    def at(self, path: str) -> list[Fault]:
        """Return those that go on there, the slow ones first."""
        found = [fault for fault in self if fault.is_at(path)]
        return sorted(found, key=lambda fault: fault.name != SLOW)

    def end(self) -> None:
        """End all of them."""
        while self._all:
            self._all.pop().end()

    def __iter__(self) -> Iterator[Fault]:
        return iter([fault for fault in self._all if not fault.is_over])


def _unknown(name: str, plain: str) -> str:
    near = get_close_matches(plain, KNOWN, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    listed = "\n".join(f"  {known!r}: {does}" for known, does in KNOWN.items())
    return f"no fault is called {name!r}{guess} There are:\n{listed}"
