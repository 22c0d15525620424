"""What an operation is, and how it is written in the description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kataven_flask import cors
from kataven_flask.errors import Refusal
from kataven_flask.openapi import headers
from kataven_flask.openapi.examples import examples
from kataven_flask.openapi.refusals import responses

JsonObject = dict[str, Any]

PAGES: Final = "Pages"
BACKENDS: Final = "Backends"
ANYONE: Final = "Anyone"
OPERATOR: Final = "The operator"
TAGS: Final = {
    PAGES: "Called by the widget in a visitor's browser. The page's origin, which the browser sends"
    " by itself, has to be one that the client key admits. Any page may read the answers.",
    BACKENDS: "Called by your own backend, with its secret key. A request that a browser sent is"
    " refused: a secret key in a page is a leak.",
    ANYONE: "Read by whoever wants to; nothing here is secret.",
    OPERATOR: "Asked by what looks after the server.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Args:
        name: Its name, unique.
        method: GET or POST.
        path: Its path.
        tag: Who calls it.
        summary: What it is for, in a few words.
        description: What is worth knowing.
        answers: What it answers where it doesn't refuse, by status.
        refusals: What it refuses with, but for what is refused anywhere.
        body: The name of its body's schema.
        parameters: What it reads of the address and the headers.
        also: Headers of all its answers.
        secured: Whether it takes a secret key.
    """

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    answers: Mapping[int, JsonObject]
    refusals: tuple[type[Refusal], ...] = ()
    body: str | None = None
    parameters: tuple[JsonObject, ...] = ()
    also: Mapping[str, Any] = field(default_factory=dict)
    secured: bool = False

    @property
    def for_pages(self) -> bool:
        """Whether any page may read the answers."""
        return cors.is_for_pages(self.path)

    def written(self) -> JsonObject:
        """Return its Operation Object."""
        shared = {**(headers.readable() if self.for_pages else {}), **headers.security()}
        refused = responses(self.name, self.refusals, {**self.also, **shared})
        for status, each in self.answers.items():
            refused[str(status)] = self._answer(each, shared, refused.get(str(status), {}))
        operation: JsonObject = {
            "operationId": self.name,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "security": [{"secretKey": []}] if self.secured else [],
            "parameters": [*self.parameters, REQUEST_ID],
            "responses": dict(sorted(refused.items())),
        }
        if self.body:
            operation["requestBody"] = self._body(self.body)
        return operation

    def _answer(self, answer: JsonObject, shared: JsonObject, refused: JsonObject) -> JsonObject:
        """Return an answer with the headers of all, and with what else its status may mean."""
        own = {**self.also, **shared, **refused.get("headers", {}), **answer["headers"]}
        content = {**answer.get("content", {}), **refused.get("content", {})}
        return {**answer, "headers": own, **({"content": content} if content else {})}

    def _body(self, schema: str) -> JsonObject:
        content = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
        example = {"example": examples()["requests"][self.name]}
        return {
            "required": True,
            "description": "At most 16 KiB. It is read as JSON whatever its `Content-Type`: a page"
            " that sends `text/plain` is spared the preflight. Unknown members are ignored; one"
            " that stands twice is refused. An empty string, or null, counts as absent.",
            "content": {"application/json": {**content, **example}},
        }


def parameter(
    place: str, name: str, description: str, schema: JsonObject, *, required: bool = False
) -> JsonObject:
    """Return a Parameter Object."""
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": required,
        "schema": schema,
    }


def answer(
    description: str,
    own: Mapping[str, Any],
    content: JsonObject | None = None,
    links: JsonObject | None = None,
) -> JsonObject:
    """Return a Response Object, without the headers that all answers have."""
    written: JsonObject = {"description": description, "headers": dict(own)}
    if content:
        written["content"] = content
    if links:
        written["links"] = links
    return written


def json_content(name: str, schema: str, media_type: str = "application/json") -> JsonObject:
    """Return the content of a JSON answer, with the one that was given once."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {media_type: {"schema": reference, "example": examples()["answers"][name]}}


REQUEST_ID: Final = parameter(
    "header",
    "X-Request-Id",
    "A name for the request, of your own: 8 to 64 letters, digits, `.`, `_` and `-`. An error"
    " repeats it. Another one is ignored.",
    {"type": "string", "examples": ["order-4711-help"]},
)
ORIGIN: Final = parameter(
    "header",
    "Origin",
    "The page's origin. A browser sends it by itself, and lets no script choose it.",
    {"type": "string", "examples": ["https://acme.com"]},
)
REFERER: Final = parameter(
    "header",
    "Referer",
    "Where there is no `Origin`, as in some requests by GET, the origin is taken from here.",
    {"type": "string", "examples": ["https://acme.com/coffee"]},
)
IF_NONE_MATCH: Final = parameter(
    "header",
    "If-None-Match",
    "The `ETag` of what you have.",
    {"type": "string", "examples": ['"c9af4662aa34b82f88cf2b06d930b088"']},
)


def options(operation: Operation) -> JsonObject:
    """Return the Operation Object of what a browser asks before it sends more than a form could."""
    pages = operation.for_pages
    shared = {**(headers.readable() if pages else {}), **headers.security()}
    own = {**(headers.PREFLIGHT if pages else {}), "Allow": headers.ALLOW}
    name = f"{operation.name}-options"
    return {
        "operationId": name,
        "tags": [operation.tag],
        "summary": "The methods of this path",
        "description": "A browser's preflight, which a browser may keep; or a plain question.",
        "security": [],
        "parameters": [],
        "responses": {
            "200": {"description": "The methods of this path.", "headers": {**own, **shared}},
            **responses(name, (), shared),
        },
    }
