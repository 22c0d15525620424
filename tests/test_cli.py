"""The commands beside `serve`, and how each tells a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from kataven_flask.cli import main
from tests.support import document


def test_check_says_that_a_file_is_sound(tmp_path: Path) -> None:
    """A sound file is counted, and the exit status is 0."""
    config = tmp_path / "tenants.yaml"
    config.write_text(yaml.safe_dump(document()))
    result = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert result.exit_code == 0
    assert "is sound: 2 tenants, 3 client keys" in result.output


def test_check_prints_every_fault_with_its_place(tmp_path: Path) -> None:
    """All faults come at once, and the exit status is 1."""
    config = tmp_path / "tenants.yaml"
    config.write_text("version: 1\ncolour: red\ntenants:\n  acme: {name: Acme, agents: {}}\n")
    result = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert result.exit_code == 1
    assert f"{config}:2:1: colour: unknown member" in result.output
    assert f"{config}:4:22: tenants.acme.agents:" in result.output
    assert result.output.endswith(f"Error: 2 faults in {config}\n")


@pytest.mark.parametrize("command", ["serve", "demo", "check", "keys", "sessions"])
def test_every_command_explains_itself(command: str) -> None:
    """`--help` works everywhere."""
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_version_is_the_package_s() -> None:
    """`--version` tells what is installed."""
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert "0.1.0" in result.output
