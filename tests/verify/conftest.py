"""A running sign-in service."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Final, NoReturn

import pytest

from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from kataven_flask.tokens import Tokens
from kataven_flask.verify import SessionVerifier
from tests.support import AUDIENCE, ISSUER, FrozenClock, Service
from tests.verify.key_server import KeyServer, serving_keys
from tests.verify.sign_in import SignIn

LONGEST: Final = 30
"""Seconds after which a test hangs, as after a fault in who waits for whom."""


@pytest.fixture(autouse=True)
def _end_what_hangs() -> Iterator[None]:
    """Fail a test that waits for ever."""

    def fail(*_: object) -> NoReturn:
        pytest.fail(f"it hangs: not over after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def sign_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignIn]:
    """Serve the sign-in service by waitress, from a thread."""
    service = Service(tmp_path_factory.mktemp("sign-in"))
    with bind(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(service.app, listener, threads=2)
        thread = threading.Thread(target=server.run)
        thread.start()
        ring = open_key_ring(service.settings.instance)
        yield SignIn(f"http://127.0.0.1:{port}", Tokens(ring, ISSUER, AUDIENCE))
        server.stop()
        thread.join()


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    """Return a server of public keys that does as it is told."""
    with serving_keys() as server:
        yield server


@pytest.fixture
def verifier(keys: KeyServer, clock: FrozenClock) -> SessionVerifier:
    """Return a verifier by a clock that the test moves."""
    return SessionVerifier(keys.url, ISSUER, AUDIENCE, clock=clock)
