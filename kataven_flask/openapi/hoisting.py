"""What stands in many places of a description is written once, among its components."""

from __future__ import annotations

import json
from typing import Any

JsonObject = dict[str, Any]


class Components:
    """Parts of one kind, each under a name.

    Args:
        kind: The member of `components` that they are kept in.
    """

    def __init__(self, kind: str) -> None:
        self.parts: JsonObject = {}
        self._kind = kind
        self._names: dict[str, str] = {}

    def kept(self, name: str, part: JsonObject) -> JsonObject:
        """Keep a part, unless the same is kept already, and return a reference to it."""
        same = json.dumps(part, sort_keys=True)
        if same not in self._names:
            number = sum(1 for each in self._names.values() if each.partition(".")[0] == name)
            self._names[same] = f"{name}.{number + 1}" if number else name
            self.parts[self._names[same]] = part
        return {"$ref": f"#/components/{self._kind}/{self._names[same]}"}


def hoisted(paths: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return the paths with references in the place of their parts, and these parts.

    Args:
        paths: The Path Items, each with its operations.
    """
    parameters, responses, headers = map(Components, ("parameters", "responses", "headers"))

    def response(status: str, written: JsonObject) -> JsonObject:
        own = {name: headers.kept(name, each) for name, each in written["headers"].items()}
        written = {**written, "headers": own}
        return responses.kept(f"Refused-{status}", written) if status >= "400" else written

    def operation(written: JsonObject) -> JsonObject:
        asked = [parameters.kept(each["name"], each) for each in written["parameters"]]
        answers = {status: response(status, each) for status, each in written["responses"].items()}
        return {**written, "parameters": asked, "responses": answers}

    after = {
        path: {method: operation(each) for method, each in item.items()}
        for path, item in paths.items()
    }
    parts = {"parameters": parameters, "responses": responses, "headers": headers}
    return after, {kind: each.parts for kind, each in parts.items()}
