"""What it was measured on: the machine, and the versions of all that took part."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.kinds import EXPRESS, PEERS
from tests.redis_server import program

_OURS: Final = ("kataven-flask", "waitress", "Flask", "flask-cors", "PyJWT", "cryptography")
_PEERS: Final = ("fastapi", "uvicorn", "uvloop", "httptools", "granian", "flask-jwt-extended")
_NODE: Final = ("express", "cors", "jsonwebtoken", "bcrypt")
_UNKNOWN: Final = "not found"


def machine(busy: float) -> list[tuple[str, str]]:
    """Describe the machine and the versions, a line each.

    Args:
        busy: How much of it was in use before the first measurement, between 0 and 1.
    """
    return [
        ("CPU", f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores"),
        ("Kernel", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("System", platform.freedesktop_os_release().get("PRETTY_NAME", _UNKNOWN)),
        ("In use before the run", f"{busy:.0%} of all cores"),
        ("Ours and the limit", _listed([("Python", platform.python_version()), *_own()])),
        ("Peers in Python", _listed(_peers())),
        ("Peers in Node.js", _listed([("Node.js", _said("node", "--version")), *_node()])),
        ("Load and state", _listed([("wrk", _said("wrk", "--version")), ("Redis", _redis())])),
    ]


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _own() -> list[tuple[str, str]]:
    return [(name, version(name)) for name in _OURS]


def _peers() -> list[tuple[str, str]]:
    """Ask the peers' own environment."""
    names = (*_PEERS, "bcrypt", "Flask", "flask-cors", "PyJWT", "waitress")
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    said = _output([PEERS / "python", "-c", code, *names]).split()
    return list(zip(names, said or [_UNKNOWN] * len(names), strict=True))


def _node() -> list[tuple[str, str]]:
    return [(name, _node_version(name)) for name in _NODE]


def _node_version(package: str) -> str:
    with suppress(OSError):
        text = (EXPRESS.parent / "node_modules" / package / "package.json").read_text()
        return str(json.loads(text)["version"])
    return _UNKNOWN


def _redis() -> str:
    return _said(program(), "--version")


def _said(*command: str) -> str:
    """Return the version that a program tells of itself."""
    found = re.search(r"\d+\.\d+(\.\d+)?", _output(command))
    return found[0] if found else _UNKNOWN


def _output(command: Sequence[str | Path]) -> str:
    with suppress(OSError):
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        return ran.stdout + ran.stderr if ran.returncode in {0, 1} else ""  # wrk's usage is a 1
    return ""


def _listed(versions: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions)
