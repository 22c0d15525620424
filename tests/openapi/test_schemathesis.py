"""Thousands of requests that a tool makes of the description, and what comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import schemathesis
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished

from tests.api.wire import no_limits, visitor_token
from tests.openapi.described import description
from tests.support import KEY, ORIGIN, OTHER_KEY, PINNED_KEY, SECRET, Service

CASES: Final = 2000
EXAMPLES: Final = 90
"""Of each operation, by chance; beside those that the tool makes by rule."""
CHAINS: Final = 60
SPENT_AT_MOST: Final = 150
MOSTLY: Final = 0.8
LATE_CODES: Final = {"invalid_body"}
"""What no body gets that is as the description has it."""

Tally = Counter[tuple[str, int]]


@dataclass
class Report:
    """What the tool did, and what it found.

    Args:
        answers: How many cases got which status, by operation.
        chained: How many of them followed a link.
        faults: What went against a check, in the tool's words.
    """

    answers: Tally = field(default_factory=Counter)
    chained: Tally = field(default_factory=Counter)
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
            node = recorder.cases[case_id]
            assert interaction.response is not None
            seen = (node.value.operation.label, interaction.response.status_code)
            self.answers[seen] += 1
            if node.parent_id and node.transition:
                self.chained[seen] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    command = recorder.cases[case_id].value.as_curl_command()
                    failure = check.failure_info.failure
                    self.faults.append(f"{check.name}: {failure.title}: {failure}\n{command}")


@schemathesis.check
def described(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Hold each answer against the description as every other test does, headers included."""
    headers = [(name, value) for name, values in response.headers.items() for value in values]
    path = case.formatted_path
    description().check(case.method, path, response.status_code, headers, response.content)


def values_for(service: Service) -> dict[str, list[str]]:
    """Return what a good share of the requests is to hold, so that they get past the door."""
    guests = [service.guest().get_json()["refresh_token"] for _ in range(SPENT_AT_MOST)]
    return {
        "origins": [ORIGIN, "https://shop.acme.com"],
        "keys": [KEY, KEY, KEY, PINNED_KEY, OTHER_KEY],
        "agents": ["support", "sales", "account", "night"],
        "tokens": [visitor_token(service) for _ in range(SPENT_AT_MOST)],
        "refresh_tokens": guests,
        "guest_tokens": [service.guest().get_json()["token"]],
    }


BOUND: Final = {
    "header.Origin": "origins",
    "query.client_key": "keys",
    "body.client_key": "keys",
    "query.agent_id": "agents",
    "body.agent_id": "agents",
    "body.token": "tokens",
    "body.refresh_token": "refresh_tokens",
    "body.guest_token": "guest_tokens",
}


def settings(values: dict[str, list[str]]) -> dict[str, Any]:
    """Return how the tool is to go about it."""
    every = ["2xx", "304", "400", "401", "403", "405", "413"]
    return {
        "dictionaries": {name: {"values": each} for name, each in values.items()},
        "parameters": {
            name: {"dictionary": each, "probability": MOSTLY} for name, each in BOUND.items()
        },
        "generation": {"deterministic": True, "database": "none"},
        "phases": {
            "fuzzing": {"generation": {"max-examples": EXAMPLES}},
            "stateful": {"generation": {"max-examples": CHAINS}},
        },
        "auth": {"openapi": {"secretKey": {"bearer": SECRET}}},
        "checks": {
            # A body may be sound and its token not: that is 400, too.
            "positive_data_acceptance": {"expected-statuses": every},
            "negative_data_rejection": {"expected-statuses": every[2:]},
        },
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """Let the tool loose on a server."""
    service = Service(tmp_path_factory.mktemp("fuzzed"))
    no_limits(service)
    config = schemathesis.Config.from_dict(settings(values_for(service)))
    schema = schemathesis.openapi.from_wsgi("/openapi.json", service.app, config=config)
    made = Report()
    for event in from_schema(schema).execute():
        made.take(event)
    yield made


def test_nothing_is_found(report: Report) -> None:
    """No answer is undocumented, none is a 5xx, and no check of the tool's finds a fault."""
    assert report.faults == []
    assert [status for _, status in report.answers if status >= 500] == []


def test_it_was_thorough(report: Report) -> None:
    """There were thousands of cases, and of each operation some that did what they are for."""
    print(report.answers.total())
    assert report.answers.total() >= CASES
    operations = {operation for operation, _ in report.answers}
    done = {operation for operation, status in report.answers if status < 300}
    assert operations == done
