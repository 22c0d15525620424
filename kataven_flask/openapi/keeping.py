"""What is written once and then kept: the description, its page, and what that looks like."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from typing import Final

DOCS_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
DOCS_FILES: Final = {"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
"""What the page may do: look good. No script runs on the origin that signs people in."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it is served.

    Args:
        content_type: Its type.
        text: UTF-8.
        packed: The same as gzip.
        tags: The entity tag of each of the two, without quotes; a digest takes as long as a guest.
        policy: Its Content-Security-Policy, where it has one of its own.
    """

    content_type: str
    text: bytes
    packed: bytes
    tags: tuple[str, str]
    policy: str | None = None

    @classmethod
    def of(cls, content_type: str, text: bytes, policy: str | None = None) -> Kept:
        """Pack a file."""
        packed = gzip.compress(text, mtime=0)
        return cls(content_type, text, packed, (_tag(text), _tag(packed)), policy)


def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
