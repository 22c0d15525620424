"""Which members of a JWK set verify, and which never do."""

from __future__ import annotations

import base64
import hmac
import json
import logging
from typing import Any, Final, NoReturn

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kataven_flask.signing import generate_private_key_for, make_signing_key
from kataven_flask.verify import InvalidSession, KeysUnavailableError, SessionVerifier
from kataven_flask.verify.jwks import MAX_KID, parse_jwks
from tests.support import AUDIENCE, ISSUER, NOON
from tests.vectors.generate import SESSION, Forge
from tests.verify.key_server import GOOD, KEYS, NEXT, OURS, KeyServer, jwks, minted, takes

JWK: Final[dict[str, Any]] = dict(OURS.public_jwk)
OTHER: Final[dict[str, Any]] = dict(NEXT.public_jwk)
ED25519: Final = make_signing_key(generate_private_key_for("EdDSA"))
SECRET: Final = b"k" * 32


def part(raw: bytes) -> str:
    """Write bytes as JOSE does."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def private_half() -> str:
    """Return what our key keeps to itself, as a JWK has it."""
    private_key = OURS.private_key
    assert isinstance(private_key, EllipticCurvePrivateKey)
    return part(private_key.private_numbers().private_value.to_bytes(32))


PRIVATE: Final = {**JWK, "d": private_half()}
OCT: Final = {"kty": "oct", "kid": OURS.kid, "k": part(SECRET), "alg": "HS256"}
RSA: Final = {"kty": "RSA", "kid": OURS.kid, "e": "AQAB", "n": part(b"\xff" * 256), "alg": "RS256"}


def without(name: str) -> dict[str, Any]:
    """Return our key without a member."""
    return {member: value for member, value in JWK.items() if member != name}


@pytest.mark.parametrize(
    "jwk",
    [
        JWK,
        without("alg"),
        without("use"),
        {**without("use"), "key_ops": ["verify"]},
        {**JWK, "x5u": "https://evil.example/cert", "more": {"x": []}},
    ],
    ids=["as published", "no alg", "no use", "key_ops", "more members"],
)
def test_keys_that_verify(jwk: dict[str, Any]) -> None:
    """A public P-256 key that is for signatures, or doesn't say, verifies."""
    assert parse_jwks({"keys": [jwk]}).keys[OURS.kid].alg == "ES256"


NEVER: Final[dict[str, Any]] = {
    "symmetric": OCT,
    "symmetric, said to be ES256": {**OCT, "alg": "ES256"},
    "symmetric, with a curve": {**OCT, "crv": "P-256"},
    "RSA": RSA,
    "private": PRIVATE,
    "private, of another key": {**JWK, "d": part(b"d" * 32)},
    "private, of null": {**JWK, "d": None},
    "for encryption": {**JWK, "use": "enc"},
    "for another use": {**JWK, "use": ["sig"]},
    "for signing alone": {**JWK, "key_ops": ["sign"]},
    "for operations that are no list": {**JWK, "key_ops": "verify"},
    "for another algorithm": {**JWK, "alg": "ES384"},
    "for HS256": {**JWK, "alg": "HS256"},
    "for none": {**JWK, "alg": "none"},
    "for an algorithm that is no text": {**JWK, "alg": ["ES256"]},
    "of another curve": {**JWK, "crv": "P-384"},
    "of a curve that is no text": {**JWK, "crv": ["P-256"]},
    "of a kind that is no text": {**JWK, "kty": {"EC": 1}},
    "not on the curve": {**JWK, "y": JWK["x"]},
    "at nowhere": {**JWK, "x": part(bytes(32)), "y": part(bytes(32))},
    "too short": {**JWK, "x": "AA"},
    "not base64url": {**JWK, "x": "%%%"},
    "of numbers": {**JWK, "x": 1, "y": 2},
    "without y": without("y"),
    "without kty": without("kty"),
    "without kid": without("kid"),
    "kid is empty": {**JWK, "kid": ""},
    "kid is a number": {**JWK, "kid": 1},
    "kid is endless": {**JWK, "kid": "k" * (MAX_KID + 1)},
    "Ed25519 on P-256": {**JWK, "kty": "OKP", "crv": "Ed25519"},
    "X25519": {"kty": "OKP", "crv": "X25519", "kid": OURS.kid, "x": part(b"x" * 32)},
    "text": "key",
    "null": None,
    "a list": [JWK],
}


@pytest.mark.parametrize("jwk", NEVER.values(), ids=NEVER)
def test_keys_that_never_verify(jwk: object) -> None:
    """A key of any other kind or use is left out, and the others of the set verify."""
    assert set(parse_jwks({"keys": [jwk, OTHER]}).keys) == {NEXT.kid}


def test_the_first_of_two_keys_with_one_id() -> None:
    """Where two keys have one id, the first is it; one that can't verify doesn't count."""
    named = {**OTHER, "kid": OURS.kid}
    found = parse_jwks({"keys": [OCT, JWK, named]}).keys
    assert found[OURS.kid].key == OURS.private_key.public_key()


def test_an_eddsa_key(keys: KeyServer) -> None:
    """An Ed25519 key verifies EdDSA."""
    keys.publish(OURS, ED25519)
    verifier = SessionVerifier(keys.url, ISSUER, AUDIENCE, clock=lambda: NOON)
    assert takes(verifier, minted(ED25519))
    assert takes(verifier, GOOD)


def test_a_key_that_this_system_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a system has no Ed25519, as under FIPS, the other keys of the set verify."""

    def refuse(*_: object) -> NoReturn:
        raise UnsupportedAlgorithm("ed25519 is not supported by this version of OpenSSL")

    monkeypatch.setattr(Ed25519PublicKey, "from_public_bytes", refuse)
    assert set(parse_jwks(jwks(ED25519, OURS)).keys) == {OURS.kid}


# --- attacks, with a set as a careless service would publish it


def hs256(secret: bytes, alg: str = "HS256") -> str:
    """Return a session token that is signed by a secret, under the id of our key."""
    header = {"alg": alg, "kid": OURS.kid, "typ": "widget-session+jwt"}
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(SESSION).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


@pytest.mark.parametrize("alg", ["HS256", "ES256", "none"])
def test_a_published_secret_signs_nothing(
    keys: KeyServer, verifier: SessionVerifier, alg: str
) -> None:
    """A symmetric key in the set lets nobody sign by it, whatever the header says."""
    keys.publish_jwks([OCT, OTHER])
    with pytest.raises(InvalidSession):
        verifier.verify(hs256(SECRET, alg))


@pytest.mark.parametrize(
    "secret",
    [
        Forge(KEYS).public_pem,
        base64.urlsafe_b64decode(JWK["x"] + "="),
        json.dumps(JWK).encode(),
        b"",
    ],
    ids=["PEM", "x", "JWK", "empty"],
)
def test_a_public_key_is_no_secret(
    keys: KeyServer, verifier: SessionVerifier, secret: bytes
) -> None:
    """Nothing that is signed by the public key as if it were a secret is taken."""
    with pytest.raises(InvalidSession):
        verifier.verify(hs256(secret))


def test_a_keys_algorithm_is_its_own(keys: KeyServer, verifier: SessionVerifier) -> None:
    """A token is verified by its key's algorithm, and not by that of its header."""
    keys.publish(OURS, ED25519)
    header, payload, signature = minted(ED25519).split(".")
    named = json.loads(base64.urlsafe_b64decode(header + "=="))
    for change in ({"alg": "ES256"}, {"kid": OURS.kid}, {"alg": "none"}, {"alg": "HS256"}):
        bent = part(json.dumps({**named, **change}).encode())
        with pytest.raises(InvalidSession):
            verifier.verify(f"{bent}.{payload}.{signature}")


def test_a_leaked_private_key(
    keys: KeyServer, verifier: SessionVerifier, caplog: pytest.LogCaptureFixture
) -> None:
    """A private key that is published verifies nothing from then on, and the log cries."""
    keys.publish_jwks([PRIVATE])
    with pytest.raises(KeysUnavailableError, match="no key of use"):
        takes(verifier)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("the sign-in service publishes private keys (1)")
    assert PRIVATE["d"] not in record.getMessage()


def test_a_set_of_many_keys(keys: KeyServer, verifier: SessionVerifier) -> None:
    """A set as large as it may be is read in a moment."""
    keys.publish_jwks([{**OTHER, "kid": f"k{number}"} for number in range(300)] + [JWK])
    assert takes(verifier)
