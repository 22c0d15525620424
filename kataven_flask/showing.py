"""What a server counts, shown by a process of its own; imported where somebody asks for it alone.

To import prometheus_client takes its time and its memory.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kataven_flask.admin import admin_app
from kataven_flask.app import Parts
from kataven_flask.capacity import Capacity
from kataven_flask.gauges import ConfigCollector, KeysCollector, LoadCollector
from kataven_flask.live import Live, log_news
from kataven_flask.metric_files import metrics_folder
from kataven_flask.metrics import Metrics
from kataven_flask.serve import Server
from kataven_flask.settings import Settings
from kataven_flask.standing import Company
from kataven_flask.workers import Job


@contextmanager
def counting() -> Iterator[Metrics]:
    """Have a place to count in.

    Raises:
        ConfigurationError: There is none.
    """
    with metrics_folder() as folder:
        yield Metrics(folder)


def admin_job(  # noqa: PLR0913, PLR0917 - all that is shown
    metrics: Metrics,
    listener: socket.socket,
    parts: Parts,
    company: Company,
    capacity: Capacity,
    settings: Settings,
) -> Job:
    """Give the job of showing it; called before any worker is forked.

    Args:
        metrics: What is counted.
        listener: Where it is asked for.
        parts: What the app holds open.
        company: What each process has in force.
        capacity: What the workers were given.
        settings: How the server is set up.

    Raises:
        ConfigurationError: There is no room for what will be counted.
    """
    load = metrics.make_room(capacity.workers, len(parts.live.current.tenants))
    live, ring = parts.live, parts.ring

    def tell(told: Live[Any]) -> None:
        log_news(told)
        metrics.reloaded("ok" if told.fault is None else "refused")

    live.tell = tell
    register = metrics.registry.register
    register(ConfigCollector(company.board_of(live)))
    register(KeysCollector(company.board_of(ring), ring.latest, settings.clock))
    register(LoadCollector(load, capacity))
    app = admin_app(metrics.registry)

    def make_server() -> Server:
        ring.tell = _silence  # it follows the keys as well, and the parent has told of them
        return Server(app, listener, threads=1)

    return Job("admin process", listener, make_server)


def _silence(_live: Live[Any]) -> None:
    """Leave it to the process that speaks."""
