"""How each command ends, in one table: what a script, systemd or a container goes by."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from kataven_flask.assets import example_config
from kataven_flask.cli import main
from tests.archives import ROOT
from tests.desk import KEY
from tests.running import BOUND, COMMAND, running

CODES: Final = {"0", "1", "2", "130"}
TABLE: Final = [
    # what is run, where `tenants.yaml` is sound and `faulty.yaml` isn't; its status
    ("--help", 0),
    ("--version", 0),
    ("", 2),
    ("sevre", 2),
    ("check", 0),
    ("check --config faulty.yaml", 1),
    ("check --config gone.yaml", 1),
    ("check --format xml", 2),
    ("schema", 0),
    ("schema --output gone/schema.json", 1),
    ("tenants list", 0),
    ("tenants list --config faulty.yaml", 1),
    ("tenants show acme", 0),
    ("tenants show nobody", 1),
    ("tenants show", 2),
    ("tenants add bikes --dry-run", 0),
    ("tenants add Bikes", 1),
    ("tenants remove acme", 1),  # nobody is there to say yes
    ("tenants remove acme --yes --dry-run", 0),
    ("agents add acme billing --dry-run", 0),
    ("agents add nobody sales", 1),
    ("keys list", 0),
    ("keys create acme --dry-run", 0),
    (f"keys rotate {KEY} --hours 169", 2),
    (f"keys revoke {KEY}", 1),
    (f"origins explain {KEY} https://acme.com", 0),
    (f"origins explain {KEY} https://www.example.com", 1),
    (f"origins add {KEY} *.com", 1),
    (f"snippet {KEY}", 0),
    ("snippet pk_live_nobody", 1),
    ("doctor --client-key x", 2),
    (f"doctor --client-key {KEY} --origin http://localhost:8001 --url http://127.0.0.1:1", 1),
    ("tokens inspect -", 1),
    ("sessions revoke", 1),
    ("signing-keys list", 1),
    ("signing-keys list --instance ", 2),
    ("completion bash", 0),
    ("completion csh", 2),
    ("demo --port 99999", 2),
    ("serve --workers 0", 2),
    ("serve --listen nowhere", 1),
    ("serve --hsts 1", 1),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a sound file and a faulty one, and work in it."""
    shutil.copy(example_config(), tmp_path / "tenants.yaml")
    (tmp_path / "faulty.yaml").write_text("version: 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATAVEN_CONFIG", "tenants.yaml")
    return tmp_path


@pytest.mark.parametrize(("line", "status"), TABLE, ids=str)
def test_a_command_ends(folder: Path, line: str, status: int) -> None:
    """Done or yes is 0, no and what can't be done is 1, a wrong command line is 2."""
    result = CliRunner().invoke(main, line.split(" ") if line else [], input="")
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_the_table_has_every_command() -> None:
    """No command ends in a way that nobody has looked at."""
    assert {line.split(" ")[0] for line, _ in TABLE} >= set(main.commands)


class TestServe:
    """What systemd, or a container's engine, is told."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_an_end_that_was_asked_for(
        self, folder: Path, number: signal.Signals, workers: str
    ) -> None:
        """SIGTERM and Ctrl-C end it in order: 0, so that nothing restarts it."""
        options = ("--listen", "127.0.0.1:0", "--workers", workers)
        with running(COMMAND, "serve", *options, cwd=folder) as server:
            server.wait_for("Next: open")
            assert server.end(number) == 0, server.output

    @pytest.mark.parametrize(
        ("environ", "told"),
        [
            ({"KATAVEN_CONFIG": "gone.yaml"}, "gone.yaml"),
            ({"KATAVEN_CONFIG": "faulty.yaml"}, "faulty.yaml"),
            ({"KATAVEN_INSTANCE": "tenants.yaml"}, "the instance folder holds keys"),
            ({"KATAVEN_INSTANCE": "/sys/kataven"}, "the instance folder holds keys"),
            ({"KATAVEN_STATE": "mysql://db"}, "is not a state store"),
            ({"KATAVEN_ADMIN": "TAKEN"}, "in use"),
            ({"KATAVEN_LISTEN": "TAKEN"}, "in use"),
        ],
        ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
    )
    def test_what_keeps_it_from_starting(
        self, folder: Path, environ: dict[str, str], told: str
    ) -> None:
        """1 and a line that says what: systemd tries again, as it may pass by itself."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            said = {name: taken if value == "TAKEN" else value for name, value in environ.items()}
            said.setdefault("KATAVEN_LISTEN", "127.0.0.1:0")
            with running(COMMAND, "serve", cwd=folder, **said) as server:
                assert server.ended() == 1
        assert re.search(rf"(?m)^Error: .*{re.escape(told)}", server.output), server.output
        assert "Traceback" not in server.output

    def test_another_server_is_told_for_good(self, folder: Path) -> None:
        """Other servers, gunicorn and granian, are told by 4 that to try again is of no use."""
        ran = subprocess.run(
            [sys.executable, "-c", "import kataven_flask.wsgi"],
            env={**os.environ, "KATAVEN_CONFIG": "gone.yaml"},
            cwd=folder,
            timeout=BOUND,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr.count("\n")) == (4, 1), ran.stderr


def test_the_page_has_every_code() -> None:
    """docs/deployment.md says what each status means, and those of other servers."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    part = page.partition("### How a command ends\n")[2].partition("\n### ")[0]
    assert set(re.findall(r"(?m)^\| `(\d+)` \|", part)) == CODES | {"4", "22"}
