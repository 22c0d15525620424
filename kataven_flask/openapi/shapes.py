"""Small schemas that bodies are made of (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]

NO_CONTROLS: Final = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
JWT: Final = "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$"
SESSION_ID: Final = "^ses_[0-9a-f]{2}[A-Za-z0-9_-]{22}$"
GUEST_ID: Final = "^guest_[A-Za-z0-9_-]{22}$"
CLIENT_KEY: Final = "^pk_(live|test)_[a-z0-9-]{2,32}_[A-Za-z0-9]{22,64}$"
AGENT_ID: Final = "^[a-z0-9][a-z0-9_-]{0,63}$"
TENANT_ID: Final = "^[a-z0-9-]{2,32}$"


def said(description: str, schema: JsonObject) -> JsonObject:
    """Return a schema with its description."""
    return {**schema, "description": description}


def sealed(description: str, properties: JsonObject) -> JsonObject:
    """Return the schema of an object that has these members, all of them and no others."""
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def limited(max_length: int) -> JsonObject:
    """Return the schema of a text without control characters."""
    return {"type": "string", "maxLength": max_length, "pattern": NO_CONTROLS}


def sent(description: str, max_length: int) -> JsonObject:
    """Return the schema of a member that may be left out, or null, or empty."""
    return {**limited(max_length), "type": ["string", "null"], "description": description}


def needed(description: str, max_length: int) -> JsonObject:
    """Return the schema of a member that has to be there, and to hold something."""
    return {**sent(description, max_length), "type": "string", "minLength": 1}


def either(*names: str) -> JsonObject:
    """Return what demands one of several members."""
    filled = {"type": "string", "minLength": 1}
    return {"anyOf": [{"required": [name], "properties": {name: filled}} for name in names]}


def request(description: str, properties: JsonObject, *required: str) -> JsonObject:
    """Return the schema of a request's body; members that aren't known are ignored."""
    needs = {"required": list(required)} if required else {}
    return {"type": "object", "description": description, "properties": properties, **needs}


def shaped(pattern: str, description: str) -> JsonObject:
    """Return the schema of a text of one shape."""
    return {"type": "string", "pattern": pattern, "description": description}


def or_null(schema: JsonObject) -> JsonObject:
    """Return a schema that takes null, too."""
    return {**schema, "type": [schema["type"], "null"]}


def shown(description: str, max_length: int) -> JsonObject:
    """Return the schema of a text that a person wrote."""
    return {"type": "string", "minLength": 1, "maxLength": max_length, "description": description}


def whole(description: str, least: int, most: int) -> JsonObject:
    """Return the schema of a whole number."""
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}
