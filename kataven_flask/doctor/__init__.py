"""The handshake, carried out from outside step by step as a browser does, to say what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from kataven_flask.doctor import service, session
from kataven_flask.doctor.steps import Result, State, Step, Stop, Visit
from kataven_flask.doctor.target import Target
from kataven_flask.doctor.wire import TIMEOUT, Client
from kataven_flask.doctor.words import Finding

__all__ = ["CHECKS", "SIGN_IN_CHECKS", "WIDTH", "Finding", "State", "Step", "Target", "examine"]

_KNOWS_THE_KEY: Final = frozenset(
    {"origin_not_allowed", "missing_agent_id", "unknown_agent_id", "agent_disabled"}
)
"""Refusals that come after the client key was found and is live."""


@dataclass(frozen=True, slots=True)
class Check:
    """A step to take.

    Args:
        name: Its name.
        run: Carries it out.
        needs: The steps that have to have gone well.
        despite: Refusals of these steps that don't matter here.
    """

    name: str
    run: Callable[[Visit], Result]
    needs: tuple[str, ...] = ()
    despite: frozenset[str] = frozenset()

    def taken(self, visit: Visit) -> Step:
        """Carry it out, and return what it came to."""
        try:
            result = self.run(visit)
        except Stop as stop:
            result = stop.result
        answer = result.answer
        status, ms = (None, result.ms) if answer is None else (answer.status, answer.ms)
        return Step(
            self.name, result.state, result.summary, status, ms, result.code, result.findings
        )


CHECKS: Final = (
    Check("reach", service.reach),
    Check("ready", service.ready, ("reach",)),
    Check("widget", service.widget, ("reach",)),
    Check("config", service.config, ("reach",)),
    Check("preflight", service.preflight, ("reach",)),
    Check("guest", session.guest, ("config",)),
    Check("guest, JSON", session.guest_json, ("guest", "preflight")),
    Check("clock", service.clock, ("reach",)),
    Check("keys", service.keys, ("reach",)),
    Check("token", session.token, ("guest", "keys")),
    Check("refresh", session.refresh, ("guest",)),
    Check("second tab", session.refresh_again, ("refresh",)),
    Check("logout", session.logout, ("guest",)),
    Check("stranger", session.stranger, ("config",), _KNOWS_THE_KEY),
)
SIGN_IN_CHECKS: Final = (
    Check("user token", session.user_token, ("config",)),
    Check("exchange", session.exchange, ("user token",)),
    Check("used twice", session.exchange_again, ("exchange",)),
    Check("user: token", session.token, ("exchange", "keys")),
    Check("user: refresh", session.refresh, ("exchange",)),
    Check("user: logout", session.logout, ("exchange",)),
)
WIDTH: Final = max(len(check.name) for check in (*CHECKS, *SIGN_IN_CHECKS))
"""Characters of the longest step's name."""


def examine(
    target: Target,
    *,
    secret_key: str | None = None,
    timeout: float = TIMEOUT,
    clock: Callable[[], float] = time.time,
    begins: Callable[[str], None] = lambda _name: None,
) -> Iterator[Step]:
    """Carry the handshake out, and end what was begun.

    Args:
        target: The server, and the page that calls it.
        secret_key: The secret key, to sign a made-up user in, too.
        timeout: Seconds that a request may take.
        clock: Gives the seconds since the epoch.
        begins: Told the name of each step that takes a while, before it does.

    Yields:
        Each step, once it has been taken.
    """
    visit = Visit(target, Client(target.server, timeout), clock, secret_key)
    taken: dict[str, Step] = {}
    for check in (*CHECKS, *(SIGN_IN_CHECKS if secret_key else ())):
        missing = next((need for need in check.needs if not _is_met(taken[need], check)), None)
        if missing is not None:
            step = Step(check.name, "skipped", f"needs {missing}")
        else:
            begins(check.name)
            step = check.taken(visit)
        taken[check.name] = step
        yield step


def _is_met(step: Step, check: Check) -> bool:
    return step.state in {"ok", "warning"} or step.code in check.despite
