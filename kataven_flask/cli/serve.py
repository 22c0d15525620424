"""`kataven-flask serve`: the server for production."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, get_args

import click

from kataven_flask.app import create_app, parts_of
from kataven_flask.capacity import Capacity
from kataven_flask.channels import MayWait
from kataven_flask.cli.announcement import Announcement, local
from kataven_flask.cli.options import Text, config_option, instance_option, state_option
from kataven_flask.errors import ConfigurationError
from kataven_flask.hardening import keep_memory_private
from kataven_flask.key_ring_file import KEY_RING_FILE
from kataven_flask.listening import Address, bind
from kataven_flask.log import Log
from kataven_flask.log_format import LOG_FORMATS, LogFormat, is_json, log_to
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.places import Bounds, fitting
from kataven_flask.proxies import MAX_HOPS, Proxies
from kataven_flask.serve import Server, WsgiApp
from kataven_flask.settings import MAX_HSTS, Settings, checked_issuer, checked_proxies
from kataven_flask.shares import Counts, Share
from kataven_flask.signing import Algorithm
from kataven_flask.standing import SPEAKER, Company
from kataven_flask.starting import warn_of_variables
from kataven_flask.workers import Job, run_workers

if TYPE_CHECKING:
    from kataven_flask.metrics import Metrics

MakeServer: TypeAlias = Callable[[WsgiApp, MayWait, Share | None, Observer], Server]

_log = Log(__name__)


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
    type=Text(),
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
    type=Text(),
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
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    default="auto",
    show_default=True,
    envvar="KATAVEN_LOG_FORMAT",
    show_envvar=True,
    help="How the log on stderr looks; auto is console at a terminal, and json elsewhere.",
)
@click.option(
    "--log-requests",
    is_flag=True,
    envvar="KATAVEN_LOG_REQUESTS",
    show_envvar=True,
    help="Log a line for each request, and name its id in each answer.",
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
    log_format: LogFormat,
    log_requests: bool,  # noqa: FBT001 - as click passes it
) -> None:
    """Serve the sign-in endpoints until Ctrl-C or SIGTERM.

    \b
    Examples:
      kataven-flask serve --config config/tenants.yaml
      kataven-flask serve --listen 127.0.0.1:8001 --admin 127.0.0.1:9001
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    _refuse_several_of_memory(state, workers, admin)
    proxies = _proxies(trusted_proxies, proxy_hops, hsts)
    keep_memory_private()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    log_to(sys.stderr, log_format, root)
    warn_of_variables(os.environ)
    bounds = _bounds(threads)
    listener = bind(Address.parse(listen))
    admin_listener = bind(Address.parse(admin, "--admin")) if admin is not None else None
    settings = Settings(
        config=config,
        instance=instance,
        state=state,
        issuer=checked_issuer(issuer) if issuer else f"http://{local(_address(listener))}",
        signing_alg=signing_alg,
        watch=False,  # a thread would not outlive the fork; each worker starts its own
        proxies=proxies,
        hsts=hsts,
        log_requests=log_requests,
    )

    said = Announcement(
        _address(listener),
        _address(admin_listener) if admin_listener is not None else None,
        logged=is_json(log_format, sys.stderr),
    )
    connections = bounds.connections * workers
    capacity = Capacity(workers, connections, threads * workers, time.time())
    make_server = partial(_make_server, listener, threads, bounds)
    sys.exit(_run(settings, said, make_server, listener, admin_listener, capacity))


def _refuse_several_of_memory(state: str | None, workers: int, admin: str | None) -> None:
    if state == "memory:" and (workers > 1 or admin is not None):
        raise ConfigurationError(
            "--state memory: is one worker's own, and gone with it; with --workers or --admin"
            " use sqlite:/// or redis://"
        )


def _proxies(trusted: str | None, hops: int | None, hsts: int | None) -> Proxies | None:
    proxies = checked_proxies(trusted, hops)
    if hsts is not None and proxies is None:
        raise ConfigurationError(
            "--hsts needs --trusted-proxies: TLS ends at a proxy, and it alone can say so"
        )
    return proxies


def _make_server(  # noqa: PLR0913, PLR0917 - what was set up, and then what an app has
    listener: socket.socket,
    threads: int,
    bounds: Bounds,
    app: WsgiApp,
    may_wait: MayWait,
    share: Share | None,
    observer: Observer,
) -> Server:
    return Server(
        app, listener, threads, may_wait=may_wait, share=share, bounds=bounds, observer=observer
    )


def _bounds(threads: int) -> Bounds:
    wanted = Bounds()
    bounds = fitting(wanted, threads)
    if bounds.connections < wanted.connections:
        _log.warning(
            "the system allows too few open files, and so fewer connections;"
            " ulimit -n, or LimitNOFILE in systemd, raises them",
            connections=bounds.connections,
            wanted=wanted.connections,
        )
    return bounds


def _run(  # noqa: PLR0913, PLR0917 - all that was set up
    settings: Settings,
    said: Announcement,
    make_server: MakeServer,
    listener: socket.socket,
    admin_listener: socket.socket | None,
    capacity: Capacity,
) -> int:
    workers, is_shown = capacity.workers, admin_listener is not None
    made = not (settings.instance / KEY_RING_FILE).exists()
    with ExitStack() as stack:
        metrics = stack.enter_context(_counting()) if is_shown else None
        observer = metrics or NOBODY
        app = create_app(settings, observer)
        parts = parts_of(app)
        company = Company(workers + 1, parts.watch, parts.live, parts.ring)
        company.join(SPEAKER)
        counts = Counts(workers)

        def work(place: int) -> Server:
            company.join(place)
            if metrics is not None:
                metrics.join(place)
            parts.watch.start()
            share = Share(counts, place - 1) if workers > 1 else None
            return make_server(app, parts.may_wait, share, observer)

        def ready() -> None:
            said.make(settings, parts.live.current, keys_made=made)

        is_alone = workers == 1 and not is_shown
        if not is_alone:
            parts.events.share()
        places = [SPEAKER] if is_alone else range(SPEAKER + 1, workers + 1)
        jobs = [Job("worker", listener, partial(work, place)) for place in places]
        if metrics is not None and admin_listener is not None:
            from kataven_flask.showing import admin_job  # noqa: PLC0415 - imported by now

            show = admin_job(metrics, admin_listener, parts, company, capacity, settings)
            jobs.append(show)
        died = _nothing if metrics is None else metrics.died
        status = run_workers(jobs, ready=ready, idle=parts.watch.look, died=died)
        parts.events.close()
        return status


def _counting() -> AbstractContextManager[Metrics]:
    from kataven_flask.showing import counting  # noqa: PLC0415 - it takes time, and memory

    return counting()


def _nothing() -> None:
    """Do nothing about a process that has died."""


def _address(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return Address(host, port)
