"""How an answer is written: sessions, tokens, refusals, and what has no body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, g, request

from kataven_flask import errors
from kataven_flask.cors import READABLE
from kataven_flask.messages import SessionGrant, VisitorToken
from kataven_flask.refusals import write_refusal
from kataven_flask.request_ids import request_id_of
from kataven_flask.throttle import WINDOW, Quota


def session(grant: SessionGrant) -> Response:
    """Answer with a session's tokens."""
    begun = grant.session
    return json(
        {
            "token": grant.token,
            "token_type": "Bearer",
            "expires_in": grant.expires_at - grant.server_time,
            "expires_at": grant.expires_at,
            "refresh_token": grant.refresh_token,
            "refresh_expires_in": grant.refresh_expires_at - grant.server_time,
            "session_id": begun.sid,
            "agent_id": begun.agent_id,
            "visitor": {
                "id": begun.sub,
                "type": begun.visitor_type,
                "name": begun.name,
                "email": begun.email,
            },
            "server_time": grant.server_time,
        },
        headers=READABLE,
    )


def visitor_token(minted: VisitorToken) -> Response:
    """Answer with a visitor token, under both of its names."""
    return json(
        {
            "user_token": minted.token,
            "token": minted.token,
            "token_type": "Bearer",
            "expires_in": minted.expires_in,
            "expires_at": minted.expires_at,
        }
    )


def json(
    document: Mapping[str, Any],
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] = {},
) -> Response:
    """Answer with a JSON document that nobody may keep."""
    own = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return Response(orjson.dumps(document), status, headers={**own, **headers})


def unless_known(response: Response, etag: str | None) -> Response:
    """Answer 304 where `If-None-Match` has the entity tag; no other condition is read.

    What describes a body, and the body, werkzeug leaves out then (RFC 9110, section 15.4.5).
    """
    if etag is not None and request.if_none_match.contains_weak(etag):
        response.status_code = 304
    return response


def no_content() -> Response:
    """Answer that it is done."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.headers["Cache-Control"] = "no-store"
    return response


def refuse(refusal: errors.Refusal) -> Response:
    """Answer with a refusal.

    Args:
        refusal: What was refused and why.

    Returns:
        The answer.
    """
    written = write_refusal(refusal, request.headers.get("Accept", ""), request_id())
    return Response(written.body, refusal.status, written.headers)


def note_quota(quota: Quota) -> None:
    """Keep what is left of a limit for the answer; of several, the last one counts."""
    g.quota = quota


def tell_quota(response: Response) -> Response:
    """Add what is left of the limit that a request was counted against.

    Draft 10 of the IETF's "RateLimit header fields for HTTP", sections 3 and 4.
    """
    quota: Quota | None = g.get("quota")
    if quota is not None:
        add = response.headers.add
        add("RateLimit-Policy", f'"{quota.policy}";q={quota.limit};w={WINDOW}')
        add("RateLimit", f'"{quota.policy}";r={quota.left};t={quota.wait}')
    return response


def request_id() -> str:
    """Return the request's name: the caller's own where it is harmless, else a fresh one."""
    if "request_id" not in g:
        g.request_id = request_id_of(request.environ)
    return str(g.request_id)
