"""What a `/connect` service needs: session tokens verified by the public keys alone.

It needs `PyJWT[crypto]` and imports nothing else of this package. Beside it there are `flask` (a
decorator), `wsgi` and `asgi` (middlewares) and `aio` (for an event loop), each to be imported by
its name.
"""

from __future__ import annotations

from kataven_flask.verify.bearer import bearer
from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError, MissingSession
from kataven_flask.verify.session import Session, VisitorType, check_origin
from kataven_flask.verify.verifier import CLOCK_SKEW, SESSION_TYP, SessionVerifier

__all__ = [
    "CLOCK_SKEW",
    "SESSION_TYP",
    "InvalidSession",
    "KeysUnavailableError",
    "MissingSession",
    "Session",
    "SessionVerifier",
    "VisitorType",
    "bearer",
    "check_origin",
]
