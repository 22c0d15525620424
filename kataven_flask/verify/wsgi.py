"""A WSGI middleware: an app that is called with the session in its `environ`, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kataven_flask.verify.answers import is_preflight, read_public, refuse
from kataven_flask.verify.bearer import bearer
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError
from kataven_flask.verify.session import Session, check_origin
from kataven_flask.verify.verifier import SessionVerifier

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SESSION: Final = "kataven.session"
"""Where the session is in `environ`."""


class SessionMiddleware:
    """Lets a request through to an app once its session is verified.

    Without one the answer is a 401, or a 503 where nobody can tell. A browser's preflight is the
    app's own to answer, as it has no token.

    Args:
        app: The app.
        verifier: What verifies the token of the `Authorization` header.
        public: The paths that need no session, each as a whole, such as `/healthz`.
    """

    def __init__(
        self, app: WSGIApplication, verifier: SessionVerifier, *, public: Collection[str] = ()
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._public = read_public(public)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if not self._is_public(environ):
            try:
                session = self._verifier.verify(bearer(environ.get("HTTP_AUTHORIZATION")))
                check_origin(session, environ.get("HTTP_ORIGIN"))
            except (InvalidSession, KeysUnavailableError) as error:
                answer = refuse(error)
                start_response(f"{answer.status} {answer.status.phrase}", list(answer.headers))
                return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
            environ[SESSION] = session
        return self._app(environ, start_response)

    def _is_public(self, environ: WSGIEnvironment) -> bool:
        asked_method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        return environ.get("PATH_INFO") in self._public or is_preflight(
            environ["REQUEST_METHOD"], asked_method
        )


def session_of(environ: Mapping[str, Any]) -> Session:
    """Return the session of a request.

    Raises:
        LookupError: It has none: its path is public, or there is no middleware before the app.
    """
    session: Session | None = environ.get(SESSION)
    if session is None:
        raise LookupError("this request has no session")
    return session
