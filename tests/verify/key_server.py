"""A real server of public keys, that answers as a test says, and counts who asks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

from kataven_flask.signing import KeyRing, RefreshSecret, SigningKey, make_signing_key
from kataven_flask.tokens import SessionClaims, Tokens
from kataven_flask.verify import InvalidSession, KeysUnavailableError, SessionVerifier
from tests.running import BOUND
from tests.support import AUDIENCE, ISSUER, NOON
from tests.vectors import load_keys
from tests.vectors.generate import Forge
from tests.verify.sign_in import USER

Answer: TypeAlias = Callable[[BaseHTTPRequestHandler], None]
KEYS: Final = load_keys()
OURS: Final = KEYS.ours.newest
NEXT: Final = make_signing_key(KEYS.theirs)
"""The key that comes after ours."""


def minted(key: SigningKey = OURS, *, at: float = NOON, minutes: int = 600) -> str:
    """Mint a user's session token by a key; it lives long, as the keys are what is tried."""
    ring = KeyRing((key,), (RefreshSecret(b"r" * 32),))
    claims = SessionClaims(USER, "tok_1", int(at), int(at) + 60 * minutes)
    return Tokens(ring, ISSUER, AUDIENCE).mint_session(claims)


def jwks(*keys: SigningKey) -> dict[str, list[dict[str, Any]]]:
    """Return a JWK set."""
    return {"keys": [dict(key.public_jwk) for key in keys]}


def send(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer a request by a body, whole and at once."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def send_json(document: object) -> Answer:
    """Answer a request by a document."""
    return send(json.dumps(document).encode())


class KeyServer(ThreadingHTTPServer):
    """It publishes our key, until a test has it do something else.

    Args:
        answer: What it does with a request.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[Mapping[str, str]] = []
        self.open = threading.Event()
        """Answers wait for it."""
        self.open.set()

    @property
    def url(self) -> str:
        """Where it publishes its keys."""
        return f"http://127.0.0.1:{self.server_port}/.well-known/jwks.json"

    @property
    def fetches(self) -> int:
        """How often it was asked."""
        return len(self.asked)

    def publish(self, *keys: SigningKey) -> None:
        """Publish these keys, and no other."""
        self.answer = send_json(jwks(*keys))

    def publish_jwks(self, members: Sequence[object]) -> None:
        """Publish a JWK set of anything."""
        self.answer = send_json({"keys": members})

    def fail(self, status: int = 500) -> None:
        """Have a fault."""
        self.answer = send(b"a fault", status)


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        """Answer as the test says."""
        self.server.asked.append(dict(self.headers))
        self.server.open.wait(BOUND)
        try:
            self.server.answer(self)
        except OSError:  # whoever asked has lost patience
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving_keys() -> Iterator[KeyServer]:
    """Serve our key from a thread."""
    with KeyServer(send_json(jwks(OURS))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.open.set()
            server.shutdown()
            thread.join()


# --- what is asked of a verifier

GOOD: Final = minted()
BY_NEXT: Final = minted(NEXT)


def takes(verifier: SessionVerifier, token: str = GOOD) -> bool:
    """Tell whether a token is taken; where nobody can tell, that is raised."""
    try:
        return verifier.verify(token).visitor_id == USER.sub
    except InvalidSession:
        return False


def made_up(number: int) -> str:
    """Return a token that names a key which nobody has."""
    forge = Forge(KEYS)
    return forge.token(forge.header("widget-session+jwt", kid=f"made-up-{number}"), {})


def flood(verifier: SessionVerifier, count: int = 100) -> None:
    """Send tokens of made-up keys."""
    for number in range(count):
        with contextlib.suppress(KeysUnavailableError):
            assert not takes(verifier, made_up(number))
