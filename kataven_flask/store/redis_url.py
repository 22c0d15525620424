"""A Redis' URL: where it is, and how to sign in there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from kataven_flask.errors import ConfigurationError

SCHEMES: Final = ("redis", "rediss", "redis+cluster", "rediss+cluster")
DEFAULT_PORT: Final = 6379

_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Paths; nothing switches a check off."""
_EXAMPLE: Final = "redis://:password@host:6379/0"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, and how to sign in there.

    Args:
        host: Its host name or address; of a cluster, any node's.
        port: Its port.
        database: The number of its database.
        username: The user's name, if any.
        password: The password, if any.
        tls: Whether to speak TLS; certificate and host name are verified.
        is_cluster: Whether it is a cluster.
        options: Paths for TLS, by redis-py's names.
    """

    host: str
    port: int
    database: int
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    tls: bool
    is_cluster: bool
    options: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Read a URL such as `redis://:password@host:6379/0`.

        Args:
            url: The URL; `rediss` is TLS, `+cluster` a cluster. User and password are
                percent-encoded (RFC 3986, section 3.2.1).

        Raises:
            ConfigurationError: It isn't one; the message has no part of it that may be secret.

        Returns:
            The address.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise _bad_url("it can't be read; percent-encode what is special in it") from error
        if parts.scheme not in SCHEMES:
            raise _bad_url(f"its scheme is one of {', '.join(SCHEMES)}")
        if parts.fragment:
            raise _bad_url("it has a '#'; write %23 where the password has one")
        if not host:
            raise _bad_url("it lacks the host")
        if port == 0 or not _is_host(host):
            raise _bad_url("its host or its port can't be one")
        if parts.username and not parts.password:
            raise _bad_url("it has a user and no password; write :password@ where there is no user")
        tls, is_cluster = parts.scheme.startswith("rediss"), parts.scheme.endswith("+cluster")
        database = _database(parts.path)
        if is_cluster and database:
            raise _bad_url("a cluster has database 0 alone")
        return cls(
            host=host,
            port=port or DEFAULT_PORT,
            database=database,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=tls,
            is_cluster=is_cluster,
            options=_checked(options, tls=tls),
        )

    def __str__(self) -> str:
        scheme = "rediss" if self.tls else "redis"
        kind = "+cluster" if self.is_cluster else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}{kind}://{host}:{self.port}/{self.database}"


def _bad_url(why: str) -> ConfigurationError:
    return ConfigurationError(f"--state: this is not a URL of a Redis such as {_EXAMPLE}: {why}")


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return not re.search(r"[\s,;]", host)


def _database(path: str) -> int:
    number = path.strip("/")
    if not number:
        return 0
    if not (number.isascii() and number.isdigit()):
        raise _bad_url("what follows the last / is the number of a database")
    return int(number)


def _checked(options: dict[str, str], *, tls: bool) -> dict[str, str]:
    for name, path in options.items():
        if name not in _OPTIONS:
            raise _bad_url(f"its options are {', '.join(_OPTIONS)} alone")
        if not tls:
            raise _bad_url(f"{name} is for TLS; write rediss")
        if not Path(path).is_file():
            raise _bad_url(f"{name}={path}: no such file")
    return options
