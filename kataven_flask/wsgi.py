"""The app for another WSGI server, gunicorn, granian or uWSGI: `kataven_flask.wsgi:app`."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask

from kataven_flask.app import create_app, parts_of
from kataven_flask.errors import ConfigurationError
from kataven_flask.hardening import keep_memory_private
from kataven_flask.settings import Settings
from kataven_flask.store import public_url

CANT_START: Final = 4
"""The exit status where it can't be set up; gunicorn takes it for final, and doesn't try again."""
CANT_START_IN_UWSGI: Final = 22
"""The same for uWSGI with `--need-app`."""
_FOR_SERVE_ALONE: Final = ("KATAVEN_ADMIN", "KATAVEN_LISTEN", "KATAVEN_THREADS", "KATAVEN_WORKERS")

_log = logging.getLogger(__name__)


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
    app = create_app(settings)
    _announce(app, settings, environ)
    return app


def _announce(app: Flask, settings: Settings, environ: Mapping[str, str]) -> None:
    registry = parts_of(app).live.current
    issuer = registry.issuer or settings.issuer
    _log.info(
        "serves %s (revision %s); issuer %s, keys in %s, state in %s",
        settings.config,
        registry.revision,
        issuer,
        settings.instance,
        public_url(settings.state_url),
    )
    if registry.issuer is None and "KATAVEN_ISSUER" not in environ:
        _log.warning("tokens say iss %s; write `issuer:` in %s", issuer, settings.config)
    for name in _FOR_SERVE_ALONE:
        if name in environ:
            _log.warning("%s is for `kataven-flask serve`; it does nothing here", name)


def _log_by_ourselves() -> None:
    """Write our lines to stderr, unless the server was told where all lines go."""
    ours = logging.getLogger("kataven_flask")
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.INFO)
    if not ours.hasHandlers():
        handler = logging.StreamHandler()
        line = "%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"
        handler.setFormatter(logging.Formatter(line))
        ours.addHandler(handler)


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
    _log_by_ourselves()
    uwsgi = _uwsgi_options()
    try:
        if uwsgi is not None:
            _require_own_threads(uwsgi)
        return make_app()
    except ConfigurationError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.stderr.flush()
        raise SystemExit(CANT_START if uwsgi is None else CANT_START_IN_UWSGI) from error


app: Final = _start()
