"""The JSON Schema of the tenants' file, for editors: made from the models, and nothing else.

Draft 7 is the one that every editor's YAML server reads. `patternErrorMessage` is a word
of theirs beside it; others pass over it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from kataven_flask.durations import duration_text
from kataven_flask.tenants import Document

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_DURATION: Final = ["string", "integer"]
_FIRST: Final = ("description", "type", "default", "examples")
_LAST: Final = {"items", "properties", "additionalProperties"}
_OVERRIDES: Final = ("tokens", "limits")


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema of the tenants' file.

    Every member has a description, and what the models refuse is refused where a schema
    can say it. Nothing is referred to: an editor shows what stands at the place.
    """
    made = Document.model_json_schema()
    schema: dict[str, Any] = _tidied(made, made.pop("$defs"))
    tenant = schema["properties"]["tenants"]["additionalProperties"]
    for name in _OVERRIDES:
        for member in tenant["properties"][name]["properties"].values():
            del member["default"]  # it is whatever the document says
    _tell_limits(schema)
    return {"$schema": DIALECT, **schema}


def schema_text() -> str:
    """Return the schema as its file has it."""
    return json.dumps(document_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: Any, definitions: dict[str, Any]) -> Any:
    """Write a generated schema as a person would: whole at each place, without fillers."""
    if isinstance(node, list):
        return [_tidied(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if reference := node.get("$ref"):
        named = definitions[reference.rpartition("/")[2]]
        node = {**named, **{name: value for name, value in node.items() if name != "$ref"}}
    node = _plain({name: value for name, value in node.items() if name != "title"})
    if node.get("type") == _DURATION and "default" in node:
        node["default"] = duration_text(node["default"])
    elif isinstance(node.get("default", {}), dict | list) or node["default"] is None:
        node.pop("default", None)  # the description says what it means to leave it out
    return {
        name: {member: _tidied(inner, definitions) for member, inner in node[name].items()}
        if name == "properties"
        else _tidied(node[name], definitions)
        for name in sorted(node, key=_order)
    }


def _order(name: str) -> int:
    """Put what a person reads first, and what holds other members last."""
    return _FIRST.index(name) if name in _FIRST else len(_FIRST) + (name in _LAST)


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    """Say the same so that an editor's words stay to the point.

    "This or null" is one schema with two types, a mapping's ids are names of one pattern.
    """
    if by_pattern := node.pop("patternProperties", None):
        # With a pattern alone, a member of another name would pass.
        ((pattern, inner),) = by_pattern.items()
        names = {**node["propertyNames"], "pattern": pattern}
        return {**node, "propertyNames": names, "additionalProperties": inner}
    if len(both := node.get("anyOf", ())) == 2 and both[1] == {"type": "null"}:  # noqa: PLR2004
        others = {name: value for name, value in node.items() if name != "anyOf"}
        return {**both[0], **others, "type": [both[0]["type"], "null"]}
    return node


def _tell_limits(node: dict[str, Any]) -> None:
    """Say the range and the default in the description: it is all that an editor shows."""
    told = []
    if "minimum" in node:
        low, high = node["minimum"], node["maximum"]
        if node["type"] == _DURATION:
            low, high = duration_text(low), duration_text(high)
        told.append(f"From {low} to {high}.")
    if "default" in node:
        default = node["default"]
        written = default if isinstance(default, str) else json.dumps(default)
        told.append(f"Default: {written}")
    node["description"] = " ".join([*node["description"].split(), *told])
    for inner in [*node.get("properties", {}).values(), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            _tell_limits(inner)
    if "items" in node:
        _tell_limits(node["items"])
