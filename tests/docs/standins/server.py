"""The real server on a stage: started and ended as systemd or a terminal does."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.docs.standins.machine import ROOT, become, know_unit, refuse, require

BOUND: Final = 15
"""Seconds after which a server that should listen is given up."""
LOGS: Final = re.compile(r"(?m)^\s*(?:access|error)_log\s+([^\s;]+)")


def kataven_flask(*words: str) -> None:
    """Run the real command; a server goes on behind, as from another terminal."""
    command = [os.environ["STAGE_COMMAND"], *words]
    if words[:1] == ("serve",):
        stop()
        start(command)
        return
    if words[:1] == ("demo",):  # it would go on until Ctrl-C; tests/test_demo.py lets it
        command.append("--help")
    ended = subprocess.run(command, check=False).returncode
    wanted = os.environ["STAGE_STATUS"]
    require(wanted in {str(ended), "any"}, f"it ended with {ended}, not {wanted}")


def start(command: list[str]) -> None:
    """Start a server, and wait until it listens. It holds a lock for as long as it lives."""
    log = ROOT / "server.log"
    with (ROOT / "server.lock").open("w") as lock, log.open("w") as output:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
    deadline = time.monotonic() + BOUND
    while "listens on" not in log.read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            refuse(log.read_text())
        time.sleep(0.01)
    (ROOT / "server.pid").write_text(str(server.pid))
    server.returncode = 0  # it is nobody's child from here on


def stop() -> None:
    """End the server, if there is one, and wait for its end."""
    pid = ROOT / "server.pid"
    if not pid.exists():
        return
    os.kill(int(pid.read_text()), signal.SIGTERM)
    with (ROOT / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    pid.unlink()


def systemctl(verb: str, *words: str) -> None:
    """Do to the server what systemd does by the installed unit; of other units, know the name."""
    if verb == "daemon-reload":
        return
    (name,) = (word for word in words if not word.startswith("-"))
    unit = ROOT / f"etc/systemd/system/{name}.service"
    if not unit.exists():
        require(verb in {"reload", "restart", "start", "status", "stop"}, "no such verb")
        know_unit(name)
        for path in LOGS.findall("".join(map(Path.read_text, ROOT.glob("etc/nginx/conf.d/*")))):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
        return
    if verb in {"restart", "stop"}:
        stop()
    is_up = (ROOT / "server.pid").exists()
    starts = verb in {"restart", "start"} or (verb == "enable" and "--now" in words)
    if starts and not is_up:
        settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", unit.read_text()))
        lines = Path(settings["EnvironmentFile"]).read_text()
        os.environ.update(re.findall(r"(?m)^(KATAVEN_\w+)='(.*)'$", lines))
        become(*settings["ExecStart"].split())
    require(verb in {"enable", "start", "status", "stop"}, "no such verb")
    require(verb != "status" or is_up, "it isn't running")
