"""Which client key a person means: all of it, its beginning, or its name in the file."""

from __future__ import annotations

from difflib import get_close_matches

from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import KeyRecord, Registry


def find_record(registry: Registry, text: str) -> KeyRecord:
    """Find the client key that is meant.

    Args:
        registry: The tenants.
        text: A client key, the beginning of one, or a key's name.

    Raises:
        ConfigurationError: None is meant, or several may be.

    Returns:
        Its record.
    """
    if text.startswith("sk_"):
        raise ConfigurationError(
            "this is a secret key, and now it is in your shell's history: rotate it; give the"
            " pk_… key"
        )
    if text in registry.keys:
        return registry.keys[text]
    records = registry.keys.values()
    meant = [r for r in records if r.key.name == text]
    if not meant and text.startswith("pk_"):
        meant = [r for r in records if r.key.client_key.startswith(text)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = "".join(f"\n  {described(r)}" for r in meant)
        raise ConfigurationError(f"{text!r} may be any of these; write more of it:{several}")
    raise ConfigurationError(
        f"no tenant has the client key {text!r}; {_did_you_mean(text, registry)}"
    )


def _did_you_mean(text: str, registry: Registry) -> str:
    names = {r.key.name: r for r in registry.keys.values()} | dict(registry.keys)
    close = get_close_matches(text, names, n=1)
    if close:
        return f"did you mean {described(names[close[0]])}?"
    return "copy it from the snippet again"


def described(record: KeyRecord) -> str:
    """Name a client key for a person: its text, its name and its tenant."""
    return f"{record.key.client_key} ({record.key.name!r} of tenant {record.tenant_id})"
