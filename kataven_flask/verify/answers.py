"""What a request is answered that isn't let in, and which requests need no session.

A page of another origin has to be able to read it: a widget that can't read a 401 never renews.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from kataven_flask.verify.refusals import InvalidSession, KeysUnavailableError, MissingSession

REALM: Final = "connect"
_UNAVAILABLE: Final = "sessions can't be verified at the moment; try again"
"""A stranger isn't told why: the log says it."""
_READABLE: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate, X-Error-Code"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Args:
        status: Its status.
        headers: Its headers.
        body: A problem document (RFC 9457).
    """

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes


def refuse(error: InvalidSession | KeysUnavailableError) -> Answer:
    """Write what a request is answered that has no session.

    Args:
        error: Why it has none.

    Returns:
        A 401 (RFC 6750, section 3) or a 503.
    """
    if isinstance(error, KeysUnavailableError):
        retry_after = ("Retry-After", str(error.retry_after))
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, _UNAVAILABLE, retry_after)
    challenge = f'Bearer realm="{REALM}"'
    if not isinstance(error, MissingSession):
        challenge += f', error="{error.code}", error_description="{error}"'
    authenticate = ("WWW-Authenticate", challenge)
    return _problem(HTTPStatus.UNAUTHORIZED, error.code, str(error), authenticate)


def read_public(public: Collection[str]) -> frozenset[str]:
    """Return the paths that need no session, once it is sure that they are some."""
    if isinstance(public, str):
        raise TypeError("public is a collection of paths, not one path")
    return frozenset(public)


def is_preflight(method: str, asked_method: object) -> bool:
    """Tell whether a browser asks if a page may send a request; it never sends a token with that.

    Args:
        method: The request's method.
        asked_method: Its `Access-Control-Request-Method`, or None.
    """
    return method == "OPTIONS" and asked_method is not None


def _problem(status: HTTPStatus, code: str, detail: str, header: tuple[str, str]) -> Answer:
    members = {
        "type": f"urn:kataven:error:{code}",
        "title": status.phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body = json.dumps(members).encode()
    headers = (
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Error-Code", code),
        header,
        *_READABLE,
    )
    return Answer(status, headers, body)
