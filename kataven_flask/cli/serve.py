"""`kataven-flask serve`: the server for production."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import sys
from pathlib import Path
from typing import get_args

import click

from kataven_flask.app import create_app, parts_of
from kataven_flask.cli.options import config_option, instance_option, state_option
from kataven_flask.cli.output import counted
from kataven_flask.errors import ConfigurationError
from kataven_flask.origins import Origin
from kataven_flask.registry import Registry
from kataven_flask.serve import Address, Server, bind
from kataven_flask.settings import Settings, checked_issuer
from kataven_flask.signing import Algorithm
from kataven_flask.store import public_url
from kataven_flask.workers import run_workers


@click.command()
@config_option
@click.option(
    "--listen",
    default="127.0.0.1:8000",
    show_default=True,
    envvar="KATAVEN_LISTEN",
    show_envvar=True,
    help="HOST:PORT to listen on; port 0 takes a free one.",
)
@instance_option
@state_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    envvar="KATAVEN_WORKERS",
    show_envvar=True,
    help="Processes that share the port.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=4,
    show_default=True,
    envvar="KATAVEN_THREADS",
    show_envvar=True,
    help="Requests that a worker works on at once.",
)
@click.option(
    "--issuer",
    envvar="KATAVEN_ISSUER",
    show_envvar=True,
    help="The iss of tokens where the tenants' file names none.  [default: the address served]",
)
@click.option(
    "--signing-alg",
    type=click.Choice(get_args(Algorithm)),
    envvar="KATAVEN_SIGNING_ALG",
    show_envvar=True,
    help="The algorithm of a signing key that has to be made.  [default: ES256]",
)
@click.option(
    "--trusted-proxy",
    metavar="IP",
    envvar="KATAVEN_TRUSTED_PROXY",
    show_envvar=True,
    help="The reverse proxy whose X-Forwarded-For is believed; without it, none is.",
)
def serve(  # noqa: PLR0913, PLR0917 - an option each
    config: Path,
    listen: str,
    instance: Path,
    state: str | None,
    workers: int,
    threads: int,
    issuer: str | None,
    signing_alg: Algorithm | None,
    trusted_proxy: str | None,
) -> None:
    """Serve the sign-in endpoints until Ctrl-C or SIGTERM.

    Example: kataven-flask serve --config config/tenants.yaml --listen 0.0.0.0:8000
    """
    if workers > 1 and state == "memory:":
        raise ConfigurationError(
            "--state memory: is one worker's own; with --workers use sqlite:/// or redis://"
        )
    if trusted_proxy is not None:
        _require_ip_address(trusted_proxy)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    listener = bind(Address.parse(listen))
    host, port = listener.getsockname()[:2]
    address = Address(host, port)
    settings = Settings(
        config=config,
        instance=instance,
        state=state,
        issuer=checked_issuer(issuer) if issuer else f"http://{_local(address)}",
        signing_alg=signing_alg,
        watch=False,  # a thread would not outlive the fork; each worker starts its own
    )
    app = create_app(settings)
    parts = parts_of(app)
    if workers > 1:
        parts.refused.share()

    def make_server() -> Server:
        parts.watch.start()
        return Server(app, listener, threads, trusted_proxy)

    def ready() -> None:
        _announce(settings, parts.live.current, address)

    status = run_workers(make_server, listener, workers, ready=ready, idle=parts.watch.look)
    parts.refused.close()
    sys.exit(status)


def _require_ip_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise ConfigurationError(f"--trusted-proxy {text}: write one IP address") from error


def _announce(settings: Settings, registry: Registry, address: Address) -> None:
    url = f"http://{_local(address)}"
    click.echo(f"kataven-flask listens on http://{address}  (Ctrl-C stops it)")
    click.echo(
        f"  tenants   {len(registry.tenants)} with {counted(len(registry.keys), 'client key')},"
        f" from {settings.config} (revision {registry.revision})"
    )
    click.echo(f"  issuer    {registry.issuer or settings.issuer}")
    click.echo(f"  keys      {settings.instance}")
    click.echo(f"  state     {public_url(settings.state_url)}")
    click.echo(f"Next: open {url}/readyz, or see the whole handshake with `kataven-flask demo`.")
    origin = Origin.parse(settings.issuer)
    if registry.issuer is None and not (origin and origin.is_loopback and _is_local(address)):
        click.echo(
            f"Note: tokens say iss {settings.issuer}; write `issuer:` in {settings.config}"
            " before others rely on it.",
            err=True,
        )


def _is_local(address: Address) -> bool:
    return address.host in {"127.0.0.1", "::1", "localhost"}


def _local(address: Address) -> Address:
    """Return the address as this machine's browser reaches it."""
    anywhere = address.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return dataclasses.replace(address, host="localhost") if anywhere else address
