"""The public surface as lines, one for each thing that somebody outside may rely on.

`python -m tests.public_surface` writes them into `public_surface.txt`. docs/versioning.md says
which changes of that file are small and which are breaking ones.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_origin

import click
import jwt
from click.testing import CliRunner

import kataven_flask
from kataven_flask import errors
from kataven_flask.assets import example_config
from kataven_flask.cli import main
from kataven_flask.cli.manners import EXIT_CODES
from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.openapi.document import document
from kataven_flask.security_events import KINDS
from kataven_flask.settings import Settings
from kataven_flask.variables import NOT_OF_THE_SERVER
from tests.archives import ROOT
from tests.desk import KEY, Desk
from tests.support import ORIGIN, Service

LISTING: Final = Path(__file__).with_suffix(".txt")
MODULES: Final = (
    "kataven_flask.testing",
    "kataven_flask.verify",
    "kataven_flask.verify.aio",
    "kataven_flask.verify.asgi",
    "kataven_flask.verify.flask",
    "kataven_flask.verify.wsgi",
)
"""What others import, beside what `kataven_flask` itself gives."""


def surface() -> list[str]:
    """Return every line."""
    parts = (
        _endpoints(),
        _bodies(),
        _errors(),
        _claims(),
        _tenants_file(),
        _commands(),
        _exit_codes(),
        _json(),
        _variables(),
        _metrics(),
        _events(),
        _python(),
        _widget(),
    )
    return [line for part in parts for line in sorted(set(part))]


# --- the wire


def _endpoints() -> Iterator[str]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if method == "options":
                continue
            name = f"{method.upper()} {path}"
            yield f"endpoint {name}"
            yield from (f"endpoint {name} answers {status}" for status in operation["responses"])


def _bodies() -> Iterator[str]:
    for name, schema in document()["components"]["schemas"].items():
        yield from _members(f"body {name}", schema)


def _members(name: str, schema: Any) -> Iterator[str]:
    """Yield each member of a JSON Schema with its type, and whether it has to be there."""
    if not isinstance(schema, dict):
        return
    required = schema.get("required", ())
    for member, inner in schema.get("properties", {}).items():
        there = "" if member in required else " optional"
        yield f"{name}.{member}: {_type(inner)}{there}"
        yield from _members(f"{name}.{member}", inner)
    yield from _members(f"{name}[]", schema.get("items"))
    for inner in (
        schema.get("additionalProperties"),
        *schema.get("patternProperties", {}).values(),
    ):
        yield from _members(f"{name}.*", inner)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _members(name, choice)


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema:
        return " or ".join(sorted(json.dumps(each) for each in schema["enum"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    said = schema.get("type", "any")
    return said if isinstance(said, str) else " or ".join(sorted(said))


def _errors() -> Iterator[str]:
    for refusal in document()["x-errors"]:
        again = " retryable" if refusal["retryable"] else ""
        yield f"error {refusal['code']} {refusal['status']}{again}"
    for kind in _descendants(errors.Refusal):
        if "code" in vars(kind) and hasattr(kind, "default_words"):
            yield f"error {kind.code} begins {kind.default_words!r}"


def _descendants(kind: type[errors.Refusal]) -> Iterator[type[errors.Refusal]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _claims() -> Iterator[str]:
    """Yield what tokens that a server really minted have in them."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        person = {"name": "Ada", "email": "ada@acme.com", "agent_id": "support"}
        guest = service.guest(ORIGIN).get_json()["token"]
        visitor = service.user_token(**person).get_json()["token"]
        user = service.exchange(token=visitor, guest_token=guest).get_json()["token"]
        service.close()
    for name, token in (("visitor", visitor), ("guest's session", guest), ("user's session", user)):
        claims = jwt.decode(token, options={"verify_signature": False})
        header = jwt.get_unverified_header(token)
        yield from (f"claim {name} {claim}" for claim in claims)
        yield f"token {name} typ {header['typ']}"
        yield f"token {name} header {' '.join(sorted(header))}"


# --- what an operator has


def _tenants_file() -> Iterator[str]:
    schema = json.loads((ROOT / "config" / "tenants.schema.json").read_text())
    yield from _members("tenants.yaml", schema)


def _commands() -> Iterator[str]:
    yield from _command(main, "kataven-flask")


def _command(command: click.Command, *path: str) -> Iterator[str]:
    name = " ".join(path)
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from _command(inner, *path, word)
        return
    yield f"command {name}"
    for parameter in command.params:
        needed = " required" if parameter.required else ""
        if isinstance(parameter, click.Option):
            opts = "/".join([*parameter.opts, *parameter.secondary_opts])
            yield f"command {name} {opts}: {_kind(parameter)}{needed}"
        else:
            yield f"command {name} {parameter.human_readable_name}: {_kind(parameter)}{needed}"


def _kind(parameter: click.Parameter) -> str:
    many = ", repeated" if getattr(parameter, "multiple", False) or parameter.nargs == -1 else ""
    if isinstance(parameter.type, click.Choice):
        return " or ".join(map(str, parameter.type.choices)) + many
    return ("switch" if getattr(parameter, "is_flag", False) else parameter.type.name) + many


def _exit_codes() -> Iterator[str]:
    for code in re.findall(r"(?m)^ +(\d+) ", EXIT_CODES):
        yield f"exit {int(code):3} of a command"
    # Read, not imported: the module is the server.
    text = (ROOT / "kataven_flask" / "wsgi.py").read_text()
    for where, code in re.findall(r"(?m)^CANT_START(\w*): Final = (\d+)$", text):
        yield f"exit {int(code):3} under {'uWSGI' if where else 'another WSGI server'}"


def _json() -> Iterator[str]:
    """Yield the members of what commands print for scripts."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(shutil.copy(example_config(), folder)))
        instance = Path(folder) / "instance"
        open_key_ring(instance)
        keys = ("--instance", str(instance))
        lists = (["tenants", "list"], ["tenants", "show", "acme"], ["keys", "list"])
        edits = (["tenants", "add", "bikes", "--test"], ["keys", "create", "acme"])
        asked = (["origins", "explain", KEY, "https://www.example.com"],)
        for line in (*lists, *edits, ["keys", "rotate", KEY], *asked):
            status = 1 if "explain" in line else 0
            printed = desk.run(*line, "--json", status=status).stdout
            yield from _printed(f"json {' '.join(line[:2])}", json.loads(printed))
        for line in (["signing-keys", "list", *keys], ["tokens", "inspect", *keys]):
            result = CliRunner().invoke(main, [*line, "--json"], input="x")
            yield from _printed(f"json {' '.join(line[:2])}", json.loads(result.stdout))


def _printed(name: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for member, inner in value.items():
            shown = "*" if name.endswith(".agents") else member  # by their ids
            yield f"{name} .{shown}"
            yield from _printed(f"{name} .{shown}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _printed(f"{name}[]", inner)


def _variables() -> Iterator[str]:
    yield from (f"variable {name}" for name in NOT_OF_THE_SERVER - {"KATAVEN_SCREENSHOTS"})
    yield from _variables_of(main)


def _variables_of(command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _variables_of(inner)
    for option in command.params:
        if option.envvar:
            yield f"variable {option.envvar}"


def _metrics() -> Iterator[str]:
    for name in ("metrics.py", "gauges.py"):
        text = (ROOT / "kataven_flask" / name).read_text()
        yield from (f"metric {found}" for found in re.findall(r'"(kataven_[a-z_]+)"', text))


def _events() -> Iterator[str]:
    for event, kind in KINDS.items():
        yield f"event {event.value}: {' '.join(sorted(kind.fields))}"


# --- what others import, and what a page calls


def _python() -> Iterator[str]:
    yield from (f"python kataven_flask.{name}" for name in kataven_flask.__all__)
    yield from (f"python kataven_flask.Settings.{field.name}" for field in fields(Settings))
    for module in MODULES:
        found = importlib.import_module(module)
        own = (name for name, value in vars(found).items() if _is_of(value, module))
        for name in getattr(found, "__all__", own):
            yield from _signatures(f"{module}.{name}", getattr(found, name))


def _is_of(value: Any, module: str) -> bool:
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return False
    return value.__module__ == module and not value.__name__.startswith("_")


def _signatures(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, BaseException):
        yield f"python {name}({value.__bases__[0].__name__})"
        return
    if not callable(value) or get_origin(value) is not None:
        yield f"python {name}"
        return
    yield f"python {name}{_parameters(value)}"
    for member, inner in inspect.getmembers(value, callable) if isinstance(value, type) else ():
        if not member.startswith("_"):
            yield f"python {name}.{member}{_parameters(inner)}"


def _parameters(value: Any) -> str:
    """Return how something is called, without types, whose spelling is nobody's business."""
    signature = inspect.signature(value)
    plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


def _widget() -> Iterator[str]:
    types = (ROOT / "static" / "widget" / "v1.d.ts").read_text()
    types = re.sub(r"/\*.*?\*/|//[^\n]*", "", types, flags=re.DOTALL)
    for interface, body in re.findall(r"(?ms)^  interface (\w+)[^{]*\{\n(.*?)^  \}", types):
        for member, optional in re.findall(r"(?m)^    (\w+)(\?)?[:(<]", body):
            yield f"widget {interface}.{member}{' optional' if optional else ''}"


if __name__ == "__main__":
    LISTING.write_text("\n".join(surface()) + "\n")
