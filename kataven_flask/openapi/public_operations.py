"""What anyone may read, and what the operator's tools ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kataven_flask import errors
from kataven_flask.api import WIDGET_CACHE
from kataven_flask.openapi import headers
from kataven_flask.openapi.keeping import DOCS_CACHE, DOCS_FILES, PAGE_POLICY
from kataven_flask.openapi.operations import (
    ANYONE,
    IF_NONE_MATCH,
    OPERATOR,
    Operation,
    answer,
    json_content,
)
from kataven_flask.openapi.refusals import refusal_headers
from kataven_flask.signing import JWKS_MAX_AGE

JsonObject = dict[str, Any]

_NEVER_KEPT: Final = {"Cache-Control": headers.cache("no-store")}
_PACKED: Final = {
    "Content-Encoding": headers.header(
        "For who takes gzip.", headers.exactly("gzip"), required=False
    ),
}
_BY_ENCODING: Final = {
    "Vary": headers.header("What else the answer depends on.", headers.exactly("Accept-Encoding")),
}


def public_operations() -> tuple[Operation, ...]:
    """Return what anyone may read."""
    return (_jwks(), _widget(), _types(), _openapi(), _docs(), *_looks())


def operator_operations() -> tuple[Operation, ...]:
    """Return what the operator's tools ask."""
    return (_healthz(), _readyz())


def _text(media_type: str) -> JsonObject:
    return {media_type: {"schema": {"type": "string", "minLength": 1}}}


def _file(
    cache: str, content: JsonObject, *, packed: bool = True, **other: str
) -> dict[int, JsonObject]:
    """Return the answers of a file that is kept, and asked for again by its entity tag."""
    kept = {
        "Cache-Control": headers.cache(cache),
        "ETag": headers.ETAG,
        **(_BY_ENCODING if packed else {}),
        **(headers.security(**other) if other else {}),
    }
    return {
        200: answer("The file.", {**kept, **(_PACKED if packed else {})}, content),
        304: answer("What you have is what there is.", kept),
    }


def _jwks() -> Operation:
    cache = headers.cache(f"public, max-age={JWKS_MAX_AGE}")
    content = json_content("jwks", "Jwks", "application/jwk-set+json")
    return Operation(
        name="jwks",
        method="GET",
        path="/.well-known/jwks.json",
        tag=ANYONE,
        summary="The public keys",
        description="What your `/connect` service verifies session tokens by, without sharing a"
        " secret. A token names its key in `kid`. Keep them for five minutes, and ask again for a"
        " `kid` that you don't know: a new key stands here before it signs.",
        answers={200: answer("The keys.", {"Cache-Control": cache}, content)},
    )


def _widget() -> Operation:
    return Operation(
        name="widget",
        method="GET",
        path="/widget/v1.js",
        tag=ANYONE,
        summary="The widget",
        description="The script that a page embeds.",
        parameters=(IF_NONE_MATCH,),
        answers=_file(
            WIDGET_CACHE,
            _text("text/javascript"),
            Cross_Origin_Resource_Policy="cross-origin",
        ),
    )


def _types() -> Operation:
    return Operation(
        name="widget-types",
        method="GET",
        path="/widget/v1.d.ts",
        tag=ANYONE,
        summary="The widget's types",
        description="For a developer's TypeScript.",
        parameters=(IF_NONE_MATCH,),
        answers=_file(WIDGET_CACHE, _text("text/plain"), packed=False),
    )


def _openapi() -> Operation:
    schema = {
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {"openapi": {"type": "string", "const": "3.1.1"}},
    }
    return Operation(
        name="openapi",
        method="GET",
        path="/openapi.json",
        tag=ANYONE,
        summary="This description",
        description="OpenAPI 3.1, for tools: generate a client, a mock, or tests.",
        parameters=(IF_NONE_MATCH,),
        answers=_file(DOCS_CACHE, {"application/json": {"schema": schema}}),
    )


def _docs() -> Operation:
    return Operation(
        name="docs",
        method="GET",
        path="/docs",
        tag=ANYONE,
        summary="This description, to be read",
        description="One page without scripts, made from `/openapi.json`.",
        parameters=(IF_NONE_MATCH,),
        answers=_file(DOCS_CACHE, _text("text/html"), Content_Security_Policy=PAGE_POLICY),
    )


def _looks() -> Iterable[Operation]:
    """Return what that page looks like."""
    for name, content_type in DOCS_FILES.items():
        yield Operation(
            name=name.replace(".", "-"),
            method="GET",
            path=f"/docs/{name}",
            tag=ANYONE,
            summary="What the page looks like",
            description="Served with the page.",
            parameters=(IF_NONE_MATCH,),
            answers=_file(DOCS_CACHE, _text(content_type.partition(";")[0])),
        )


def _healthz() -> Operation:
    return Operation(
        name="healthz",
        method="GET",
        path="/healthz",
        tag=OPERATOR,
        summary="Alive",
        description="The process answers. No part is asked.",
        answers={200: answer("It does.", _NEVER_KEPT, json_content("healthz", "Alive"))},
    )


def _readyz() -> Operation:
    unready = refusal_headers([errors.StateUnavailable, errors.TooManyConnections])
    return Operation(
        name="readyz",
        method="GET",
        path="/readyz",
        tag=OPERATOR,
        summary="Ready",
        description="The parts that a token needs, and how each of them is. Where an edit of the"
        " tenants' file was refused it says so, and goes on with the last good one.",
        answers={
            200: answer("All is there.", _NEVER_KEPT, json_content("readyz", "Ready")),
            503: answer("A part is missing.", unready, json_content("not-ready", "NotReady")),
        },
    )
