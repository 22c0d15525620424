"""What is told as a security event, and what its line has; pure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kataven_flask.log import Entry, Field


class Event(StrEnum):
    """A security event, by the name that log and metrics have for it."""

    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a name
    SESSION_WITHOUT_RECORD = "session_without_record"
    SESSION_FROM_ANOTHER_ORIGIN = "session_from_another_origin"
    VISITOR_TOKEN_REPLAYED = "visitor_token_replayed"  # noqa: S105 - a name
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a name
    SECRET_KEY_WRONG = "secret_key_wrong"  # noqa: S105 - a name
    SECRET_KEY_EXPIRED = "secret_key_expired"  # noqa: S105 - a name
    SECRET_KEY_FROM_BROWSER = "secret_key_from_browser"  # noqa: S105 - a name
    SECRET_KEY_AS_CLIENT_KEY = "secret_key_as_client_key"  # noqa: S105 - a name
    BACKEND_CALLED_BY_BROWSER = "backend_called_by_browser"
    ORIGIN_REFUSED = "origin_refused"
    RATE_LIMITER_UNAVAILABLE = "rate_limiter_unavailable"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told of an event.

    Args:
        fields: What its line may have, besides the event, the tenant and how many.
        apart: The fields by which two of them, of one client key, are told apart; whatever
            agrees in these is one line a minute.
        level: How grave it is; somebody is paged for an ERROR.
    """

    fields: tuple[str, ...]
    apart: tuple[str, ...] = ()
    level: int = logging.WARNING


_SESSION: Final = ("client_key", "session", "user", "endpoint", "request_id")
_REQUEST: Final = ("client_key", "origin", "endpoint", "request_id")

KINDS: Final[Mapping[Event, Kind]] = MappingProxyType(
    {
        Event.REFRESH_TOKEN_REUSED: Kind(_SESSION, ("session",)),
        Event.SESSION_WITHOUT_RECORD: Kind(_SESSION, ("session",)),
        Event.SESSION_FROM_ANOTHER_ORIGIN: Kind((*_SESSION, "origin"), ("session", "origin")),
        Event.VISITOR_TOKEN_REPLAYED: Kind(
            ("client_key", "token", "user", "endpoint", "request_id"), ("token",)
        ),
        Event.TOKEN_INVALID: Kind(("endpoint", "request_id", "why"), ("endpoint", "why")),
        Event.SECRET_KEY_WRONG: Kind(("endpoint", "request_id"), ("endpoint",)),
        Event.SECRET_KEY_EXPIRED: Kind(("client_key", "endpoint", "request_id")),
        Event.SECRET_KEY_FROM_BROWSER: Kind(_REQUEST, ("origin",), logging.ERROR),
        Event.SECRET_KEY_AS_CLIENT_KEY: Kind(_REQUEST, ("origin",), logging.ERROR),
        Event.BACKEND_CALLED_BY_BROWSER: Kind(_REQUEST, ("origin", "endpoint")),
        Event.ORIGIN_REFUSED: Kind((*_REQUEST, "why", "add"), ("origin",)),
        Event.RATE_LIMITER_UNAVAILABLE: Kind(("why",), (), logging.ERROR),
    }
)
"""Every event there is: docs/deployment.md says what each means, and what to do."""

ORDER: Final = (
    "tenant",
    "client_key",
    "session",
    "user",
    "token",
    "origin",
    "endpoint",
    "count",
    "request_id",
    "why",
    "add",
)
"""In which the fields of a line stand: what is long, and pasted, comes last."""

NONE: Final = "none"
"""Stands for an origin that is `null`, or missing, or can't be read."""
OTHERS: Final = "others"
"""Stands for all that aren't told one by one."""
MAX_TEXT: Final = 512
"""Characters of a value, so that a line is never too long for a pipe or a log."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event that has happened.

    Args:
        event: What.
        fields: Who and what it is about, by the names of its kind; nothing secret, no person.
    """

    event: Event
    fields: Mapping[str, str]

    @classmethod
    def of(cls, event: Event, **fields: str) -> Happening:
        """Take of the fields what the event's line has, where there is something to tell."""
        names = KINDS[event].fields
        return cls(event, {n: t[:MAX_TEXT] for n, t in fields.items() if n in names and t})

    @property
    def client_key(self) -> str:
        """The client key that it is about, if there is one."""
        return self.fields.get("client_key", "")

    @property
    def apart(self) -> tuple[str, ...]:
        """What tells it from others of the same event and client key."""
        return tuple(self.fields.get(name, "") for name in KINDS[self.event].apart)

    def among_others(self) -> Happening:
        """Return it as one of those of its client key that aren't told one by one."""
        told = dict.fromkeys(KINDS[self.event].apart, OTHERS)
        return Happening(self.event, {"client_key": self.client_key, **told})


def entry(event: Event, fields: Mapping[str, Field]) -> Entry:
    """Make the line of an event.

    Args:
        event: What has happened.
        fields: The fields by their names, of which `ORDER` has all.

    Returns:
        The line; fields that are empty aren't in it.
    """
    return Entry(event.value, {name: fields[name] for name in ORDER if fields.get(name)})
