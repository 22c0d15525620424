"""Writes the vectors anew: `python -m tests.vectors.generate`.

Each hostile token is a good one with a single thing changed, so that what refuses it
is the check that it is aimed at. The keys are made once and then left as they are.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from itsdangerous import Signer, TimestampSigner, URLSafeSerializer

from kataven_flask.signing import KeyRing, RefreshSecret, make_signing_key
from kataven_flask.tokens import (
    SESSION_TYP,
    VISITOR_TYP,
    RefreshClaims,
    Session,
    Tokens,
)
from tests.support import AUDIENCE, ISSUER, KEY, NOON, ORIGIN
from tests.vectors import (
    JWT_FILE,
    KEYS_FILE,
    REFRESH_FILE,
    Vector,
    VectorKeys,
    load_keys,
)

NOW: Final = int(NOON)
EXCHANGE: Final = f"{ISSUER}/api/v1/widget/auth/exchange"
VISITOR: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "aud": EXCHANGE,
    "sub": "42",
    "tenant": "acme",
    "client_key": KEY,
    "jti": "vis_1",
    "iat": NOW,
    "exp": NOW + 300,
}
SESSION: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "42",
    "sid": "ses_1",
    "tenant": "acme",
    "agent_id": "support",
    "client_key": KEY,
    "origin": ORIGIN,
    "visitor_type": "user",
    "auth_time": NOW,
    "jti": "tok_1",
    "iat": NOW,
    "exp": NOW + 600,
}
_WRONG_TIMES: Final[dict[str, Any]] = {
    "as text": str(NOW + 300),
    "as a fraction": NOW + 300.5,
    "as true": True,
    "as a list": [NOW + 300],
    "as null": None,
    "not a number": float("nan"),
}


class Forge:
    """Makes tokens out of any header, payload and key."""

    def __init__(self, keys: VectorKeys) -> None:
        self.ours: KeyRing = keys.ours
        self.theirs = keys.theirs
        private_key = keys.ours.newest.private_key
        assert isinstance(private_key, EllipticCurvePrivateKey)
        self.private_key = private_key
        self.public_pem = self.private_key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def header(self, typ: Any = VISITOR_TYP, **members: Any) -> dict[str, Any]:
        """Return the header of a good token, with members laid over it."""
        return {"alg": "ES256", "kid": self.ours.newest.kid, "typ": typ, **members}

    def token(self, header: Any, payload: Any, key: EllipticCurvePrivateKey | None = None) -> str:
        """Sign with ES256 (RFC 7518, section 3.4), by our key unless another is given."""
        signing_input = f"{_part(header)}.{_part(payload)}"
        signature = (key or self.private_key).sign(signing_input.encode(), ECDSA(SHA256()))
        r, s = decode_dss_signature(signature)
        return f"{signing_input}.{_part(r.to_bytes(32) + s.to_bytes(32))}"

    def visitor(self, **claims: Any) -> str:
        """Return a visitor token of ours, with claims laid over the good ones."""
        return self.token(self.header(), {**VISITOR, **claims})

    def session(self, **claims: Any) -> str:
        """Return a session token of ours, with claims laid over the good ones."""
        return self.token(self.header(SESSION_TYP), {**SESSION, **claims})

    def hs256(self, secret: bytes, **members: Any) -> str:
        """Sign with HS256, which no key of ours is for."""
        signing_input = f"{_part(self.header(alg='HS256', **members))}.{_part(VISITOR)}"
        digest = hmac.digest(secret, signing_input.encode(), "sha256")
        return f"{signing_input}.{_part(digest)}"


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt_vectors(forge: Forge) -> Iterator[Vector]:
    """Make the JWTs, for the verifiers of visitor and of session tokens."""
    yield Vector("a visitor token", "visitor", "good", forge.visitor())
    yield Vector("a session token", "session", "good", forge.session())
    skew = forge.visitor(iat=NOW + 10)
    yield Vector("minted by a clock ten seconds ahead", "visitor", "good", skew)
    for kind, make in (("visitor", forge.visitor), ("session", forge.session)):
        yield Vector("ended a second ago", kind, "expired", make(exp=NOW - 1))
        yield Vector("ends now", kind, "expired", make(exp=NOW))
        yield Vector("ended before 1970", kind, "bad", make(exp=-1))
    for name, token in _of_another_kind(forge):
        yield Vector(name, "session" if name.startswith("a visitor") else "visitor", "bad", token)
    for name, token in [
        *_of_no_key_of_ours(forge),
        *_with_a_hostile_header(forge),
        *_with_hostile_claims(forge),
        *_that_are_no_jwt(forge),
    ]:
        yield Vector(name, "visitor", "bad", token)
    for claim in SESSION:
        payload = {name: value for name, value in SESSION.items() if name != claim}
        token = forge.token(forge.header(SESSION_TYP), payload)
        yield Vector(f"without {claim}", "session", "bad", token)


def _of_another_kind(forge: Forge) -> Iterator[tuple[str, str]]:
    yield "a session token in a visitor token's place", forge.session()
    yield "a session token with a visitor token's audience", forge.session(aud=EXCHANGE)
    visitor_as_session = forge.token(forge.header(), {**SESSION, "aud": AUDIENCE})
    yield "a visitor token with a session token's claims", visitor_as_session
    yield "a visitor token in a session token's place", forge.visitor()


def _of_no_key_of_ours(forge: Forge) -> Iterator[tuple[str, str]]:
    good = forge.visitor()
    header, payload, signature = good.split(".")
    none = f"{_part(forge.header(alg='none'))}.{payload}."
    yield "alg none, unsigned", none
    yield "alg none, with the signature of another", none + signature
    yield "alg None", f"{_part(forge.header(alg='None'))}.{payload}."
    yield "no alg", f"{_part({'kid': forge.ours.newest.kid, 'typ': VISITOR_TYP})}.{payload}."
    yield "alg null", forge.token(forge.header(alg=None), VISITOR)
    yield "alg a list", forge.token(forge.header(alg=["ES256"]), VISITOR)
    yield "alg in lower case", forge.token(forge.header(alg="es256"), VISITOR)
    yield "alg ES384", forge.token(forge.header(alg="ES384"), VISITOR)
    yield "alg EdDSA", forge.token(forge.header(alg="EdDSA"), VISITOR)
    jwk = json.dumps(dict(forge.ours.newest.public_jwk)).encode()
    yield "HS256 by the public key in PEM", forge.hs256(forge.public_pem)
    yield (
        "HS256 by the public key in PEM without its last line",
        forge.hs256(forge.public_pem.strip()),
    )
    yield "HS256 by the public JWK", forge.hs256(jwk)
    yield "HS256 by nothing, the kid a path", forge.hs256(b"", kid="../../../../dev/null")
    yield "signed by a stranger", forge.token(forge.header(), VISITOR, forge.theirs)
    yield "signed by zeros", f"{header}.{payload}.{_part(bytes(64))}"
    yield "unsigned", f"{header}.{payload}."
    yield "signature cut short", good[:-4]
    yield "signature of another payload", f"{header}.{_part({**VISITOR, 'sub': '1'})}.{signature}"
    der = forge.private_key.sign(f"{header}.{payload}".encode(), ECDSA(SHA256()))
    yield "signature in DER", f"{header}.{payload}.{_part(der)}"


def _with_a_hostile_header(forge: Forge) -> Iterator[tuple[str, str]]:
    theirs = dict(make_signing_key(forge.theirs).public_jwk)
    for name, kid in {
        "unknown": "nobody",
        "a path": "../../keyring.json",
        "SQL": "' OR 1=1 --",
        "a number": 7,
        "a list": [forge.ours.newest.kid],
        "null": None,
        "empty": "",
    }.items():
        yield f"kid {name}", forge.token(forge.header(kid=kid), VISITOR)
    by_them = forge.token(forge.header(kid=theirs["kid"]), VISITOR, forge.theirs)
    yield "kid of a stranger's key", by_them
    no_kid = {name: value for name, value in forge.header().items() if name != "kid"}
    yield "no kid", forge.token(no_kid, VISITOR)
    members: dict[str, Any] = {
        "jku": "https://evil.example/jwks.json",
        "jwk": theirs,
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
    }
    for member, value in members.items():
        yield f"{member}, signed by us", forge.token(forge.header(**{member: value}), VISITOR)
        by_them = forge.token(forge.header(**{member: value}), VISITOR, forge.theirs)
        yield f"{member}, signed by a stranger", by_them
    for typ in ("JWT", "", "WIDGET-VISITOR+JWT", "application/widget-visitor+jwt", SESSION_TYP, 1):
        yield f"typ {typ!r}", forge.token(forge.header(typ=typ), VISITOR)
    no_typ = {name: value for name, value in forge.header().items() if name != "typ"}
    yield "no typ", forge.token(no_typ, VISITOR)
    headers: dict[str, Any] = {
        "a list": [],
        "text": "ES256",
        "null": None,
        "empty": b"",
        "not JSON": b"{",
        "not UTF-8": b"\xff\xfe",
        "nested too deep": b"[" * 4000,
        "of one huge number": b'{"alg":' + b"1" * 5000 + b"}",
    }
    for name, header in headers.items():
        yield f"header {name}", forge.token(header, VISITOR)


def _with_hostile_claims(forge: Forge) -> Iterator[tuple[str, str]]:
    for claim in VISITOR:
        payload = {name: value for name, value in VISITOR.items() if name != claim}
        yield f"without {claim}", forge.token(forge.header(), payload)
    for name, value in _WRONG_TIMES.items():
        yield f"exp {name}", forge.visitor(exp=value)
        yield f"iat {name}", forge.visitor(iat=value)
    endless = json.dumps(VISITOR).replace(f'"exp": {NOW + 300}', '"exp": 1e400')
    yield "exp endless", forge.token(forge.header(), endless.encode())
    yield "iat in the future", forge.visitor(iat=NOW + 11)
    yield "iat far in the future", forge.visitor(iat=NOW * 10)
    yield "aud a list", forge.visitor(aud=[EXCHANGE])
    yield "aud a list with another", forge.visitor(aud=[EXCHANGE, AUDIENCE])
    yield "aud of session tokens", forge.visitor(aud=AUDIENCE)
    yield "aud of another server", forge.visitor(aud=EXCHANGE.replace("widget.", "evil."))
    yield "aud empty", forge.visitor(aud="")
    yield "aud a mapping", forge.visitor(aud={EXCHANGE: True})
    yield "iss of another server", forge.visitor(iss="https://evil.example")
    yield "iss a part of ours", forge.visitor(iss=ISSUER[:-1])
    yield "iss with a slash", forge.visitor(iss=ISSUER + "/")
    yield "iss a list", forge.visitor(iss=[ISSUER])
    yield "sub a number", forge.visitor(sub=42)
    yield "jti a number", forge.visitor(jti=1)
    yield "jti null", forge.visitor(jti=None)


def _that_are_no_jwt(forge: Forge) -> Iterator[tuple[str, str]]:
    good = forge.visitor()
    header, payload, signature = good.split(".")
    for name, raw in {
        "a list": b"[]",
        "text": b'"x"',
        "null": b"null",
        "empty": b"",
        "not JSON": b"{",
        "not UTF-8": b'{"sub": "\xff"}',
        "another token": good.encode(),
        "nested too deep": b"[" * 4000,
    }.items():
        yield f"payload {name}", forge.token(forge.header(), raw)
    yield "nothing", ""
    yield "no dots", "token"
    yield "two parts", f"{header}.{payload}"
    yield "four parts", f"{good}.{signature}"
    yield "five parts", f"{good}.{signature}.{signature}"
    yield "dots alone", ".."
    yield "no header", f".{payload}.{signature}"
    yield "no payload", f"{header}..{signature}"
    yield "truncated", good[: len(good) // 2]
    yield "with white space before it", f" {good}"
    yield "with a line's end after it", f"{good}\n"
    yield "with its scheme", f"Bearer {good}"
    yield "not base64", f"{header}.{payload}.!!!!"
    yield "beyond ASCII", good.replace(".", "。")
    yield "a lone surrogate", "\ud800"
    yield "NUL", "\0.\0.\0"
    yield "huge", "A" * 20_000
    yield "a good one made huge", forge.visitor(name="x" * 20_000)


def refresh_vectors(keys: VectorKeys) -> Iterator[Vector]:
    """Make the refresh tokens."""
    oldest, newest = (secret.secret for secret in keys.ours.refresh_secrets)
    tokens = Tokens(keys.ours, ISSUER, AUDIENCE)
    session = Session(
        "ses_1", "42", "acme", "support", KEY, ORIGIN, "user", NOW * 1000, "Ada", "ada@acme.com"
    )
    claims = RefreshClaims(session, 3, NOW, NOW + 86400)

    def minted_by(*secrets: bytes) -> str:
        ring = KeyRing(keys.ours.signing_keys, tuple(map(RefreshSecret, secrets)))
        return Tokens(ring, ISSUER, AUDIENCE).mint_refresh(claims)

    good = minted_by(oldest, newest)
    payload, signature = good.rsplit(".", 1)
    others = tokens.mint_refresh(dataclasses.replace(claims, generation=4))
    yield Vector("a refresh token", "refresh", "good", good)
    yield Vector("signed by the secret before", "refresh", "good", minted_by(oldest))
    hostile = {
        "signed by an unknown secret": minted_by(keys.unknown_secret),
        "signed by nothing": minted_by(b""),
        "one character of the payload changed": _flipped(payload) + "." + signature,
        "one character of the signature changed": f"{payload}.{_flipped(signature)}",
        "another's signature": f"{payload}.{others.rsplit('.', 1)[1]}",
        "a higher generation": f"{_with_generation(payload, 4)}.{signature}",
        "no signature": payload,
        "an empty signature": f"{payload}.",
        "a signature alone": f".{signature}",
        "truncated": good[: len(good) // 2],
        "nothing": "",
        "a dot": ".",
        "white space": " ",
        "with a line's end after it": f"{good}\n",
        "beyond ASCII": good.replace(".", "。"),
        "a lone surrogate": "\ud800.\ud800",
        "NUL": "\0.\0",
        "huge": "A" * 20_000,
        "a session token": Forge(keys).session(),
        "unsigned JSON": '{"session": {}, "generation": 0, "iat": 0, "exp": 9999999999}',
        "another salt": _signed_otherwise(payload, newest, salt=b"kataven_flask.guest-token.v1"),
        "the library's own salt": Signer(newest).sign(payload).decode(),
        "the library's own derivation": _signed_otherwise(
            payload, newest, key_derivation="django-concat"
        ),
        "SHA-1": _signed_otherwise(payload, newest, digest_method=hashlib.sha1),
        "the library's timed signature": TimestampSigner(newest).sign(payload).decode(),
        "the library's serializer": str(URLSafeSerializer(newest).dumps({"generation": 0})),
        "a bare HMAC": f"{payload}.{_part(hmac.digest(newest, payload.encode(), 'sha256'))}",
    }
    for name, token in hostile.items():
        yield Vector(name, "refresh", "bad", token)
    assert tokens.verify_refresh(good) == claims


def _signed_otherwise(payload: str, secret: bytes, **options: Any) -> str:
    members = {
        "salt": b"kataven_flask.refresh-token.v1",
        "key_derivation": "hmac",
        "digest_method": hashlib.sha256,
        **options,
    }
    return Signer(secret, **members).sign(payload).decode()


def _flipped(text: str) -> str:
    middle = len(text) // 2
    other = "A" if text[middle] != "A" else "B"
    return text[:middle] + other + text[middle + 1 :]


def _with_generation(payload: str, generation: int) -> str:
    padded = payload + "=" * (-len(payload) % 4)
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
    return _part({**claims, "generation": generation})


def _make_keys() -> dict[str, Any]:
    def pem() -> list[str]:
        key = generate_private_key(SECP256R1())
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return raw.decode().splitlines()

    return {
        "ours": pem(),
        "theirs": pem(),
        "refresh_secrets": [hashlib.sha256(name).hexdigest() for name in (b"oldest", b"newest")],
        "unknown_secret": hashlib.sha256(b"unknown").hexdigest(),
    }


def _write(path: Path, vectors: Iterator[Vector]) -> None:
    entries = [
        {"name": v.name, "verifier": v.verifier, "verdict": v.verdict, "token": v.token}
        for v in vectors
    ]
    path.write_text(json.dumps(entries, indent=1) + "\n")


def main() -> None:
    """Write the vectors, and the keys where there are none."""
    if not KEYS_FILE.exists():
        KEYS_FILE.write_text(json.dumps(_make_keys(), indent=1) + "\n")
    keys = load_keys()
    _write(JWT_FILE, jwt_vectors(Forge(keys)))
    _write(REFRESH_FILE, refresh_vectors(keys))


if __name__ == "__main__":
    main()
