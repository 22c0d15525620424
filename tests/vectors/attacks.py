"""Forged JWTs, made of any good claims: shown to every verifier, by the keys it really has.

`generate` has more that are fixed. Here is what needs the key under attack: its public half as a
secret, its id with something behind it, its signature bent.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kataven_flask.signing import make_signing_key
from tests.vectors.generate import Forge

ORDER_OF_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""SEC 2, section 2.4.2."""
DEEP: Final = 5000
"""Levels; as many as a token may have room for."""
NONES: Final = (
    "none",
    "None",
    "NONE",
    "nOnE",
    " none",
    "none ",
    "",
    "null",
    "NULL",
    "\0",
    "no\0ne",
)

RSA_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED_KEY: Final = Ed25519PrivateKey.generate()
P384_KEY: Final = ec.generate_private_key(ec.SECP384R1())


def part(value: Any) -> str:
    """Return a JWT's part of any JSON, or of bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class Attacker:
    """Who forges, and what for.

    Args:
        forge: What has the server's keys, and the attacker's own.
        typ: The type of the token that is wanted.
        claims: The claims of a good one.
    """

    forge: Forge
    typ: str
    claims: Mapping[str, Any]

    @property
    def kid(self) -> str:
        """The id of the server's key."""
        return self.forge.ours.newest.kid

    def good(self) -> str:
        """Return the very token that the others are made from."""
        return self.signed()

    def signed(self, **members: Any) -> str:
        """Sign by the server's key, with other members in the header."""
        return self.forge.token(
            self.forge.header(**{"typ": self.typ, **members}), dict(self.claims)
        )

    def claiming(self, **claims: Any) -> str:
        """Sign by the server's key, with other claims."""
        return self.forge.token(self.forge.header(self.typ), {**self.claims, **claims})

    def payload(self, raw: bytes) -> str:
        """Sign by the server's key, whatever the payload is."""
        return self.forge.token(self.forge.header(self.typ), raw)

    def by_stranger(self, **members: Any) -> str:
        """Sign by the attacker's key, with other members in the header."""
        header = self.forge.header(**{"typ": self.typ, **members})
        return self.forge.token(header, dict(self.claims), self.forge.theirs)

    def unsigned(self, header: Any) -> str:
        """Return what is to be signed."""
        return f"{part(header)}.{part(dict(self.claims))}"

    def attacks(self, kind: str) -> Iterator[tuple[str, str]]:
        """Yield the forgeries of a kind, each with its name."""
        return KINDS[kind](self)

    # --- the header

    def other_algorithms(self) -> Iterator[tuple[str, str]]:
        """No algorithm but the key's own."""
        for alg in NONES:
            yield f"alg {alg!r} unsigned", self.unsigned(self.forge.header(self.typ, alg=alg)) + "."
            yield f"alg {alg!r} signed", self.signed(alg=alg)
        public = self.forge.private_key.public_key()
        jwk = dict(self.forge.ours.newest.public_jwk)
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        secrets = {
            "PEM": self.forge.public_pem,
            "PEM stripped": self.forge.public_pem.strip(),
            "PEM with CRLF": self.forge.public_pem.replace(b"\n", b"\r\n"),
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "JWK": json.dumps(jwk).encode(),
            "JWK short": json.dumps(jwk, separators=(",", ":")).encode(),
            "JWKS": json.dumps(self.forge.ours.jwks()).encode(),
            "point": point,
            "coordinates": point[1:],
            "x": point[1:33],
            "kid": self.kid.encode(),
            "nothing": b"",
        }
        for name, secret in secrets.items():
            yield f"HS256 by the public {name}", self._hmac("HS256", secret, "sha256")
        yield "HS384 by the public PEM", self._hmac("HS384", self.forge.public_pem, "sha384")
        yield "HS512 by the public PEM", self._hmac("HS512", self.forge.public_pem, "sha512")
        yield "HS256 under ES256", self._hmac("ES256", self.forge.public_pem, "sha256")
        yield from self._asymmetric()

    def _hmac(self, alg: str, secret: bytes, digest: str) -> str:
        text = self.unsigned(self.forge.header(self.typ, alg=alg))
        return f"{text}.{part(hmac.digest(secret, text.encode(), digest))}"

    def _asymmetric(self) -> Iterator[tuple[str, str]]:
        for alg in ("EdDSA", "Ed25519", "ES256"):
            text = self.unsigned(self.forge.header(self.typ, alg=alg))
            yield f"{alg} by an Ed25519 key", f"{text}.{part(ED_KEY.sign(text.encode()))}"
        for alg in ("RS256", "ES256"):
            text = self.unsigned(self.forge.header(self.typ, alg=alg))
            signature = RSA_KEY.sign(text.encode(), padding.PKCS1v15(), SHA256())
            yield f"{alg} by an RSA key", f"{text}.{part(signature)}"
        text = self.unsigned(self.forge.header(self.typ, alg="PS256"))
        pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)
        yield (
            "PS256 by an RSA key",
            f"{text}.{part(RSA_KEY.sign(text.encode(), pss, SHA256()))}",
        )
        for alg in ("ES384", "ES256"):
            text = self.unsigned(self.forge.header(self.typ, alg=alg))
            r, s = decode_dss_signature(P384_KEY.sign(text.encode(), ec.ECDSA(SHA384())))
            yield f"{alg} by a P-384 key", f"{text}.{part(r.to_bytes(48) + s.to_bytes(48))}"
        for alg in ("ES256K", "ES512", "ES256 ", "es256", "ECDH-ES", "dir", "A128KW"):
            yield f"alg {alg!r}, by our key", self.signed(alg=alg)
        strange: tuple[Any, ...] = (["ES256"], {"ES256": 1}, None, 256, True, 1.5)
        for alg in strange:
            yield f"alg {alg!r}", self.signed(alg=alg)
        text = self.unsigned(self.forge.header(self.typ))
        r, s = decode_dss_signature(self.forge.private_key.sign(text.encode(), ec.ECDSA(SHA512())))
        yield "SHA-512 under ES256", f"{text}.{part(r.to_bytes(32) + s.to_bytes(32))}"

    def other_keys(self) -> Iterator[tuple[str, str]]:
        """No key but the server's, wherever the header says that one is."""
        kids: dict[str, Any] = {
            "a path": "../../../../dev/null",
            "an absolute path": "/etc/passwd",
            "SQL": "x' UNION SELECT 'secret' --",
            "a URL": "https://evil.example/jwks.json",
            "a command": "| touch /tmp/owned",
            "very long": "k" * 8000,
            "NUL behind": self.kid + "\0",
            "a line's end behind": self.kid + "\n",
            "a blank before": " " + self.kid,
            "in upper case": self.kid.upper(),
            "the first half": self.kid[: len(self.kid) // 2],
            "beyond ASCII": self.kid + "\u0661",
            "a surrogate": "\ud800",
            "a list": [self.kid],
            "a mapping": {"kid": self.kid},
            "a number": 7,
            "a fraction": 1.5,
            "true": True,
            "null": None,
            "empty": "",
        }
        for name, kid in kids.items():
            yield f"kid {name}", self.signed(kid=kid)
        yield "our kid, their key", self.by_stranger()
        theirs = dict(make_signing_key(self.forge.theirs).public_jwk)
        pointers: dict[str, Any] = {
            "jwk": theirs,
            "jku": "https://evil.example/jwks.json",
            "x5u": "https://evil.example/cert.pem",
            "x5c": ["MIIBszCCAVmgAwIBAgIU"],
            "x5t": "AAAA",
            "x5t#S256": "AAAA",
        }
        for member, value in pointers.items():
            yield f"{member}, their kid", self.by_stranger(kid=theirs["kid"], **{member: value})
            yield f"{member}, our kid", self.by_stranger(**{member: value})
        twice = json.dumps(self.forge.header(self.typ))[1:]
        for member, value in {"kid": theirs["kid"], "alg": "none", "typ": "JWT"}.items():
            raw = f'{{"{member}": {json.dumps(value)}, {twice}'.encode()
            yield (
                f"{member} twice",
                self.forge.token(raw, dict(self.claims), self.forge.theirs),
            )

    def other_types(self) -> Iterator[tuple[str, str]]:
        """No type but its own."""
        others: tuple[Any, ...] = (
            "JWT", "at+jwt", "", None, 1, True, [self.typ], {"typ": self.typ}, self.typ.upper(),
            f"application/{self.typ}", self.typ + " ", self.typ + "\0", self.typ[:-1],
            "widget-session+jwt" if "visitor" in self.typ else "widget-visitor+jwt",
        )  # fmt: skip
        for typ in others:
            yield f"typ {typ!r}", self.signed(typ=typ)
        for member, value in {"crit": ["b64"], "b64": False, "zip": "DEF"}.items():
            yield f"{member}, by a stranger", self.by_stranger(**{member: value})
        yield "b64 false, unencoded", self.by_stranger(b64=False, crit=["b64"])
        yield "crit of nobody", self.signed(crit=["x"], x=1)
        yield "crit empty", self.signed(crit=[])
        yield "crit as text", self.signed(crit="exp")

    # --- the signature

    def bent_signatures(self) -> Iterator[tuple[str, str]]:
        """No signature but one that the key made of these very bytes."""
        good = self.good()
        text, _, signature = good.rpartition(".")
        raw = raw_of(signature)
        r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
        n = ORDER_OF_P256
        pairs = {
            "zeros": (0, 0), "r zero": (0, s), "s zero": (r, 0), "ones": (1, 1), "r of n": (n, s),
            "s of n": (r, n), "both n": (n, n), "the largest": (2**256 - 1, 2**256 - 1),
            "swapped": (s, r), "r mirrored": (n - r, s), "r and s mirrored": (n - r, n - s),
        }  # fmt: skip
        for name, (first, second) in pairs.items():
            yield f"signature {name}", f"{text}.{part(first.to_bytes(32) + second.to_bytes(32))}"
        others = {
            "in DER": encode_dss_signature(r, s),
            "a byte short": raw[:-1],
            "a byte long": raw + b"\0",
            "a zero before": b"\0" + raw,
            "twice": raw + raw,
            "the first half": raw[:32],
            "empty": b"",
            "of 8 KiB": raw * 128,
        }
        for name, other in others.items():
            yield f"signature {name}", f"{text}.{part(other)}"
        header = text.partition(".")[0]
        of_header = self.forge.private_key.sign(header.encode(), ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(of_header)
        yield (
            "signature of the header alone",
            f"{text}.{part(r.to_bytes(32) + s.to_bytes(32))}",
        )

    # --- the claims

    def other_times(self) -> Iterator[tuple[str, str]]:
        """No time but a whole number of seconds."""
        exp = self.claims["exp"]
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
        for name in {"iat", "exp", "auth_time"} & self.claims.keys():
            for how, value in values.items():
                yield f"{name} {how}", self.claiming(**{name: value})
            for raw in ("1e400", "9" * 5000, "1E+309", "-0.0", "0x7fffffff", "1_000", "+1", "01"):
                yield f"{name} {raw[:12]}", self.payload(self._with_raw(name, raw))
            yield f"{name} twice", self.payload(self._with_raw(name, f'{exp}, "{name}": null'))

    def _with_raw(self, name: str, raw: str) -> bytes:
        text = json.dumps({**self.claims, name: "HERE"})
        return text.replace('"HERE"', raw).encode()

    def other_parties(self) -> Iterator[tuple[str, str]]:
        """No issuer and no audience but the promised ones, exactly."""
        for name in ("iss", "aud"):
            text = self.claims[name]
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
                yield f"{name} {how}", self.claiming(**{name: value})
            raw = f"{json.dumps(text)}, {json.dumps(name)}: 1"
            yield f"{name} twice", self.payload(self._with_raw(name, raw))
        for how, iss in {
            "with user info": self.claims["iss"].replace("://", "://evil@"),
            "with its port": self.claims["iss"] + ":443",
            "over http": self.claims["iss"].replace("https", "http"),
        }.items():
            yield f"iss {how}", self.claiming(iss=iss)

    def strange_claims(self) -> Iterator[tuple[str, str]]:
        """No claim of another type than it is minted with, and none left out."""
        values: tuple[Any, ...] = (7, 1.5, True, [], ["x"], {}, {"$ne": None})
        for name, good in self.claims.items():
            without = {other: value for other, value in self.claims.items() if other != name}
            yield f"without {name}", self.payload(json.dumps(without).encode())
            if isinstance(good, str):
                for value in values:
                    yield f"{name} as {value!r}", self.claiming(**{name: value})
        for name in ("name", "email"):
            yield f"{name} as a list", self.claiming(**{name: ["x"]})

    # --- other things than a JWT

    def other_shapes(self) -> Iterator[tuple[str, str]]:
        """Nothing else than a JWT in its compact form."""
        good = self.good()
        header, payload, signature = good.split(".")
        members = {"payload": payload, "protected": header, "signature": signature}
        yield "JSON, flattened", json.dumps(members)
        yield "JSON, general", json.dumps({"payload": payload, "signatures": [members]})
        yield "JWE", f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{part(b'x' * 12)}.{payload}.AAAA"
        nested = self.forge.token(self.forge.header(self.typ, cty="JWT"), good.encode())
        yield "a JWT in a JWT", nested
        yield "detached", f"{header}..{signature}"
        yield "nested header", f"{part(b'[' * DEEP)}.{payload}.{signature}"
        yield "nested header, signed", self.forge.token(b'{"a":' * (DEEP // 5), dict(self.claims))
        yield "nested payload", self.payload(b"[" * DEEP)
        yield (
            "nested claim",
            self.payload(json.dumps(dict(self.claims))[:-1].encode() + b', "x": ' + b"[" * DEEP),
        )
        yield "trailing garbage", self.payload(json.dumps(dict(self.claims)).encode() + b"{}")
        yield "overlong UTF-8", self.payload(b'{"sub": "\xc0\xaf"}')
        for name, raw in {"a list": b"[]", "text": b'"x"', "nothing": b"", "NaN": b"NaN"}.items():
            yield f"payload {name}", self.payload(raw)
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


KINDS: Final[Mapping[str, Callable[[Attacker], Iterator[tuple[str, str]]]]] = {
    "algorithm": Attacker.other_algorithms,
    "key": Attacker.other_keys,
    "type": Attacker.other_types,
    "signature": Attacker.bent_signatures,
    "times": Attacker.other_times,
    "parties": Attacker.other_parties,
    "claims": Attacker.strange_claims,
    "shape": Attacker.other_shapes,
}
