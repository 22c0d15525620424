"""`kataven-flask serve` on one port and one folder, started, killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.faults.client import Client, NoAnswerError, signature
from tests.running import COMMAND, Running, free_port, running, wait_until
from tests.support import NO_LIMITS, SECRET, document


def unlimited(**tokens: str) -> dict[str, Any]:
    """Return the tests' tenants without a rate limit, and with time enough for a long test."""
    return document(limits=NO_LIMITS, tokens={"visitor_ttl": "10m", **tokens})


class Served:
    """One server, as its operator and its visitors have it.

    Args:
        folder: Where its tenants' file and its instance folder are.
        state: The state store's URL.
        prefix: Words before the command, for example to run it with fewer rights.
    """

    def __init__(self, folder: Path, state: str, prefix: tuple[str, ...] = ()) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.seen: set[str] = set()
        self._folder = folder
        self._state = state
        self._prefix = prefix
        self._lives: list[Running] = []
        self._stack = ExitStack()
        self.edit()

    def edit(self, **tokens: str) -> None:
        """Write the tenants' file, for the next start to read.

        Args:
            **tokens: Members of its `tokens`.
        """
        (self._folder / "tenants.yaml").write_text(yaml.safe_dump(unlimited(**tokens)))

    def start(self, workers: int = 1) -> None:
        """Start it, and wait until it says that it listens."""
        where = ("--listen", f"127.0.0.1:{self.port}", "--workers", str(workers))
        what = ("--config", "tenants.yaml", "--instance", "instance", "--state", self._state)
        command = (*self._prefix, COMMAND, "serve", *where, *what)
        life = self._stack.enter_context(running(*command, cwd=self._folder, own_group=True))
        self._lives.append(life)
        life.port()

    def kill(self) -> None:
        """End it and all its workers as a crash does; the port is free again afterwards."""
        self._stack.close()
        wait_until(self._is_gone, "nobody listens any more")

    def wait_for(self, pattern: str) -> None:
        """Wait for a line of its log."""
        self._lives[-1].wait_for(pattern)

    @property
    def pid(self) -> int:
        """Its process; of several workers, their parent."""
        return self._lives[-1].process.pid

    @property
    def log(self) -> str:
        """All that it has printed, in all its lives."""
        return "".join(life.output for life in self._lives)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Connect to it; what goes either way is looked for in its log at the end."""
        with Client(self.port, self.seen) as client:
            yield client

    def assert_log_is_clean(self, *secrets: str) -> None:
        """Hold that no token, no secret and no traceback stands in its log."""
        log = self.log
        needles = {signature(token) for token in self.seen} | {SECRET, *secrets}
        assert not [needle for needle in needles if needle in log], log
        assert "Traceback" not in log, log

    def _is_gone(self) -> bool:
        with Client(self.port) as client:
            try:
                client.get("/healthz")
            except NoAnswerError as error:
                return isinstance(error.__cause__, ConnectionRefusedError)
        return False


@contextmanager
def served(
    folder: Path, state: str, workers: int = 1, prefix: tuple[str, ...] = ()
) -> Iterator[Served]:
    """Serve, and end it with the block.

    Args:
        folder: Where its tenants' file and its instance folder are.
        state: The state store's URL.
        workers: How many processes.
        prefix: Words before the command.

    Yields:
        The server, which listens.
    """
    server = Served(folder, state, prefix)
    try:
        server.start(workers)
        yield server
    finally:
        server.kill()
