"""`kataven-flask keys`: make keys."""

from __future__ import annotations

import click

from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import (
    TENANT_ID,
    Mode,
    generate_client_key,
    generate_secret_key,
    hash_secret_key,
)


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
    site = "localhost:*" if mode == "test" else "https://example.com"
    click.echo(f"      # under tenants.{tenant}.keys, with the page's own origins:")
    click.echo("      - name: my site")
    click.echo(f"        client_key: {generate_client_key(tenant, mode)}")
    click.echo("        secrets:")
    click.echo(f"          - hash: {hash_secret_key(secret_key)}")
    click.echo(f"        domain_allowlist: [{site}]")
    click.echo("\nThe secret key, for the site's backend; it is shown this once:", err=True)
    click.echo(secret_key, err=True)
