"""Each answer measured, where somebody observes; laid over the app, so that all of it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, Final, TypeAlias

from kataven_flask.observer import Answer, Observer
from kataven_flask.request_ids import GIVEN

WsgiApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

OK: Final = "ok"
"""The code of an answer that is no error."""
OTHER: Final = "other"
"""The route of whatever is at no path of ours: no text of a stranger is ever a label."""
PREFLIGHT: Final = "preflight"
"""The route of what a browser asks before it asks."""
_ERRORS: Final = 400


def route_names(paths: Iterable[str]) -> dict[str, str]:
    """Name each path as the log does: by its last part, and all of a folder by the folder.

    Args:
        paths: The paths that the app answers.
    """
    return {path: "docs" if "/docs/" in path else path.rpartition("/")[2] for path in paths}


def with_measure(app: WsgiApp, routes: Mapping[str, str], observer: Observer) -> WsgiApp:
    """Return an app whose every answer is told to an observer.

    Args:
        app: The app.
        routes: The name of each path that it answers.
        observer: Who is told.
    """

    def measure(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, code = 0, OK

        def start(line: str, headers: list[tuple[str, str]], *fault: Any) -> Any:
            nonlocal status, code
            status = int(line[:3])
            if status >= _ERRORS:
                code = next((value for name, value in headers if name == "X-Error-Code"), OK)
            return start_response(line, headers, *fault)

        began = perf_counter()
        observer.whose("")
        body = app(environ, start)
        is_preflight = environ["REQUEST_METHOD"] == "OPTIONS"
        route = PREFLIGHT if is_preflight else routes.get(environ["PATH_INFO"], OTHER)
        seconds = perf_counter() - began
        named = environ.get(GIVEN, "")
        observer.answered(Answer(route, status, code, seconds, environ["REQUEST_METHOD"], named))
        return body

    return measure
