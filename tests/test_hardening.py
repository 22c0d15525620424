"""What a server keeps to itself: no core file, no debugger, no traceback to a stranger."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.running import COMMAND, running
from tests.support import API, KEY, document
from tests.test_serve import ask

LOOK = """
import ctypes, os, resource
{calls}
if os.fork() == 0:
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
    os._exit(0)
os.wait()
"""
"""Prints whether it may be looked into (3 is PR_GET_DUMPABLE), and its limit of cores."""
BROKEN = """
import os
import kataven_flask.handshake as handshake

def broken(*_):
    raise RuntimeError(os.environ["BROKEN"])

if os.environ.get("BROKEN"):
    handshake.Handshake.guest = broken
"""


def looked(calls: str) -> str:
    """Make calls in a process of its own, and return what one that it forks prints of itself."""
    code = LOOK.format(calls=calls)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such switch")
def test_memory_is_private() -> None:
    """A user's other processes can't look into a server, nor into what it has forked."""
    guard = "from kataven_flask.hardening import keep_memory_private as guard\nguard()\nguard()"
    assert looked("").startswith("1 ")
    assert looked(guard) == "0 (0, 0)"


@pytest.mark.parametrize("options", [(), ("--workers", "2", "--admin", "127.0.0.1:0")])
def test_no_process_of_a_server_leaves_a_core(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The parent, each worker and the admin process would write the keys to the disk."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    with running(
        "sh", "-c", 'ulimit -c 1024; exec "$0" "$@"', COMMAND, "serve",
        "--config", "tenants.yaml", "--listen", "127.0.0.1:0", *options,
        cwd=tmp_path,
    ) as server:  # fmt: skip
        server.wait_for("Next:")
        pid = server.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert len(children) == (3 if options else 0)
        for process in (pid, *children):
            limits = Path(f"/proc/{process}/limits").read_text()
            assert re.search(r"Max core file size +0 +0 ", limits)


def test_debug_stays_off(tmp_path: Path) -> None:
    """Whatever Flask's own switches say, a fault shows a stranger its number and nothing else."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    switches = {
        "BROKEN": "nightingale",
        "FLASK_DEBUG": "1",
        "FLASK_ENV": "development",
        "FLASK_TESTING": "1",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    }
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *arguments, cwd=tmp_path, **switches) as server:
        port = server.port()
        status, body = ask(port, "POST", f"{API}/auth/guest", f'{{"client_key": "{KEY}"}}')
        assert status == 500
        assert re.fullmatch(r"Internal error: quote req_[0-9a-f]{16} to the operator", body)
        for path in ("/console", "/?__debugger__=yes&cmd=resource&f=debugger.js"):
            assert ask(port, "GET", path)[0] == 404
        server.wait_for("unhandled fault")
        server.wait_for("RuntimeError")
        assert "nightingale" not in server.output
