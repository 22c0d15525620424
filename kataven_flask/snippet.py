"""The lines of HTML that a tenant pastes into its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.origins import DEFAULT_PORTS, Origin

EXAMPLE_SERVER: Final = "https://widget.example.com"
EXAMPLE_CONNECT_URL: Final = "https://agents.example.com/connect"
"""Where no address is known, these stand in its place."""
_SNIPPET: Final = """\
<script src="{server}/widget/v1.js" defer
        data-client-key="{client_key}"{agent}
        data-connect-url="{connect_url}"{integrity}></script>"""
_AGENT: Final = ' data-agent="{agent_id}"'
_INTEGRITY: Final = """
        integrity="{digest}" crossorigin="anonymous\""""


def snippet(
    client_key: str,
    server: str | None = None,
    agent_id: str | None = None,
    connect_url: str | None = None,
    integrity: str | None = None,
) -> str:
    """Write what shows the widget on a page.

    Args:
        client_key: The `pk_…` key.
        server: The public address of the server; None for an example of one.
        agent_id: The agent to ask for; None for the key's or the tenant's own.
        connect_url: Where messages go; None for an example of one.
        integrity: The hash that the script must have (W3C, Subresource Integrity); None for any.

    Returns:
        HTML.
    """
    return _SNIPPET.format(
        server=escape(server or EXAMPLE_SERVER),
        client_key=escape(client_key),
        connect_url=escape(connect_url or EXAMPLE_CONNECT_URL),
        agent="" if agent_id is None else _AGENT.format(agent_id=escape(agent_id)),
        integrity="" if integrity is None else _INTEGRITY.format(digest=escape(integrity)),
    )


def content_security_policy(
    server: str, connect_url: str, pictures: Iterable[str]
) -> Sequence[str]:
    """Write what a page's policy has to allow (W3C, Content Security Policy Level 3).

    Args:
        server: The public address of the server.
        connect_url: Where messages go.
        pictures: The addresses of the logo and of the agents' faces.

    Raises:
        ConfigurationError: One is neither an http(s) address nor a path.

    Returns:
        Directives, to be merged into those of the page.
    """
    home = _source(server)
    allowed = {
        "script-src": [home],
        "connect-src": [home, _source(connect_url)],
        "img-src": [_source(url) for url in pictures],
    }
    return [
        " ".join([directive, *dict.fromkeys(sources)])
        for directive, sources in allowed.items()
        if sources
    ]


def _source(url: str) -> str:
    """Write where an address is as a policy has it; a path is on the page's own site."""
    if url.startswith("/") and not url.startswith("//"):
        return "'self'"
    origin = Origin.of_url(url)
    if origin is None or origin.scheme not in DEFAULT_PORTS:
        raise ConfigurationError(f"{url!r} is neither an http(s) address nor a path (/connect)")
    return str(origin)
