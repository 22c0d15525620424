"""The whole description, put together."""

from __future__ import annotations

from typing import Any, Final

from kataven_flask import errors
from kataven_flask.openapi import headers
from kataven_flask.openapi.backend_operations import backend_operations
from kataven_flask.openapi.bodies import REQUESTS
from kataven_flask.openapi.hoisting import hoisted
from kataven_flask.openapi.operations import TAGS, Operation, options
from kataven_flask.openapi.page_operations import page_operations
from kataven_flask.openapi.public_operations import operator_operations, public_operations
from kataven_flask.openapi.refusals import ADVICE, PROBLEM, responses
from kataven_flask.openapi.schemas import SCHEMAS

JsonObject = dict[str, Any]

VERSION: Final = "3.1.1"
API_VERSION: Final = "1"
"""As in the paths: the software's own version is nobody's business."""
_ELSEWHERE: Final = "/*"
_DESCRIPTION: Final = (
    "Signs visitors of an embeddable chat or voice widget in: guests, and users whom your backend"
    " vouches for. An error is a plain string, fixed words and then what exactly was wrong; send"
    " `Accept: application/problem+json` for an object (RFC 9457). Every error has `X-Error-Code`"
    " and `X-Request-Id`. An answer has the members that stand here and no others; that of a later"
    " version may have more, so ignore what you don't know."
)
_SECRET_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "The tenant's secret key, `sk_…`. It stays in your backend.",
}


def operations() -> tuple[Operation, ...]:
    """Return all operations, in the order in which a reader meets them."""
    return (
        *page_operations(),
        *backend_operations(),
        *public_operations(),
        *operator_operations(),
    )


def document() -> JsonObject:
    """Return the description of the service."""
    items, parts = hoisted(
        {**_paths(), _ELSEWHERE: {"get": {"parameters": [], "responses": _elsewhere()}}}
    )
    elsewhere = items.pop(_ELSEWHERE)["get"]["responses"]
    return {
        "openapi": VERSION,
        "info": {
            "title": "Kataven widget sign-in",
            "summary": "Sessions for a widget's visitors.",
            "description": _DESCRIPTION,
            "version": API_VERSION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The server that this was read from."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": items,
        "components": {
            "schemas": {**REQUESTS, **SCHEMAS, "Problem": PROBLEM},
            "securitySchemes": {"secretKey": _SECRET_KEY},
            **parts,
        },
        "x-elsewhere": elsewhere,
        "x-errors": [
            {
                "code": refusal.code,
                "status": refusal.status,
                "retryable": refusal.retryable,
                "advice": advice,
            }
            for refusal, advice in ADVICE.items()
        ],
    }


def _paths() -> JsonObject:
    paths: JsonObject = {}
    for operation in operations():
        item = paths.setdefault(operation.path, {})
        item[operation.method.lower()] = operation.written()
        if not operation.secured:  # a preflight is a browser's, and browsers are refused there
            item["options"] = options(operation)
    return paths


def _elsewhere() -> JsonObject:
    """Return what any other path answers, and these to any other method."""
    sometimes = {name: {**each, "required": False} for name, each in headers.readable().items()}
    allow = {"Allow": {**headers.ALLOW, "required": False}}
    refusals = (errors.NotFound, errors.MethodNotAllowed)
    own = {**allow, **headers.PREFLIGHT, **sometimes, **headers.security()}
    return responses("elsewhere", refusals, own)
