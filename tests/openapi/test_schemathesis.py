"""Thousands of requests that a tool makes of the description, and what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.api.wire import no_limits
from tests.openapi.fuzzing import Report, chains_of, run
from tests.support import Service

CASES: Final = 1600
CHAINED: Final = 200
"""For guests, and for users: with these 2,000."""
CHAINS: Final = 80
STEPS: Final = 6
ROUNDS: Final = 6
"""Of chains by chance; the last one is that in which every link was followed."""
CHECKS: Final = {
    "described",
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "ignored_auth",
    "unsupported_method",
}
Links = set[tuple[str, str]]
OF_GUESTS: Final[Links] = {
    ("config", "guest"),
    ("guest", "refresh"),
    ("guest", "logout"),
    ("refresh", "refresh"),
    ("refresh", "logout"),
}
OF_USERS: Final[Links] = {
    ("user-token", "exchange"),
    ("user-token", "revoke"),
    ("exchange", "refresh"),
    ("exchange", "logout"),
}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Return a server that limits nothing."""
    service = Service(tmp_path)
    no_limits(service)
    return service


def test_nothing_is_found(service: Service) -> None:
    """No answer is undocumented, none is a 5xx, and no check of the tool's finds a fault."""
    report = Report()
    for event in run(service):
        report.take(event)
    assert report.faults == []
    assert report.answers.total() >= CASES
    assert [status for _, status in report.answers if status >= 500] == []
    operations = {operation for operation, _ in report.answers}
    assert operations == {o for o, status in report.answers if status < 300}, report.answers
    assert set(report.checks) >= CHECKS


@pytest.mark.parametrize("links", [OF_GUESTS, OF_USERS], ids=["guests", "users"])
def test_links_lead_on(service: Service, links: Links) -> None:
    """By the description alone, a guest renews and leaves, and a user signs in."""
    report = Report()
    names = sorted({name for link in links for name in link})
    plainly = hypothesis.settings(
        max_examples=CHAINS,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for seed in range(ROUNDS):
        machine = hypothesis.seed(seed)(chains_of(service, report, names))
        run_state_machine_as_test(machine, settings=plainly)
        if followed(report) >= links:
            break
    assert followed(report) >= links
    assert report.answers.total() >= CHAINED


def followed(report: Report) -> Links:
    """Return the links that led to an answer that is no refusal."""
    ways = [name.split(" -> ")[::2] for name, status in report.chained if status < 300]
    return {(_name(source), _name(target)) for source, target in ways}


def _name(operation: str) -> str:
    return operation.rpartition("/")[2]
