"""Rate limits by the `limits` library: how many requests a minute, and what is left of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Final, cast

from limits import RateLimitItemPerMinute
from limits.strategies import SlidingWindowCounterRateLimiter

from kataven_flask.errors import RateLimited, StoreError
from kataven_flask.store.base import Counts
from kataven_flask.windows import OwnWindows, SharedWindows

WINDOW: Final = 60
"""Seconds."""
IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that are counted by: one customer has at least as many to choose from
(RFC 6177, section 2)."""
_COUNTED: Final = {
    "wrong-secret": " wrong secret keys",
    "bad-token": " tokens that were not signed here",
}
"""What is counted, where that isn't every request."""


def _nothing(_fault: StoreError) -> None:
    """Leave it at that."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a limit, as the caller is told.

    Args:
        policy: What is limited.
        limit: How many are let through a minute.
        left: How many more would be, now.
        wait: Seconds after which one more is surely let through.
    """

    policy: str
    limit: int
    left: int
    wait: int


class Throttle:
    """Counts requests by what is asked, by client key or secret key, and by client address.

    Args:
        note: Takes each quota that a request used, for its answer.
        store: Where several servers count together; None to count in this process.
        alone: Told of each request that couldn't be counted there, and was here; and why.
    """

    def __init__(
        self,
        note: Callable[[Quota], None],
        store: Counts | None = None,
        alone: Callable[[StoreError], None] = _nothing,
    ) -> None:
        self._note = note
        self._own = SlidingWindowCounterRateLimiter(OwnWindows())
        self._limiter = self._own
        self._shared = None if store is None else SharedWindows(store, alone)
        if self._shared is not None:
            self._limiter = SlidingWindowCounterRateLimiter(self._shared)

    @property
    def may_wait(self) -> bool:
        """Whether a request is counted in a store, which it may have to wait for."""
        return self._shared is not None and not self._shared.rests

    def admit(self, policy: str, key: str, address: str, per_minute: int | None) -> None:
        """Count one request.

        Args:
            policy: What is asked for.
            key: The client key it is counted under, or a secret key's hash; empty for all.
            address: The client's network address; empty to count for all of them.
            per_minute: How many a minute are let through; None for any number.

        Raises:
            RateLimited: It is one too many.
        """
        if per_minute is None:
            return
        names = (policy, key, network_of(address))
        admitted = self._limiter.hit(_item(per_minute), *names)
        quota = _quota(self._limiter, per_minute, names)
        self._note(quota)
        if not admitted:
            raise _too_many(quota, "from this address" if address else "with this secret key")

    def has_room(self, policy: str, address: str, per_minute: int | None) -> bool:
        """Tell whether there is something left of a limit that only some requests count against.

        It is counted in this process, whose time it saves; see `charge`.

        Args:
            policy: What is limited.
            address: The client's network address.
            per_minute: How many a minute are let through; None for any number.
        """
        return per_minute is None or self._own.test(_item(per_minute), policy, network_of(address))

    def charge(self, policy: str, address: str, per_minute: int | None) -> None:
        """Count one request against such a limit.

        Raises:
            RateLimited: It is one too many.
        """
        if per_minute is None:
            return
        names = (policy, network_of(address))
        if not self._own.hit(_item(per_minute), *names):
            quota = _quota(self._own, per_minute, names)
            self._note(quota)
            raise _too_many(quota, "from this address")


@lru_cache(maxsize=256)
def network_of(address: str) -> str:
    """Return what a client address is counted by: itself, or its network where that is IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a socket's name, or none
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> (parsed.max_prefixlen - IPV6_NETWORK)
    return f"{network:x}/{IPV6_NETWORK}"


@lru_cache(maxsize=256)
def _item(per_minute: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(per_minute)


def _quota(
    limiter: SlidingWindowCounterRateLimiter, per_minute: int, names: tuple[str, ...]
) -> Quota:
    windows = cast("OwnWindows", limiter.storage)
    key = _item(per_minute).key_for(*names)
    before, ends, present, _ = windows.get_sliding_window(key, WINDOW)
    left = max(0, per_minute - floor(before * ends / WINDOW + present))
    # The window that is full has to pass, and then as much of the next as makes room for one.
    return Quota(names[0], per_minute, left, wait=ceil(ends) + 1)


def _too_many(quota: Quota, whose: str) -> RateLimited:
    counted = _COUNTED.get(quota.policy, "")
    message = f"more than {quota.limit}{counted} a minute {whose}; try again in {quota.wait} s"
    return RateLimited(message, retry_after=quota.wait)
