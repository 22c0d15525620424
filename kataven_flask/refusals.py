"""How a refusal is written: a plain string, or RFC 9457 for whoever asks for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from kataven_flask.errors import InvalidApiKey, Refusal


@dataclass(frozen=True, slots=True)
class WrittenRefusal:
    """A refusal as it goes out.

    Args:
        body: The body.
        headers: All headers but those of CORS.
    """

    body: bytes
    headers: dict[str, str]


def write_refusal(refusal: Refusal, accept: str, request_id: str) -> WrittenRefusal:
    """Write a refusal.

    Args:
        refusal: What was refused and why.
        accept: The request's `Accept` header.
        request_id: What the caller may quote to the operator.

    Returns:
        The body and the headers.
    """
    if _names_json(accept):
        body, content_type = _problem(refusal, request_id), "application/problem+json"
    else:
        body, content_type = refusal.text, "text/plain; charset=utf-8"
    headers = {"Content-Type": content_type, **refusal_headers(refusal, request_id)}
    return WrittenRefusal(body.encode(), headers)


def refusal_headers(refusal: Refusal, request_id: str) -> dict[str, str]:
    """Return the headers that every error has, whatever its body."""
    headers = {
        "X-Error-Code": refusal.code,
        "X-Request-Id": request_id,
        "Cache-Control": "no-store",
    }
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, InvalidApiKey):
        headers["WWW-Authenticate"] = "Bearer"  # RFC 6750, section 3
    return headers


def _problem(refusal: Refusal, request_id: str) -> str:
    """Write the members of RFC 9457, section 3.1, and three of our own."""
    members = {
        "type": f"urn:kataven:error:{refusal.code}",
        "title": refusal.words,
        "status": refusal.status,
        "detail": refusal.detail or refusal.words,
        "code": refusal.code,
        "retryable": refusal.retryable,
        "request_id": request_id,
    }
    return json.dumps(members, ensure_ascii=False)


def _names_json(accept: str) -> bool:
    """Tell whether `Accept` names JSON itself; `*/*` names nothing."""
    named = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return not named.isdisjoint({"application/problem+json", "application/json"})
