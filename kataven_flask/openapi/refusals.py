"""Every refusal as the description has it: who gives it, how it is written, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kataven_flask import errors
from kataven_flask.errors import Refusal
from kataven_flask.openapi import headers
from kataven_flask.openapi.examples import examples
from kataven_flask.openapi.shapes import sealed

JsonObject = dict[str, Any]

ADVICE: Final = {
    errors.InvalidBody: "Send one JSON object in UTF-8, each member once.",
    errors.InvalidRequest: "It is no HTTP as this server reads it. Mend what the text names.",
    errors.InvalidField: "Mend the member that the text names: its type, length or characters.",
    errors.MissingClientKey: "Send the `pk_…` key of the page's snippet.",
    errors.MissingField: "Send the member that the text names.",
    errors.MissingAgentId: "Name an agent, or give the tenant a default one.",
    errors.UnknownAgentId: "Name one of the tenant's agents.",
    errors.MissingToken: "Send the visitor token that your backend minted.",
    errors.InvalidToken: "Have your backend mint a new visitor token.",
    errors.ExpiredToken: "Have your backend mint a new visitor token, just before it is used.",
    errors.UsedToken: "Have your backend mint a new visitor token for each exchange.",
    errors.MissingRefreshToken: "Send the last `refresh_token` of the session.",
    errors.InvalidRefreshToken: "Begin a new session.",
    errors.ExpiredRefreshToken: "Begin a new session.",
    errors.ReusedRefreshToken: "An old token came back, perhaps a stolen one, so the session is"
    " over. Begin a new one, and always keep the newest token.",
    errors.RevokedSession: "It was ended by a logout, the backend or the operator, or no record of"
    " it is left. Begin a new session.",
    errors.InvalidApiKey: "Send a live secret key of the tenant.",
    errors.OriginNotAllowed: "Add the page's origin to the key's `domain_allowlist`; the server's"
    " log has the line. A refresh works only on the origin that the session was begun on.",
    errors.UnknownClientKey: "Copy the key from the snippet again.",
    errors.ClientKeyDisabled: "The operator has switched the key off, or its time is over.",
    errors.AgentDisabled: "The operator has switched the agent off, or bound the key to another.",
    errors.AuthModeForbidden: "This agent takes only guests, or only signed-in users.",
    errors.ClientKeyMismatch: "The token, or the secret key, belongs to another client key.",
    errors.BrowserForbidden: "Call it from your backend. If a page did, its secret key has leaked:"
    " rotate it.",
    errors.NotFound: "Look at the path; a slash at its end counts.",
    errors.MethodNotAllowed: "Use a method that `Allow` names.",
    errors.RequestTimeout: "Send the request in one go. It didn't come whole in time.",
    errors.BodyTooLarge: "Send at most 16 KiB.",
    errors.UriTooLong: "Send a shorter address.",
    errors.HeadersTooLarge: "Send fewer headers, or shorter ones.",
    errors.TooManyConnections: "Try again after `Retry-After` seconds.",
    errors.RateLimited: "Try again after `Retry-After` seconds.",
    errors.StateUnavailable: "Try again after `Retry-After` seconds. Nothing was spent or rotated.",
    errors.InternalError: "A fault of ours. Report it, with its request id.",
}
"""What the caller, or the operator, does about each."""

ANYWHERE: Final = (
    errors.InvalidRequest,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.UriTooLong,
    errors.HeadersTooLarge,
    errors.InternalError,
    errors.TooManyConnections,
)
"""What the server may say before, or instead of, what was asked for."""
WAITED_FOR: Final = (errors.RateLimited, errors.StateUnavailable, errors.TooManyConnections)
"""What tells when to come again."""
WORDS: Final = {
    ("config", errors.OriginNotAllowed): "Origin not in allowlist",
    ("revoke", errors.MissingField): "Missing user_id",
}
"""First words that depend on the endpoint."""
_GIVEN: Final = {
    errors.InvalidRequest: "Invalid request: Both Content-Length and Transfer-Encoding",
    errors.StateUnavailable: "State store unavailable: try again shortly",
    errors.InternalError: "Internal error: quote req_4f1c0d9a6b7e2385 to the operator",
    errors.BodyTooLarge: "Body too large: send at most 16 KiB",
    errors.RequestTimeout: "Request timed out: send it whole within 20 s",
    errors.UriTooLong: "URI too long: send at most 32 KiB of header",
    errors.HeadersTooLarge: "Headers too large: send at most 100 lines",
    errors.TooManyConnections: "Too many connections: try again shortly",
}
"""What no recipe earns, or not of each operation."""

PROBLEM: Final = sealed(
    "A refusal (RFC 9457).",
    {
        "type": {"type": "string", "pattern": "^urn:kataven:error:[a-z_]+$"},
        "title": {"type": "string", "description": "The same words for the same code."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What exactly was wrong, for a person."},
        "code": {"type": "string", "description": "As in `X-Error-Code`."},
        "retryable": {"type": "boolean", "description": "Whether to try the same again later."},
        "request_id": headers.REQUEST_ID["schema"],
    },
)


def responses(
    operation: str, refusals: Iterable[type[Refusal]], more: Mapping[str, Any]
) -> JsonObject:
    """Return the Response Objects of an operation's refusals.

    Args:
        operation: The operation.
        refusals: All refusals that it gives, but for those that are given anywhere.
        more: The headers that all its answers have.

    Returns:
        One a status.
    """
    each_once: set[type[Refusal]] = {*refusals, *ANYWHERE}
    given = sorted(each_once, key=lambda refusal: (refusal.status, refusal.code))
    statuses = dict.fromkeys(refusal.status for refusal in given)
    return {
        str(status): _response(operation, [each for each in given if each.status == status], more)
        for status in statuses
    }


def refusal_headers(refusals: Iterable[type[Refusal]]) -> JsonObject:
    """Return the headers of refusals that share a status."""
    refusals = list(refusals)
    own = {
        "X-Error-Code": headers.error_code(refusal.code for refusal in refusals),
        "X-Request-Id": headers.REQUEST_ID,
        "Cache-Control": headers.cache("no-store"),
    }
    if any(refusal in WAITED_FOR for refusal in refusals):
        own["Retry-After"] = headers.RETRY_AFTER
    if errors.InvalidApiKey in refusals:
        own["WWW-Authenticate"] = headers.BEARER
    return own


def _response(operation: str, refusals: list[type[Refusal]], more: Mapping[str, Any]) -> JsonObject:
    words = {
        refusal: WORDS.get((operation, refusal), refusal.default_words) for refusal in refusals
    }
    texts = {refusal: _text(operation, refusal, words[refusal]) for refusal in refusals}
    problems = {refusal.code: {"value": _as_problem(refusal, texts[refusal])} for refusal in texts}
    return {
        "description": "; ".join(dict.fromkeys(words.values())) + ".",
        "headers": {**refusal_headers(refusals), **more, **_limit(refusals)},
        "content": {
            "text/plain": {
                "schema": _plain(words.values()),
                "examples": {refusal.code: {"value": texts[refusal]} for refusal in texts},
            },
            "application/problem+json": {"schema": _problem(words), "examples": problems},
        },
    }


def _limit(refusals: list[type[Refusal]]) -> JsonObject:
    """Return the headers that tell of a limit, which is told for sure where it is used up."""
    if errors.RateLimited not in refusals:
        return {}
    return {name: {**each, "required": True} for name, each in headers.LIMITS.items()}


def _text(operation: str, refusal: type[Refusal], words: str) -> str:
    """Return a refusal as it was once given; where not by this operation, by another."""
    given: dict[str, dict[str, str]] = examples()["refusals"]
    texts = [each[refusal.code] for each in given.values() if refusal.code in each]
    own = given.get(operation, {}).get(refusal.code)
    alike = (text for text in texts if text.startswith(f"{words}: "))
    return own or _GIVEN.get(refusal) or next(alike, words)


def _plain(words: Iterable[str]) -> JsonObject:
    """Return the schema of the words, and what may follow them."""
    either = "|".join(re.escape(each).replace(r"\ ", " ") for each in dict.fromkeys(words))
    return {"type": "string", "pattern": f"^(?:{either})(?:: [^\\u0000-\\u001f\\u007f]+)?$"}


def _as_problem(refusal: type[Refusal], text: str) -> JsonObject:
    title, _, detail = text.partition(": ")
    return {
        "type": f"urn:kataven:error:{refusal.code}",
        "title": title,
        "status": refusal.status,
        "detail": detail or title,
        "code": refusal.code,
        "retryable": refusal.retryable,
        "request_id": "req_4f1c0d9a6b7e2385",
    }


def _problem(words: Mapping[type[Refusal], str]) -> JsonObject:
    """Return the schema of a problem: its code, and what belongs to that code."""
    each = [
        {
            "properties": {
                "type": {"const": f"urn:kataven:error:{refusal.code}"},
                "title": {"const": title},
                "status": {"const": refusal.status},
                "code": {"const": refusal.code},
                "retryable": {"const": refusal.retryable},
            }
        }
        for refusal, title in words.items()
    ]
    return {"$ref": "#/components/schemas/Problem", "oneOf": each}
