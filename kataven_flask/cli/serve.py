"""`kataven-flask serve`: the server for production."""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import click

from kataven_flask.app import Parts, create_app, parts_of
from kataven_flask.channels import MayWait
from kataven_flask.cli.options import config_option, instance_option, state_option
from kataven_flask.cli.output import counted, note
from kataven_flask.errors import ConfigurationError
from kataven_flask.hardening import keep_memory_private
from kataven_flask.listening import Address, bind
from kataven_flask.live import Live, log_news
from kataven_flask.origins import Origin
from kataven_flask.places import Bounds, fitting
from kataven_flask.proxies import MAX_HOPS
from kataven_flask.registry import Registry
from kataven_flask.serve import Server, WsgiApp
from kataven_flask.settings import MAX_HSTS, Settings, checked_issuer, checked_proxies
from kataven_flask.shares import Counts, Share
from kataven_flask.signing import Algorithm
from kataven_flask.standing import SPEAKER, Board, Company
from kataven_flask.store import public_url
from kataven_flask.workers import Job, run_workers


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
    help="Requests of a worker that may wait for the state store at once.",
)
@click.option(
    "--admin",
    metavar="HOST:PORT",
    envvar="KATAVEN_ADMIN",
    show_envvar=True,
    help="Where /metrics is answered, for Prometheus; keep it to 127.0.0.1.  [default: nowhere]",
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
    "--trusted-proxies",
    metavar="CIDR[,CIDR…]",
    envvar="KATAVEN_TRUSTED_PROXIES",
    show_envvar=True,
    help="The reverse proxies whose X-Forwarded-For is believed.  [default: nobody]",
)
@click.option(
    "--proxy-hops",
    type=click.IntRange(1, MAX_HOPS),
    envvar="KATAVEN_PROXY_HOPS",
    show_envvar=True,
    help="How many of them a request passes, one after the other.  [default: 1]",
)
@click.option(
    "--hsts",
    type=click.IntRange(0, MAX_HSTS),
    metavar="SECONDS",
    envvar="KATAVEN_HSTS",
    show_envvar=True,
    help="Say Strict-Transport-Security for so long, to what came by TLS.  [default: not said]",
)
def serve(  # noqa: PLR0913, PLR0917 - an option each
    config: Path,
    listen: str,
    instance: Path,
    state: str | None,
    workers: int,
    threads: int,
    admin: str | None,
    issuer: str | None,
    signing_alg: Algorithm | None,
    trusted_proxies: str | None,
    proxy_hops: int | None,
    hsts: int | None,
) -> None:
    """Serve the sign-in endpoints until Ctrl-C or SIGTERM.

    Example: kataven-flask serve --config config/tenants.yaml --listen 0.0.0.0:8000
    """
    if state == "memory:" and (workers > 1 or admin is not None):
        raise ConfigurationError(
            "--state memory: is one worker's own, and gone with it; with --workers or --admin"
            " use sqlite:/// or redis://"
        )
    proxies = checked_proxies(trusted_proxies, proxy_hops)
    if hsts is not None and proxies is None:
        raise ConfigurationError(
            "--hsts needs --trusted-proxies: TLS ends at a proxy, and it alone can say so"
        )
    bounds = _bounds(threads)
    keep_memory_private()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    listener = bind(Address.parse(listen))
    admin_listener = bind(Address.parse(admin, "--admin")) if admin is not None else None
    settings = Settings(
        config=config,
        instance=instance,
        state=state,
        issuer=checked_issuer(issuer) if issuer else f"http://{_local(_address(listener))}",
        signing_alg=signing_alg,
        watch=False,  # a thread would not outlive the fork; each worker starts its own
        proxies=proxies,
        hsts=hsts,
    )

    def make_server(app: WsgiApp, may_wait: MayWait, share: Share | None) -> Server:
        return Server(app, listener, threads, may_wait=may_wait, share=share, bounds=bounds)

    sys.exit(_run(settings, make_server, listener, workers, admin_listener))


def _bounds(threads: int) -> Bounds:
    wanted = Bounds()
    bounds = fitting(wanted, threads)
    if bounds.connections < wanted.connections:
        note(
            f"Note: each worker takes {bounds.connections:,} connections at once, and not"
            f" {wanted.connections:,}, as the system allows too few open files:"
            " ulimit -n, or LimitNOFILE in systemd, raises them."
        )
    return bounds


def _run(
    settings: Settings,
    make_server: Callable[[WsgiApp, MayWait, Share | None], Server],
    listener: socket.socket,
    workers: int,
    admin_listener: socket.socket | None,
) -> int:
    app = create_app(settings)
    parts = parts_of(app)
    company = Company(workers + 1, parts.watch, parts.live, parts.ring)
    company.join(SPEAKER)
    counts = Counts(workers)
    addresses = [_address(each) for each in (listener, admin_listener) if each is not None]

    def work(place: int) -> Server:
        company.join(place)
        parts.watch.start()
        share = Share(counts, place - 1) if workers > 1 else None
        return make_server(app, parts.may_wait, share)

    def ready() -> None:
        _announce(settings, parts.live.current, *addresses)

    is_alone = workers == 1 and admin_listener is None
    if not is_alone:
        parts.events.share()
    places = [SPEAKER] if is_alone else range(SPEAKER + 1, workers + 1)
    jobs = [Job("worker", listener, partial(work, place)) for place in places]
    with ExitStack() as stack:
        ended: Callable[[int], None] = _nothing
        if admin_listener is not None:
            board = company.board_of(parts.live)
            job, ended = stack.enter_context(_admin(admin_listener, parts, board))
            jobs.append(job)
        status = run_workers(jobs, ready=ready, idle=parts.watch.look, ended=ended)
        parts.events.close()
        return status


def _nothing(_process: int) -> None:
    """Do nothing about a process that has ended."""


@contextmanager
def _admin(
    listener: socket.socket, parts: Parts, board: Board
) -> Iterator[tuple[Job, Callable[[int], None]]]:
    """Count from now on; give the job of showing it, and what to do about who has ended."""
    try:
        temporary = TemporaryDirectory(prefix="kataven-metrics-")  # this user's alone
    except OSError as error:
        raise ConfigurationError(
            f"--admin needs a folder for temporary files: {error.strerror}; name one with TMPDIR"
        ) from error
    with temporary as folder:
        # Read when prometheus_client is imported, and that takes its time and its memory.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from kataven_flask.admin import admin_app  # noqa: PLC0415
        from kataven_flask.metrics import Metrics  # noqa: PLC0415

        metrics = Metrics(Path(folder), board)

        def tell(live: Live[Any]) -> None:
            log_news(live)
            metrics.count_config_reload("ok" if live.fault is None else "refused")

        parts.live.tell = tell
        parts.events.counted = metrics.count_security_event
        app = admin_app(metrics.registry)
        yield (
            Job("admin process", listener, lambda: Server(app, listener, threads=1)),
            metrics.forget,
        )


def _address(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return Address(host, port)


def _announce(
    settings: Settings, registry: Registry, address: Address, metrics: Address | None = None
) -> None:
    url = f"http://{_local(address)}"
    click.echo(f"kataven-flask listens on http://{address}  (Ctrl-C stops it)")
    click.echo(
        f"  tenants   {len(registry.tenants)} with {counted(len(registry.keys), 'client key')},"
        f" from {settings.config} (revision {registry.revision})"
    )
    click.echo(f"  issuer    {registry.issuer or settings.issuer}")
    click.echo(f"  keys      {settings.instance}")
    click.echo(f"  state     {public_url(settings.state_url)}")
    if settings.proxies is not None:
        click.echo(f"  proxies   {settings.proxies}")
    if settings.hsts is not None:
        click.echo(f"  hsts      {settings.hsts} s")
    if metrics is not None:
        click.echo(f"  metrics   http://{_local(metrics)}/metrics")
    click.echo(
        f"Next: open {url}/readyz, or try it as a page would: `kataven-flask doctor --help`."
    )
    origin = Origin.parse(settings.issuer)
    if registry.issuer is None and not (origin and origin.is_loopback and _is_local(address)):
        note(
            f"Note: tokens say iss {settings.issuer}; write `issuer:` in {settings.config}"
            " before others rely on it."
        )
    if metrics is not None and not _is_local(metrics):
        note(
            f"Note: whoever reaches http://{metrics} reads the metrics;"
            " keep it to 127.0.0.1 or a private network."
        )


def _is_local(address: Address) -> bool:
    return address.host in {"127.0.0.1", "::1", "localhost"}


def _local(address: Address) -> Address:
    """Return the address as this machine's browser reaches it."""
    anywhere = address.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return dataclasses.replace(address, host="localhost") if anywhere else address
