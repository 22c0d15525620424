"""A decorator for Flask: a view that is called with the session, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue

from kataven_flask.verify.answers import is_preflight, refuse
from kataven_flask.verify.bearer import bearer
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError
from kataven_flask.verify.session import Session, check_origin
from kataven_flask.verify.verifier import SessionVerifier

P = ParamSpec("P")


def require_session(
    verifier: SessionVerifier,
) -> Callable[[Callable[Concatenate[Session, P], Any]], Callable[P, ResponseReturnValue]]:
    """Have a view called with the request's session before its own arguments.

    Without a session the view isn't called: the answer is a 401, or a 503 where nobody can
    tell; and to a browser's preflight, the methods that the route has.

    Args:
        verifier: What verifies the token of the `Authorization` header.

    Returns:
        A decorator, to stand below `@app.route`.
    """

    def decorate(
        view: Callable[Concatenate[Session, P], Any],
    ) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if is_preflight(request.method, request.headers.get("Access-Control-Request-Method")):
                return current_app.make_default_options_response()
            try:
                session = verifier.verify(bearer(request.headers.get("Authorization")))
                check_origin(session, request.headers.get("Origin"))
            except (InvalidSession, KeysUnavailableError) as error:
                answer = refuse(error)
                return Response(answer.body, answer.status, answer.headers)
            answered: ResponseReturnValue = current_app.ensure_sync(view)(session, *args, **kwargs)
            return answered

        return guarded

    return decorate
