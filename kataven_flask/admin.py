"""`/metrics`, on a listening socket of its own: never on the one that strangers reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, make_wsgi_app

from kataven_flask.headers import WsgiApp, with_secured_headers

METRICS_PATH: Final = "/metrics"

_StartResponse = Callable[..., Any]


def admin_app(registry: CollectorRegistry) -> WsgiApp:
    """Make the WSGI app for the operator's own eyes.

    Args:
        registry: What `/metrics` shows.

    Returns:
        The app; every other path is 404.
    """
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != METRICS_PATH:
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            start_response("404 Not Found", headers)
            return [f"Only {METRICS_PATH} is here.\n".encode()]
        answer: Iterable[bytes] = metrics(environ, start_response)
        return answer

    return with_secured_headers(app)
