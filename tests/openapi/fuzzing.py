"""What schemathesis makes of the description: requests by rule, by chance and along the links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import schemathesis
from schemathesis.engine import from_schema
from schemathesis.engine.context import EngineContext
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished
from schemathesis.generation.stateful.state_machine import (
    APIStateMachine,
    StepInput,
    StepOutput,
)

from tests.api.wire import visitor_token
from tests.openapi.described import description
from tests.support import KEY, ORIGIN, OTHER_KEY, PINNED_KEY, SECRET, Service

SEED: Final = 7
"""The same requests in each run, as far as the same modules are loaded: constants of theirs are
tried, too."""
EXAMPLES: Final = 140
"""Of each operation, by chance; beside those that the tool makes by rule."""
SELDOM: Final = {"fuzzing": {"generation": {"max-examples": 10}}}
PLAIN: Final = {"include-path-regex": "^/(?!api/)", "include-method": "OPTIONS"}
"""What takes nothing but a name for the request."""
TOKENS: Final = 300
MOSTLY: Final = 0.9
OF_A_SOCKET: Final = {"max_redirects", "verify", "cert", "proxies"}
Tally = Counter[tuple[str, int]]


@dataclass
class Report:
    """What the tool did, and what it found.

    Args:
        answers: How many cases got which status, by operation.
        chained: How many followed a link and got which status, by link.
        checks: How often each check was made.
        faults: What went against a check, in the tool's words.
    """

    answers: Tally = field(default_factory=Counter)
    chained: Tally = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def take(self, event: EngineEvent) -> None:
        """Take note of what an event tells."""
        if isinstance(event, NonFatalError):
            self.faults.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, FatalError):
            self.faults.append(repr(event.exception))
        elif isinstance(event, ScenarioFinished):
            self._take_scenario(event)

    def _take_scenario(self, scenario: ScenarioFinished) -> None:
        recorder = scenario.recorder
        for case_id, interaction in recorder.interactions.items():
            assert interaction.response is not None
            label = recorder.cases[case_id].value.operation.label
            self.answers[label, interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                self.checks[check.name] += 1
                if check.failure_info is not None:
                    command = recorder.cases[case_id].value.as_curl_command()
                    failure = check.failure_info.failure
                    self.faults.append(f"{check.name}: {failure.title}: {failure}\n{command}")


@schemathesis.check
def described(
    _context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Hold each answer against the description as every other test does, headers included."""
    headers = [(name, value) for name, values in response.headers.items() for value in values]
    path = case.formatted_path
    description().check(case.method, path, response.status_code, headers, response.content)


def values_for(service: Service) -> dict[str, list[str]]:
    """Return what a good share of the requests is to hold, so that they get past the door."""

    def begun(_number: int) -> str:
        token: str = service.guest().get_json()["refresh_token"]
        return token

    return {
        "origins": [*[ORIGIN] * 5, "https://shop.acme.com"],
        "keys": [*[KEY] * 8, PINNED_KEY, OTHER_KEY],
        "agents": [*["support"] * 6, "sales", "account", "night"],
        "tokens": [visitor_token(service) for _ in range(TOKENS)],
        "refreshed": list(map(begun, range(TOKENS))),
        "ended": list(map(begun, range(TOKENS))),
        "users": ["user-7f3a9c42"],
        "names": ["Ada Lovelace"],
        "nothing": [""],
        "guests": [service.guest().get_json()["token"]],
    }


BOUND: Final = {
    "header.Origin": "origins",
    "query.client_key": "keys",
    "body.client_key": "keys",
    "query.agent_id": "agents",
    "body.agent_id": "agents",
    "body.token": "tokens",
    "body.user_token": "nothing",
    # Both of a member's names say the same, or it's refused.
    "body.user_id": "users",
    "body.external_user_id": "users",
    "body.name": "names",
    "body.display_name": "names",
    "body.refresh_token": "refreshed",
    "body.guest_token": "guests",
}


def settings(values: dict[str, list[str]]) -> dict[str, Any]:
    """Return how the tool is to go about it."""
    every = ["2xx", "304", "400", "401", "403", "405", "413"]
    return {
        "seed": SEED,
        "headers": {"Accept-Encoding": "identity"},
        "dictionaries": {name: {"values": each} for name, each in values.items()},
        "parameters": bound(BOUND),
        "generation": {"database": "none"},
        "phases": {
            "fuzzing": {"generation": {"max-examples": EXAMPLES}},
            "stateful": {"enabled": False},
        },
        "operations": [
            {
                "include-operation-id": "logout",
                "parameters": bound({"body.refresh_token": "ended"}),
            },
            *({each: value, "phases": SELDOM} for each, value in PLAIN.items()),
        ],
        "auth": {"openapi": {"secretKey": {"bearer": SECRET}}},
        "checks": {
            # A body may be sound and its token not: that is 400, too.
            "positive_data_acceptance": {"expected-statuses": every},
            "negative_data_rejection": {"expected-statuses": every[2:]},
        },
    }


def bound(names: dict[str, str]) -> dict[str, Any]:
    """Return which parameter is to hold mostly what."""
    return {name: {"dictionary": each, "probability": MOSTLY} for name, each in names.items()}


def run(service: Service) -> Iterator[EngineEvent]:
    """Let the tool loose on a server in this process."""
    config = schemathesis.Config.from_dict(settings(values_for(service)))
    schema = schemathesis.openapi.from_wsgi("/openapi.json", service.app, config=config)
    whole = EngineContext.get_transport_kwargs

    def of_no_socket(context: EngineContext, operation: Any = None) -> dict[str, Any]:
        # Where it asks again without the secret key, it gives an app what is a socket's.
        given = whole(context, operation).items()
        return {name: value for name, value in given if name not in OF_A_SOCKET}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EngineContext, "get_transport_kwargs", of_no_socket)
        yield from from_schema(schema).execute()


def chains_of(service: Service, report: Report, operations: Iterable[str]) -> type[APIStateMachine]:
    """Return what follows the links of the description from answer to answer."""
    right = {"origins": [ORIGIN], "keys": [KEY], "agents": ["support"]}
    members = settings(values_for(service) | right)
    # One chain is to know nothing of another, or it couldn't be repeated: no token is shared.
    fresh = {name: each for name, each in BOUND.items() if not name.endswith("_token")}
    members |= {"parameters": bound(fresh | {"body.token": "guests"}), "operations": []}
    members["phases"] = {"stateful": {"inference": {"algorithms": []}}}
    members["generation"] = {"mode": "positive", "database": "none"}
    config = schemathesis.Config.from_dict(members)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", service.app, config=config)
    calls = schema.include(operation_id=list(operations))
    machine: type[APIStateMachine] = calls.as_state_machine()

    class Chains(machine):  # type: ignore[misc, valid-type]
        def setup(self) -> None:
            service.clock.move(1)  # what was revoked is over
            super().setup()

        def step(self, taken: StepInput) -> StepOutput | None:
            output: StepOutput | None = super().step(taken)
            if output is not None:
                status = output.response.status_code
                report.answers[taken.case.operation.label, status] += 1
                if taken.transition is not None:
                    report.chained[taken.transition.id, status] += 1
            return output

    return Chains
