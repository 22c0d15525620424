"""By what a request is found again: in an answer, in this log and in others'."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from kataven_flask.keys import holds_secret_key

HEADER: Final = "X-Request-Id"
GIVEN: Final = "HTTP_X_REQUEST_ID"
"""Where WSGI has what the caller gave (PEP 3333)."""
_HARMLESS: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(environ: Mapping[str, Any]) -> str:
    """Return a request's id: the caller's own where it is harmless, else a fresh one.

    Args:
        environ: The request, as WSGI has it.
    """
    given = environ.get(GIVEN, "")
    harmless = _HARMLESS.fullmatch(given) and not holds_secret_key(given)
    return given if harmless else new_request_id()


def new_request_id() -> str:
    """Return a fresh id, to be quoted to the operator."""
    return f"req_{secrets.token_hex(8)}"
