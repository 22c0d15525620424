"""What stands on a stage for commands that must not really run where tests run.

Each checks what can be checked without the machine's own packages, users and services, and does
as much of the command as fits into a folder. They need no package but Python's own: a stage has
them started as quickly as that goes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Final

from tests.docs.standins import done, looked_at, server
from tests.docs.standins.machine import refuse

STAND_INS: Final[dict[str, Callable[..., None]]] = {
    "apt-get": looked_at.apt_get,
    "curl": done.curl,
    "docker": done.docker,
    "flask": looked_at.flask,
    "grep": done.grep,
    "install": done.install,
    "jq": done.jq,
    "journalctl": done.journalctl,
    "kataven-flask": server.kataven_flask,
    "make": done.make,
    "nginx": looked_at.nginx,
    "npm": looked_at.npm,
    "pip": looked_at.pip,
    "promtool": looked_at.promtool,
    "python": looked_at.python,
    "python3": looked_at.python,
    "redis-cli": looked_at.redis_cli,
    "ss": looked_at.ss,
    "ssh": done.ssh,
    "sudoedit": looked_at.sudoedit,
    "systemctl": server.systemctl,
    "useradd": looked_at.useradd,
    "uvicorn": looked_at.uvicorn,
}


def main() -> None:
    """Stand in for the command that is named first."""
    name, *words = sys.argv[1:]
    try:
        STAND_INS[name](*words)
    except (TypeError, ValueError, OSError) as error:
        refuse(f"{error}: {json.dumps(words)}")
