"""A line of the log for each request, where the operator wants it; no proxy then has to say it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from kataven_flask.headers import WsgiApp
from kataven_flask.log import Log
from kataven_flask.observer import Answer, Observer
from kataven_flask.request_ids import GIVEN, HEADER, request_id_of

_PROBES: Final = {"healthz", "readyz"}
"""Asked every few seconds by a machine, which has no line for being told that all is well."""
_ERRORS: Final = 400

_log = Log("kataven_flask.requests")


class RequestLog(Observer):
    """Writes whose each request was, and what it was answered; no address, no person."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def whose(self, tenant: str) -> None:
        """See `Observer`."""
        self._thread.tenant = tenant

    def answered(self, answer: Answer) -> None:
        """See `Observer`."""
        if answer.route in _PROBES and answer.status < _ERRORS:
            return
        tenant = getattr(self._thread, "tenant", "")
        _log.info(
            "answered",
            method=answer.method,
            route=answer.route,
            status=answer.status,
            code=answer.code,
            **({"tenant": tenant} if tenant else {}),
            milliseconds=round(answer.seconds * 1000, 1),
            request_id=answer.request_id,
        )


def with_request_ids(app: WsgiApp) -> WsgiApp:
    """Return an app whose every request has an id, and whose every answer names it.

    Args:
        app: The app; it finds the id where a caller would have put one.
    """

    def named(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = environ[GIVEN] = request_id_of(environ)

        def start(status: str, headers: list[tuple[str, str]], *fault: Any) -> Any:
            if not any(name == HEADER for name, _ in headers):  # as a refusal has it
                headers.append((HEADER, request_id))
            return start_response(status, headers, *fault)

        return app(environ, start)

    return named
