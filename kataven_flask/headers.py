"""Headers of every answer: a browser is to take nothing of it for more than it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

Headers = list[tuple[str, str]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

CROSS_ORIGIN: Final = {"Cross-Origin-Resource-Policy": "cross-origin"}
"""For what a page embeds; one with a Cross-Origin-Embedder-Policy may do so, too."""
_UNLESS_SET: Final = {
    "X-Content-Type-Options": "nosniff",  # Fetch, section 3.6
    "Referrer-Policy": "no-referrer",
    # Fetch, section 3.7: no page reads it past CORS, as a script or an image.
    "Cross-Origin-Resource-Policy": "same-origin",
    # CSP 3: opened by itself, an answer is text that loads nothing and stands in no frame. The
    # default is none for what neither loads nor frames: a base, and where a form goes.
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def secured(headers: Headers) -> Headers:
    """Return an answer's headers with those of every answer, where it has none of its own."""
    own = {name for name, _ in headers}
    return headers + [each for each in _UNLESS_SET.items() if each[0] not in own]


def with_secured_headers(app: WsgiApp) -> WsgiApp:
    """Return an app that gives each answer these headers.

    Args:
        app: The app.
    """

    def secure(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, secured(headers), exc_info)

        return app(environ, start)

    return secure
