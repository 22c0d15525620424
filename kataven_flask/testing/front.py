"""What lies in front of the app: it notes each request, and has it fail where a test says so."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Flask, request

from kataven_flask import errors
from kataven_flask.answers import note_quota
from kataven_flask.channels import HangUpError
from kataven_flask.testing import faults
from kataven_flask.testing.faults import Fault, Faults
from kataven_flask.testing.seen import PREFLIGHT, Seen
from kataven_flask.testing.store import BreakableStore
from kataven_flask.throttle import Quota

_FAULTS: Final = "kataven.testing.faults"
_REFUSALS: Final = (faults.RATE_LIMIT, faults.CONFIG, faults.JWKS, faults.CRASH)
_BY_THE_TEST: Final = "the test has said so"
_LIMIT: Final = 60
"""Requests a minute that one who is refused was allowed, to be told of in the answer."""


class Front:
    """The app with its requests noted.

    Args:
        app: The app.
        failing: What goes wrong.
        seen: Takes the requests.
        store: The app's store.
    """

    def __init__(self, app: Flask, failing: Faults, seen: Seen, store: BreakableStore) -> None:
        app.before_request(_refuse_as_told)
        self._app = app
        self._faults = failing
        self._seen = seen
        self._store = store

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the app does, or fail as the test says."""
        body = environ["wsgi.input"].read()  # all of it has come, and it is bounded
        environ["wsgi.input"] = io.BytesIO(body)
        # A page sees no difference between a preflight that fails and the request after it.
        is_preflight = environ["REQUEST_METHOD"] == PREFLIGHT
        here = [] if is_preflight else self._faults.at(environ.get("PATH_INFO", ""))
        hit = _hit(here, faults.SLOW, faults.NETWORK)
        if hit is not None and hit.name == faults.NETWORK:
            self._seen.note(environ, body, None, None)
            raise HangUpError

        def start(status: str, headers: list[tuple[str, str]], *fault: Any) -> Any:
            self._seen.note(environ, body, int(status[:3]), dict(headers).get("X-Error-Code"))
            return start_response(status, headers, *fault)

        environ[_FAULTS] = here
        with self._store.asked_under(here):
            return self._app(environ, start)


def _hit(here: Iterable[Fault], *names: str) -> Fault | None:
    """Have the faults of these names hit a request; return the last one that did."""
    hit = [fault for fault in here if fault.name in names and fault.hit()]
    return hit[-1] if hit else None


def _refuse_as_told() -> None:
    """Refuse a request in the app itself, so that the refusal is written as any other."""
    hit = _hit(request.environ[_FAULTS], *_REFUSALS)
    if hit is None:
        return
    if hit.name == faults.RATE_LIMIT:
        wait = math.ceil(hit.seconds)
        note_quota(Quota(request.path.rpartition("/")[2], _LIMIT, left=0, wait=wait))
        raise errors.RateLimited(_BY_THE_TEST, retry_after=wait)
    raise errors.InternalError(_BY_THE_TEST)
