"""The Dockerfile, as far as it can be tried where no engine runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import click
import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement
from pathspec import PathSpec

from kataven_flask.assets import example_config
from kataven_flask.cli import main
from kataven_flask.key_ring_file import KEY_RING_FILE
from kataven_flask.variables import SERVER
from tests.archives import ROOT, Built, build
from tests.running import BOUND, COMMAND, Running, free_port, running
from tests.sandbox import sandboxed
from tests.test_distribution import STRAYS

Step = dict[str, Any]

STEPS: Final[list[Step]] = DockerfileParser(
    fileobj=BytesIO((ROOT / "Dockerfile").read_bytes()), env_replace=False
).structure
_FINAL: Final = max(i for i, step in enumerate(STEPS) if step["instruction"] == "FROM")


def of(instruction: str, steps: list[Step] = STEPS) -> list[str]:
    """Return what the steps of a kind say."""
    return [str(step["value"]) for step in steps if step["instruction"] == instruction]


def of_image(instruction: str) -> list[str]:
    """Return what the steps of the last stage say, which alone makes the image."""
    return of(instruction, STEPS[_FINAL:])


def variables() -> dict[str, str]:
    """Return what the image has in its environment."""
    return dict(pair.split("=", 1) for line in of_image("ENV") for pair in shlex.split(line))


def health_check() -> list[str]:
    """Return the command by which an engine asks whether the server lives."""
    (line,) = of_image("HEALTHCHECK")
    command: list[str] = json.loads(line.partition(" CMD ")[2])
    return [sys.executable, *command[1:]]


@pytest.fixture(scope="module")
def context(tracked: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout with strays all over, without what .dockerignore keeps out."""
    place = tmp_path_factory.mktemp("context")
    for name in tracked:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    for folder in [place, *(path for path in place.rglob("*") if path.is_dir())]:
        for stray in [*STRAYS, ".git/config", ".env.production", "keyring.json.next"]:
            (folder / stray).parent.mkdir(exist_ok=True)
            (folder / stray).write_text("secret")
    ignored = PathSpec.from_lines("gitignore", (ROOT / ".dockerignore").read_text().splitlines())
    for path in [path for path in place.rglob("*") if path.is_file()]:
        if ignored.match_file(path.relative_to(place)):
            path.unlink()
    return place


class TestContext:
    """What goes into a build."""

    def test_no_secret_goes_in(self, context: Path, tracked: set[str]) -> None:
        """No key, settings file, database or history does, wherever it lies: only what git has."""
        there = {str(p.relative_to(context)) for p in context.rglob("*") if p.is_file()}
        assert {Path(name).name for name in there - tracked} <= {"notes.txt"}
        tops = {name.split("/")[0] for name in there}
        assert tops == {name for line in of("COPY") for name in sources(line)}

    def test_all_that_is_copied_is_there(self, context: Path) -> None:
        """Each file and folder that is copied exists, and isn't kept out."""
        for line in of("COPY"):
            for name in sources(line):
                assert (context / name).exists(), name

    def test_the_image_gets_the_wheel_that_was_tested(
        self, context: Path, built: Built, tmp_path: Path
    ) -> None:
        """Of what is copied, the same wheel is built as of a checkout."""
        source = tmp_path / "src"
        source.mkdir()
        for line in of("COPY", STEPS[:_FINAL]):
            *names, target = shlex.split(line)
            for name in names:
                if (context / name).is_dir():
                    shutil.copytree(context / name, source / target)
                else:
                    shutil.copy(context / name, source / target)
        assert build(source, tmp_path / "dist").wheel.read_bytes() == built.wheel.read_bytes()


def sources(line: str) -> list[str]:
    """Return what a COPY takes, without what another stage made."""
    *names, _ = shlex.split(line)
    return [] if names[0].startswith("--from=") else names


class TestImage:
    """What the image is made of, and how it is run."""

    def test_all_is_hashed(self) -> None:
        """Nothing is installed but by hash, and the wheel that was just built."""
        installs = [line for line in of("RUN") if "pip install" in line]
        assert len(installs) == 2
        for line in installs:
            assert "--require-hashes" in line or "--no-index --no-deps" in line

    def test_what_is_removed_is_not_needed(self) -> None:
        """What only builds is taken out, and none of it is what a server needs."""
        line = next(line for line in of("RUN", STEPS[:_FINAL]) if "pip uninstall" in line)
        removed = set(line.partition("--yes")[2].split()) - {"\\"}
        assert {"pip", "hatchling"} <= removed
        assert removed & needed_to_run() == set()

    def test_it_has_no_installer(self) -> None:
        """Nor has it the one that Python's own image brings, or what would bring it back."""
        (line,) = (line for line in of_image("RUN") if "pip uninstall" in line)
        assert "--yes pip " in line
        assert line.endswith("/ensurepip")

    def test_it_is_nobody_s_root(self) -> None:
        """The last stage runs as a number that Kubernetes can tell from root's."""
        assert of_image("USER") == ["10001:10001"]
        order = [step["instruction"] for step in STEPS[_FINAL:]]
        assert "RUN" not in order[order.index("USER") :]

    def test_it_keeps_no_secret_and_no_tool(self) -> None:
        """Of the build stage it takes the environment alone; no secret is a build argument."""
        assert [line.split()[0] for line in of_image("COPY")] == ["--from=build"]
        assert [line.partition("=")[0] for line in of("ARG")] == ["PYTHON"]

    def test_its_settings_are_settings(self) -> None:
        """Each variable is one that the server reads; what changes is in the volume."""
        ours = {name for name in variables() if name.startswith("KATAVEN_")}
        assert ours <= SERVER
        assert json.loads(of_image("VOLUME")[0]) == [variables()["KATAVEN_INSTANCE"]]
        assert of_image("EXPOSE") == [variables()["KATAVEN_LISTEN"].rpartition(":")[2]]
        assert of_image("STOPSIGNAL") == ["SIGTERM"]

    def test_it_starts_the_server_itself(self) -> None:
        """No shell stands between the engine's signals and the server."""
        words = [*json.loads(of_image("ENTRYPOINT")[0]), *json.loads(of_image("CMD")[0])]
        assert words[0] == Path(COMMAND).name
        assert isinstance(main.commands[words[1]], click.Command)
        assert not words[2:]


def needed_to_run() -> set[str]:
    """Return the names of all that the server's own requirements lead to."""
    found: set[str] = set()
    open_ends = [Requirement("kataven-flask[redis]")]
    while open_ends:
        wanted = open_ends.pop()
        if wanted.name in found and not wanted.extras:
            continue
        found.add(wanted.name.lower())
        try:
            lines = requires(wanted.name) or []
        except PackageNotFoundError:  # another system's
            continue
        for requirement in map(Requirement, lines):
            extras = [{"extra": extra} for extra in (*wanted.extras, "")]
            if requirement.marker is None or any(map(requirement.marker.evaluate, extras)):
                open_ends.append(requirement)
    return found


class TestRun:
    """The image's command in a sandbox: no root, no capability, nothing writable but its volume."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[Running]:
        """Start it as compose.yaml would."""
        port = free_port()
        config = tmp_path / "config" / "tenants.yaml"
        config.parent.mkdir()
        shutil.copy(example_config(), config)
        environ = {
            **variables(),
            "PATH": os.environ["PATH"],
            "KATAVEN_CONFIG": str(config),
            "KATAVEN_INSTANCE": str(tmp_path / "instance"),
            "KATAVEN_LISTEN": f"127.0.0.1:{port}",
            "KATAVEN_WORKERS": "2",
            "TMPDIR": str(tmp_path / "tmp"),
        }
        serve = (COMMAND, *json.loads(of_image("CMD")[0]))
        with running(*sandboxed(tmp_path), *serve, cwd=tmp_path, **environ) as started:
            yield started

    def test_it_serves_and_ends(
        self, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It starts, makes its keys, is found healthy, and ends in order."""
        port = server.port()
        server.wait_for("Next: open")
        assert "as=10001 root=ro NoNewPrivs:1 CapEff:0000000000000000" in server.output
        assert (tmp_path / "instance" / KEY_RING_FILE).exists()
        monkeypatch.setenv("KATAVEN_LISTEN", f"0.0.0.0:{port}")
        assert subprocess.run(health_check(), timeout=BOUND, check=False).returncode == 0
        assert server.end(signal.SIGTERM) == 0, server.output
        assert "Traceback" not in server.output

    def test_who_does_not_answer_is_not_healthy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The health check fails where nobody listens."""
        monkeypatch.setenv("KATAVEN_LISTEN", f"0.0.0.0:{free_port()}")
        ran = subprocess.run(health_check(), timeout=BOUND, capture_output=True, check=False)
        assert ran.returncode == 1
