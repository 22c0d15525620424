"""What the operator sets outside the tenants' file: options of the command, or `KATAVEN_…`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from kataven_flask.document.member_types import parse_issuer
from kataven_flask.errors import ConfigurationError
from kataven_flask.proxies import MAX_HOPS, Proxies
from kataven_flask.signing import Algorithm
from kataven_flask.variables import given
from kataven_flask.whereabouts import (
    DEFAULT_CONFIG,
    DEFAULT_INSTANCE,
    find_config,
    find_instance,
)

DEFAULT_ISSUER: Final = "http://localhost:5000"
"""Where `flask run` listens."""
MAX_HSTS: Final = 63_072_000
"""Two years, in seconds; what is longer is a mistake that browsers would remember."""
_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
"""How a switch is written, as click reads it for the command."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server is set up.

    Args:
        config: The tenants' file, or a folder of such files.
        instance: The folder that holds the signing keys and refresh secrets.
        state: The state store's URL; None for a SQLite file in the instance folder.
        issuer: The `iss` of tokens where the tenants' file names none: the address served.
        signing_alg: The algorithm of a signing key that has to be made.
        watch: Whether edits of the tenants' file are picked up.
        proxies: Whose word on the client's address and scheme is believed; None for nobody's.
        hsts: For how many seconds browsers are told to ask by TLS alone; None to say nothing.
        log_requests: Whether the log has a line for each request.
        clock: Gives the seconds since the epoch.
    """

    config: Path = DEFAULT_CONFIG
    instance: Path = DEFAULT_INSTANCE
    state: str | None = field(default=None, repr=False)
    issuer: str = DEFAULT_ISSUER
    signing_alg: Algorithm | None = None
    watch: bool = True
    proxies: Proxies | None = None
    hsts: int | None = None
    log_requests: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `KATAVEN_CONFIG` and the others that the command has as options.

        One that is empty counts as not set.

        Raises:
            ConfigurationError: A value can't be used.
        """
        alg = given(environ, "KATAVEN_SIGNING_ALG")
        config = Path(given(environ, "KATAVEN_CONFIG") or find_config(environ))
        instance = given(environ, "KATAVEN_INSTANCE")
        if alg not in (None, *get_args(Algorithm)):
            raise ConfigurationError(f"KATAVEN_SIGNING_ALG={alg}: write ES256 or EdDSA")
        return cls(
            config=config,
            instance=Path(instance) if instance else find_instance(config, environ),
            state=given(environ, "KATAVEN_STATE"),
            issuer=checked_issuer(
                given(environ, "KATAVEN_ISSUER") or DEFAULT_ISSUER, "KATAVEN_ISSUER="
            ),
            signing_alg=alg,  # type: ignore[arg-type]  # checked above
            proxies=checked_proxies(
                environ.get("KATAVEN_TRUSTED_PROXIES"),
                _number(environ, "KATAVEN_PROXY_HOPS", 1, MAX_HOPS),
                "KATAVEN_TRUSTED_PROXIES",
            ),
            hsts=_number(environ, "KATAVEN_HSTS", 0, MAX_HSTS),
            log_requests=_switch(environ, "KATAVEN_LOG_REQUESTS"),
        )

    @property
    def state_url(self) -> str:
        """The state store's URL."""
        return self.state or f"sqlite:///{self.instance / 'state.db'}"


def checked_issuer(text: str, given_as: str = "--issuer ") -> str:
    """Read an issuer, or raise a ConfigurationError that says what to write."""
    try:
        return parse_issuer(text)
    except ValueError as error:
        raise ConfigurationError(f"{given_as}{text}: {error}") from error


def checked_proxies(
    text: str | None, hops: int | None, name: str = "--trusted-proxies"
) -> Proxies | None:
    """Read who the proxies are, or raise a ConfigurationError that says what to write."""
    if not text:
        if hops is not None:
            raise ConfigurationError(
                f"{name} is missing: name the proxies, too, or leave out how many there are"
            )
        return None
    try:
        return Proxies.parse(text, hops or 1)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = given(environ, name)
    try:
        return text is not None and _SWITCH[text.lower()]
    except KeyError:
        raise ConfigurationError(f"{name}={text}: write 1 or 0") from None


def _number(environ: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = given(environ, name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else -1
    if not least <= number <= most:
        raise ConfigurationError(f"{name}={text}: write a number from {least} to {most}")
    return number
