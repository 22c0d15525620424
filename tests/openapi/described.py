"""Holds an answer against the description: whatever isn't written there is a fault."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

from kataven_flask.openapi.document import document

OF_THE_SERVER: Final = {
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
    "via",
}
"""Headers of every HTTP server, which a description doesn't repeat (OpenAPI, Response Object)."""

Check = Callable[[str], None]


class UndescribedError(AssertionError):
    """An answer isn't what the description says."""


class Response:
    """One documented answer, with its schemas compiled.

    Args:
        written: The Response Object.
        whole: The description.
    """

    def __init__(self, written: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
        self._whole = whole
        named = written.get("headers", {})
        headers = {name.lower(): self._found(each) for name, each in named.items()}
        self._required = {name for name, each in headers.items() if each["required"]}
        self._headers = {name: self._header_check(each["schema"]) for name, each in headers.items()}
        self._content = {
            kind: self._validator(each["schema"])
            for kind, each in written.get("content", {}).items()
        }

    def check_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """Raise UndescribedError where a header is missing, foreign, doubled or misshapen."""
        seen = set()
        for given, value in headers:
            name = given.lower()
            if name in seen:
                raise UndescribedError(f"{name} stands twice")
            seen.add(name)
            if name in self._headers:
                self._headers[name](value)
            elif name not in OF_THE_SERVER:
                raise UndescribedError(f"an undocumented header: {name}: {value}")
        if not self._required <= seen:
            raise UndescribedError(f"no {self._required - seen} among {sorted(seen)}")

    def check_body(
        self, headers: Iterable[tuple[str, str]], body: bytes, *, may_have_one: bool
    ) -> None:
        """Raise UndescribedError where the body's type or the body isn't documented."""
        if not self._content or not may_have_one:
            if body:
                raise UndescribedError(f"a body where none can be: {body[:200]!r}")
            return
        named = {name.lower(): value for name, value in headers}
        kind = named.get("content-type", "").partition(";")[0].strip()
        if kind not in self._content:
            raise UndescribedError(f"an undocumented type: {kind!r}")
        text = gzip.decompress(body) if named.get("content-encoding") == "gzip" else body
        self._content[kind](json.loads(text) if kind.endswith("json") else text.decode())

    def _header_check(self, schema: Mapping[str, Any]) -> Check:
        validate = self._validator(schema)
        if schema["type"] == "integer":
            return lambda value: validate(int(value) if re.fullmatch("[0-9]+", value) else value)
        return validate

    def _found(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        return found(part, self._whole)

    def _validator(self, schema: Mapping[str, Any]) -> Callable[[Any], None]:
        whole = {**schema, "components": {"schemas": self._whole["components"]["schemas"]}}
        validator = Draft202012Validator(whole, validate_formats=True)

        def validate(value: Any) -> None:
            error = next(iter(validator.iter_errors(value)), None)
            if error is not None:
                raise UndescribedError(f"{error.message[:500]} (at {error.instance_path})")

        return validate


class Description:
    """The description, to hold answers against.

    Args:
        whole: The description.
    """

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._paths = {_pattern(path): item for path, item in whole["paths"].items()}
        self._item = cache(self._find_item)
        self._response = cache(self._find_response)

    def check(
        self,
        method: str,
        path: str,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
    ) -> None:
        """Hold an answer against what is written.

        Args:
            method: The request's method.
            path: Its path, without the query.
            status: The answer's status.
            headers: Its headers.
            body: Its body; None where it isn't known.

        Raises:
            UndescribedError: It isn't documented.
        """
        headers = list(headers)
        has_body = method != "HEAD" and status != HTTPStatus.NOT_MODIFIED
        try:
            response = self._response(method, path, status)
            response.check_headers(headers)
            if body is not None:
                response.check_body(headers, body, may_have_one=has_body)
        except UndescribedError as error:
            raise UndescribedError(f"{method} {path}: {status}: {error}") from error

    def knows(self, path: str) -> bool:
        """Tell whether a path is documented."""
        return self._item(path) is not None

    def _find_response(self, method: str, path: str, status: int) -> Response:
        item = self._item(path)
        method = "get" if method == "HEAD" else method.lower()
        if item is not None and method in item:
            documented = item[method]["responses"]
        else:
            documented = dict(self._whole["x-elsewhere"])
            documented.pop("404" if item is not None else "405")
        if str(status) not in documented:
            raise UndescribedError(f"an undocumented status; there are {sorted(documented)}")
        return self._compiled(json.dumps(documented[str(status)]))

    @cache  # noqa: B019 - one description lives as long as the run
    def _compiled(self, written: str) -> Response:
        return Response(found(json.loads(written), self._whole), self._whole)

    def _find_item(self, path: str) -> Mapping[str, Any] | None:
        return next(
            (item for pattern, item in self._paths.items() if pattern.fullmatch(path)), None
        )


def found(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part, or what it refers to."""
    reference = part.get("$ref")
    if reference is None:
        return part
    value: Any = whole
    for name in reference.removeprefix("#/").split("/"):
        value = value[name]
    result: Mapping[str, Any] = value
    return result


@cache
def description() -> Description:
    """Return the description of this version, compiled once a run."""
    return Description(document())


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)))
