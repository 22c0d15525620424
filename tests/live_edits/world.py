"""What a file says, and what a server may answer where it goes by that file; pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kataven_flask.keys import hash_secret_key
from tests.support import KEY, ORIGIN, OTHER_KEY, OTHER_SECRET, SECRET

PROMISED: Final = 2.0
"""Seconds within which an edit is promised to be in force."""
OPEN: Final = "https://open.acme.net"
"""Admitted by the files with an odd number."""
STRANGER: Final = "https://acme.com.evil.example"

_MAIN: Final = f"""\
version: 1
issuer: https://r{{n:03}}.example.com
audience: r{{n:03}}
limits: {{{{guest_per_minute: null, config_per_minute: null, user_token_per_minute: null}}}}
tokens: {{{{session_ttl: {{ttl}}s, visitor_ttl: {{ttl}}s}}}}
tenants:
  acme:
    name: Acme r{{n:03}}
    branding: {{{{launcher_label: label r{{n:03}}}}}}
    agents:
      support:
        display_name: name r{{n:03}}
        greeting: hello r{{n:03}}
    keys:
      - name: acme
        client_key: {KEY}
        secrets: [{{{{hash: "{hash_secret_key(SECRET)}"}}}}]
        domain_allowlist:
          - {ORIGIN}
          - https://{{door}}.acme.net
"""
_OTHER: Final = f"""\
  other:
    name: Other r{{n:03}}
    branding: {{{{launcher_label: label r{{n:03}}}}}}
    tokens: {{{{session_ttl: {{ttl}}s}}}}
    agents:
      only:
        display_name: name r{{n:03}}
        greeting: hello r{{n:03}}
    keys:
      - name: other
        client_key: {OTHER_KEY}
        secrets: [{{{{hash: "{hash_secret_key(OTHER_SECRET)}"}}}}]
        domain_allowlist: [{ORIGIN}]
"""

Answer = tuple[str | int, ...]
"""The status, and all that tells by which file it was given; or the status and the error code."""


@dataclass(frozen=True, slots=True)
class State:
    """What the files say, all of it told by their numbers.

    Args:
        main: The number of the file with the tenant `acme` and what holds for all.
        other: The number of the file with the tenant `other`; None where there is none.
    """

    main: int
    other: int | None


def main_text(number: int) -> str:
    """Write the file with the tenant `acme`; each number's is as long as any other's."""
    return _MAIN.format(n=number, ttl=_ttl(number), door="open" if number % 2 else "shut")


def other_text(number: int) -> str:
    """Write the file with the tenant `other`."""
    return "tenants:\n" + _OTHER.format(n=number, ttl=_ttl(number))


def whole_text(number: int) -> str:
    """Write both into one file; it is sound too where it ends between the two."""
    return main_text(number) + _OTHER.format(n=number, ttl=_ttl(number))


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks.

    Args:
        action: Which endpoint.
        client_key: With which key.
        origin: From which page; None for a backend.
    """

    action: Literal["config", "guest", "user-token"]
    client_key: str
    origin: str | None

    def answer(self, state: State) -> Answer:
        """Say what it is to be answered where the files are in a state."""
        number = state.main if self.client_key == KEY else state.other
        if number is None:
            return 403, "unknown_client_key"
        if self.origin == STRANGER or (self.origin == OPEN and number % 2 == 0):
            return 403, "origin_not_allowed"
        match self.action:
            case "config":
                tenant = "Acme" if self.client_key == KEY else "Other"
                words = (tenant, "label", "name", "hello")
                return (200, *(f"{word} r{number:03}" for word in words))
            case "guest":
                return 200, _issuer(state.main), f"r{state.main:03}", _ttl(number)
            case "user-token":
                return 200, _issuer(state.main), _ttl(number)


QUESTIONS: Final = (
    Question("config", KEY, ORIGIN),
    Question("guest", OTHER_KEY, ORIGIN),
    Question("config", KEY, OPEN),
    Question("user-token", KEY, None),
    Question("guest", KEY, ORIGIN),
    Question("config", OTHER_KEY, ORIGIN),
    Question("guest", KEY, OPEN),
    Question("config", KEY, STRANGER),
    Question("guest", KEY, STRANGER),
)


@dataclass(frozen=True, slots=True)
class Edit:
    """A sound edit.

    Args:
        state: What the files say by it.
        way: How it was made.
        begun: When its first byte was written, in seconds of the monotonic clock.
        done: When its last was.
    """

    state: State
    way: str
    begun: float
    done: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked, and what it was told.

    Args:
        question: The question.
        sent: When it was sent, in seconds of the monotonic clock.
        received: When the answer was there.
        answer: The answer.
    """

    question: Question
    sent: float
    received: float
    answer: Answer


class Judge:
    """Tells a wrong answer from a right one.

    An answer is to be what one state of the files says that nobody had edited away more than
    two seconds before the question, and that was there, or in the making, by the answer.

    Args:
        edits: All sound edits, oldest first; a faulty one leaves in force what was before.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._begun = [edit.begun for edit in edits]
        self._until = [*(edit.done + PROMISED for edit in edits[1:]), float("inf")]

    def fault(self, asked: Asked) -> str | None:
        """Say what is wrong with an answer, or None where it's one of those it may be."""
        first = bisect_left(self._until, asked.sent)
        last = bisect_right(self._begun, asked.received)
        may = {asked.question.answer(edit.state) for edit in self._edits[first:last]}
        if asked.answer in may:
            return None
        return f"{asked.question} at {asked.received:.3f}: {asked.answer}, not of {sorted(may)}"


def _ttl(number: int) -> int:
    return 100 + number


def _issuer(number: int) -> str:
    return f"https://r{number:03}.example.com"
