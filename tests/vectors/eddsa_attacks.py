"""Forged JWTs for a server whose key is an Ed25519 key: none is signed as that key signs."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kataven_flask.signing import SigningKey
from tests.vectors.attacker import part

ORDER_OF_ED25519: Final = 2**252 + 27742317777372353535851937790883648493
"""RFC 8032, section 5.1."""


def forged_eddsa(
    key: SigningKey, typ: str, claims: Mapping[str, Any], theirs: EllipticCurvePrivateKey
) -> Iterator[tuple[str, str]]:
    """Yield tokens of good claims that no verifier may take, each with what is wrong with it."""
    private = key.private_key
    assert isinstance(private, Ed25519PrivateKey)

    def text(alg: str) -> str:
        return f"{part({'alg': alg, 'kid': key.kid, 'typ': typ})}.{part(dict(claims))}"

    for name, secret in _public_halves(key, private).items():
        signature = hmac.digest(secret, text("HS256").encode(), "sha256")
        yield f"HS256 by the public {name}", f"{text('HS256')}.{part(signature)}"
    yield "none", f"{text('none')}."
    stranger = Ed25519PrivateKey.generate()
    for alg in ("EdDSA", "Ed25519"):
        yield f"a stranger's {alg}", f"{text(alg)}.{part(stranger.sign(text(alg).encode()))}"
    for alg in ("ES256", "none", "HS256", "eddsa"):
        yield f"ours under {alg}", f"{text(alg)}.{part(private.sign(text(alg).encode()))}"
    for alg in ("ES256", "EdDSA"):
        by_p256 = theirs.sign(text(alg).encode(), ECDSA(SHA256()))
        yield f"P-256 under {alg}", f"{text(alg)}.{part(by_p256)}"
    yield from _bent(private, text("EdDSA"))


def _public_halves(key: SigningKey, private: Ed25519PrivateKey) -> dict[str, bytes]:
    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = json.dumps(dict(key.public_jwk)).encode()
    return {
        "PEM": pem,
        "PEM stripped": pem.strip(),
        "bytes": raw,
        "bytes in base64": base64.b64encode(raw),
        "JWK": jwk,
        "nothing": b"",
    }


def _bent(private: Ed25519PrivateKey, text: str) -> Iterator[tuple[str, str]]:
    made = private.sign(text.encode())
    longer = int.from_bytes(made[32:], "little") + ORDER_OF_ED25519
    yield "s mirrored", f"{text}.{part(made[:32] + longer.to_bytes(32, 'little'))}"
    yield "zeros", f"{text}.{part(bytes(64))}"
    yield "the neutral point", f"{text}.{part(bytes([1]) + bytes(63))}"
