"""The lines of HTML that a tenant pastes into its pages."""

from __future__ import annotations

from html import escape
from typing import Final

EXAMPLE_SERVER: Final = "https://widget.example.com"
_SNIPPET: Final = """\
<script src="{server}/widget/v1.js" defer
        data-client-key="{client_key}"{agent}
        data-connect-url="https://agents.example.com/connect"></script>"""
_AGENT: Final = ' data-agent="{agent_id}"'


def snippet(client_key: str, server: str | None = None, agent_id: str | None = None) -> str:
    """Write what shows the widget on a page.

    Args:
        client_key: The `pk_…` key.
        server: The public address of the server; None for an example of one.
        agent_id: The agent to ask for; None for the key's or the tenant's own.

    Returns:
        HTML.
    """
    return _SNIPPET.format(
        server=escape(server or EXAMPLE_SERVER),
        client_key=escape(client_key),
        agent="" if agent_id is None else _AGENT.format(agent_id=escape(agent_id)),
    )
