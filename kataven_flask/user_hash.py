"""What the log has for a user: a keyed hash, so that lines can be joined and nobody is named."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from kataven_flask.signing import RefreshSecret

_PURPOSE: Final = b"kataven_flask.user-hash.v1"
_DIGITS: Final = 32
"""128 bits."""


def user_hash(secret: RefreshSecret, tenant_id: str, user_id: str) -> str:
    """Return what stands in the log for a user.

    Whoever has the log and not the key ring can't try user ids until one fits.

    Args:
        secret: The refresh secret that signs at that time; the hash's key is derived from it.
        tenant_id: The tenant.
        user_id: The user's id in the tenant's own terms.
    """
    key = secret.derive_key(_PURPOSE)
    text = f"{tenant_id}\0{user_id}".encode()
    return f"usr_{hmac.new(key, text, hashlib.sha256).hexdigest()[:_DIGITS]}"
