"""The key ring: the keys that sign tokens, the secrets that sign refresh tokens, and the JWKS.

It is one file in the instance folder, made at the first start and readable by its
owner alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shlex
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kataven_flask.errors import ConfigurationError

Algorithm: TypeAlias = Literal["ES256", "EdDSA"]
"""RFC 7518, section 3.4; RFC 8037, section 3.1."""
PrivateKey: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey

KEY_RING_FILE: Final = "keyring.json"
JWKS_MAX_AGE: Final = 300
"""Seconds that a verifier may keep the public keys."""
_REFRESH_SECRET_BYTES: Final = 32
"""As many as SHA-256 gives (RFC 2104, section 3)."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair.

    Args:
        kid: Its id: the RFC 7638 thumbprint of the public key.
        alg: The one algorithm it is used with (RFC 8725, section 3.1).
        private_key: The private half.
        public_jwk: The public half as a JWK (RFC 7517, section 4).
    """

    kid: str
    alg: Algorithm
    private_key: PrivateKey = field(repr=False)
    public_jwk: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All that signs and verifies.

    Args:
        signing_keys: Oldest to newest; the newest signs, all verify.
        refresh_secrets: Oldest to newest; the newest signs, all verify.
    """

    signing_keys: tuple[SigningKey, ...]
    refresh_secrets: tuple[bytes, ...] = field(repr=False)

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self.signing_keys[-1]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key with this id, or None."""
        return next((key for key in self.signing_keys if key.kid == kid), None)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK set (RFC 7517, section 5)."""
        return {"keys": [dict(key.public_jwk) for key in self.signing_keys]}


def open_key_ring(instance: Path, alg: Algorithm | None = None) -> KeyRing:
    """Read the key ring of an instance folder, and make both where they don't exist yet.

    Args:
        instance: The folder; its owner alone may read or write it.
        alg: The algorithm of a new signing key; None for ES256, or whatever is there.

    Raises:
        ConfigurationError: The folder or the file can't be used; the message says how to mend it.

    Returns:
        The key ring.
    """
    path = instance / KEY_RING_FILE
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_if_others_can(instance, "700")
        if not path.exists():
            _create(path, _new_content(alg or "ES256"))
        _refuse_if_others_can(path, "600")
        content = json.loads(path.read_bytes())
    except OSError as error:
        message = f"{error.filename or instance}: {error.strerror}; the instance folder holds keys"
        raise ConfigurationError(message) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not a key ring; restore it from a backup") from error
    ring = _parse(content, path)
    if alg is not None and ring.current.alg != alg:
        message = f"{path}: signs with {ring.current.alg}, not {alg}; use another --instance folder"
        raise ConfigurationError(message)
    return ring


def make_signing_key(private_key: PrivateKey) -> SigningKey:
    """Wrap a private key.

    Args:
        private_key: A P-256 or an Ed25519 key.

    Returns:
        The signing key, with its id and its public JWK.
    """
    alg, members = _public_members(private_key)
    kid = _thumbprint(members)
    return SigningKey(
        kid,
        alg,
        private_key,
        MappingProxyType({**members, "kid": kid, "alg": alg, "use": "sig"}),
    )


def generate_private_key_for(alg: Algorithm) -> PrivateKey:
    """Return a fresh private key for an algorithm, from the system's generator."""
    return generate_private_key(SECP256R1()) if alg == "ES256" else Ed25519PrivateKey.generate()


def _public_members(private_key: PrivateKey) -> tuple[Algorithm, dict[str, str]]:
    """Return the algorithm and the public members that RFC 7638, section 3.2, names."""
    public_key = private_key.public_key()
    if isinstance(private_key, Ed25519PrivateKey):
        raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "EdDSA", {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = point[1:33], point[33:]  # SEC 1, section 2.3.3: 04, x, y of 32 bytes each
    return "ES256", {"crv": "P-256", "kty": "EC", "x": _base64url(x), "y": _base64url(y)}


def _thumbprint(members: Mapping[str, str]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


# --- the file


def _new_content(alg: Algorithm) -> dict[str, Any]:
    pem = generate_private_key_for(alg).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    secret = secrets.token_hex(_REFRESH_SECRET_BYTES)
    return {
        "version": _VERSION,
        "signing_keys": [{"created_at": created_at, "private_key": pem.decode("ascii")}],
        "refresh_secrets": [{"created_at": created_at, "secret": secret}],
    }


def _create(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all; where two processes try, the first one's stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()


def _parse(content: Any, path: Path) -> KeyRing:
    try:
        if content["version"] != _VERSION:
            raise ConfigurationError(f"{path}: was written by a newer version; upgrade this one")
        signing_keys = [_read_key(entry["private_key"]) for entry in content["signing_keys"]]
        refresh_secrets = [bytes.fromhex(entry["secret"]) for entry in content["refresh_secrets"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: not a key ring; restore it from a backup") from error
    if not signing_keys or not all(
        len(s) >= _REFRESH_SECRET_BYTES for s in refresh_secrets or [b""]
    ):
        raise ConfigurationError(f"{path}: lacks a key or a secret; restore it from a backup")
    return KeyRing(tuple(signing_keys), tuple(refresh_secrets))


def _read_key(pem: str) -> SigningKey:
    private_key = load_pem_private_key(pem.encode("ascii"), password=None)
    if isinstance(private_key, Ed25519PrivateKey):
        return make_signing_key(private_key)
    if isinstance(private_key, EllipticCurvePrivateKey) and private_key.curve.name == "secp256r1":
        return make_signing_key(private_key)
    raise ValueError("a signing key is P-256 or Ed25519")


def _refuse_if_others_can(path: Path, mode: str) -> None:
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"{path}: belongs to another user; run: chown $(id -u) {shlex.quote(str(path))}"
        )
    if status.st_mode & _OTHERS:
        raise ConfigurationError(
            f"{path}: others can read or write it; run: chmod {mode} {shlex.quote(str(path))}"
        )
