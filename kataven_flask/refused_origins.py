"""Why an origin was refused, and what would admit it, as the log has it for the operator."""

from __future__ import annotations

from kataven_flask.explain import add_command, explain
from kataven_flask.keys import parse_client_key
from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord


def why_refused(record: KeyRecord, text: str, config: str | None) -> dict[str, str]:
    """Explain a refused origin.

    Args:
        record: The client key whose allowlist didn't admit it.
        text: The origin.
        config: The tenants' file, where it isn't the default one.

    Returns:
        `why`, and in `add` the command that admits it; none for what may be phishing.
    """
    origin = Origin.parse(text)
    if origin is None:
        return {}
    if record.key.admits(origin):  # the file has changed since
        return {"why": "it is admitted by now"}
    name = parse_client_key(record.key.client_key)
    loopback_only = name is not None and name.mode == "test"
    found = explain(record.key.domain_allowlist, origin, loopback_only=loopback_only)
    if found.offer is None:
        return {"why": "; ".join(filter(None, (found.summary, found.obstacle)))}
    command = add_command(record.key.client_key, found.offer, config)
    return {"why": f"{found.summary}; if it is theirs, add it", "add": command}
