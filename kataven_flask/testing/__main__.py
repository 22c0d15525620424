"""`python -m kataven_flask.testing`: a server for tests in another language, until stdin ends.

It prints one line of JSON. What started it keeps its standard input open, and need not do more:
when that closes, as it does when the parent dies, the server ends.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kataven_flask.errors import KatavenError
from kataven_flask.testing import running
from kataven_flask.testing.control import described, serve_control
from kataven_flask.testing.kataven import Kataven

ABOUT: Final = (
    "Start a real sign-in server for tests, on loopback; it ends when its standard input does."
    " It prints one line of JSON: its addresses, and the tenants with their keys."
)
WARNING: Final = (
    "A sign-in server for tests, never for production: who has its address `control` has it all.\n"
)


def main(arguments: list[str] | None = None) -> int:
    """Serve until standard input ends.

    Args:
        arguments: The command line; None for that of the process.

    Returns:
        The exit status: 0, or 2 where the tenants can't be used, or there is no input.
    """
    asked = _parser().parse_args(arguments)
    if sys.stdin is None:
        sys.stderr.write("keep its standard input open: the server ends with that\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):  # which a shell's background jobs ignore
        signal.signal(number, _end)
    with running() as kataven, suppress(KeyboardInterrupt):
        try:
            started = _started(kataven, asked)
        except (KatavenError, LookupError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            return 2
        sys.stderr.write(WARNING)
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        while sys.stdin.buffer.read(1):
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m kataven_flask.testing", description=ABOUT)
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="make a tenant whose pages are here, such as http://localhost:3000; repeatable",
    )
    parser.add_argument("--id", help="what that tenant is called")
    parser.add_argument("--config", type=Path, help="take in a tenants' file of yours, or a folder")
    return parser


def _started(kataven: Kataven, asked: argparse.Namespace) -> dict[str, Any]:
    """Make the tenants, and tell where everything is."""
    tenants = {} if asked.config is None else dict(kataven.load(asked.config))
    if asked.origin:
        tenant = kataven.tenant(asked.id, origins=asked.origin)
        tenants = {tenant.id: tenant, **tenants}
    return {
        "url": kataven.url,
        "widget_url": kataven.widget_url,
        "jwks_url": kataven.jwks_url,
        "issuer": kataven.issuer,
        "audience": kataven.audience,
        "control": serve_control(kataven, kataven.serve_beside),
        "tenants": {name: described(tenant) for name, tenant in tenants.items()},
    }


def _end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
