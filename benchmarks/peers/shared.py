"""What the peers in Python are given: the file that `PEER_SETTINGS` names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key

SETTINGS: Final[dict[str, Any]] = json.loads(Path(os.environ["PEER_SETTINGS"]).read_text())
ISSUER: Final[str] = SETTINGS["issuer"]
AUDIENCE: Final[str] = SETTINGS["audience"]
KID: Final[str] = SETTINGS["kid"]
PRIVATE_KEY: Final[Any] = (
    load_pem_private_key(SETTINGS["private_key"].encode(), password=None)
    if os.environ.get("PEER_KEY") == "parsed"
    else SETTINGS["private_key"]
)
"""PEM, as the guides hand it over with every token; or parsed once, which costs less."""
ALLOWLIST: Final[list[str]] = SETTINGS["allowlist"]
KEYS: Final[dict[str, dict[str, str]]] = SETTINGS["keys"]
"""By client key: its tenant and agent, and the bcrypt hash of its secret key."""
API: Final = "/api/v1/widget"
SESSION_SECONDS: Final = 600
VISITOR_SECONDS: Final = 300
