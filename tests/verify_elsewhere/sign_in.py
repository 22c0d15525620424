"""A running sign-in service, its tokens of every kind, and what strangers make of them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import jwt
import yaml

from kataven_flask.key_ring_file import change_key_ring
from kataven_flask.signing import KeyRing
from kataven_flask.tokens import SESSION_TYP
from tests.running import BOUND, COMMAND, running, wait_until
from tests.support import API, KEY, NO_LIMITS, ORIGIN, SECRET, document
from tests.vectors import VectorKeys, load_keys
from tests.vectors.attacker import Attacker
from tests.vectors.attacks import KINDS
from tests.vectors.eddsa_attacks import forged_eddsa
from tests.vectors.generate import Forge

JWKS: Final = "/.well-known/jwks.json"
USER: Final = {"user_id": "42", "name": 'Zoë "Zo" Müller 🚲', "email": "zoe@example.com"}
FORGED: Final = ("algorithm", "key", "shape", "signature")
"""The kinds of forged tokens that no verifier may take, whatever it thinks of claims."""
SPELLINGS: Final = {"shape: junk in the signature", "shape: standard base64"}
"""A good token, written otherwise: which of these a verifier reads is between it and base64."""


class _Keys(BaseHTTPRequestHandler):
    """Gives the service's keys, unless they are away, and counts."""

    server: KeysServer

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked += 1
        found = self.server.answer if self.path == JWKS else None
        self.send_response(503 if found is None else 200)
        self.send_header("Content-Length", str(len(found or b"")))
        self.send_header("Content-Type", "application/jwk-set+json")
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class KeysServer(ThreadingHTTPServer):
    """What stands in front of the service: a door that can be shut, with a counter."""

    answer: bytes | None = None
    asked: int = 0
    daemon_threads: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Keys)

    @property
    def url(self) -> str:
        """Its address, which is the issuer's."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@dataclass(frozen=True)
class SignIn:
    """What a service has given out, and the keys that it signed with.

    Args:
        door: Where its public keys are fetched.
        jwks: These keys.
        ring: The pairs themselves, for those who forge.
        good: Session tokens of both algorithms, by what they are.
        others: What else the service gave out.
    """

    door: KeysServer
    jwks: dict[str, Any]
    ring: KeyRing
    good: Mapping[str, str]
    others: Mapping[str, str]

    def shut(self) -> None:
        """Have nobody fetch the keys."""
        self.door.answer = None

    def open(self) -> None:
        """Have the keys fetched again, and count anew."""
        self.door.answer = json.dumps(self.jwks).encode()
        self.door.asked = 0

    def claims(self, name: str = "a user, ES256") -> dict[str, Any]:
        """Return what a good token says, read by the one library that the service has itself."""
        unverified: dict[str, Any] = jwt.decode(
            self.good[name], options={"verify_signature": False}
        )
        return unverified

    def attacker(self) -> Attacker:
        """Return who has the service's keys, and a good token's claims."""
        forge = Forge(VectorKeys(self.ring, load_keys().theirs, b""))
        return Attacker(forge, SESSION_TYP, self.claims())

    def attacks(self) -> dict[str, str]:
        """Return what no verifier may take, by what is wrong with it."""
        by = self.attacker()
        found = {f"{kind}: {name}": token for kind in FORGED for name, token in KINDS[kind](by)}
        eddsa = next(key for key in self.ring.signing_keys if key.alg == "EdDSA")
        forged = forged_eddsa(eddsa, SESSION_TYP, self.claims(), load_keys().theirs)
        found |= {f"EdDSA: {name}": token for name, token in forged}
        found |= {f"another token: {name}": token for name, token in self.others.items()}
        found |= dict(_bent_claims(by))
        found |= dict(_bent_texts(by.good()))
        return {name: token for name, token in found.items() if name not in SPELLINGS}


def _bent_claims(by: Attacker) -> Iterator[tuple[str, str]]:
    """Signed by the service's own key: what keeps these out is that each check is made."""
    now = int(time.time())
    times: dict[str, dict[str, Any]] = {
        "expired": {"iat": now - 660, "auth_time": now - 660, "exp": now - 60},
        "of an hour ahead": {"iat": now + 3600, "exp": now + 4200},
        "without an end": {"exp": None},
    }
    parties: dict[str, dict[str, Any]] = {
        "for another audience": {"aud": "kataven:other"},
        "for the exchange": {"aud": f"{by.claims['iss']}{API}/auth/exchange"},
        "of another issuer": {"iss": "https://evil.example"},
        "of an issuer that begins alike": {"iss": by.claims["iss"] + ".evil.example"},
    }
    for name, claims in {**times, **parties}.items():
        yield f"claims: {name}", by.claiming(**claims)
    for claim in by.claims.keys() - {"name", "email"}:
        rest = {name: value for name, value in by.claims.items() if name != claim}
        yield f"claims: no {claim}", by.payload(json.dumps(rest).encode())
        yield f"claims: {claim} as a list of lists", by.claiming(**{claim: [[1]]})
    for typ in ("widget-visitor+jwt", "JWT", "at+jwt", "", None):
        yield f"claims: typ {typ!r}", by.signed(typ=typ)
    header = by.forge.header(by.typ)
    del header["typ"]
    yield "claims: no typ", by.forge.token(header, dict(by.claims))


def _bent_texts(good: str) -> Iterator[tuple[str, str]]:
    header, payload, signature = good.split(".")
    middle = len(payload) // 2
    other = "A" if payload[middle] != "A" else "B"
    yield (
        "text: one character changed",
        f"{header}.{payload[:middle]}{other}{payload[middle + 1 :]}.{signature}",
    )
    texts = {
        "empty": "", "a word": "token", "three dots": "...", "two dots": "..",
        "no signature": f"{header}.{payload}.", "no third part": f"{header}.{payload}",
        "four parts": f"{good}.{signature}", "Bearer before": f"Bearer {good}",
        "half of it": good[: len(good) // 2], "of 16 KiB": "e" * 16_384,
    }  # fmt: skip
    for name, text in texts.items():
        yield f"text: {name}", text


@contextmanager
def signed_in(folder: Path) -> Iterator[SignIn]:
    """Run a service, have it sign by both algorithms, and give what it gave.

    The server itself ends before the verifiers begin: they need its public keys alone.
    """
    with KeysServer() as door:
        threading.Thread(target=door.serve_forever, args=(0.01,), daemon=True).start()
        (folder / "tenants.yaml").write_text(
            yaml.safe_dump(document(issuer=door.url, limits=NO_LIMITS))
        )
        arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--instance", "keys")
        with running(COMMAND, "serve", *arguments, "--signing-alg", "EdDSA", cwd=folder) as server:
            yield _collected(door, folder / "keys", server.port())
        door.shutdown()


def _collected(door: KeysServer, instance: Path, port: int) -> SignIn:
    good = {"a guest, EdDSA": _ask(port, "guest")["token"]}
    _, ring = change_key_ring(
        instance, lambda before: before.rotated(time.time(), "ES256", at_once=True)
    )

    def signs_anew() -> bool:
        good["a guest, ES256"] = _ask(port, "guest")["token"]
        return bool(jwt.get_unverified_header(good["a guest, ES256"])["alg"] == "ES256")

    wait_until(signs_anew, "the service signs with the new key")
    visitor = _ask(port, "user-token", SECRET, **USER)["token"]
    user = _ask(port, "exchange", token=visitor)
    good["a user, ES256"] = user["token"]
    others = {"a visitor token": visitor, "a refresh token": user["refresh_token"]}
    return SignIn(door, _ask(port), ring, good, others)


def _ask(port: int, action: str = "", secret: str | None = None, **body: str) -> Any:
    """Call the service as a page does, or as a backend where a secret key is given."""
    headers = {"Origin": ORIGIN} if secret is None else {"Authorization": f"Bearer {secret}"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)) as connection:
        if action:
            sent = body if "token" in body else {"client_key": KEY, **body}
            connection.request("POST", f"{API}/auth/{action}", json.dumps(sent), headers)
        else:
            connection.request("GET", JWKS)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)
