"""What the models refuse, in the operator's words: what is wrong, and what to write instead.

It is read at a fault alone, so it may take its time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kataven_flask.document.faults import DocumentPath, Fault, Marks, did_you_mean
from kataven_flask.document.member_places import (
    example_at,
    field_at,
    known_places,
    model_at,
    place_of,
)
from kataven_flask.document.member_types import NO_TIME, WebUrlError
from kataven_flask.durations import OutOfRangeError

_HOLDERS: Final = {2: "tenants", 4: "agents"}
"""What holds members of any name, by the number of steps down to such a member."""
_COLOR = re.compile("#(?:[0-9a-fA-F]{3}){1,2}")


def model_faults(
    error: ValidationError, content: Mapping[str, Any], marks: Marks, *, whole: bool
) -> Iterator[Fault]:
    """Turn what a model refused into faults.

    Args:
        error: What pydantic raised.
        content: The plain document.
        marks: Where its members stand.
        whole: Whether every file could be read, so that what is missing is missing.

    Yields:
        The faults.
    """
    for details in error.errors(include_url=False, include_input=False):
        path = tuple(step for step in details["loc"] if step != "[key]")
        if details["type"] == "missing" and len(path) == 1 and not whole:
            continue  # it may stand where the file couldn't be read
        if misplaced := _misindented(path, content):
            yield marks.fault(path[: len(misplaced)], _indentation(misplaced))
            continue
        message = _message(details, path, content)
        if details["type"] == "string_type" and (comment := marks.comments.get(path)):
            message += _commented(comment)
        yield marks.fault(path, message)


def _message(details: ErrorDetails, path: DocumentPath, content: Mapping[str, Any]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    value = _at(content, path)
    match kind:
        case "value_error":
            return _value_words(context["error"], path, value)
        case "extra_forbidden":
            return _unknown_member(path, value)
        case "missing":
            return _missing(path, content)
        case "mapping_type" | "dict_type" | "model_type" | "model_attributes_type":
            return _no_mapping(path, value)
        case _ if words := _WORDS.get(kind):
            return words(value, context)
    return f"can't be used: {details['msg']}"


_Words = Callable[[object, Mapping[str, Any]], str]


def _value_words(error: Exception, path: DocumentPath, value: object) -> str:
    if isinstance(error, OutOfRangeError) and type(value) is int:
        return error.of_bare(value)
    if isinstance(error, WebUrlError) and (example := example_at(path)):
        return f"{error}, for example {example}"
    return str(error)


def _commented(comment: str) -> str:
    instead = f': write "{comment}"' if _COLOR.fullmatch(comment) else ""
    return f"; a # behind a space begins a comment, so put the text in quotes{instead}"


def _no_mapping(path: DocumentPath, value: object) -> str:
    field = field_at(path)
    needed = field is not None and field.is_required()
    instead = "indented under it" if value is None else "under it"
    told = f"must be a mapping, {_but(value)}; write its members {instead}"
    return told if needed else f"{told}, or take it out"


def _list_words(value: object, _: Mapping[str, Any]) -> str:
    return f"must be a list, {_but(value)}; begin each entry with `- `, on a line of its own"


def _text_words(value: object, _: Mapping[str, Any]) -> str:
    if value is None or isinstance(value, dict | list):
        return f"must be text, {_but(value)}"
    return "must be text; put it in quotes"


def _switch_words(value: object, _: Mapping[str, Any]) -> str:
    return "must be true or false" + ", without quotes" * isinstance(value, str)


def _many(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


_WORDS: Final[dict[str, _Words]] = {
    "timezone_aware": lambda value, _: _no_time(value),
    "datetime_type": lambda value, _: _no_time(value),
    "literal_error": lambda value, told: _not_one_of(str(told["expected"]), value),
    "string_type": _text_words,
    "string_unicode": lambda _, __: "has half a character; type it anew",
    "string_too_short": lambda _, __: "is empty; write its text, or take the member out",
    "string_too_long": lambda value, told: (
        f"has {len(str(value))} characters; shorten it to {told['max_length']}"
    ),
    "bool_type": _switch_words,
    "int_type": lambda _, __: "must be a whole number, or null for no limit",
    "greater_than_equal": lambda _, told: f"must be {told['ge']} or more, or null for no limit",
    "less_than_equal": lambda _, told: f"must be {told['le']} or less, or null for no limit",
    "too_short": lambda _, told: f"is empty; write at least {_many(told['min_length'])}",
    "too_long": lambda value, told: (
        f"has {_many(len(value) if isinstance(value, list) else 0)};"
        f" at most {told['max_length']} may stand, so take out those that are over"
    ),
    "tuple_type": _list_words,
}


def _but(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    kinds |= {int: "a number", float: "a number", datetime: "a time", date: "a date"}
    return "but is empty" if value is None else f"not {kinds.get(type(value), 'that')}"


def _no_time(value: object) -> str:
    match value:
        case datetime():
            return f"{NO_TIME.partition(':')[0]}: {value.isoformat()}Z is that time in UTC"
        case date():
            return f"{NO_TIME.partition(':')[0]}: {value.isoformat()}T00:00:00Z is midnight in UTC"
    return NO_TIME


def _not_one_of(expected: str, value: object) -> str:
    guess = did_you_mean(value, re.findall(r"'([^']+)'", expected))
    return "; ".join(filter(None, (f"must be {expected}", guess)))


# --- members: which are known where


def _unknown_member(path: DocumentPath, value: object) -> str:
    name = str(path[-1]).lower().replace("-", "_")
    here = model_at(path[:-1])
    known = [*here.model_fields] if here else []
    if guess := _like(name, known):
        return f"unknown member; did you mean {guess}?"
    if len(path) == 1 and isinstance(value, dict) and {"agents", "keys"} & value.keys():
        return "unknown member here; it looks like a tenant: indent it, to stand under tenants"
    elsewhere = [n for model in known_places().values() for n in model.model_fields]
    if path[-1] in elsewhere:
        return f"unknown member here; move it to {place_of(name, path[:-1])}"
    if guess := name if name in elsewhere else _like(name, elsewhere, halves=False):
        place = place_of(guess, path[:-1])
        return f"unknown member; did you mean {guess}? It stands at {place}"
    return f"unknown member; here may stand: {', '.join(known)}"


_ALSO_CALLED: Final = {
    "domain_allowlist": {"allowed", "origin", "origins", "domain", "domains", "sites", "hosts"},
    "not_after": {"expires", "expiry", "until"},
}


def _like(name: str, known: list[str], *, halves: bool = True) -> str:
    """Guess which member was meant: a slip of the keyboard, half of a name, another word."""
    slips = [other for other in get_close_matches(name, known) if _is_slip(name, other)]
    parts = set(name.split("_"))
    whole = {other for other in known if halves and parts <= {*other.split("_")}}
    called = {other for other in known if parts & _ALSO_CALLED.get(other, set())}
    return next((min(found) for found in (slips[:1], whole, called) if len(found) == 1), "")


def _is_slip(name: str, other: str) -> bool:
    """Tell whether two names have the same letters but for one or two."""
    extra = [c for c in {*name, *other} if name.count(c) != other.count(c)]
    return sum(abs(name.count(c) - other.count(c)) for c in extra) <= 2  # noqa: PLR2004


def _misindented(path: DocumentPath, content: Mapping[str, Any]) -> DocumentPath:
    """Find the member that stands where an agent or a tenant would, and is none.

    Returns:
        Its path; empty where there is none.
    """
    for place in (path[:2], path[:4]):
        if len(place) not in {2, 4} or place[-2] != _HOLDERS[len(place)]:
            continue
        model, value = model_at(place), _at(content, place)
        known = model.model_fields.keys() if model else set()
        fits = isinstance(value, dict) and (not value or known & value.keys())
        if not fits and place_of(str(place[-1]), place[:-1]):
            return place
    return ()


def _indentation(path: DocumentPath) -> str:
    name = str(path[-1])
    place = place_of(name, path[:-1])
    where = place.removesuffix(name).removesuffix(".")
    how = "less" if place.count(".") < len(path) - 1 else "more"
    return f"check the indentation: indent {name} {how}, to stand under {where}"


def _missing(path: DocumentPath, content: Mapping[str, Any]) -> str:
    beside = _at(content, path[:-1])
    for name, text in beside.items() if isinstance(beside, dict) else ():
        if isinstance(text, str) and f" {path[-1]}: " in text:
            return f"missing; it stands inside the text of {name}: close the quote of that"
    example = example_at(path)
    return f"missing; add it, for example {path[-1]}: {example}" if example else "missing; add it"


def _at(content: object, path: DocumentPath) -> object:
    for step in path:
        try:
            content = content[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return content
