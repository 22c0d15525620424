"""The key ring: the keys that sign tokens, the secrets that sign refresh tokens, and the JWKS.

Pure: which of them signs at a time, which only verify, and which can go. Where they
are kept is `key_ring_file`'s business.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kataven_flask.durations import MINUTE
from kataven_flask.errors import ConfigurationError
from kataven_flask.tenants import MAX_REFRESH_TTL, MAX_SESSION_TTL, MAX_VISITOR_TTL
from kataven_flask.times import utc_minute

Algorithm: TypeAlias = Literal["ES256", "EdDSA"]
"""RFC 7518, section 3.4; RFC 8037, section 3.1."""
PrivateKey: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey
State: TypeAlias = Literal["waits", "signs", "verifies", "prunable"]

JWKS_MAX_AGE: Final = 300
"""Seconds that a verifier may keep the public keys."""
LEAD: Final = 3 * JWKS_MAX_AGE
"""Seconds that a new key is published before it signs: `JWKS_MAX_AGE` for a cache on the way, as
much again for a verifier that doesn't see how old the copy is that it was given, and the rest for
hosts that see the file late (network file systems keep attributes for up to a minute)."""
PRUNE_MARGIN: Final = 5 * MINUTE
"""Seconds that a key is kept beyond the end of its last token: more than a host may see the file
late, clocks may differ and verifiers may be lenient, all taken together."""
SIGNING_KEY_KEPT: Final = max(MAX_VISITOR_TTL, MAX_SESSION_TTL) + PRUNE_MARGIN
"""Seconds that a signing key verifies after the next one began to sign."""
REFRESH_SECRET_KEPT: Final = MAX_REFRESH_TTL + PRUNE_MARGIN
"""Seconds that a refresh secret verifies after the next one began to sign."""
REFRESH_SECRET_BYTES: Final = 32
"""As many as SHA-256 gives (RFC 2104, section 3)."""
MIN_ID: Final = 8
"""Characters that an id may be shortened to."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair.

    Args:
        kid: Its id: the RFC 7638 thumbprint of the public key.
        alg: The one algorithm it is used with (RFC 8725, section 3.1).
        private_key: The private half.
        public_jwk: The public half as a JWK (RFC 7517, section 4).
        created_at: When it was made, in seconds since the epoch.
        signs_from: When it begins to sign, in seconds since the epoch.
    """

    kid: str
    alg: Algorithm
    private_key: PrivateKey = field(repr=False)
    public_jwk: Mapping[str, str] = field(repr=False)
    created_at: int = 0
    signs_from: int = 0

    @property
    def id(self) -> str:
        """What it is called by people: its `kid`."""
        return self.kid

    @property
    def kept(self) -> int:
        """Seconds that it verifies after the next one began to sign."""
        return SIGNING_KEY_KEPT

    def pem(self) -> str:
        """Return the private half as text, to be kept where its owner alone can read it."""
        raw = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return raw.decode("ascii")


@dataclass(frozen=True, slots=True)
class RefreshSecret:
    """One secret that signs refresh tokens.

    Args:
        secret: The secret itself.
        created_at: When it was made, in seconds since the epoch.
        signs_from: When it begins to sign, in seconds since the epoch.
    """

    secret: bytes = field(repr=False)
    created_at: int = 0
    signs_from: int = 0

    @property
    def id(self) -> str:
        """What it is called by people: a digest, from which nobody gets back to 256 bits."""
        return hashlib.sha256(b"kataven_flask.refresh-secret-id.v1\0" + self.secret).hexdigest()

    @property
    def kept(self) -> int:
        """Seconds that it verifies after the next one began to sign."""
        return REFRESH_SECRET_KEPT

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key for another purpose, which tells nothing of the secret (RFC 5869)."""
        return HKDF(SHA256(), REFRESH_SECRET_BYTES, salt=None, info=purpose).derive(self.secret)


Entry: TypeAlias = SigningKey | RefreshSecret
_E = TypeVar("_E", SigningKey, RefreshSecret)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an entry of the ring does at a time.

    Args:
        entry: The entry.
        state: `waits` for its time to sign, `signs`, only `verifies`, or is `prunable`.
        verifies_until: When it can be pruned, in seconds since the epoch; None where nothing
            supersedes it yet.
    """

    entry: Entry
    state: State
    verifies_until: int | None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All that signs and verifies.

    Args:
        signing_keys: Oldest to newest, at least one; one signs, all verify.
        refresh_secrets: Oldest to newest, at least one; one signs, all verify.
    """

    signing_keys: tuple[SigningKey, ...]
    refresh_secrets: tuple[RefreshSecret, ...] = field(repr=False)

    @property
    def newest(self) -> SigningKey:
        """The key that was made last; it may not sign yet."""
        return self.signing_keys[-1]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The signing keys, then the refresh secrets."""
        keys: tuple[Entry, ...] = self.signing_keys
        return keys + self.refresh_secrets

    @property
    def revision(self) -> str:
        """A digest of all ids and times; another ring has another."""
        text = json.dumps([(e.id, e.created_at, e.signs_from) for e in self.entries])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def signing_key(self, at: float) -> SigningKey:
        """Return the key that signs at a time, in seconds since the epoch."""
        return self.signing_keys[_signer(self.signing_keys, at)]

    def refresh_secret(self, at: float) -> RefreshSecret:
        """Return the secret that signs at a time, in seconds since the epoch."""
        return self.refresh_secrets[_signer(self.refresh_secrets, at)]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key with this id, or None."""
        return next((key for key in self.signing_keys if key.kid == kid), None)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK set (RFC 7517, section 5), the waiting ones too."""
        return {"keys": [dict(key.public_jwk) for key in self.signing_keys]}

    def standings(self, now: float) -> tuple[Standing, ...]:
        """Tell what each entry does at a time, in seconds since the epoch."""
        return (*_standings(self.signing_keys, now), *_standings(self.refresh_secrets, now))

    def rotated(
        self, now: float, alg: Algorithm | None = None, *, at_once: bool = False
    ) -> KeyRing:
        """Add a new signing key and a new refresh secret.

        Args:
            now: Seconds since the epoch.
            alg: The algorithm of the new key; None for that of the newest.
            at_once: Whether they sign at once, and not after `LEAD` seconds.

        Raises:
            ConfigurationError: The newest ones don't sign yet.

        Returns:
            The ring with both.
        """
        waiting = [standing for standing in self.standings(now) if standing.state == "waits"]
        if waiting and not at_once:
            signs_from = utc_minute(waiting[-1].entry.signs_from)
            raise ConfigurationError(
                f"the newest key signs from {signs_from} on; rotate after that, or with --at-once"
            )
        key, secret = make_pair(alg or self.newest.alg, int(now), 0 if at_once else LEAD)
        return KeyRing((*self.signing_keys, key), (*self.refresh_secrets, secret))

    def replaced(self, now: float, alg: Algorithm | None = None) -> KeyRing:
        """Return a ring of a new signing key and a new refresh secret alone, which sign at once.

        One step, so that nobody has the time to have a forged session renewed by the new ones.

        Args:
            now: Seconds since the epoch.
            alg: The algorithm of the new key; None for that of the newest.
        """
        ring = self.rotated(now, alg, at_once=True)
        return KeyRing(ring.signing_keys[-1:], ring.refresh_secrets[-1:])

    def pruned(self, now: float) -> KeyRing:
        """Return the ring without what signed nothing that could still be alive.

        Args:
            now: Seconds since the epoch.
        """
        return KeyRing(_pruned(self.signing_keys, now), _pruned(self.refresh_secrets, now))

    def without_leaked(self, leaked: str, now: float) -> KeyRing:
        """Return the ring without an entry, the one made with it, and all that are older.

        A copy of the ring that has one of them has had the older ones too.

        Args:
            leaked: The id of a signing key or a refresh secret, or how it begins.
            now: Seconds since the epoch.

        Raises:
            ConfigurationError: There is no such entry, or nothing else would sign.
        """
        keys, secrets_ = self.signing_keys, self.refresh_secrets
        newer = self._newer_than(leaked)
        # Both lists grow in pairs and lose their oldest alone: pairs are counted from the end.
        left = KeyRing(keys[max(0, len(keys) - newer) :], secrets_[max(0, len(secrets_) - newer) :])
        begun = (any(e.signs_from <= now for e in es) for es in left._lists())
        if not all(begun):
            raise ConfigurationError(
                f"{leaked} can't go: no newer key signs yet; to replace all of them, run"
                " `kataven-flask signing-keys rotate --leaked`"
            )
        return left

    def _newer_than(self, start: str) -> int:
        """Count what is newer than the one entry whose id begins so."""
        newer = [
            len(entries) - 1 - place
            for entries in self._lists()
            for place, entry in enumerate(entries)
            if entry.id.startswith(start)
        ]
        if len(start) < MIN_ID or len(newer) != 1:
            raise ConfigurationError(
                f"{start!r} is not the id of one key or secret here ({MIN_ID} or more of its first"
                " characters will do); see `kataven-flask signing-keys list`"
            )
        return newer[0]

    def _lists(self) -> tuple[Sequence[Entry], Sequence[Entry]]:
        return self.signing_keys, self.refresh_secrets


def make_signing_key(
    private_key: PrivateKey, created_at: int = 0, signs_from: int | None = None
) -> SigningKey:
    """Wrap a private key.

    Args:
        private_key: A P-256 or an Ed25519 key.
        created_at: When it was made, in seconds since the epoch.
        signs_from: When it begins to sign, in seconds since the epoch; None for at once.

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
        created_at,
        created_at if signs_from is None else signs_from,
    )


def make_pair(alg: Algorithm, created_at: int, lead: int = 0) -> tuple[SigningKey, RefreshSecret]:
    """Make a signing key and a refresh secret, from the system's generator.

    Args:
        alg: The key's algorithm.
        created_at: When that is, in seconds since the epoch.
        lead: Seconds after which they begin to sign.
    """
    key = make_signing_key(generate_private_key_for(alg), created_at, created_at + lead)
    secret = secrets.token_bytes(REFRESH_SECRET_BYTES)
    return key, RefreshSecret(secret, created_at, created_at + lead)


def parse_private_key(pem: str) -> PrivateKey:
    """Read a private key that `SigningKey.pem` wrote.

    Raises:
        ValueError: It isn't one.
        TypeError: It is encrypted.
    """
    private_key = load_pem_private_key(pem.encode("ascii"), password=None)
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key
    if isinstance(private_key, EllipticCurvePrivateKey) and private_key.curve.name == "secp256r1":
        return private_key
    raise ValueError("a signing key is P-256 or Ed25519")


def generate_private_key_for(alg: Algorithm) -> PrivateKey:
    """Return a fresh private key for an algorithm, from the system's generator."""
    return generate_private_key(SECP256R1()) if alg == "ES256" else Ed25519PrivateKey.generate()


# --- who signs, and until when the others verify


def _signer(entries: Sequence[Entry], at: float) -> int:
    """Return the place of the newest that has begun to sign; before all of them, the oldest."""
    for place in range(len(entries) - 1, 0, -1):
        if entries[place].signs_from <= at:
            return place
    return 0


def _standings(entries: Sequence[Entry], now: float) -> list[Standing]:
    signer = _signer(entries, now)
    standings = []
    for place, entry in enumerate(entries):
        # A newer one that begins earlier, as in haste, supersedes all that are older.
        superseded_at = min((e.signs_from for e in entries[place + 1 :]), default=None)
        until = None if superseded_at is None else superseded_at + entry.kept
        state: State
        if place >= signer:
            state = "signs" if place == signer else "waits"
        else:
            state = "prunable" if until is not None and until <= now else "verifies"
        standings.append(Standing(entry, state, until))
    return standings


def _pruned(entries: tuple[_E, ...], now: float) -> tuple[_E, ...]:
    standings = _standings(entries, now)
    return tuple(
        entry
        for entry, standing in zip(entries, standings, strict=True)
        if standing.state != "prunable"
    )


# --- the public half


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
