"""What `serve` tells once it listens."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import click

from kataven_flask.cli.output import counted
from kataven_flask.listening import Address
from kataven_flask.log import Log
from kataven_flask.origins import Origin
from kataven_flask.registry import Registry
from kataven_flask.settings import Settings
from kataven_flask.starting import log_start, warn_of_issuer
from kataven_flask.store import public_url

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told, and how.

    Args:
        address: Where it listens.
        admin: Where the metrics are; None for nowhere.
        logged: Whether the log is collected, and shall know of the start, too.
    """

    address: Address
    admin: Address | None
    logged: bool

    def make(self, settings: Settings, registry: Registry, *, keys_made: bool) -> None:
        """Tell it, with what an operator should know about these settings.

        Args:
            settings: How the server is set up.
            registry: The tenants' file in force.
            keys_made: Whether there were no keys before.
        """
        self._print(settings, registry, "  (made now; keep a backup)" * keys_made)
        if self.logged:
            admin = {} if self.admin is None else {"admin": str(self.admin)}
            listen = str(self.address)
            log_start(settings, registry, listen=listen, **admin, keys_made=keys_made)
        origin = Origin.parse(settings.issuer)
        loopback = origin is not None and origin.is_loopback and _is_local(self.address)
        if registry.issuer is None and not loopback:
            warn_of_issuer(settings)
        if self.admin is not None and not _is_local(self.admin):
            _log.warning(
                "whoever reaches this address reads the metrics;"
                " keep it to 127.0.0.1 or a private network",
                admin=str(self.admin),
            )

    def _print(self, settings: Settings, registry: Registry, keys: str) -> None:
        url = f"http://{local(self.address)}"
        click.echo(f"kataven-flask listens on http://{self.address}  (Ctrl-C stops it)")
        click.echo(
            f"  tenants   {len(registry.tenants)} with"
            f" {counted(len(registry.keys), 'client key')},"
            f" from {settings.config} (revision {registry.revision})"
        )
        click.echo(f"  issuer    {registry.issuer or settings.issuer}")
        click.echo(f"  keys      {settings.instance.absolute()}{keys}")
        click.echo(f"  state     {public_url(settings.state_url)}")
        if settings.proxies is not None:
            click.echo(f"  proxies   {settings.proxies}")
        if settings.hsts is not None:
            click.echo(f"  hsts      {settings.hsts} s")
        if self.admin is not None:
            click.echo(f"  metrics   http://{local(self.admin)}/metrics")
        click.echo(
            f"Next: open {url}/readyz, or try it as a page would: `kataven-flask doctor --help`."
        )


def local(address: Address) -> Address:
    """Return the address as this machine's browser reaches it."""
    anywhere = address.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return dataclasses.replace(address, host="localhost") if anywhere else address


def _is_local(address: Address) -> bool:
    return address.host in {"127.0.0.1", "::1", "localhost"}
