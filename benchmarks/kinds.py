"""The servers that are compared, each with the command that a user would start it by."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.world import World

HOST: Final = "127.0.0.1"
ROOT: Final = Path(__file__).parent.parent
OWN: Final = Path(sys.executable).parent
"""Where our own command is, and waitress'."""
SERVER: Final = ROOT / "benchmarks" / ".venv-server" / "bin"
"""What an operator has: what `requirements-server.lock` names, and no tool of a developer's."""
PEERS: Final = ROOT / "benchmarks" / ".venv" / "bin"
PEERS_APPS: Final = "benchmarks.peers"
EXPRESS: Final = ROOT / "benchmarks" / "peers" / "with_express.mjs"

TUNED: Final = ", key parsed once"
"""Of a peer that does better than its guide: it doesn't read the PEM text for every token."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one server is started.

    Args:
        name: What it is called.
        command: The command line; `{port}` and `{folder}` stand for its own.
        environ: What it finds in its environment, by the same rule.
    """

    name: str
    command: tuple[str | Path, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def kinds(world: World, threads: int, redis_url: str) -> list[Kind]:
    """Return them all.

    Args:
        world: What they know.
        threads: How many requests each works on at once, where it has threads.
        redis_url: The Redis of the one that keeps its state there.
    """
    return [*_limit(threads), *_ours(world, threads, redis_url), *_peers(world, threads)]


def _limit(threads: int) -> list[Kind]:
    waitress = _waitress(OWN, threads)
    return [
        Kind("bare WSGI", (*waitress, "benchmarks.bare:wsgi")),
        Kind("bare WSGI, our server", (sys.executable, "-m", "benchmarks.bare", "{port}")),
        Kind("bare Flask", (*waitress, "benchmarks.bare:flask")),
    ]


def _ours(world: World, threads: int, redis_url: str) -> list[Kind]:
    serve = (
        *(OWN / "kataven-flask", "serve", "--config", world.tenants, "--instance"),
        *("{folder}/instance", "--listen", f"{HOST}:{{port}}", "--threads", str(threads)),
    )
    environ = {"KATAVEN_CONFIG": str(world.tenants), "KATAVEN_INSTANCE": "{folder}/instance"}
    return [
        Kind("kataven-flask", serve),
        Kind("kataven-flask, Redis", (*serve, "--state", redis_url)),
        Kind("kataven-flask, two processes", (*serve, "--workers", "2")),
        Kind(
            "kataven-flask, granian",
            (*_granian("wsgi"), "kataven_flask.wsgi:app"),
            environ,
        ),
    ]


def _peers(world: World, threads: int) -> list[Kind]:
    fastapi = f"{PEERS_APPS}.with_fastapi:app"
    uvicorn = (PEERS / "uvicorn", f"--host={HOST}", "--port={port}", "--no-access-log")
    flask = (*_waitress(PEERS, threads), f"{PEERS_APPS}.with_flask_jwt_extended:app")
    environ = {"PEER_SETTINGS": str(world.peer_settings), "NODE_ENV": "production"}
    documented = [
        Kind("Express", ("node", EXPRESS, "{port}"), environ),
        Kind("FastAPI, uvicorn", (*uvicorn, "--log-level=warning", fastapi), environ),
        Kind("FastAPI, granian", (*_granian("asgi"), fastapi), environ),
        Kind("flask-jwt-extended", flask, environ),
    ]
    parsed = {**environ, "PEER_KEY": "parsed"}
    tuned = [Kind(f"{kind.name}{TUNED}", kind.command, parsed) for kind in documented]
    return documented + tuned


def _waitress(programs: Path, threads: int) -> tuple[str | Path, ...]:
    return programs / "waitress-serve", f"--listen={HOST}:{{port}}", f"--threads={threads}"


def _granian(interface: str) -> tuple[str | Path, ...]:
    """Return granian's command: one thread for Python, as of more a request costs twice as much."""
    where = (f"--interface={interface}", f"--host={HOST}", "--port={port}")
    how = ("--workers=1", "--blocking-threads=1", "--http=1", "--no-ws", "--log-level=warning")
    return PEERS / "granian", *where, *how
