"""Fixed hostile tokens: what strangers send in the place of a token, kept as bytes on disk.

The keys here are published on purpose; they sign nothing but these files. `generate`
writes the files anew: `python -m tests.vectors.generate`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kataven_flask.signing import KeyRing, RefreshSecret, make_signing_key

FOLDER: Final = Path(__file__).parent
KEYS_FILE: Final = FOLDER / "keys.json"
JWT_FILE: Final = FOLDER / "jwt.json"
REFRESH_FILE: Final = FOLDER / "refresh.json"


@dataclass(frozen=True, slots=True)
class Vector:
    """One token, and what a verifier must make of it.

    Args:
        name: What is wrong with it, in a few words.
        verifier: Which verifier it is shown to: `visitor`, `session` or `refresh`.
        verdict: `good`, `expired` or `bad`.
        token: The text.
    """

    name: str
    verifier: str
    verdict: str
    token: str


@dataclass(frozen=True, slots=True)
class VectorKeys:
    """The keys that the vectors were made with.

    Args:
        ours: The key ring of the server under attack.
        theirs: The attacker's own key pair.
        unknown_secret: A refresh secret that the server doesn't have.
    """

    ours: KeyRing
    theirs: EllipticCurvePrivateKey
    unknown_secret: bytes


def load_keys() -> VectorKeys:
    """Read the published keys."""
    content = json.loads(KEYS_FILE.read_text())
    return VectorKeys(
        KeyRing(
            (make_signing_key(_private_key(content["ours"])),),
            tuple(RefreshSecret(bytes.fromhex(secret)) for secret in content["refresh_secrets"]),
        ),
        _private_key(content["theirs"]),
        bytes.fromhex(content["unknown_secret"]),
    )


def load_vectors(path: Path) -> list[Vector]:
    """Read a file of vectors."""
    return [Vector(**members) for members in json.loads(path.read_text())]


def _private_key(pem: list[str]) -> EllipticCurvePrivateKey:
    key = load_pem_private_key("\n".join(pem).encode(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key
