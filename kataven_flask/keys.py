"""Client keys `pk_…` and secret keys `sk_…`: their formats, and how they are made and compared."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from typing import Literal

Mode = Literal["live", "test"]

TENANT_ID = re.compile(r"[a-z0-9-]{2,32}")
MAX_TENANT_ID = 32
"""Characters."""
CLIENT_KEY = re.compile(r"pk_(?P<mode>live|test)_(?P<tenant>[a-z0-9-]{2,32})_[A-Za-z0-9]{22,64}")
SECRET_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_SECRET_KEY = re.compile(r"(?<![A-Za-z0-9])sk_(?:live|test)_[a-z0-9-]{2,32}_[A-Za-z0-9]{22,}")
_LIKE_A_SECRET_KEY = re.compile(r"sk_(?:live|test)_[A-Za-z0-9_-]+", re.IGNORECASE)
"""Wider, for what is only shown: a key that was cut or misspelled is a secret still."""

_ALPHABET = string.ascii_letters + string.digits
_CLIENT_KEY_CHARACTERS = 22
"""22 characters of 62 carry 131 bits: never guessed, never drawn twice."""
_SECRET_KEY_CHARACTERS = 43
"""43 characters of 62 carry 256 bits, so that one SHA-256 is the right hash (no slow one)."""


@dataclass(frozen=True, slots=True)
class ClientKeyName:
    """What a client key's text says: its mode and its tenant."""

    mode: Mode
    tenant: str


def parse_client_key(text: str) -> ClientKeyName | None:
    """Read a client key's text.

    Args:
        text: The whole `pk_…` string.

    Returns:
        Its mode and tenant, or None where the text is not a client key.
    """
    match = CLIENT_KEY.fullmatch(text)
    if match is None:
        return None
    return ClientKeyName(mode_of(text), match["tenant"])


def mode_of(client_key: str) -> Mode:
    """Return whether a client key is a live one or a test one."""
    return "test" if client_key.startswith("pk_test_") else "live"


def generate_client_key(tenant: str, mode: Mode = "live") -> str:
    """Return a fresh client key of a tenant, from the system's generator."""
    return f"pk_{mode}_{tenant}_{_random_text(_CLIENT_KEY_CHARACTERS)}"


def generate_secret_key(tenant: str, mode: Mode = "live") -> str:
    """Return a fresh secret key of a tenant with 256 bits from the system's generator."""
    return f"sk_{mode}_{tenant}_{_random_text(_SECRET_KEY_CHARACTERS)}"


def hash_secret_key(secret_key: str) -> str:
    """Return what is kept of a secret key: `sha256:` and the digest of all of it in hex."""
    return "sha256:" + hashlib.sha256(secret_key.encode()).hexdigest()


def holds_secret_key(text: str) -> bool:
    """Tell whether a secret key stands somewhere in a text."""
    return _SECRET_KEY.search(text) is not None


def redacted(text: str) -> str:
    """Return a text without anything like a secret key in it, for a log or a terminal."""
    return _LIKE_A_SECRET_KEY.sub("sk_…", text)


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes of secret keys in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
