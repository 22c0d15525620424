"""The pytest plugin: the fixture `kataven`, a real sign-in server for one test.

Nothing of the server is imported before a test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from kataven_flask.testing import Kataven

SCOPE: Final = "kataven_scope"
SCOPES: Final = ("function", "class", "module", "package", "session")
_RUNNING: Final = pytest.StashKey["Kataven"]()
"""The server that runs, if one does."""


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    """Return how long a server is kept, as the project's ini file has it."""
    del fixture_name
    scope = str(config.getini(SCOPE))
    if scope not in SCOPES:
        raise pytest.UsageError(f"{SCOPE} = {scope}: write one of {', '.join(SCOPES)}")
    return scope


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a project choose the scope."""
    words = "how long the server of the fixture `kataven` is kept: " + ", ".join(SCOPES)
    parser.addini(SCOPE, words, default="function")


@pytest.fixture(scope=_scope)
def kataven(request: pytest.FixtureRequest) -> Iterator[Kataven]:
    """Return a real sign-in server on a free port of loopback; see docs/testing.md."""
    from kataven_flask.testing import running  # noqa: PLC0415 - a second, for who needs it

    _leave_out_of_tracebacks("kataven_flask.testing.")
    with running() as server:
        request.config.stash[_RUNNING] = server
        try:
            yield server
        finally:
            del request.config.stash[_RUNNING]


def _leave_out_of_tracebacks(modules: str) -> None:
    """Have a failure end at the test's own line; with `--full-trace` pytest shows the rest."""
    for name, module in sys.modules.items():
        if name.startswith(modules):
            vars(module)["__tracebackhide__"] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show below a failure what the server was asked."""
    report = yield
    server = item.config.stash.get(_RUNNING, None)
    if server is not None and report.failed and call.when == "call":
        from kataven_flask.testing.seen import listed  # noqa: PLC0415 - as above

        report.sections.append(("kataven: requests", listed(server.requests)))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Leave nothing broken for the next test, where that has the same server."""
    try:
        return (yield)
    finally:
        server = item.config.stash.get(_RUNNING, None)
        if server is not None:
            server.settle()
