"""Which members may stand where in the document, as the models have it; pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kataven_flask.document.faults import DocumentPath, path_text
from kataven_flask.tenants import Document

_ANY: Final = {"tenants": "<tenant>", "agents": "<agent>", "keys": "[…]", "secrets": "[…]"}
"""How a place that there may be many of is written, by the member that holds them."""


def field_at(path: DocumentPath) -> FieldInfo | None:
    """Return the model's field of the member at a path; None where there is none."""
    model = model_at(path[:-1])
    return model.model_fields.get(str(path[-1])) if model else None


def example_at(path: DocumentPath) -> object:
    """Return what the member at a path may hold, for example; None where none is known."""
    field = field_at(path)
    return None if field is None else next(_examples(field), None)


def _examples(part: object) -> Iterator[object]:
    """Find the examples of a field: its own, or those in its type, as in `URL or null`."""
    if isinstance(part, FieldInfo):
        yield from part.examples or _examples(part.annotation)
    else:
        for inner in get_args(part):
            yield from _examples(inner)


def model_at(path: DocumentPath) -> type[BaseModel] | None:
    """Return the model of the mapping at a path; None where there is none."""
    for place, model in known_places().items():
        if len(place) == len(path) and _common(place, path) == len(path):
            return model
    return None


def place_of(name: str, path: DocumentPath) -> str:
    """Write the place, nearest to a path, at which a member of this name may stand."""
    places = [place for place, model in known_places().items() if name in model.model_fields]
    if not places:
        return ""
    nearest = max(places, key=lambda place: (_common(place, path), -len(place)))
    shared = _common(nearest, path)
    return path_text((*path[:shared], *nearest[shared:], name)).replace(".[…]", "[…]")


def _common(place: DocumentPath, path: DocumentPath) -> int:
    """Count the steps from the top that a place and a path share."""
    count = 0
    for expected, step in zip(place, path, strict=False):
        if expected != step and expected not in _ANY.values():
            break
        count += 1
    return count


@cache
def known_places() -> dict[DocumentPath, type[BaseModel]]:
    """Return the model of every place of the document, from the top down."""
    return dict(_places_under(Document, ()))


def _places_under(
    model: type[BaseModel], place: DocumentPath
) -> Iterator[tuple[DocumentPath, type[BaseModel]]]:
    yield place, model
    for name, field in model.model_fields.items():
        if inner := _model_in(field.annotation):
            many = () if field.annotation is inner else (_ANY[name],)
            yield from _places_under(inner, (*place, name, *many))


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Find the model in a type: itself, or in a mapping or a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
