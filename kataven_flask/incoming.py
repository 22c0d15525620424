"""What a request says, read strictly: its caller, its body, its query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from kataven_flask import errors
from kataven_flask.body import BODY_LIMIT, MAX_BODY, parse_object, text_member
from kataven_flask.messages import MAX_USER_ID, Caller
from kataven_flask.origins import Origin
from kataven_flask.tokens import MAX_TOKEN_LENGTH


def caller() -> Caller:
    """Return who sends the request, as far as its headers tell."""
    environ = request.environ  # as PEP 3333 has it; `request.headers` makes each name anew
    origin = environ.get("HTTP_ORIGIN")
    return Caller(
        origin=Origin.of_request(origin, environ.get("HTTP_REFERER")),
        address=environ.get("REMOTE_ADDR", ""),
        is_browser=origin is not None or "HTTP_SEC_FETCH_SITE" in environ,
        secret_key=_bearer_token(environ.get("HTTP_AUTHORIZATION", "")),
    )


def _bearer_token(authorization: str) -> str | None:
    """Read the credentials of RFC 6750, section 2.1."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def body() -> dict[str, Any]:
    """Read the body, or raise BodyTooLarge or InvalidBody."""
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BODY:
        raise errors.BodyTooLarge(BODY_LIMIT)
    return parse_object(raw)


def query() -> dict[str, str]:
    """Read the query; like a body's member, a parameter stands once."""
    try:
        args = request.args
    except UnicodeDecodeError as error:  # uWSGI hands over any bytes
        raise errors.InvalidField("the query is not UTF-8; write it as %XX") from error
    for name in ("client_key", "agent_id"):
        if len(args.getlist(name)) > 1:
            raise errors.InvalidField(f"{name} stands twice; send it once")
    return args.to_dict()


def refresh_token() -> str | None:
    """Read a body's refresh token."""
    return text_member(body(), "refresh_token", max_length=MAX_TOKEN_LENGTH)


def user_id(members: Mapping[str, Any]) -> str | None:
    """Read the user's id of a body, by either of its names."""
    return text_member(members, "user_id", alias="external_user_id", max_length=MAX_USER_ID)
