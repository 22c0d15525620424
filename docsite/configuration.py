"""`docs/configuration.md`: the tenants' file, made from its models and its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from docsite.markdown import anchor, code, head, prose, table
from kataven_flask.document.schema import document_schema
from kataven_flask.durations import duration_text
from kataven_flask.tenants import (
    Agent,
    Branding,
    ClientKey,
    Document,
    DocumentLimits,
    Secret,
    Tenant,
    TokenPolicy,
)


@dataclass(frozen=True, slots=True)
class _Section:
    """A kind of mapping in the file.

    Args:
        title: Its heading.
        path: Where it stands.
        model: What reads it.
        lead: What else there is to say.
    """

    title: str
    path: str
    model: type[BaseModel]
    lead: str = ""


SECTIONS: Final = (
    _Section("The file", "", Document),
    _Section("Tokens and sessions", "tokens", TokenPolicy),
    _Section("Limits", "limits", DocumentLimits),
    _Section("A tenant", "tenants.<id>", Tenant),
    _Section("Branding", "tenants.<id>.branding", Branding),
    _Section("An agent", "tenants.<id>.agents.<id>", Agent),
    _Section("A key", "tenants.<id>.keys[]", ClientKey),
    _Section("A secret", "tenants.<id>.keys[].secrets[]", Secret),
)
_OVERRIDES: Final = {
    "tenants.<id>.tokens": "Tokens and sessions",
    "tenants.<id>.limits": "Limits",
}
"""What a tenant may say otherwise, and where its members are explained."""
_NO_OVERRIDE: Final = "No tenant can override it."
_SHAPE: Final = re.compile(r"Not (?P<name>an? .+?);")
_WORDS: Final = {
    "Write a whole": "an `https://` URL",
    "Write a time": "a time with its zone",
    "Write an origin": "an origin",
}


def page() -> str:
    """Return the page."""
    schema = document_schema()
    return "\n".join([head("configuration"), *(_section(section, schema) for section in SECTIONS)])


def _section(section: _Section, schema: dict[str, Any]) -> str:
    where = f"Under `{section.path}`. " if section.path else ""
    rows = _rows(section, at(schema, section.path), schema)
    return (
        f"## {section.title}\n\n{where}{prose(section.model.__doc__ or '')}\n\n"
        f"{table(['member', 'what it is', 'takes'], rows)}"
    )


def at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of what stands at a place of the file."""
    for word in path.replace("[]", ".[]").split(".") if path else ():
        inner = {"<id>": "additionalProperties", "[]": "items"}.get(word)
        schema = schema[inner] if inner else schema["properties"][word]
    return schema


def _rows(
    section: _Section, node: dict[str, Any], schema: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    own = at(schema, "tenants.<id>.limits")["properties"]
    for name, member in node["properties"].items():
        field = section.model.model_fields[name]
        told = [prose(field.description or ""), _example(member)]
        if section.title == "Limits" and name not in own:
            told.append(_NO_OVERRIDE)
        required = name in node.get("required", ())
        yield (
            code(name),
            " ".join(filter(None, told)),
            _takes(member, f"{section.path}.{name}".lstrip("."))
            + ("; **required**" if required else _default(member)),
        )


def _takes(node: Mapping[str, Any], path: str) -> str:
    """Say what may stand there, and its limits."""
    types = node.get("type", "string")
    kinds = [types] if isinstance(types, str) else types
    if "properties" in node or "additionalProperties" in node or "items" in node:
        return _nested(node, path)
    if "const" in node:
        return code(str(node["const"]))
    if "enum" in node:
        return " ".join(map(code, node["enum"]))
    if "boolean" in kinds:
        return "`true` `false`"
    said = _number(node) if "integer" in kinds else _text(node)
    return f"{said}, or `null`" if "null" in kinds else said


def _nested(node: Mapping[str, Any], path: str) -> str:
    titles = {section.path: section.title for section in SECTIONS} | _OVERRIDES
    for end, said in ("", "{}"), (".<id>", "ids, each with {}"), ("[]", "a list, each {}"):
        if title := titles.get(path + end):
            link = f"[{title[0].lower()}{title[1:]}](#{anchor(title)})"
            most = f", at most {node['maxItems']}" if "maxItems" in node else ""
            return said.format(link) + most
    return f"a list, each {_text(node['items'])}"


def _number(node: Mapping[str, Any]) -> str:
    low, high = node["minimum"], node["maximum"]
    if "string" in node["type"]:
        return f"a duration, {duration_text(low)} to {duration_text(high)}"
    return f"a number, {low:,} to {high:,}"


def _text(node: Mapping[str, Any]) -> str:
    hint = node.get("patternErrorMessage", "")
    if shape := _SHAPE.match(hint):
        return shape["name"]
    known = next((said for words, said in _WORDS.items() if hint.startswith(words)), "")
    return known or f"a text, {node['minLength']} to {node['maxLength']} characters"


def _default(node: Mapping[str, Any]) -> str:
    if "default" not in node:
        return ""
    value = node["default"]
    plain = isinstance(value, str) and not value.startswith("#")
    return f"; default {code(value if plain else json.dumps(value, ensure_ascii=False))}"


def _example(node: Mapping[str, Any]) -> str:
    if not (examples := node.get("examples")) or "const" in node:
        return ""
    return f"For example {code(str(examples[0]))}."
