"""What is examined: a server, as a page on one origin calls it with one client key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import parse_client_key
from kataven_flask.origins import Origin, OriginPattern, OriginPatternError

API: Final = "/api/v1/widget"
_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?", re.IGNORECASE)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~%-]+)*")
_NOT_THIS_ONE: Final = (
    "that is a secret key, and now it stands in your shell's history: rotate it."
    " A page has the pk_… key"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A server and the page that calls it.

    Args:
        server: The server's origin.
        path: What stands before the server's own paths; empty for none.
        page: The page's origin.
        client_key: The client key of the page's snippet.
        agent_id: The agent that the snippet names, if it names one.
    """

    server: Origin
    path: str
    page: Origin
    client_key: str
    agent_id: str | None = None

    @classmethod
    def read(cls, url: str, page: str, client_key: str, agent_id: str | None = None) -> Target:
        """Read what a person typed.

        Args:
            url: Where the server is reached.
            page: The page's origin.
            client_key: The client key.
            agent_id: The agent, if any.

        Raises:
            ConfigurationError: One of them isn't what it should be; it says what to write.

        Returns:
            The target.
        """
        server, path = _read_url(url)
        _require_client_key(client_key)
        return cls(server, path, _read_origin(page, "--origin"), client_key, agent_id or None)

    @property
    def url(self) -> str:
        """Where the server is reached."""
        return f"{self.server}{self.path}"

    @property
    def is_same_origin(self) -> bool:
        """Whether the page is on the server's own origin, so that CORS has no part in it."""
        return self.page == self.server

    @property
    def is_mixed_content(self) -> bool:
        """Whether a browser blocks the server's answers in this page (Mixed Content, 4.4)."""
        is_plain = self.server.scheme == "http" and not self.server.is_loopback
        return self.page.scheme == "https" and is_plain


def _read_url(text: str) -> tuple[Origin, str]:
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError("--url: write http:// or https:// and the server's host")
    path = (match["path"] or "").rstrip("/")
    if not _PATH.fullmatch(path):
        raise ConfigurationError("--url: its path has characters that no server's path needs")
    return _read_origin(f"{match['scheme']}://{match['host']}", "--url"), path


def _read_origin(text: str, option: str) -> Origin:
    """Read an origin as a person writes one: an international host name, too."""
    try:
        pattern = OriginPattern.parse(text.strip())
    except OriginPatternError as error:
        raise ConfigurationError(f"{option}: {error}") from error
    if pattern.subdomains or pattern.any_port:
        raise ConfigurationError(f"{option}: write one origin, without `*`")
    if len(pattern.schemes) > 1:
        raise ConfigurationError(f"{option}: write http://{text.strip()}, or https://")
    (scheme,) = pattern.schemes
    port = "" if pattern.port is None else f":{pattern.port}"
    origin = Origin.parse(f"{scheme}://{pattern.host}{port}")
    if origin is None:
        raise ConfigurationError(f"{option}: not an origin; write scheme://host")
    return origin


def _require_client_key(text: str) -> None:
    if text.startswith("sk_"):
        raise ConfigurationError(f"--client-key: {_NOT_THIS_ONE}")
    if parse_client_key(text) is None:
        raise ConfigurationError(
            "--client-key: not a client key; copy pk_… from the page's snippet"
        )
