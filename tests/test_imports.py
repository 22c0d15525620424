"""The layers, as the import statements have them: imports go down only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kataven_flask

PACKAGE = Path(kataven_flask.__file__).parent
ROOT = "kataven_flask"

LAYERS = [
    [
        "document",
        "document.notices",
        "errors",
        "assets",
        "capacity",
        "hardening",
        "headers",
        "look_alikes",
        "observer",
        "packing",
        "shares",
        "text",
        "times",
        "traces",
        "turns",
        "variables",
    ],
    ["log"],
    ["security_events", "seldom"],
    ["verify.fetching", "verify.jwks", "verify.refusals"],
    ["verify.bearer", "verify.key_cache", "verify.session", "verify.sockets"],
    ["verify.answers", "verify.verifier"],
    ["verify", "verify.aio", "verify.flask", "verify.wsgi"],
    ["verify.asgi"],
    [
        "origins",
        "keys",
        "body",
        "durations",
        "event_pipe",
        "event_windows",
        "metric_files",
        "places",
        "proxies",
    ],
    ["doctor.target", "doctor.wire", "entry", "log_format", "request_ids"],
    ["measuring", "request_log"],
    ["doctor.words"],
    ["doctor.browser"],
    ["doctor.steps"],
    ["doctor.service"],
    ["doctor.session"],
    ["explain", "typed_origin"],
    ["document.member_types"],
    [
        "tenants",
        "document.faults",
        "document.yaml_faults",
        "document.yaml_words",
        "document.yaml_flow",
    ],
    ["document.member_places", "document.yaml_page"],
    ["document.yaml_files", "document.yaml_splice", "document.fault_words"],
    ["document.looking", "registry", "document.schema", "signing"],
    ["parts"],
    ["reader"],
    ["reading"],
    ["document.advice", "key_ring_file", "snippet", "user_hash", "widget"],
    ["document.editing", "whereabouts"],
    ["document.config_file"],
    ["live"],
    ["standing"],
    ["counted", "gauges"],
    ["tokens", "settings", "doctor", "refused_origins"],
    ["recognition"],
    ["store.base", "store.redis_url", "store.sqlite_file"],
    ["store.redis_connections", "store.sqlite_rows"],
    ["store.memory", "store.sqlite", "store.redis", "store.breaker"],
    ["store"],
    ["messages", "metrics", "event_log"],
    ["checks", "sessions"],
    ["secret_keys"],
    ["handshake", "outlook", "windows"],
    ["inspection", "throttle", "refusals", "cors"],
    ["answers", "health", "incoming"],
    ["api"],
    [
        "openapi",
        "openapi.examples",
        "openapi.hoisting",
        "openapi.keeping",
        "openapi.shapes",
    ],
    ["openapi.bodies", "openapi.headers", "openapi.schemas"],
    ["openapi.refusals"],
    ["openapi.operations"],
    ["openapi.page_operations", "openapi.public_operations", "openapi.sending"],
    ["openapi.backend_operations", "openapi.page"],
    ["openapi.document"],
    ["openapi.written"],
    ["openapi.routes"],
    ["app", "channels", "listening"],
    ["serve", "admin", "starting"],
    ["wsgi"],
    ["workers"],
    ["showing"],
    ["demo", "demo.pages", "demo.backend", "demo.own_file"],
    ["demo.elsewhere"],
    ["demo.connect", "demo.shop", "demo.stranger"],
    ["demo.run"],
    [
        "cli.commands",
        "cli.complete",
        "cli.environment",
        "cli.key_choice",
        "cli.options",
        "cli.output",
        "cli.progress",
        "cli.token_words",
    ],
    ["cli.announcement", "cli.changes", "cli.explanation", "cli.manners", "cli.reading"],
    [
        "cli.agents",
        "cli.check",
        "cli.completion",
        "cli.demo",
        "cli.doctor",
        "cli.keys",
        "cli.origins",
        "cli.schema",
        "cli.serve",
        "cli.sessions",
        "cli.signing_keys",
        "cli.snippet",
        "cli.tenants",
        "cli.tokens",
    ],
    ["cli"],
    ["testing.clock", "testing.faults", "testing.files", "testing.tenants", "testing.calls"],
    ["testing.seen", "testing.store"],
    ["testing.front"],
    ["testing.server"],
    ["testing.minting", "testing.happenings"],
    ["testing.tokens"],
    ["testing.kataven"],
    ["testing", "testing.control"],
    ["testing.__main__", "pytest_plugin"],
]
"""From the ground up; a module imports from layers below its own alone."""

MAY_IMPORT_NOTHING_OF_OURS = [
    "errors",
    "origins",
    "keys",
    "assets",
    "headers",
    "look_alikes",
    "packing",
    "proxies",
    "text",
    "times",
    "variables",
    "store.base",
]

KNOWN_TO = {
    "flask": {
        "answers",
        "api",
        "app",
        "cors",
        "demo",
        "incoming",
        "openapi",
        "testing",
        "verify.flask",
        "wsgi",
    },
    "flask_cors": {"cors", "demo"},
    "werkzeug": {"api", "app", "demo"},
    "jinja2": {"openapi"},
    "markupsafe": {"openapi"},
    "jwt": {"tokens", "verify"},
    "itsdangerous": {"testing", "tokens"},
    "cryptography": {"signing"},
    "pydantic": {
        "durations",
        "document.member_types",
        "tenants",
        "document.member_places",
        "document.fault_words",
        "registry",
    },
    "pydantic_core": {"durations", "document.member_types", "document.fault_words"},
    "yaml": {
        "document.yaml_faults",
        "document.yaml_page",
        "document.yaml_splice",
        "document.yaml_words",
    },
    "confusable_homoglyphs": {"look_alikes"},
    "prometheus_client": {"admin", "counted", "gauges", "metrics"},
    "structlog": {"log_format"},
    "idna": {"origins"},
    "publicsuffixlist": {"origins"},
    "limits": {"throttle", "windows"},
    "orjson": {"answers", "tokens"},
    "waitress": {"channels", "serve"},
    "minify": {"packing"},
    "zopfli": {"packing"},
    "click": {"cli"},
    "redis": {"store.redis", "store.redis_connections"},
    "sqlite3": {"store.sqlite", "store.sqlite_file", "store.sqlite_rows"},
    "pytest": {"pytest_plugin"},
    "hmac": {"keys", "user_hash"},
}
"""Each library, and the modules and packages of ours that may know it."""


def module_name(path: Path) -> str:
    """Name a file as others import it, from the package on."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
"""Every file of the package by its name; the package itself is the empty one."""
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}


def imported(name: str) -> Iterator[str]:
    """Yield what a module's import statements name, wherever in it they stand."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            assert node.module is not None
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = {n for n in submodules if n.removeprefix(f"{ROOT}.") in MODULES}
            yield from ours or {node.module}


def imported_of_ours(name: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    return {
        other.removeprefix(f"{ROOT}.")
        for other in imported(name)
        if other == ROOT or other.startswith(f"{ROOT}.")
    }


in_every_module = pytest.mark.parametrize("name", [name for name in MODULES if name])


@in_every_module
def test_every_module_has_its_layer(name: str) -> None:
    """A new module is given its place among the layers."""
    assert name in LAYER_OF


@in_every_module
def test_imports_go_down(name: str) -> None:
    """A module imports from the layers below its own, and from no other."""
    for other in imported_of_ours(name):
        assert LAYER_OF[other] < LAYER_OF[name], f"{name} imports {other}"


@pytest.mark.parametrize("name", MAY_IMPORT_NOTHING_OF_OURS)
def test_the_ground(name: str) -> None:
    """What everything else stands on stands on nothing of ours."""
    assert imported_of_ours(name) == set()


def test_what_verifies_stands_alone() -> None:
    """A `/connect` service that takes `kataven_flask.verify` needs no other part of the package."""
    for name in (name for name in MODULES if name.partition(".")[0] == "verify"):
        for other in imported_of_ours(name):
            assert other.startswith("verify."), f"{name} imports {other}"


@in_every_module
def test_libraries_stay_where_they_belong(name: str) -> None:
    """A library is known to the modules that it is for, and to no other."""
    for library in {other.partition(".")[0] for other in imported(name)}:
        allowed = KNOWN_TO.get(library)
        places = {name, name.partition(".")[0]}
        assert allowed is None or places & allowed, f"{name} imports {library}"


@in_every_module
def test_every_library_has_its_place(name: str) -> None:
    """A library that isn't Python's own is on the list of who may know it."""
    for library in {other.partition(".")[0] for other in imported(name)} - {ROOT}:
        assert library in KNOWN_TO or library in sys.stdlib_module_names, library


@pytest.mark.parametrize(
    ("library", "modules"),
    [(library, sorted(modules)) for library, modules in KNOWN_TO.items() if library != "redis"],
)
def test_the_list_is_no_longer_than_the_truth(library: str, modules: list[str]) -> None:
    """Whoever may know a library does know it: a leave that nobody takes is taken back."""
    for module in modules:
        users = [n for n in MODULES if n == module or n.startswith(f"{module}.")]
        known = {other.partition(".")[0] for user in users for other in imported(user)}
        assert library in known, f"{module} doesn't import {library}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("kataven_flask", ["flask", "jwt", "pydantic", "yaml"]),
        ("kataven_flask.verify", ["flask", "pydantic", "yaml", "itsdangerous", "asyncio"]),
        ("kataven_flask.verify.wsgi", ["flask", "werkzeug", "asyncio"]),
        ("kataven_flask.verify.asgi", ["flask", "werkzeug", "starlette"]),
        ("kataven_flask.handshake", ["flask", "werkzeug", "waitress", "click"]),
        ("kataven_flask.registry", ["flask", "jwt", "itsdangerous"]),
        ("kataven_flask.origins", ["flask", "jwt", "pydantic", "yaml"]),
        ("kataven_flask.cli", ["prometheus_client", "structlog"]),
        ("kataven_flask.cli.serve", ["prometheus_client"]),
        (
            "kataven_flask.pytest_plugin",
            ["flask", "jwt", "pydantic", "structlog", "waitress", "yaml"],
        ),
    ],
)
def test_what_an_import_brings_along(module: str, absent: list[str]) -> None:
    """Whoever imports a part of the core gets that part, and no web server with it."""
    code = f"import sys, {module}; print(*(n for n in {absent!r} if n in sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout.split(), ran.stderr) == ([], "")


def test_no_file_is_a_second_door() -> None:
    """The package's own `__init__` imports nothing until it is asked to."""
    tree = ast.parse(MODULES[""].read_text())
    at_import = [
        node
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and getattr(node, "module", None) not in {"__future__", "typing"}
    ]
    assert at_import == []
