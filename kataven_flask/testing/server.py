"""The server itself: the app and the waitress of `kataven-flask serve`, in threads of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kataven_flask.app import create_app, parts_of
from kataven_flask.listening import Address, bind
from kataven_flask.registry import Registry
from kataven_flask.serve import Server, WsgiApp
from kataven_flask.sessions import Sessions
from kataven_flask.settings import Settings
from kataven_flask.testing.clock import Clock
from kataven_flask.testing.faults import Faults
from kataven_flask.testing.files import Files
from kataven_flask.testing.front import Front
from kataven_flask.testing.seen import Seen
from kataven_flask.testing.store import BreakableStore
from kataven_flask.tokens import Tokens

LOOPBACK: Final = "127.0.0.1"
"""Nobody but this machine reaches it, and there is no option for more."""
THREADS: Final = 16
"""Requests answered at once; those that a fault keeps waiting among them."""
END_TIMEOUT: Final = 10.0
"""Seconds in which it ends."""


class RunningServer:
    """One server on a free port of loopback, from when it is made until it is closed."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise

    def _start(self) -> None:
        folder = Path(self._closing.enter_context(TemporaryDirectory(prefix="kataven-")))
        self.clock = Clock()
        self.faults = Faults()
        self.store = BreakableStore()
        self.files = Files(folder / "tenants")
        self.edits = threading.RLock()
        listener = self._closing.enter_context(bind(Address(LOOPBACK, 0)))
        self.url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        app = create_app(
            Settings(
                config=self.files.folder,
                instance=folder / "instance",
                issuer=self.url,
                watch=False,
                clock=self.clock,
            ),
            store=self.store,
        )
        self._parts = parts_of(app)
        self._closing.callback(self._parts.close)
        self.sessions = Sessions(self.store, self.clock)
        self.seen = Seen(self.clock, lambda: self.registry)
        front = Front(app, self.faults, self.seen, self.store)
        # Each request in a thread, as any may be kept waiting; and at the end nobody is waited for.
        server = Server(front, listener, THREADS, settle=0)
        self._closing.callback(_run(server))
        self._closing.callback(self.faults.end)

    @property
    def registry(self) -> Registry:
        """The tenants in force."""
        return self._parts.live.current

    @property
    def tokens(self) -> Tokens:
        """What mints and verifies."""
        registry = self.registry
        ring = self._parts.ring.current
        return Tokens(ring, registry.issuer or self.url, registry.audience)

    def take_over(self) -> None:
        """Have what stands in the tenants' files be in force."""
        self.files.take_over(self._parts.live)

    def serve_beside(self, app: WsgiApp) -> str:
        """Serve another app on another port, as long as this one; return its address."""
        listener = self._closing.enter_context(bind(Address(LOOPBACK, 0)))
        self._closing.callback(_run(Server(app, listener, THREADS, settle=0)))
        return f"http://{LOOPBACK}:{listener.getsockname()[1]}"

    def close(self) -> None:
        """End it; to end it twice is no error."""
        self._closing.close()


class OnServer:
    """What a test does with a server.

    Args:
        server: The server.
    """

    def __init__(self, server: RunningServer) -> None:
        self._server = server


def _run(server: Server) -> Callable[[], None]:
    """Run a server in a thread; return what ends it."""
    thread = threading.Thread(target=server.run, name="kataven-testing", daemon=True)
    thread.start()

    def end() -> None:
        server.stop()
        thread.join(END_TIMEOUT)

    return end
