"""What a process reads before it answers: time and memory that every start and worker pays."""

from __future__ import annotations

import gc
import http.client
import json
import re
import signal
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import yaml

from kataven_flask.cli import main
from tests.running import BOUND, COMMAND, running
from tests.support import KEY, ORIGIN, document

TOLD: Final = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Has Python print a line for each module that it reads."""
_LINE: Final = re.compile(r"import time:.*\|\s*([\w.]+)\s*$", re.MULTILINE)

OF_OTHERS: Final = {
    "minify",
    "zopfli",
    "confusable_homoglyphs",
    "prometheus_client",
    "redis",
    "kataven_flask.packing",
    "kataven_flask.document.schema",
    "kataven_flask.document.config_file",
    "kataven_flask.document.advice",
    "kataven_flask.inspection",
    "kataven_flask.openapi.written",
    "kataven_flask.doctor",
    "kataven_flask.demo",
}
"""For a changed widget, look-alikes, metrics, Redis, and commands that aren't `serve`."""
OF_ANY_WORK: Final = {"flask", "pydantic", "yaml", "cryptography", "jwt", "sqlite3", "waitress"}
OF_A_SERVER: Final = {"flask", "jwt", "sqlite3", "waitress", "limits", "asyncio"}


def read(output: str) -> set[str]:
    """Return the modules that were read, by what Python printed."""
    return set(_LINE.findall(output))


def read_by(*arguments: str, cwd: Path, **environ: str) -> set[str]:
    """Run a command to its end, and return the modules that it read."""
    with running(COMMAND, *arguments, cwd=cwd, **TOLD, **environ) as command:
        assert command.ended() == 0, command.output
        modules = read(command.output)
    assert "click" in modules
    return modules


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the tests' tenants' file."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    return tmp_path


def begin_guest(port: int) -> int:
    """Begin a guest's session; return the status."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)) as line:
        body = json.dumps({"client_key": KEY})
        line.request("POST", "/api/v1/widget/auth/guest", body, {"Origin": ORIGIN})
        return line.getresponse().status


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_reads_what_it_needs_and_no_more(folder: Path, workers: str) -> None:
    """What only other commands, other stores or a developer need is in no server's memory."""
    options = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", workers)
    with running(COMMAND, "serve", *options, cwd=folder, **TOLD) as server:
        assert begin_guest(server.port()) == 200
        assert server.end(signal.SIGTERM) == 0
        modules = read(server.output)
    assert {"flask", "waitress", "kataven_flask.api"} <= modules
    assert modules & OF_OTHERS == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "bash"]])
def test_what_is_told_of_the_command_itself_reads_no_library(
    folder: Path, arguments: list[str]
) -> None:
    """Help and version come at once."""
    assert read_by(*arguments, cwd=folder) & OF_ANY_WORK == set()


def test_a_tab_after_the_command_reads_no_library(folder: Path) -> None:
    """A shell that asks for the commands gets them at once."""
    asked = {"COMP_WORDS": "kataven-flask ", "COMP_CWORD": "1"}
    modules = read_by(cwd=folder, _KATAVEN_FLASK_COMPLETE="bash_complete", **asked)
    assert modules & OF_ANY_WORK == set()


@pytest.mark.parametrize(
    "arguments", [["check"], ["tenants", "list"], ["keys", "list"], ["schema"]]
)
def test_a_command_about_the_file_reads_no_server(folder: Path, arguments: list[str]) -> None:
    """To look at the tenants' file takes no web server, no store and no tokens."""
    modules = read_by(*arguments, cwd=folder, KATAVEN_CONFIG="tenants.yaml")
    assert "pydantic" in modules
    assert modules & OF_A_SERVER == set()


def test_garbage_is_collected_once_a_command_is_read() -> None:
    """Collection rests while modules are read, and no longer."""
    assert main.commands["schema"]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
