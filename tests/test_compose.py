"""compose.yaml, the server and its Redis, as far as it can be tried where no engine runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml
from redis import Redis

from kataven_flask.variables import SERVER
from tests.archives import ROOT
from tests.running import BOUND, free_port, running, wait_until
from tests.test_container import variables

COMPOSE: Final = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Final = COMPOSE["services"]
PASSWORD: Final = "of-a-test"


def test_it_is_a_compose_file() -> None:
    """It is valid by the Compose Specification's own schema."""
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
    ]
    ran = subprocess.run(
        [*check, ROOT / "compose.yaml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_no_rights_to_spare(name: str) -> None:
    """No capability, no way to more, nothing writable but volumes and a small /tmp."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert [line.partition(":")[0] for line in service["tmpfs"]] == ["/tmp"]  # noqa: S108
    assert service["ulimits"]["core"] == 0
    assert (name == "server") == ("user" not in service)  # its image says who it is


def test_what_can_be_reached() -> None:
    """The server from this host alone, for its proxy; Redis from nowhere but the server."""
    assert SERVICES["server"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in SERVICES["redis"]
    assert SERVICES["redis"]["networks"] == ["back"]
    assert COMPOSE["networks"]["back"] == {"internal": True}


def test_its_settings_are_settings() -> None:
    """Each variable is one that the server reads."""
    assert SERVICES["server"]["environment"].keys() <= SERVER


def test_an_edit_arrives() -> None:
    """The tenants' folder is mounted, and not its file, which an edit would leave behind."""
    folder = Path(variables()["KATAVEN_CONFIG"]).parent
    mounts = [line.split(":") for line in SERVICES["server"]["volumes"]]
    assert ["./config", str(folder), "ro"] in mounts
    assert ["instance", variables()["KATAVEN_INSTANCE"]] in mounts


def test_it_waits_for_its_redis() -> None:
    """The server is started once Redis answers."""
    assert SERVICES["server"]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_no_password_is_kept() -> None:
    """The password is asked for by name; without one nothing starts."""
    text = (ROOT / "compose.yaml").read_text()
    said = re.findall(r"\$\{REDIS_PASSWORD[^}]*\}", text)
    assert len(said) == 2
    assert all(each.startswith("${REDIS_PASSWORD:?") for each in said)


def test_redis_takes_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis, started by the very command: it keeps what it's told, evicts nothing, asks who."""
    port, asked = free_port(), SERVICES["redis"]["command"]
    script = asked[2].replace("$$", "$").replace("/data", str(tmp_path))
    script = script.replace("<<CONFIG\n", f"<<CONFIG\nport {port}\nbind 127.0.0.1\n")
    monkeypatch.setenv("REDISCLI_AUTH", PASSWORD)
    healthy = SERVICES["redis"]["healthcheck"]["test"][1].replace("-cli", f"-cli -p {port}")
    with running(*asked[:2], script, cwd=tmp_path) as redis:
        wait_until(lambda: ask(healthy) == 0, "Redis is healthy")
        assert PASSWORD not in Path(f"/proc/{redis.process.pid}/cmdline").read_text()
        with Redis(port=port, password=PASSWORD, decode_responses=True) as client:
            told = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "dir")
        monkeypatch.setenv("REDISCLI_AUTH", "wrong")
        assert ask(healthy) == 1
        assert redis.end() == 0
    assert told == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "dir": str(tmp_path),
    }


def ask(command: str) -> int:
    """Run a health check as an engine does; return its status."""
    ran = subprocess.run(["sh", "-c", command], capture_output=True, timeout=BOUND, check=False)  # noqa: S607 - any shell
    return ran.returncode
