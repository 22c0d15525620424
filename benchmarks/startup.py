"""How long a server takes to its first answer, and how much memory it has then."""

from __future__ import annotations

import http.client
import os
import re
import statistics
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.kinds import HOST, ROOT, SERVER
from benchmarks.servers import end
from tests.running import BOUND, free_port

SHIPPED: Final = ROOT / "config" / "tenants.yaml"
MOST_SECONDS: Final = 0.5
MOST_MEGABYTES: Final = 70
_KEY: Final = "pk_test_demo_c56wJJekTt040SAU8soRL1"
"""The shipped file's demo key, which anybody may know."""
_GUESTS: Final = 50
"""As many as the shipped file admits in a minute, and some to spare."""


@dataclass(frozen=True, slots=True)
class Startup:
    """What starts gave, in the median.

    Args:
        seconds: From the start to the first answer.
        megabytes: Resident memory of the process that answers, after some requests.
    """

    seconds: float
    megabytes: float


def measure_startup(folder: Path, times: int) -> Startup:
    """Start a server with the shipped file so many times, after one that isn't counted.

    It finds what an operator installs: some libraries load what else they find, and hold it.

    From the first one Python keeps what it compiles, as an installer does: in a folder of ours, so
    that nothing depends on what may be written, or was, in this checkout.
    """
    kept = {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONPATH": str(ROOT)}
    environ = {**os.environ, **kept}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    _start(folder, environ)
    starts = [_start(folder, environ) for _ in range(times)]
    return Startup(
        seconds=statistics.median(each.seconds for each in starts),
        megabytes=statistics.median(each.megabytes for each in starts),
    )


def _start(folder: Path, environ: Mapping[str, str]) -> Startup:
    port = free_port()
    main = "from kataven_flask.cli import main; main()"  # as the script does that pip writes
    command = (SERVER / "python", "-c", main, "serve", "--config", SHIPPED)
    options = ("--instance", folder / "startup", "--listen", f"{HOST}:{port}")
    began = time.monotonic()
    process = subprocess.Popen(
        (*command, *options),
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > began + BOUND:
                raise RuntimeError("the server with the shipped file doesn't start")
            time.sleep(0.002)
        seconds = time.monotonic() - began
        _use(port)
        return Startup(seconds, resident(process.pid))
    finally:
        end(process)


def _answers(port: int) -> bool:
    with suppress(OSError):
        return _status(port, "GET", "/healthz") == http.client.OK
    return False


def _use(port: int) -> None:
    """Ask for some sessions, so that all it needs is in memory."""
    body = f'{{"client_key":"{_KEY}"}}'
    page = {"Origin": "http://localhost:8001"}
    for _ in range(_GUESTS):
        status = _status(port, "POST", "/api/v1/widget/auth/guest", body, page)
        if status != http.client.OK:
            raise RuntimeError(f"guest of the shipped file: {status}")


def _status(
    port: int, method: str, path: str, body: str | None = None, headers: Mapping[str, str] = {}
) -> int:
    with closing(http.client.HTTPConnection(HOST, port, timeout=BOUND)) as line:
        line.request(method, path, body, dict(headers))
        return line.getresponse().status


def resident(pid: int) -> float:
    """Return the memory of a process, in megabytes."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("the kernel doesn't tell the server's memory")
    return int(found[1]) / 1000 * 1.024
