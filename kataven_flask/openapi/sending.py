"""How a request is sent: as a shell's command, and as a page's script."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from kataven_flask.openapi.operations import PAGES

JsonObject = dict[str, Any]

SERVER: Final = "https://widget.example.com"
"""Where the examples go."""
_CLIENT_KEY: Final = "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g"
_ORIGIN: Final = "https://acme.com"
_QUERIES: Final = {"config": {"client_key": _CLIENT_KEY}}


def curl(method: str, path: str, operation: JsonObject, body: JsonObject | None) -> str:
    """Return a shell's command.

    Args:
        method: The operation's method.
        path: Its path.
        operation: What the description says of it.
        body: What is sent, or None.
    """
    parts = [f"curl {_quoted(_address(path, operation))}"]
    if PAGES in operation["tags"]:
        parts.append(f"-H 'Origin: {_ORIGIN}'")
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $SECRET_KEY"')
    if method == "POST":
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d '{json.dumps(body, ensure_ascii=False, indent=2)}'")
    return " \\\n  ".join(parts)


def fetch(method: str, path: str, operation: JsonObject, body: JsonObject | None) -> str:
    """Return a page's script, or nothing for what is no page's business; see `curl`."""
    if PAGES not in operation["tags"]:
        return ""
    address = json.dumps(_address(path, operation))
    if method == "GET":
        return f"const answer = await fetch({address});\nconst config = await answer.json();"
    sent = json.dumps(body, ensure_ascii=False, indent=2).replace("\n", "\n  ")
    lines = [
        f"const answer = await fetch({address}, {{",
        '  method: "POST",',
        f"  body: JSON.stringify({sent}),",
        "});",
    ]
    if "200" in operation["responses"]:
        lines.append("const session = await answer.json();")
    return "\n".join(lines)


def _address(path: str, operation: JsonObject) -> str:
    query = _QUERIES.get(operation["operationId"])
    return f"{SERVER}{path}" + (f"?{urlencode(query)}" if query else "")


def _quoted(address: str) -> str:
    return f"'{address}'" if "?" in address else address
