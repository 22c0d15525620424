"""Libraries that know nothing of this service read its tokens by the JWKS alone, and agree."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import pytest

from tests.support import AUDIENCE
from tests.verify_elsewhere.languages import BOUND, NODE_PACKAGES, PROGRAMS, needs
from tests.verify_elsewhere.sign_in import USER, SignIn

Read = Mapping[str, dict[str, Any] | None]
"""The claims of each token, by its name; None where it was refused."""
ALGORITHMS: Final = ["ES256", "EdDSA"]
CLAIMS: Final = (
    "expired",
    "for another audience",
    "for the exchange",
    "of another issuer",
    "of an issuer that begins alike",
)
"""What each of these libraries is asked to check beside the signature."""
NO_EDDSA: Final = {"jsonwebtoken"}
"""It knows no EdDSA: who verifies with it needs a service that signs with ES256, the default."""
HARMLESS: Final = {"joserfc": {"key: kid null"}, "authlib": {"key: kid null"}}
"""Signed by the service's own key, without a word of which one: it tries what fits."""


def by_joserfc(sign_in: SignIn) -> Callable[[str], dict[str, Any]]:
    """Return what verifies by joserfc."""
    keys = joserfc.jwk.KeySet.import_key_set(sign_in.jwks)  # type: ignore[arg-type]
    checks = joserfc.jwt.JWTClaimsRegistry(
        leeway=10,
        iss={"essential": True, "value": sign_in.door.url},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def verify(token: str) -> dict[str, Any]:
        # RFC 9864 would rather have Ed25519 called by that name than EdDSA.
        with warnings.catch_warnings(action="ignore", category=joserfc.errors.SecurityWarning):
            found = joserfc.jwt.decode(token, keys, algorithms=ALGORITHMS)
        checks.validate(found.claims)
        return found.claims

    return verify


def by_authlib(sign_in: SignIn) -> Callable[[str], dict[str, Any]]:
    """Return what verifies by Authlib's own JOSE, which it says it will leave to joserfc."""
    with warnings.catch_warnings(record=True):
        jose = importlib.import_module("authlib.jose")
    keys = jose.JsonWebKey.import_key_set(sign_in.jwks)
    library = jose.JsonWebToken(ALGORITHMS)
    options = {
        "iss": {"essential": True, "value": sign_in.door.url},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def verify(token: str) -> dict[str, Any]:
        claims = library.decode(token, keys, claims_options=options)
        claims.validate(leeway=10)
        return dict(claims)

    return verify


def by_node(sign_in: SignIn, tokens: Mapping[str, str], folder: Path) -> dict[str, Read]:
    """Show the tokens to both libraries for Node, in one process."""
    needs(shutil.which("node"), "Node.js")
    needs((NODE_PACKAGES / "jsonwebtoken").is_dir(), "jose and jsonwebtoken (npm)")
    (folder / "node_modules").symlink_to(NODE_PACKAGES)
    shutil.copy(PROGRAMS / "libraries.mjs", folder)
    asked = {"jwks": sign_in.jwks, "issuer": sign_in.door.url, "tokens": dict(tokens)}
    ran = subprocess.run(
        ["node", "libraries.mjs"],  # noqa: S607 - wherever it is
        cwd=folder,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    read: dict[str, Read] = json.loads(ran.stdout)
    return read


def read_by(verify: Callable[[str], dict[str, Any]], tokens: Mapping[str, str]) -> Read:
    """Show the tokens to a library; whatever it raises, it refuses."""
    read: dict[str, dict[str, Any] | None] = {}
    for name, token in tokens.items():
        try:
            read[name] = verify(token)
        except Exception:  # noqa: BLE001 - of four libraries, whatever they raise
            read[name] = None
    return read


def shown(sign_in: SignIn) -> dict[str, str]:
    """Return the good tokens, and every forged one that these libraries know by themselves."""
    forged = {
        name: token
        for name, token in sign_in.attacks().items()
        if not name.startswith(("claims: ", "another token: "))
        or name.removeprefix("claims: ") in CLAIMS
    }
    return {**sign_in.good, **forged}


def hold(library: str, read: Read, sign_in: SignIn) -> None:
    """Hold what a library has read against what the service said: all of it, and no more."""
    expected = {name: sign_in.claims(name) for name in sign_in.good}
    if library in NO_EDDSA:
        del expected["a guest, EdDSA"]
    taken = {name: claims for name, claims in read.items() if claims is not None}
    odd = taken.keys() - expected.keys()
    assert odd <= HARMLESS.get(library, set())
    assert {name: taken.get(name) for name in expected} == expected
    assert expected["a user, ES256"]["name"] == USER["name"]


@pytest.mark.parametrize("make", [by_joserfc, by_authlib], ids=["joserfc", "authlib"])
def test_in_python(
    make: Callable[[SignIn], Callable[[str], dict[str, Any]]], sign_in: SignIn
) -> None:
    """Libraries of Python read the same claims, and take nothing that is forged."""
    hold(make.__name__.removeprefix("by_"), read_by(make(sign_in), shown(sign_in)), sign_in)


def test_in_node(sign_in: SignIn, tmp_path: Path) -> None:
    """Libraries of Node read the same claims, and take nothing that is forged."""
    found = by_node(sign_in, shown(sign_in), tmp_path)
    assert found.keys() == {"jose", "jsonwebtoken"}
    for library, read in found.items():
        hold(library, read, sign_in)
