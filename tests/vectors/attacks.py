"""Forged JWTs, made of any good claims: shown to every verifier, by the keys it really has.

`generate` has more that are fixed. Here is what needs the key under attack: its public half as a
secret, its id with something behind it, its signature bent.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kataven_flask.signing import make_signing_key
from tests.vectors.attacker import Attacker, part, raw_of
from tests.vectors.claim_attacks import (
    other_parties,
    other_shapes,
    other_times,
    strange_claims,
)

ORDER_OF_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, section 2.4.2."""
NONES: Final = (
    "none",
    "None",
    "NONE",
    "nOnE",
    " none",
    "none ",
    "",
    "null",
    "NULL",
    "\0",
    "no\0ne",
)

RSA_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED_KEY: Final = Ed25519PrivateKey.generate()
P384_KEY: Final = ec.generate_private_key(ec.SECP384R1())


# --- the header


def other_algorithms(by: Attacker) -> Iterator[tuple[str, str]]:
    """No algorithm but the key's own."""
    for alg in NONES:
        yield f"alg {alg!r} unsigned", by.unsigned(by.forge.header(by.typ, alg=alg)) + "."
        yield f"alg {alg!r} signed", by.signed(alg=alg)
    public = by.forge.private_key.public_key()
    jwk = dict(by.forge.ours.newest.public_jwk)
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secrets = {
        "PEM": by.forge.public_pem,
        "PEM stripped": by.forge.public_pem.strip(),
        "PEM with CRLF": by.forge.public_pem.replace(b"\n", b"\r\n"),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": json.dumps(jwk).encode(),
        "JWK short": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWKS": json.dumps(by.forge.ours.jwks()).encode(),
        "point": point,
        "coordinates": point[1:],
        "x": point[1:33],
        "kid": by.kid.encode(),
        "nothing": b"",
    }
    for name, secret in secrets.items():
        yield f"HS256 by the public {name}", _hmac(by, "HS256", secret, "sha256")
    yield "HS384 by the public PEM", _hmac(by, "HS384", by.forge.public_pem, "sha384")
    yield "HS512 by the public PEM", _hmac(by, "HS512", by.forge.public_pem, "sha512")
    yield "HS256 under ES256", _hmac(by, "ES256", by.forge.public_pem, "sha256")
    yield from _asymmetric(by)


def _hmac(by: Attacker, alg: str, secret: bytes, digest: str) -> str:
    text = by.unsigned(by.forge.header(by.typ, alg=alg))
    return f"{text}.{part(hmac.digest(secret, text.encode(), digest))}"


def _asymmetric(by: Attacker) -> Iterator[tuple[str, str]]:
    for alg in ("EdDSA", "Ed25519", "ES256"):
        text = by.unsigned(by.forge.header(by.typ, alg=alg))
        yield f"{alg} by an Ed25519 key", f"{text}.{part(ED_KEY.sign(text.encode()))}"
    for alg in ("RS256", "ES256"):
        text = by.unsigned(by.forge.header(by.typ, alg=alg))
        signature = RSA_KEY.sign(text.encode(), padding.PKCS1v15(), SHA256())
        yield f"{alg} by an RSA key", f"{text}.{part(signature)}"
    text = by.unsigned(by.forge.header(by.typ, alg="PS256"))
    pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)
    yield (
        "PS256 by an RSA key",
        f"{text}.{part(RSA_KEY.sign(text.encode(), pss, SHA256()))}",
    )
    for alg in ("ES384", "ES256"):
        text = by.unsigned(by.forge.header(by.typ, alg=alg))
        r, s = decode_dss_signature(P384_KEY.sign(text.encode(), ec.ECDSA(SHA384())))
        yield f"{alg} by a P-384 key", f"{text}.{part(r.to_bytes(48) + s.to_bytes(48))}"
    for alg in ("ES256K", "ES512", "ES256 ", "es256", "ECDH-ES", "dir", "A128KW"):
        yield f"alg {alg!r}, by our key", by.signed(alg=alg)
    strange: tuple[Any, ...] = (["ES256"], {"ES256": 1}, None, 256, True, 1.5)
    for alg in strange:
        yield f"alg {alg!r}", by.signed(alg=alg)
    text = by.unsigned(by.forge.header(by.typ))
    r, s = decode_dss_signature(by.forge.private_key.sign(text.encode(), ec.ECDSA(SHA512())))
    yield "SHA-512 under ES256", f"{text}.{part(r.to_bytes(32) + s.to_bytes(32))}"


def other_keys(by: Attacker) -> Iterator[tuple[str, str]]:
    """No key but the server's, wherever the header says that one is."""
    kids: dict[str, Any] = {
        "a path": "../../../../dev/null",
        "an absolute path": "/etc/passwd",
        "SQL": "x' UNION SELECT 'secret' --",
        "a URL": "https://evil.example/jwks.json",
        "a command": "| touch /tmp/owned",
        "very long": "k" * 8000,
        "NUL behind": by.kid + "\0",
        "a line's end behind": by.kid + "\n",
        "a blank before": " " + by.kid,
        "in upper case": by.kid.upper(),
        "the first half": by.kid[: len(by.kid) // 2],
        "beyond ASCII": by.kid + "\u0661",
        "a surrogate": "\ud800",
        "a list": [by.kid],
        "a mapping": {"kid": by.kid},
        "a number": 7,
        "a fraction": 1.5,
        "true": True,
        "null": None,
        "empty": "",
    }
    for name, kid in kids.items():
        yield f"kid {name}", by.signed(kid=kid)
    yield "our kid, their key", by.by_stranger()
    theirs = dict(make_signing_key(by.forge.theirs).public_jwk)
    pointers: dict[str, Any] = {
        "jwk": theirs,
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIBszCCAVmgAwIBAgIU"],
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
    }
    for member, value in pointers.items():
        yield f"{member}, their kid", by.by_stranger(kid=theirs["kid"], **{member: value})
        yield f"{member}, our kid", by.by_stranger(**{member: value})
    twice = json.dumps(by.forge.header(by.typ))[1:]
    for member, value in {"kid": theirs["kid"], "alg": "none", "typ": "JWT"}.items():
        raw = f'{{"{member}": {json.dumps(value)}, {twice}'.encode()
        yield (
            f"{member} twice",
            by.forge.token(raw, dict(by.claims), by.forge.theirs),
        )


def other_types(by: Attacker) -> Iterator[tuple[str, str]]:
    """No type but its own."""
    others: tuple[Any, ...] = (
        "JWT", "at+jwt", "", None, 1, True, [by.typ], {"typ": by.typ}, by.typ.upper(),
        f"application/{by.typ}", by.typ + " ", by.typ + "\0", by.typ[:-1],
        "widget-session+jwt" if "visitor" in by.typ else "widget-visitor+jwt",
    )  # fmt: skip
    for typ in others:
        yield f"typ {typ!r}", by.signed(typ=typ)
    for member, value in {"crit": ["b64"], "b64": False, "zip": "DEF"}.items():
        yield f"{member}, by a stranger", by.by_stranger(**{member: value})
    yield "b64 false, unencoded", by.by_stranger(b64=False, crit=["b64"])
    yield "crit of nobody", by.signed(crit=["x"], x=1)
    yield "crit empty", by.signed(crit=[])
    yield "crit as text", by.signed(crit="exp")


# --- the signature


def bent_signatures(by: Attacker) -> Iterator[tuple[str, str]]:
    """No signature but one that the key made of these very bytes."""
    good = by.good()
    text, _, signature = good.rpartition(".")
    raw = raw_of(signature)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    n = ORDER_OF_P256
    pairs = {
        "zeros": (0, 0), "r zero": (0, s), "s zero": (r, 0), "ones": (1, 1), "r of n": (n, s),
        "s of n": (r, n), "both n": (n, n), "the largest": (2**256 - 1, 2**256 - 1),
        "swapped": (s, r), "r mirrored": (n - r, s), "r and s mirrored": (n - r, n - s),
    }  # fmt: skip
    for name, (first, second) in pairs.items():
        yield f"signature {name}", f"{text}.{part(first.to_bytes(32) + second.to_bytes(32))}"
    others = {
        "in DER": encode_dss_signature(r, s),
        "a byte short": raw[:-1],
        "a byte long": raw + b"\0",
        "a zero before": b"\0" + raw,
        "twice": raw + raw,
        "the first half": raw[:32],
        "empty": b"",
        "of 8 KiB": raw * 128,
    }
    for name, other in others.items():
        yield f"signature {name}", f"{text}.{part(other)}"
    header = text.partition(".")[0]
    of_header = by.forge.private_key.sign(header.encode(), ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(of_header)
    yield (
        "signature of the header alone",
        f"{text}.{part(r.to_bytes(32) + s.to_bytes(32))}",
    )


KINDS: Final[Mapping[str, Callable[[Attacker], Iterator[tuple[str, str]]]]] = {
    "algorithm": other_algorithms,
    "key": other_keys,
    "type": other_types,
    "signature": bent_signatures,
    "times": other_times,
    "parties": other_parties,
    "claims": strange_claims,
    "shape": other_shapes,
}
