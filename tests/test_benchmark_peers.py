"""What ours is measured against does the work that is claimed, where it is installed."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from benchmarks.kinds import EXPRESS, HOST, PEERS, kinds
from benchmarks.servers import Server, started
from benchmarks.world import API, AUDIENCE, CLIENT_KEY, ISSUER, ORIGIN, SECRET_KEY, make_world

OF_EVERY_TOKEN: Final = {"iss", "aud", "sub", "iat", "exp", "jti", "tenant", "client_key"}
OF_A_SESSION: Final = {"sid", "agent_id", "origin", "visitor_type", "auth_time"}
GUEST: Final = {"client_key": CLIENT_KEY}
PAGE: Final = {"Origin": ORIGIN}
USER: Final = {"client_key": CLIENT_KEY, "user_id": "42", "name": "Ada", "email": "ada@acme.com"}
BACKEND: Final = {"Authorization": f"Bearer {SECRET_KEY}"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that runs, and the key that it signs with."""

    server: Server
    public_key: Any

    def post(
        self, action: str, body: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, dict[str, Any]]:
        """Post JSON; return the answer and what its body says."""
        headers = {"Content-Type": "application/json", **headers}
        with closing(http.client.HTTPConnection(HOST, self.server.port, timeout=15)) as line:
            line.request("POST", f"{API}/auth/{action}", json.dumps(body), headers)
            answer = line.getresponse()
            return answer, json.loads(answer.read())

    def status(self, action: str, body: Mapping[str, str], headers: Mapping[str, str]) -> int:
        """Post JSON; return the answer's status."""
        return self.post(action, body, headers)[0].status

    def claims(self, token: str, audience: str) -> dict[str, Any]:
        """Verify a token; return its claims."""
        claims: dict[str, Any] = jwt.decode(
            token, self.public_key, algorithms=["ES256"], audience=audience, issuer=ISSUER
        )
        return claims


@pytest.fixture(scope="module", params=["Express", "FastAPI, uvicorn", "flask-jwt-extended"])
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    """Return a peer that runs."""
    needed = EXPRESS.parent / "node_modules" if request.param == "Express" else PEERS / "python"
    if not needed.exists():
        pytest.skip(f"{request.param} is not installed; `make peers` does it")
    folder: Path = tmp_path_factory.mktemp("peer")
    world = make_world(folder)
    pem = json.loads(world.peer_settings.read_text())["private_key"]
    public_key = load_pem_private_key(pem.encode(), password=None).public_key()
    kind = next(kind for kind in kinds(world, 1, "") if kind.name == request.param)
    with started(kind, folder / "server") as server:
        yield Peer(server, public_key)


def test_guest_gets_a_session(peer: Peer) -> None:
    """A page on the allowlist gets a token that verifies, with the claims of ours, and CORS."""
    answer, session = peer.post("guest", GUEST, PAGE)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    claims = peer.claims(session["token"], AUDIENCE)
    assert set(claims) >= OF_EVERY_TOKEN | OF_A_SESSION
    assert claims["sub"] == session["visitor"]["id"]
    assert claims["exp"] - claims["iat"] == session["expires_in"] == 600
    assert jwt.get_unverified_header(session["token"])["typ"] == "widget-session+jwt"


def test_strangers_get_none(peer: Peer) -> None:
    """Another origin, no origin and an unknown key are refused."""
    assert peer.status("guest", GUEST, {"Origin": "https://acme.com.evil.net"}) == 403
    assert peer.status("guest", GUEST, {}) == 403
    assert peer.status("guest", {"client_key": "pk_live_acme_unknown"}, PAGE) == 403
    assert peer.status("guest", {}, PAGE) in {400, 422}


def test_a_backend_gets_a_visitor_token(peer: Peer) -> None:
    """The secret key, by its bcrypt hash, gets a token for the exchange; another one none."""
    answer, minted = peer.post("user-token", USER, BACKEND)
    assert answer.status == 200
    claims = peer.claims(minted["token"], f"{ISSUER}{API}/auth/exchange")
    assert set(claims) >= OF_EVERY_TOKEN | {"name", "email"}
    assert claims["sub"] == "42"
    assert peer.status("user-token", USER, {"Authorization": f"Bearer {SECRET_KEY}x"}) == 401
