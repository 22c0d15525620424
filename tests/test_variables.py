"""Variables that do nothing: what a server says of them, and that it keeps quiet of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kataven_flask import variables
from kataven_flask.cli import main
from kataven_flask.variables import Oddity, oddities
from tests.running import COMMAND, running
from tests.test_cli_environment import EVERY_OPTION


def test_the_server_s_are_those_of_serve() -> None:
    """What is known as the server's is what `serve` has as options."""
    names = {option.envvar for path, option in EVERY_OPTION if path == ("serve",)}
    assert names == variables.SERVER


def test_no_other_command_s_is_odd() -> None:
    """What another command reads gets no note from the server."""
    names = {str(option.envvar) for _, option in EVERY_OPTION if option.envvar}
    assert list(oddities(dict.fromkeys(names, "1"))) == []
    assert len(names) > 40


def test_every_command_s_name_is_known() -> None:
    """A variable of a command that is told apart by its name begins with a command's name."""
    for name in main.commands:
        variable = f"KATAVEN_{name.upper().replace('-', '_')}_SOME_OPTION"
        assert bool(list(oddities({variable: "1"}))) == (name == "serve"), variable


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("KATAVEN_WORKER", "4", "KATAVEN_WORKERS"),
        ("KATAVEN_LISTENS", "", "KATAVEN_LISTEN"),
        ("KATAVEN_SERVE_THREADS", "4", "KATAVEN_THREADS"),
        ("KATAVEN_TRUSTED_PROXY", "x", "KATAVEN_TRUSTED_PROXIES"),
        ("kataven_workers", "4", "KATAVEN_WORKERS"),
        ("KATAVEN_PORT", "8000", "KATAVEN_LISTEN"),
        ("KATAVEN_REDIS_URL", "redis://", "KATAVEN_STATE"),
        ("KATAVEN_VERSION", "0.1.0", None),
        ("KATAVEN_", "", None),
    ],
)
def test_a_slip_is_told_with_what_was_meant(name: str, value: str, meant: str | None) -> None:
    """Where nothing is near enough, the name alone is told."""
    assert list(oddities({name: value})) == [Oddity("nothing reads this variable", name, meant)]


@pytest.mark.parametrize("name", ["KATAVEN_\x1b[2J", "KATAVEN_" + "A" * 4096])
def test_a_name_that_nobody_would_write_is_not_shown(name: str) -> None:
    """Whoever sets a variable neither draws on a terminal by its name, nor fills it."""
    (oddity,) = oddities({name: "x"})
    assert oddity.variable == "KATAVEN_…"


def test_an_empty_one_is_told() -> None:
    """What it would set has its default."""
    (oddity,) = oddities({"KATAVEN_STATE": ""})
    assert oddity == Oddity("this variable is empty, and counts as not set", "KATAVEN_STATE")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KATAVEN_STATE", "memory:"),
        ("KATAVEN_SECRET_KEY", "a backend's"),
        ("KATAVEN_KEYS_CREATE_NAME", "of another command"),
        ("XKATAVEN_WORKER", "another's"),
        ("_KATAVEN_FLASK_COMPLETE", "bash_source"),
        ("KATAVEN_SERVICE_HOST", "10.0.0.1"),
        ("KATAVEN_SERVICE_PORT_HTTP", "8000"),
        ("KATAVEN_PORT", "tcp://10.0.0.1:8000"),
        ("KATAVEN_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("KATAVEN_FLASK_PORT", "tcp://10.0.0.1:8000"),
        ("KATAVEN_FLASK_SERVICE_PORT", "8000"),
    ],
)
def test_what_is_nobody_s_slip(name: str, value: str) -> None:
    """What is set for others, or by Kubernetes for a Service of that name, gets no word."""
    assert list(oddities({name: value})) == []


def test_a_server_tells_of_a_slip_and_not_of_its_value(tmp_path: Path) -> None:
    """`serve` names the variable that does nothing; a password in it stays unsaid."""
    arguments = ("serve", "--listen", "127.0.0.1:0", "--state", "memory:", "--config", "none.yaml")
    slip = {"KATAVEN_STATES": "redis://:hunter2@localhost", "KATAVEN_ISSUER": ""}
    with running(COMMAND, *arguments, cwd=tmp_path, **slip) as server:
        assert server.ended() == 1
    log = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert [(line["event"], line["variable"], line.get("meant")) for line in log] == [
        ("this variable is empty, and counts as not set", "KATAVEN_ISSUER", None),
        ("nothing reads this variable", "KATAVEN_STATES", "KATAVEN_STATE"),
    ]
    assert "hunter2" not in server.output
