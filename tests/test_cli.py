"""The commands beside `serve`, and how each tells a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from kataven_flask.cli import main
from kataven_flask.keys import hash_secret_key
from kataven_flask.registry import load_registry
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


def test_generated_keys_can_be_pasted(tmp_path: Path) -> None:
    """What `keys generate` prints is a whole tenant of the file; the secret is not in it."""
    result = CliRunner().invoke(main, ["keys", "generate", "acme"])
    assert result.exit_code == 0
    secret = result.stderr.splitlines()[-1]
    assert secret.startswith("sk_live_acme_")
    assert secret not in result.stdout
    config = tmp_path / "tenants.yaml"
    config.write_text("version: 1\ntenants:\n" + result.stdout)
    registry = load_registry(config)
    record, _ = registry.secrets[hash_secret_key(secret)]
    assert record.key.client_key.startswith("pk_live_acme_")


def test_generated_test_keys_are_for_loopback() -> None:
    """`--test` makes keys that load with the loopback entry printed beside them."""
    result = CliRunner().invoke(main, ["keys", "generate", "acme", "--test"])
    (key,) = yaml.safe_load(result.stdout)["acme"]["keys"]
    assert key["client_key"].startswith("pk_test_acme_")
    assert key["domain_allowlist"] == ["localhost:*", "*.localhost:*"]


@pytest.mark.parametrize("tenant", ["A", "Acme", "acme inc", "x" * 33])
def test_keys_are_made_for_tenant_ids_alone(tenant: str) -> None:
    """A name that can't be a tenant's id is refused in one line."""
    result = CliRunner().invoke(main, ["keys", "generate", tenant])
    assert result.exit_code == 1
    assert "is not a tenant id" in result.output


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
