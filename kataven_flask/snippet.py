"""The lines of HTML that a tenant pastes into its pages."""

from __future__ import annotations

from html import escape
from typing import Final

EXAMPLE_SERVER: Final = "https://widget.example.com"
EXAMPLE_CONNECT_URL: Final = "https://agents.example.com/connect"
"""Where no address is known, these stand in its place."""
_SNIPPET: Final = """\
<script src="{server}/widget/v1.js" defer
        data-client-key="{client_key}"{agent}
        data-connect-url="{connect_url}"></script>"""
_AGENT: Final = ' data-agent="{agent_id}"'


def snippet(
    client_key: str,
    server: str | None = None,
    agent_id: str | None = None,
    connect_url: str | None = None,
) -> str:
    """Write what shows the widget on a page.

    Args:
        client_key: The `pk_…` key.
        server: The public address of the server; None for an example of one.
        agent_id: The agent to ask for; None for the key's or the tenant's own.
        connect_url: Where messages go; None for an example of one.

    Returns:
        HTML.
    """
    return _SNIPPET.format(
        server=escape(server or EXAMPLE_SERVER),
        client_key=escape(client_key),
        connect_url=escape(connect_url or EXAMPLE_CONNECT_URL),
        agent="" if agent_id is None else _AGENT.format(agent_id=escape(agent_id)),
    )
