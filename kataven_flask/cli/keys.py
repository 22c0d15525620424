"""`kataven-flask keys`: make keys."""

from __future__ import annotations

from typing import Final

import click

from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import (
    TENANT_ID,
    Mode,
    generate_client_key,
    generate_secret_key,
    hash_secret_key,
)

_ENTRY: Final = """\
  # Under `tenants:`. For a tenant that stands there already, take what is under `keys:`.
  {tenant}:
    name: {tenant}
    agents:
      support:
        display_name: Support
    keys:
      - name: my site
        client_key: {client_key}
        secrets:
          - hash: {hash}
        domain_allowlist: [{sites}]
"""


@click.group()
def keys() -> None:
    """Make client keys and secret keys."""


@keys.command()
@click.argument("tenant")
@click.option("--test", "mode", flag_value="test", help="Test keys: for loopback hosts alone.")
@click.option("--live", "mode", flag_value="live", default="live", help="Live keys (the default).")
def generate(tenant: str, mode: Mode) -> None:
    """Make a pair of keys for TENANT, and the lines to paste into the tenants' file.

    The secret key is shown this once and kept nowhere; the file gets its hash alone.

    Example: kataven-flask keys generate acme
    """
    if not TENANT_ID.fullmatch(tenant):
        raise ConfigurationError(f"{tenant!r} is not a tenant id: a-z, 0-9 and -, 2 to 32")
    secret_key = generate_secret_key(tenant, mode)
    click.echo(
        _ENTRY.format(
            tenant=tenant,
            client_key=generate_client_key(tenant, mode),
            hash=hash_secret_key(secret_key),
            sites='"localhost:*", "*.localhost:*"' if mode == "test" else "https://example.com",
        )
    )
    click.echo("The secret key, for the site's backend; it is shown this once:", err=True)
    click.echo(secret_key, err=True)
