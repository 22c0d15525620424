"""`/metrics`, on a listening socket of its own: never on the one that strangers reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, make_wsgi_app

from kataven_flask.headers import WsgiApp, with_secured_headers

METRICS_PATH: Final = "/metrics"
_INDEX: Final = b"""\
kataven-flask, for its operator. Here is:

  /metrics   for Prometheus, of all workers together

Is a part of it down? Each worker says so at /readyz, where it answers requests.
What each alert means, and what to do: docs/runbook.md.
"""

_StartResponse = Callable[..., Any]


def admin_app(registry: CollectorRegistry) -> WsgiApp:
    """Make the WSGI app for the operator's own eyes.

    Args:
        registry: What `/metrics` shows.

    Returns:
        The app; `/` says what is here, and every other path is 404.
    """
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == METRICS_PATH:
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        is_index = environ["PATH_INFO"] == "/"
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        start_response("200 OK" if is_index else "404 Not Found", headers)
        return [_INDEX if is_index else f"Only / and {METRICS_PATH} are here.\n".encode()]

    return with_secured_headers(app)
