"""The headers of answers, as the description has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kataven_flask import cors
from kataven_flask.headers import secured

JsonObject = dict[str, Any]

_POLICY: Final = r'"[a-z_-]+";q=[0-9]+;w=[0-9]+'
_LEFT: Final = r'"[a-z_-]+";r=[0-9]+;t=[0-9]+'


def header(description: str, schema: JsonObject, *, required: bool = True) -> JsonObject:
    """Return a Header Object."""
    return {"description": description, "required": required, "schema": schema}


def text(pattern: str, *examples: str) -> JsonObject:
    """Return the schema of a text of one shape."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}


def exactly(value: str) -> JsonObject:
    """Return the schema of one text."""
    return {"type": "string", "const": value}


def cache(value: str) -> JsonObject:
    """Return the header that says how long an answer may be kept."""
    return header("How long the answer may be kept.", exactly(value))


def error_code(codes: Iterable[str]) -> JsonObject:
    """Return the header that names a refusal."""
    return header(
        "Which refusal it is; the texts may change, this won't.",
        {"type": "string", "enum": sorted(codes)},
    )


REQUEST_ID: Final = header(
    "The request's name, to be quoted to the operator: the one that was sent, or a fresh one.",
    text("[A-Za-z0-9._-]{8,64}", "req_4f1c0d9a6b7e2385"),
)
RETRY_AFTER: Final = header(
    "Seconds after which to try again.", {"type": "integer", "minimum": 1, "examples": [2]}
)
BEARER: Final = header("How to show who is calling.", exactly("Bearer"))
ETAG: Final = header(
    "Names this very body; send it as `If-None-Match`.",
    text('"[0-9a-f]{32,64}"', '"c9af4662aa34b82f88cf2b06d930b088"'),
)
ALLOW: Final = header("The methods of this path.", text("[A-Z]+(, [A-Z]+)*", "OPTIONS, POST"))
_READABLE: Final = {
    "Access-Control-Allow-Origin": "Any page may read the answer.",
    "Access-Control-Expose-Headers": "The headers that a page may read.",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": header(
        "What a page may send.", exactly("GET, POST"), required=False
    ),
    "Access-Control-Allow-Headers": header(
        "The headers that were asked for.", {"type": "string"}, required=False
    ),
    "Access-Control-Allow-Private-Network": header(
        "No page is let into a network by this server.", exactly("false"), required=False
    ),
    "Access-Control-Max-Age": header(
        "Seconds that a browser keeps this answer.",
        {"type": "integer", "const": cors.PREFLIGHT_MAX_AGE},
        required=False,
    ),
}
LIMITS: Final = {
    "RateLimit-Policy": header(
        "How many requests (`q`) in how many seconds (`w`); absent where there is no limit.",
        text(f"{_POLICY}(, {_POLICY})*", '"guest";q=60;w=60'),
        required=False,
    ),
    "RateLimit": header(
        "How many requests are left (`r`), and after how many seconds (`t`) surely one more.",
        text(f"{_LEFT}(, {_LEFT})*", '"guest";r=59;t=60'),
        required=False,
    ),
}
_SECURITY: Final = {
    "X-Content-Type-Options": "A browser takes the answer for what it is, and guesses nothing.",
    "Referrer-Policy": "Following a link from here, a browser tells nobody where it was.",
    "Cross-Origin-Resource-Policy": "Whose pages may embed the answer.",
    "Content-Security-Policy": "What a browser may do with the answer, should it be opened.",
}
_HSTS: Final = header(
    "Come by TLS alone from now on; where the operator has said so.",
    text("max-age=[0-9]+", "max-age=31536000"),
    required=False,
)


def readable() -> JsonObject:
    """Return the headers by which a page of any origin may read an answer."""
    return {name: header(_READABLE[name], exactly(value)) for name, value in cors.READABLE.items()}


def security(**other: str) -> JsonObject:
    """Return the headers that every answer has; some of them otherwise."""
    values = dict(secured([])) | {name.replace("_", "-"): value for name, value in other.items()}
    always = {name: header(_SECURITY[name], exactly(value)) for name, value in values.items()}
    return {**always, "Strict-Transport-Security": _HSTS}
