"""A request's body: one JSON object, read strictly (RFC 8259; RFC 7493, section 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from kataven_flask.errors import InvalidBody, InvalidField
from kataven_flask.text import has_control_characters

MAX_BODY: Final = 16 * 1024
"""Bytes."""
BODY_LIMIT: Final = f"send at most {MAX_BODY // 1024} KiB"
_ONE_OBJECT: Final = 'send one JSON object in UTF-8, for example {"client_key": "pk_…"}'


def parse_object(raw: bytes) -> dict[str, Any]:
    """Read a body.

    Args:
        raw: The bytes as they came, whatever their `Content-Type`.

    Raises:
        InvalidBody: They aren't one JSON object in UTF-8, or a member stands twice.

    Returns:
        The members.
    """
    try:
        value = _READER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidBody(_ONE_OBJECT) from error
    if not isinstance(value, dict):
        raise InvalidBody(_ONE_OBJECT)
    return value


def text_member(
    members: Mapping[str, Any], name: str, *, alias: str | None = None, max_length: int
) -> str | None:
    """Read a member that is text.

    Args:
        members: The body's members.
        name: The member's name.
        alias: Another name that callers know it by.
        max_length: The most characters it may have.

    Raises:
        InvalidField: It isn't text, is too long, has control characters, or stands under
            both names with two values.

    Returns:
        Its value; None where it is absent, null or empty.
    """
    value = _checked(members, name, max_length)
    if alias is None:
        return value
    other = _checked(members, alias, max_length)
    if value is not None and other is not None and value != other:
        raise InvalidField(f"{name} and {alias} differ; send one of them")
    return value if value is not None else other


def _checked(members: Mapping[str, Any], name: str, max_length: int) -> str | None:
    value = members.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidField(f"{name} must be a string")
    if len(value) > max_length:
        raise InvalidField(f"{name} has over {max_length} characters")
    if has_control_characters(value):
        raise InvalidField(f"{name} has control characters")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidBody("a member stands twice; send each once")
    return members


def _not_json(constant: str) -> NoReturn:
    raise InvalidBody(f"{constant} is not JSON")


_READER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_json)
