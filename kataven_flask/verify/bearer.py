"""The token out of an `Authorization` header (RFC 6750, section 2.1)."""

from __future__ import annotations

import re
from typing import Final

from kataven_flask.verify.refusals import InvalidSession, MissingSession

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def bearer(authorization: str | None) -> str:
    """Return the token of an `Authorization` header.

    Args:
        authorization: The header; None where the request has none.

    Raises:
        MissingSession: There is none, or it is of another scheme.
        InvalidSession: What follows `Bearer` is not one token.

    Returns:
        The token, which nobody has verified yet.
    """
    scheme, _, rest = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        raise MissingSession("send a session token as a bearer token")
    unverified_jwt = rest.strip(" ")
    if not _TOKEN.fullmatch(unverified_jwt):
        raise InvalidSession("what follows Bearer is not one token")
    return unverified_jwt
