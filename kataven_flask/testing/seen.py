"""The requests that a server has had: who asked what, and what it was told; no token, no secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from kataven_flask.keys import hash_secret_key, parse_client_key, redacted
from kataven_flask.origins import Origin
from kataven_flask.recognition import recognise
from kataven_flask.registry import Registry
from kataven_flask.testing.faults import path_fits

PREFLIGHT: Final = "OPTIONS"
_TOKENS: Final = ("token", "user_token", "refresh_token")
_SHOWN: Final = 30
"""Requests that a failed wait lists."""


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request, and its answer; it can be printed: no token, secret or person is in it.

    Args:
        method: `GET`, `POST`, `OPTIONS`.
        path: The path, without its query.
        origin: The page's origin, as the server read it; None for none that counts.
        status: The answer's status; None where the connection was closed without one.
        code: The error code of a refusal.
        client_key: The client key that it named, or that its token or secret key belongs to.
        tenant: The id of the tenant that has this key.
        at: When it was answered by the server's clock, in seconds since the epoch.
    """

    method: str
    path: str
    origin: str | None
    status: int | None
    code: str | None
    client_key: str | None
    tenant: str | None
    at: float

    def __str__(self) -> str:
        """Write it on a line."""
        answer = "no answer" if self.status is None else f"{self.status} {self.code or ''}".strip()
        whose = f", tenant {self.tenant}" if self.tenant else ""
        return f"{self.method} {self.path} from {self.origin or 'no page'}{whose}: {answer}"


class Seen:
    """All requests, in the order of their answers.

    Args:
        clock: Gives the seconds since the epoch.
        registry: Gives the tenants in force.
    """

    def __init__(self, clock: Callable[[], float], registry: Callable[[], Registry]) -> None:
        self._clock = clock
        self._registry = registry
        self._all: list[SeenRequest] = []
        self._news = threading.Condition()

    def note(
        self, environ: Mapping[str, Any], body: bytes, status: int | None, code: str | None
    ) -> None:
        """Note a request once its answer is known, and before anybody has read that."""
        registry = self._registry()
        key = _client_key(environ, body, registry)
        record = registry.keys.get(key or "")
        origin = Origin.of_request(environ.get("HTTP_ORIGIN"), environ.get("HTTP_REFERER"))
        request = SeenRequest(
            method=environ["REQUEST_METHOD"],
            path=redacted(environ.get("PATH_INFO", "")),
            origin=None if origin is None else str(origin),
            status=status,
            code=code,
            client_key=key,
            tenant=None if record is None else record.tenant_id,
            at=self._clock(),
        )
        with self._news:
            self._all.append(request)
            self._news.notify_all()

    def all(self) -> tuple[SeenRequest, ...]:
        """Return those so far."""
        with self._news:
            return tuple(self._all)

    def forget(self) -> None:
        """Begin anew."""
        with self._news:
            self._all.clear()

    def wait_for(
        self, fits: Callable[[SeenRequest], bool], count: int, timeout: float
    ) -> SeenRequest | None:
        """Return the so-manieth that fits, once it is there; None where it doesn't come in time."""

        def found() -> list[SeenRequest]:
            return [request for request in self._all if fits(request)]

        with self._news:
            self._news.wait_for(lambda: len(found()) >= count, timeout)
            fitting = found()
        return fitting[count - 1] if len(fitting) >= count else None


def fitting(path: str | None, method: str | None, **wanted: object) -> Callable[..., bool]:
    """Return what tells whether a request is one that is waited for; None stands for any.

    A preflight is one only where that is asked for.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}

    def fits(request: SeenRequest) -> bool:
        if request.method != method if method else request.method == PREFLIGHT:
            return False
        if path is not None and not path_fits(request.path, path):
            return False
        return all(getattr(request, name) == value for name, value in asked.items())

    return fits


def listed(requests: tuple[SeenRequest, ...]) -> str:
    """Write the last requests, a line each."""
    lines = [f"  {request}" for request in requests[-_SHOWN:]]
    left_out = len(requests) - len(lines)
    return "\n".join(([f"  … {left_out} before these"] if left_out else []) + lines) or "  none"


def _client_key(environ: Mapping[str, Any], body: bytes, registry: Registry) -> str | None:
    """Find whose a request is, as far as it says so; nothing of it is believed for more."""
    for text in _candidates(environ, body, registry):
        if isinstance(text, str) and parse_client_key(text) is not None:
            return text
    return None


def _candidates(environ: Mapping[str, Any], body: bytes, registry: Registry) -> list[Any]:
    found: list[Any] = [*parse_qs(environ.get("QUERY_STRING", "")).get("client_key", [])]
    members: Any = None
    with suppress(ValueError, RecursionError):
        members = json.loads(body)
    if isinstance(members, dict):
        found.append(members.get("client_key"))
        tokens = [text for name in _TOKENS if isinstance(text := members.get(name), str)]
        found += [recognise(text).claims.get("client_key") for text in tokens]
    scheme, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and (known := registry.secrets.get(hash_secret_key(secret))):
        found.append(known[0].key.client_key)
    return found
