"""A real sign-in server for tests: of a `/connect` service, a backend, a page with the widget.

In pytest ask for the fixture `kataven`. Elsewhere `with running() as kataven:` is the same, and
`python -m kataven_flask.testing` starts one for tests in another language. It is never a server
for production: it listens on loopback alone, and keys, state, clock and faults are the test's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kataven_flask.errors import ConfigurationError
from kataven_flask.testing.calls import RefusedError, Visitor
from kataven_flask.testing.clock import Clock
from kataven_flask.testing.faults import Fault
from kataven_flask.testing.kataven import Kataven
from kataven_flask.testing.minting import RefreshState, SessionState, VisitorState
from kataven_flask.testing.seen import SeenRequest
from kataven_flask.testing.server import RunningServer
from kataven_flask.testing.tenants import Tenant

__all__ = [
    "Clock",
    "ConfigurationError",
    "Fault",
    "Kataven",
    "RefreshState",
    "RefusedError",
    "SeenRequest",
    "SessionState",
    "Tenant",
    "Visitor",
    "VisitorState",
    "running",
]


@contextmanager
def running() -> Iterator[Kataven]:
    """Start a server, and end it with the block.

    Yields:
        The server.
    """
    kataven = Kataven(RunningServer())
    try:
        yield kataven
    finally:
        kataven.close()
