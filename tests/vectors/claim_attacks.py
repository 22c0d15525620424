"""Forged JWTs whose signature is good: what they say, and in which shape, is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.vectors.attacker import Attacker, part

DEEP: Final = 5000
"""Levels; as many as a token may have room for."""


# --- the claims


def other_times(by: Attacker) -> Iterator[tuple[str, str]]:
    """No time but a whole number of seconds."""
    exp = by.claims["exp"]
    values: dict[str, Any] = {
        "as text": str(exp),
        "as a fraction": exp + 0.5,
        "before 1970": -1,
        "as true": True,
        "as null": None,
        "as a list": [exp],
        "as a mapping": {"$gt": 0},
        "not a number": float("nan"),
        "infinite": float("inf"),
        "infinitely early": float("-inf"),
        "of 30 digits": 10**30,
        "as an empty text": "",
    }
    for name in {"iat", "exp", "auth_time"} & by.claims.keys():
        for how, value in values.items():
            yield f"{name} {how}", by.claiming(**{name: value})
        for raw in ("1e400", "9" * 5000, "1E+309", "-0.0", "0x7fffffff", "1_000", "+1", "01"):
            yield f"{name} {raw[:12]}", by.payload(_with_raw(by, name, raw))
        yield f"{name} twice", by.payload(_with_raw(by, name, f'{exp}, "{name}": null'))


def _with_raw(by: Attacker, name: str, raw: str) -> bytes:
    text = json.dumps({**by.claims, name: "HERE"})
    return text.replace('"HERE"', raw).encode()


def other_parties(by: Attacker) -> Iterator[tuple[str, str]]:
    """No issuer and no audience but the promised ones, exactly."""
    for name in ("iss", "aud"):
        text = by.claims[name]
        values: dict[str, Any] = {
            "a list": [text],
            "a list with another": [text, "x"],
            "a mapping": {text: 1},
            "a slash longer": text + "/",
            "a character shorter": text[:-1],
            "in upper case": text.upper(),
            "with a blank": text + " ",
            "with NUL": text + "\0",
            "of nobody": "https://evil.example",
            "empty": "",
            "null": None,
            "true": True,
            "a number": 0,
        }
        for how, value in values.items():
            yield f"{name} {how}", by.claiming(**{name: value})
        raw = f"{json.dumps(text)}, {json.dumps(name)}: 1"
        yield f"{name} twice", by.payload(_with_raw(by, name, raw))
    for how, iss in {
        "with user info": by.claims["iss"].replace("://", "://evil@"),
        "with its port": by.claims["iss"] + ":443",
        "over http": by.claims["iss"].replace("https", "http"),
    }.items():
        yield f"iss {how}", by.claiming(iss=iss)


def strange_claims(by: Attacker) -> Iterator[tuple[str, str]]:
    """No claim of another type than it is minted with, and none left out."""
    values: tuple[Any, ...] = (7, 1.5, True, [], ["x"], {}, {"$ne": None})
    for name, good in by.claims.items():
        without = {other: value for other, value in by.claims.items() if other != name}
        yield f"without {name}", by.payload(json.dumps(without).encode())
        if isinstance(good, str):
            for value in values:
                yield f"{name} as {value!r}", by.claiming(**{name: value})
    for name in ("name", "email"):
        yield f"{name} as a list", by.claiming(**{name: ["x"]})


# --- other things than a JWT


def other_shapes(by: Attacker) -> Iterator[tuple[str, str]]:
    """Nothing else than a JWT in its compact form."""
    good = by.good()
    header, payload, signature = good.split(".")
    members = {"payload": payload, "protected": header, "signature": signature}
    yield "JSON, flattened", json.dumps(members)
    yield "JSON, general", json.dumps({"payload": payload, "signatures": [members]})
    yield "JWE", f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{part(b'x' * 12)}.{payload}.AAAA"
    nested = by.forge.token(by.forge.header(by.typ, cty="JWT"), good.encode())
    yield "a JWT in a JWT", nested
    yield "detached", f"{header}..{signature}"
    yield "nested header", f"{part(b'[' * DEEP)}.{payload}.{signature}"
    yield "nested header, signed", by.forge.token(b'{"a":' * (DEEP // 5), dict(by.claims))
    yield "nested payload", by.payload(b"[" * DEEP)
    yield (
        "nested claim",
        by.payload(json.dumps(dict(by.claims))[:-1].encode() + b', "x": ' + b"[" * DEEP),
    )
    yield "trailing garbage", by.payload(json.dumps(dict(by.claims)).encode() + b"{}")
    yield "overlong UTF-8", by.payload(b'{"sub": "\xc0\xaf"}')
    for name, raw in {"a list": b"[]", "text": b'"x"', "nothing": b"", "NaN": b"NaN"}.items():
        yield f"payload {name}", by.payload(raw)
    for name, odd in {
        "a blank inside": f"{header} .{payload}.{signature}",
        "a line's end inside": f"{header}.\n{payload}.{signature}",
        "junk in the signature": f"{header}.{payload}.!{signature}",
        "fullwidth dots": good.replace(".", "\uff0e"),
        "standard base64": f"{header}.{payload}.{signature[:-1]}+",
        "Bearer before": f"Bearer {good}",
        "percent encoded": good.replace(".", "%2E"),
        "four parts": f"{good}.{signature}",
        "two parts": f"{header}.{payload}",
        "no parts": "..",
    }.items():
        yield name, odd
