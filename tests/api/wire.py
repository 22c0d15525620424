"""What the endpoints' tests share: raw requests, edits of the file, tokens read and forged."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from werkzeug.test import TestResponse

from tests.support import API, AUDIENCE, ISSUER, KEY, NO_LIMITS, ORIGIN, Service

SUBDOMAIN: Final = "https://shop.acme.com"
"""Another origin that the tests' key admits."""
STRANGER: Final = "https://evil.example"
EXCHANGE_AUDIENCE: Final = f"{ISSUER}{API}/auth/exchange"
KEY_RING: Final = "keyring.json"
MAX_BODY: Final = 16 * 1024
"""Bytes that a body may have."""
DAY: Final = 86_400
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


def send(  # noqa: PLR0913 - a request has that many parts
    service: Service,
    action: str,
    body: bytes,
    *,
    origin: str | None = ORIGIN,
    content_type: str | None = "application/json",
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """Post bytes as they are to an endpoint under `auth/`."""
    sent = dict(headers or {})
    if origin is not None:
        sent["Origin"] = origin
    return service.client.post(
        f"{API}/auth/{action}", data=body, content_type=content_type, headers=sent
    )


def bearer(secret: str) -> dict[str, str]:
    """Return the headers of a backend's call."""
    return {"Authorization": f"Bearer {secret}"}


def moment(seconds: float) -> datetime:
    """Return a time as the tenants' file holds it."""
    return datetime.fromtimestamp(seconds, UTC)


def tenant(service: Service, tenant_id: str = "acme") -> dict[str, Any]:
    """Return a tenant's part of the document, to be changed."""
    found: dict[str, Any] = service.document["tenants"][tenant_id]
    return found


def entry(service: Service, client_key: str = KEY) -> dict[str, Any]:
    """Return a client key's entry of the document, to be changed."""
    for each in service.document["tenants"].values():
        for found in each["keys"]:
            if found["client_key"] == client_key:
                result: dict[str, Any] = found
                return result
    raise AssertionError(client_key)


def agent(service: Service, agent_id: str = "support") -> dict[str, Any]:
    """Return an agent's entry of the document, to be changed."""
    found: dict[str, Any] = tenant(service)["agents"][agent_id]
    return found


def no_limits(service: Service) -> None:
    """Take every rate limit away."""
    service.document["limits"] = dict(NO_LIMITS)
    service.edit()


def claims(service: Service, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    """Read a token as a stranger to the service can: by the published keys alone."""
    keys = jwt.PyJWKSet.from_dict(service.client.get("/.well-known/jwks.json").get_json())
    kid = jwt.get_unverified_header(token)["kid"]
    decoded: dict[str, Any] = jwt.decode(
        token,
        key=keys[kid].key,
        algorithms=["ES256"],
        audience=audience,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "strict_aud": True},
    )
    return decoded


def visitor_token(service: Service, **body: Any) -> str:
    """Return a fresh visitor token."""
    answer = service.user_token(**body)
    assert answer.status_code == 200, answer.text
    token: str = answer.get_json()["token"]
    return token


def signing_key(service: Service) -> EllipticCurvePrivateKey:
    """Return the server's own private key, to forge what only a mistaken server could sign."""
    ring = json.loads((Path(service.settings.instance) / KEY_RING).read_text())
    pem = ring["signing_keys"][-1]["private_key"].encode()
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def resign(
    service: Service,
    token: str,
    *,
    header: dict[str, Any] | None = None,
    key: EllipticCurvePrivateKey | None = None,
    **changed: Any,
) -> str:
    """Sign a token's claims again, some of them or of the header's members changed.

    A value of None takes the member away.
    """
    members = jwt.decode(token, options={"verify_signature": False}) | changed
    members = {name: value for name, value in members.items() if value is not None}
    headers = jwt.get_unverified_header(token) | (header or {})
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.encode(members, key or signing_key(service), algorithm="ES256", headers=headers)


def segment(value: Any) -> str:
    """Return a JWT's segment of any JSON, or of bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def flip(token: str, index: int) -> str:
    """Return a token with one character exchanged."""
    index %= len(token)
    return token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Have another connection hold the state store's file, as another process would."""
    connection = sqlite3.connect(state, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
