"""What all servers know: one tenant, its keys, three origins; for ours as the file it reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kataven_flask.keys import hash_secret_key
from kataven_flask.tenants import RateLimits

API: Final = "/api/v1/widget"
ISSUER: Final = "https://widget.example.com"
AUDIENCE: Final = "kataven:connect"
TENANT: Final = "acme"
AGENT: Final = "support"
CLIENT_KEY: Final = "pk_live_acme_MeasuredAndOpensNothing"
SECRET_KEY: Final = "sk_live_acme_ThisOneIsMeasuredWithAndOpensNothingAtAll12"  # noqa: S105
SECRET_BCRYPT: Final = "$2b$12$v5pYn8NjmG.hdATVQWoh6eCrtZ5Hynnyl8QrkhI8GpQExTudDanvi"  # noqa: S105
"""The secret key's hash at cost 12, for the peers."""
ALLOWLIST: Final = ("https://acme.com", "https://www.acme.com", "https://shop.acme.com")
ORIGIN: Final = ALLOWLIST[-1]
"""Who asks: the last entry, which is found last."""
UNREACHED: Final = 10_000_000
"""Requests a minute: each is counted, and none is refused."""


@dataclass(frozen=True, slots=True)
class World:
    """The files that the servers are started with.

    Args:
        folder: Where they and all that the servers write are.
        tenants: Our tenants' file.
        peer_settings: The same for the peers, with a signing key.
    """

    folder: Path
    tenants: Path
    peer_settings: Path


def make_world(folder: Path) -> World:
    """Write the files."""
    world = World(folder, folder / "tenants.yaml", folder / "peers.json")
    world.tenants.write_text(yaml.safe_dump(_document(), sort_keys=False))
    world.peer_settings.write_text(json.dumps(_peer_settings()))
    return world


def _document() -> dict[str, Any]:
    key = {
        "name": "acme.com production",
        "client_key": CLIENT_KEY,
        "secrets": [{"hash": hash_secret_key(SECRET_KEY)}],
        "domain_allowlist": list(ALLOWLIST),
    }
    return {
        "version": 1,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "tokens": {"visitor_ttl": "10m"},
        "limits": dict.fromkeys(RateLimits.model_fields, UNREACHED),
        "tenants": {
            TENANT: {
                "name": "Acme Inc.",
                "default_agent": AGENT,
                "branding": {
                    "logo_url": "https://acme.com/logo.svg",
                    "privacy_notice": "Calls may be recorded for quality.",
                },
                "agents": {
                    AGENT: {
                        "display_name": "Acme Support",
                        "avatar_url": "https://acme.com/support.png",
                    }
                },
                "keys": [key],
            }
        },
    }


def _peer_settings() -> dict[str, Any]:
    pem = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "kid": "K9pT3nWq0c1mB7xZr5uYdLhVfGsEoJiA2k4N6t8v0w0",  # as long as a thumbprint
        "private_key": pem.decode(),
        "allowlist": list(ALLOWLIST),
        "keys": {
            CLIENT_KEY: {"tenant": TENANT, "agent_id": AGENT, "secret_hash": SECRET_BCRYPT},
        },
    }
