"""Why a request isn't let in: no session came, none that is good, or nobody can tell."""

from __future__ import annotations

import math
from typing import ClassVar


class InvalidSession(Exception):
    """The token is not a live session token of this issuer; answer 401.

    Its words have nothing of the token in them: they may be logged or sent.
    """

    code: ClassVar[str] = "invalid_token"
    """What a program tells it by (RFC 6750, section 3.1)."""


class MissingSession(InvalidSession):
    """The request has no token at all; answer 401, without an error code (RFC 6750, 3.1)."""

    code: ClassVar[str] = "missing_token"


class KeysUnavailableError(Exception):
    """The public keys can't be had, so that nothing can be verified; answer 503.

    Args:
        reason: Why, in words that may be logged or sent.
        retry_after: Seconds after which they may be had.
    """

    code: ClassVar[str] = "keys_unavailable"

    def __init__(self, reason: str, retry_after: float = 1) -> None:
        super().__init__(reason)
        self.retry_after = max(1, math.ceil(retry_after))
