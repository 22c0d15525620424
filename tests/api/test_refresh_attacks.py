"""Forged refresh tokens: whatever is signed otherwise, or says what no server ever minted."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from itsdangerous import Signer, TimestampSigner, URLSafeSerializer, URLSafeTimedSerializer

from kataven_flask.app import parts_of
from tests.api.test_token_attacks import REFUSED_REFRESH
from tests.api.wire import no_limits
from tests.support import OTHER_KEY, Service, refused
from tests.vectors.attacker import part, raw_of

SALT: Final = b"kataven_flask.refresh-token.v1"
OPTIONS: Final[dict[str, Any]] = {
    "salt": SALT,
    "key_derivation": "hmac",
    "digest_method": hashlib.sha256,
}
SPARE_BITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""The alphabet of base64url; 32 bytes end in a character with two bits to spare."""
NUMBERS: Final[tuple[Any, ...]] = (
    -1, 1.0, 0.5, True, None, "0", "", [], [0], {}, 2**31, 2**53, 2**63, 2**64, 1e300,
)  # fmt: skip
TEXTS: Final[tuple[Any, ...]] = (None, True, 7, -1, 1.5, [], ["x"], {}, {"$ne": None})


def members_of(token: str) -> dict[str, Any]:
    """Read what a refresh token carries, as a stranger may."""
    members: dict[str, Any] = json.loads(raw_of(token.partition(".")[0]))
    return members


def secret_of(service: Service) -> bytes:
    """Return the secret that signs."""
    return parts_of(service.app).ring.current.refresh_secrets[-1].secret


def signed(service: Service, content: object, **options: Any) -> str:
    """Sign any content by the server's own secret, as only a server can, or otherwise."""
    signer = Signer(secret_of(service), **{**OPTIONS, **options})
    return signer.sign(part(content)).decode()


def forged(service: Service, token: str) -> Iterator[tuple[str, str]]:
    """Yield what somebody without the secret makes of a good token."""
    payload, mac = token.rsplit(".", 1)
    secret, members = secret_of(service), members_of(token)
    for sep in (":", "!", "..", "|", " ", "\u3002", "\u2024", "%2E"):
        yield f"separator {sep!r}", payload + sep + mac
    for digest in (hashlib.sha1, hashlib.sha224, hashlib.sha384, hashlib.sha512, hashlib.md5):
        yield digest().name, signed(service, members, digest_method=digest)
    for derivation in ("django-concat", "concat", "none"):
        yield f"derivation {derivation}", signed(service, members, key_derivation=derivation)
    for salt in (b"", b"itsdangerous.Signer", b"itsdangerous", b"cookie-session", SALT + b"\0"):
        yield f"salt {salt!r}", signed(service, members, salt=salt)
    yield "timestamp", TimestampSigner(secret, **OPTIONS).sign(payload).decode()
    options: dict[str, Any] = {
        "signer_kwargs": {k: v for k, v in OPTIONS.items() if k != "salt"},
        "salt": SALT,
    }
    yield "timed serializer", str(URLSafeTimedSerializer(secret, **options).dumps(members))
    packed = "." + part(zlib.compress(json.dumps(members).encode()))
    yield "packed", Signer(secret, **OPTIONS).sign(packed).decode()
    yield "serializer of others", str(URLSafeSerializer(b"x" * 32, **options).dumps(members))
    for name, other in {
        "empty": "", "zeros": part(bytes(32)), "of NULs": "\0" * 43, "twice": f"{mac}.{mac}",
        "in digits of Arabic": mac.translate({48 + n: 0x660 + n for n in range(10)}) + "\u0661",
        "fullwidth": "".join(chr(ord(c) + 0xFEE0) for c in mac), "in hex": raw_of(mac).hex(),
        "a byte short": part(raw_of(mac)[:-1]), "a byte long": part(raw_of(mac) + b"\0"),
        "surrogates": "\ud800" * 43, "the payload's": payload[:43],
    }.items():  # fmt: skip
        yield f"MAC {name}", f"{payload}.{other}"
    for name, changed in {
        "generation": {**members, "generation": 1},
        "exp": {**members, "exp": members["exp"] + 1},
        "sid": {**members, "session": {**members["session"], "sid": "ses_aa" + "A" * 22}},
        "sub": {**members, "session": {**members["session"], "sub": "admin"}},
        "origin": {**members, "session": {**members["session"], "origin": "https://evil.example"}},
        "client_key": {**members, "session": {**members["session"], "client_key": OTHER_KEY}},
    }.items():
        yield f"another {name}", f"{part(changed)}.{mac}"


def test_no_forged_refresh_token_is_taken(
    service: Service, asked: list[str], quiet: set[str]
) -> None:
    """A refresh token that isn't signed by the server's secret, in its way, is refused."""
    no_limits(service)
    token = service.guest().get_json()["refresh_token"]
    assert signed(service, raw_of(token.partition(".")[0])) == token
    for name, forgery in forged(service, token):
        quiet.add(forgery)
        for answer in (service.refresh(forgery), service.logout(forgery)):
            assert refused(answer) in REFUSED_REFRESH, name
    assert not asked
    assert service.refresh(token).status_code == 200


def test_no_refresh_token_can_be_cut_or_flipped(service: Service, asked: list[str]) -> None:
    """A refresh token that ends early, or has any bit of its MAC flipped, is refused."""
    no_limits(service)
    token = service.guest().get_json()["refresh_token"]
    payload, mac = token.rsplit(".", 1)
    for end in range(1, len(token)):
        assert refused(service.refresh(token[:end])) == (400, "invalid_refresh_token")
    for bit in range(256):
        raw = bytearray(raw_of(mac))
        raw[bit // 8] ^= 1 << bit % 8
        bent = f"{payload}.{part(bytes(raw))}"
        assert refused(service.refresh(bent)) == (400, "invalid_refresh_token")
    assert not asked
    assert service.refresh(token).status_code == 200


def test_a_spelling_of_a_refresh_token_is_that_token(service: Service) -> None:
    """A MAC with other spare bits is the same token: after its rotation it is a reused one."""
    token = service.guest().get_json()["refresh_token"]
    last = SPARE_BITS.index(token[-1])
    twins = [token[:-1] + SPARE_BITS[last ^ bit] for bit in (1, 2, 3)]
    second = service.refresh(token).get_json()["refresh_token"]
    assert [service.refresh(twin).get_json()["refresh_token"] for twin in twins] == [second] * 3
    service.clock.move(60)
    assert refused(service.refresh(twins[0])) == (400, "reused_refresh_token")
    assert refused(service.refresh(second)) == (400, "revoked_session")


@pytest.mark.parametrize("action", ["refresh", "logout"])
def test_what_no_server_minted_is_refused_though_signed(
    service: Service, asked: list[str], quiet: set[str], action: str
) -> None:
    """Signed by the server's secret, a token with a member of another type is refused all the same.

    So does a token of another version, or of whoever has a copy of the secret.
    """
    no_limits(service)
    call = getattr(service, action)
    good = members_of(service.guest().get_json()["refresh_token"])
    for name, value in _strange(good):
        token = signed(service, value)
        quiet.add(token)
        assert refused(call(token)) == (400, "invalid_refresh_token"), name
    assert not asked
    assert call(signed(service, good)).status_code in {200, 204}


def _strange(good: dict[str, Any]) -> Iterator[tuple[str, object]]:
    session = good["session"]
    for name in ("generation", "iat", "exp"):
        without = {other: value for other, value in good.items() if other != name}
        yield f"without {name}", without
        for value in NUMBERS:
            if not (name != "generation" and value == 2**31):  # a time of 2038
                yield f"{name} {value!r}", {**good, name: value}
        for raw in ("1e400", "NaN", "9" * 5000, "01"):
            text = json.dumps({**good, name: "HERE"}).replace('"HERE"', raw)
            yield f"{name} {raw[:9]}", text.encode()
    for name, was in session.items():
        numbers = name == "began_ms"
        for value in NUMBERS if numbers else TEXTS:
            if (was is None and value is None) or (numbers and value in (True, 2**31)):
                continue
            yield f"{name} {value!r}", {**good, "session": {**session, name: value}}
    yield "another visitor_type", {**good, "session": {**session, "visitor_type": "admin"}}
    yield "another member", {**good, "admin": True}
    yield "another member of the session", {**good, "session": {**session, "admin": True}}
    wholes: tuple[Any, ...] = (
        [],
        "x",
        7,
        None,
        [good],
        {"session": []},
        {**good, "session": [session]},
    )
    for whole in wholes:
        yield f"{whole!r:.20}", whole
    yield "trailing garbage", json.dumps(good).encode() + b"{}"
    yield "nested", b"[" * 5000
    yield "nothing", b""
    yield "not UTF-8", b"\xff\xfe"
    yield "not base64", base64.b64encode(b"\xff" * 30)
