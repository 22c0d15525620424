"""Who is told what the service does, as it does it: for metrics; nothing is decided by it.

All of it is told in the way of a request: whoever listens takes a microsecond, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

Minted: TypeAlias = Literal["guest", "user", "refresh", "visitor"]
"""What a token was minted for: a guest's or a user's new session, one that goes on, an exchange."""
Scope: TypeAlias = Literal["session", "user"]
"""What was ended: one session, or all of a user's."""


class Answer(NamedTuple):
    """What a request was answered.

    Args:
        route: The last part of its path, where that is one of ours.
        status: The HTTP status.
        code: The error code; `ok` where it is no error.
        seconds: How long it took.
        method: How it was asked.
        request_id: Its id; empty where nobody asks for one of each.
    """

    route: str
    status: int
    code: str
    seconds: float
    method: str
    request_id: str


class Observer:
    """Is told; this one listens to nothing, and others listen to what they like."""

    def whose(self, tenant: str) -> None:
        """Hear whose the request is that this thread answers: a tenant of the file, no other."""

    def answered(self, answer: Answer) -> None:
        """Hear of an answer, when it begins to be sent."""

    def refused_unread(self, status: int, code: str) -> None:
        """Hear of a request that was refused before the app saw it."""

    def minted(self, kind: Minted) -> None:
        """Hear of tokens that were minted."""

    def presented(self, outcome: str) -> None:
        """Hear what became of a refresh token, by the name of its `Outcome`."""

    def ended(self, scope: Scope) -> None:
        """Hear that sessions were ended by a logout or a tenant's backend."""

    def happened(self, event: str) -> None:
        """Hear of a security event, by its name."""

    def stepped(self, operation: str, seconds: float, *, done: bool) -> None:
        """Hear of a step of the state store, how long it took, and whether it was done."""

    def spared(self, operation: str) -> None:
        """Hear of a step that wasn't tried, as the state store was out of reach."""

    def breaker(self, *, is_open: bool) -> None:
        """Hear whether this process spares the state store, which was out of reach."""

    def loaded(self, connections: int, busy: int, waiting: int) -> None:
        """Hear of this process' connections, threads at work, and requests that wait."""


NOBODY: Final = Observer()
"""Whom a service tells that isn't observed."""


def together(*observers: Observer) -> Observer:
    """Return one that passes all that it is told on to others, in their order."""
    several = Observer()
    for name, told in vars(Observer).items():
        if callable(told) and not name.startswith("_"):
            setattr(several, name, _passing_on([getattr(each, name) for each in observers]))
    return several


def _passing_on(told: list[Callable[..., None]]) -> Callable[..., None]:
    def pass_on(*args: object, **kwargs: object) -> None:
        for tell in told:
            tell(*args, **kwargs)

    return pass_on
