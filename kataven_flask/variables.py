"""The `KATAVEN_…` variables: which there are, and what was meant by one that isn't among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "KATAVEN_"
SERVER: Final = frozenset(
    {
        "KATAVEN_ADMIN",
        "KATAVEN_CONFIG",
        "KATAVEN_HSTS",
        "KATAVEN_INSTANCE",
        "KATAVEN_ISSUER",
        "KATAVEN_LISTEN",
        "KATAVEN_LOG_FORMAT",
        "KATAVEN_LOG_REQUESTS",
        "KATAVEN_PROXY_HOPS",
        "KATAVEN_SIGNING_ALG",
        "KATAVEN_STATE",
        "KATAVEN_THREADS",
        "KATAVEN_TRUSTED_PROXIES",
        "KATAVEN_WORKERS",
    }
)
"""What `serve` has as options; another WSGI server takes those of them that aren't its own."""
NOT_OF_THE_SERVER: Final = frozenset(
    {
        "KATAVEN_CLIENT_KEY",  # a customer's backend has these two
        "KATAVEN_SECRET_KEY",
        "KATAVEN_DRY_RUN",
        "KATAVEN_JSON",
        "KATAVEN_QUIET",
        "KATAVEN_SCREENSHOTS",
        "KATAVEN_URL",
    }
)
_OF_ONE_COMMAND: Final = re.compile(
    "KATAVEN_(?:AGENTS|CHECK|COMPLETION|DEMO|DOCTOR|KEYS|ORIGINS|SCHEMA|SESSIONS|SIGNING_KEYS"
    "|SNIPPET|TENANTS|TOKENS)_[A-Z_]+"
)
_OF_A_CLUSTER: Final = re.compile(
    "KATAVEN(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT.*|PORT_[0-9]+_(?:TCP|UDP|SCTP).*)"
)
"""Kubernetes gives these to each pod for a Service whose name begins with `kataven`."""
_CLUSTER_PORT: Final = re.compile("(?:tcp|udp|sctp)://")
"""What it puts into its `…_PORT`."""
_OTHERS_SAY: Final = {
    "BIND": "KATAVEN_LISTEN",
    "HOST": "KATAVEN_LISTEN",
    "PORT": "KATAVEN_LISTEN",
    "REDIS": "KATAVEN_STATE",
    "REDIS_URL": "KATAVEN_STATE",
    "TENANTS": "KATAVEN_CONFIG",
}
_ALIKE: Final = 0.75
"""As far as a slip or two go; `PORT` isn't `HOPS`."""


def given(environ: Mapping[str, str], name: str) -> str | None:
    """Return what a variable says, or None where it isn't set, or is empty."""
    return environ.get(name) or None


@dataclass(frozen=True, slots=True)
class Oddity:
    """A variable that does nothing.

    Args:
        event: Why, in words of the log.
        variable: Its name.
        meant: The one that was likely meant.
    """

    event: str
    variable: str
    meant: str | None = None


def oddities(environ: Mapping[str, str]) -> Iterator[Oddity]:
    """Tell which variables of a server's environment do nothing, and what was likely meant.

    Args:
        environ: The environment; values are never repeated, as any may hold a password.

    Yields:
        One for each, in the order of their names.
    """
    for name in sorted(environ):
        upper = name.upper()
        if name in SERVER:
            if not environ[name]:
                yield Oddity("this variable is empty, and counts as not set", name)
        elif upper.startswith(PREFIX) and not _is_known(name, environ[name]):
            yield Oddity("nothing reads this variable", _shown(name), _likely(upper))


def _is_known(name: str, value: str) -> bool:
    return (
        name in NOT_OF_THE_SERVER
        or _OF_ONE_COMMAND.fullmatch(name) is not None
        or _OF_A_CLUSTER.fullmatch(name) is not None
        or (name.endswith("_PORT") and _CLUSTER_PORT.match(value) is not None)
    )


def _likely(upper: str) -> str | None:
    if upper in SERVER:
        return upper
    words = upper.removeprefix(PREFIX).removeprefix("SERVE_")
    known = {name.removeprefix(PREFIX): name for name in SERVER} | _OTHERS_SAY
    from difflib import get_close_matches  # noqa: PLC0415 - where somebody slipped

    close = get_close_matches(words, known, 1, _ALIKE)
    return known[close[0]] if close else None


def _shown(name: str) -> str:
    """Return a name fit for a line of the log: anybody may set a variable of any name."""
    return name if re.fullmatch("[A-Za-z0-9_]{1,64}", name) else f"{PREFIX}…"
