"""The app for another WSGI server, gunicorn, granian or uWSGI: `kataven_flask.wsgi:app`."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flask import Flask

from kataven_flask.app import create_app, parts_of
from kataven_flask.errors import ConfigurationError
from kataven_flask.hardening import keep_memory_private
from kataven_flask.log import Log
from kataven_flask.log_format import checked_log_format, log_to
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.settings import Settings
from kataven_flask.starting import log_start, warn_of_issuer, warn_of_variables
from kataven_flask.variables import given

CANT_START: Final = 4
"""The exit status where it can't be set up; gunicorn takes it for final, and doesn't try again."""
CANT_START_IN_UWSGI: Final = 22
"""The same for uWSGI with `--need-app`."""
_COUNTS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own name for the folder that processes count in."""
_FOR_SERVE_ALONE: Final = ("KATAVEN_ADMIN", "KATAVEN_LISTEN", "KATAVEN_THREADS", "KATAVEN_WORKERS")

_log = Log(__name__)


def make_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """Put the server together as the environment says.

    Raises:
        ConfigurationError: It can't be; the message says what to change.
    """
    settings = Settings.from_environ(environ)
    if settings.state == "memory:":
        raise ConfigurationError(
            "KATAVEN_STATE=memory: is one process' own, and gone with it: a token could be spent in"
            " each; write sqlite:///path or redis://…"
        )
    app = create_app(settings, _observer(environ))
    _announce(app, settings, environ)
    return app


def _observer(environ: Mapping[str, str]) -> Observer:
    """Have requests counted where the operator names a folder for it; another program shows it."""
    folder = environ.get(_COUNTS)
    if not folder:
        return NOBODY
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{_COUNTS}={folder}: make this folder, for this user to write in")
    from kataven_flask.metrics import Metrics  # noqa: PLC0415 - it takes time, and memory

    return Metrics(Path(folder), os.getpid)


def _announce(app: Flask, settings: Settings, environ: Mapping[str, str]) -> None:
    registry = parts_of(app).live.current
    log_start(settings, registry)
    if registry.issuer is None and not given(environ, "KATAVEN_ISSUER"):
        warn_of_issuer(settings)
    for name in _FOR_SERVE_ALONE:
        if given(environ, name):
            _log.warning("it is for `kataven-flask serve`, and does nothing here", variable=name)
    warn_of_variables(environ)


def _log_by_ourselves(environ: Mapping[str, str] = os.environ) -> None:
    """Write our lines to stderr, unless the server was told where all lines go.

    Raises:
        ConfigurationError: There is no such format.
    """
    name = "KATAVEN_LOG_FORMAT"
    log_format = checked_log_format(environ.get(name, ""), f"{name}=")
    ours = logging.getLogger("kataven_flask")
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.INFO)
    if not ours.hasHandlers():
        log_to(sys.stderr, log_format, ours)


def _uwsgi_options() -> Mapping[str, Any] | None:
    """Return the options of the uWSGI that this runs in, or None where it runs in another."""
    try:
        options: Mapping[str, Any] = importlib.import_module("uwsgi").opt
    except ModuleNotFoundError:  # it is there inside of uWSGI alone
        return None
    return options


def _require_own_threads(uwsgi: Mapping[str, Any]) -> None:
    """Refuse options of uWSGI under which no edit would ever be taken over.

    Raises:
        ConfigurationError: There are such.
    """
    for option in ("enable-threads", "lazy-apps"):
        if option not in uwsgi:
            raise ConfigurationError(
                f"start uWSGI with --{option}, too: without it the thread that takes edits over"
                " doesn't run"
            )


def _start() -> Flask:
    keep_memory_private()
    uwsgi = _uwsgi_options()
    try:
        _log_by_ourselves()
        if uwsgi is not None:
            _require_own_threads(uwsgi)
        return make_app()
    except ConfigurationError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.stderr.flush()
        raise SystemExit(CANT_START if uwsgi is None else CANT_START_IN_UWSGI) from error


app: Final = _start()
