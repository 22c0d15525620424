"""The page that shows the description to a person: made from it alone, and without a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kataven_flask.assets import static_dir
from kataven_flask.cors import API
from kataven_flask.errors import OriginNotAllowed
from kataven_flask.openapi.keeping import DOCS_FILES
from kataven_flask.openapi.refusals import ANYWHERE
from kataven_flask.openapi.sending import curl, fetch

JsonObject = dict[str, Any]

_LONG: Final = 64
"""Characters; of a longer text, a token, the page shows the beginning."""
_BEGINNING: Final = 24
_LOOKS: Final = frozenset(f"/docs/{name}" for name in DOCS_FILES)
_OF_ALL: Final = frozenset(refusal.code for refusal in ANYWHERE)


@dataclass(frozen=True, slots=True)
class Field:
    """What is sent, or a member of an answer.

    Args:
        name: Its name; of a member of a member, with a dot.
        kind: What it holds, in a few words.
        about: What it means.
        needed: Whether it has to be there, in words; nothing where it hasn't.
    """

    name: str
    kind: str
    about: str
    needed: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no refusal.

    Args:
        status: Its status.
        about: When it is given.
        example: One that was given once, or nothing.
        fields: Its members.
    """

    status: str
    about: str
    example: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    about: str
    takes_secret: bool
    body: str
    parameters: tuple[Field, ...]
    members: tuple[Field, ...]
    curl: str
    fetch: str
    answers: tuple[Answer, ...]
    errors: tuple[JsonObject, ...]


class Page:
    """Reads a description for the page's template.

    Args:
        whole: The description.
    """

    def __init__(self, whole: JsonObject) -> None:
        self._whole = whole
        self._errors = {each["code"]: each for each in whole["x-errors"]}

    def render(self) -> str:
        """Return the page, as HTML."""
        places = FileSystemLoader(static_dir() / "docs")
        environment = Environment(
            loader=places,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["prose"] = prose
        groups = [(tag, list(self._of(tag["name"]))) for tag in self._whole["tags"]]
        guest = self._whole["paths"][f"{API}/auth/guest"]["post"]["responses"]
        refused = self._found(guest[str(OriginNotAllowed.status)])["content"]
        code = OriginNotAllowed.code
        return environment.get_template("page.html").render(
            info=self._whole["info"],
            groups=groups,
            errors=self._whole["x-errors"],
            of_all=[self._errors[code] for code in sorted(_OF_ALL)],
            plain=refused["text/plain"]["examples"][code]["value"],
            problem=shown(refused["application/problem+json"]["examples"][code]["value"]),
        )

    def _of(self, tag: str) -> Iterable[Operation]:
        for path, item in self._whole["paths"].items():
            for method, written in item.items():
                is_shown = method != "options" and path not in _LOOKS
                if is_shown and tag in written["tags"]:
                    yield self._operation(method.upper(), path, written)

    def _operation(self, method: str, path: str, written: JsonObject) -> Operation:
        parameters = [self._found(each) for each in written["parameters"]]
        body = written.get("requestBody")
        content = body["content"]["application/json"] if body else {}
        sent = short(content.get("example"))
        responses = {status: self._found(each) for status, each in written["responses"].items()}
        return Operation(
            name=written["operationId"],
            method=method,
            path=path,
            summary=written["summary"],
            about=written["description"],
            takes_secret=bool(written["security"]),
            body=body["description"] if body else "",
            parameters=tuple(map(_parameter, parameters)),
            members=tuple(self._fields(content["schema"])) if body else (),
            curl=curl(method, path, written, sent),
            fetch=fetch(method, path, written, sent),
            answers=tuple(self._answer(*each) for each in responses.items() if _is_answer(*each)),
            errors=tuple(self._errors_of(responses)),
        )

    def _answer(self, status: str, response: JsonObject) -> Answer:
        contents = [c for kind, c in response.get("content", {}).items() if "problem" not in kind]
        content = contents[0] if contents else {"schema": {}}
        example = shown(short(content["example"])) if "example" in content else ""
        fields = tuple(self._fields(content["schema"]))
        return Answer(status, response["description"], example, fields)

    def _errors_of(self, responses: Mapping[str, JsonObject]) -> Iterable[JsonObject]:
        """Return an operation's own refusals, with what they say there."""
        for response in responses.values():
            told = response["headers"].get("X-Error-Code")
            texts = response.get("content", {}).get("text/plain", {}).get("examples", {})
            for code in self._found(told)["schema"]["enum"] if told else ():
                if code not in _OF_ALL:
                    says = texts.get(code, {}).get("value", "")
                    yield {**self._errors[code], "says": says}

    def _fields(self, schema: JsonObject, within: str = "") -> Iterable[Field]:
        schema = self._found(schema)
        needed = _needed(schema)
        for name, each in schema.get("properties", {}).items():
            found = self._found(each)
            about = found.get("description", "")
            yield Field(f"{within}{name}", kind_of(found), about, needed.get(name, ""))
            for deeper in found.get("oneOf", [found])[:1]:
                yield from self._fields(deeper, f"{within}{name}.")

    def _found(self, part: JsonObject) -> JsonObject:
        reference = part.get("$ref")
        if reference is None:
            return part
        _, _, kind, name = reference.split("/")
        found: JsonObject = self._whole["components"][kind][name]
        return found


def page(description: JsonObject) -> str:
    """Return the page, as HTML."""
    return Page(description).render()


def kind_of(schema: JsonObject) -> str:
    """Tell in a few words what a schema admits."""
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    named = schema.get("type", "object")
    kind = " or ".join(named) if isinstance(named, list) else str(named)
    if "maxLength" in schema:
        kind += f", to {schema['maxLength']:,} characters"
    if schema.get("maximum", 0) and schema["maximum"] < 10**8:
        kind += f", {schema['minimum']:,} to {schema['maximum']:,}"
    return kind


def short(value: Any) -> Any:
    """Return a value with the beginnings of its long texts."""
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    if isinstance(value, list):
        return [short(each) for each in value]
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_BEGINNING]}…"
    return value


def shown(value: Any) -> str:
    """Write a value as JSON that a person reads."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def prose(text: str) -> Markup:
    """Write a text of the description, in which a backtick begins and ends code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def _needed(schema: JsonObject) -> dict[str, str]:
    """Return which members have to be there, in words."""
    either = [name for each in schema.get("anyOf", ()) for name in each["required"]]
    always = schema.get("required", ())
    return dict.fromkeys(either, "one of these") | dict.fromkeys(always, "needed")


def _parameter(written: JsonObject) -> Field:
    place = {"query": "in the address", "header": "a header"}[written["in"]]
    kind = f"{place}; {kind_of(written['schema'])}"
    needed = "needed" if written["required"] else ""
    return Field(written["name"], kind, written["description"], needed)


def _is_answer(status: str, response: JsonObject) -> bool:
    """Tell whether an answer is what was asked for, or tells how the server is."""
    return status < "400" or "application/json" in response.get("content", {})
