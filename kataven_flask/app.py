"""`create_app`: everything is put together here and only here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from kataven_flask import errors
from kataven_flask.api import (
    RETRY_AFTER_STATE,
    Health,
    create_blueprint,
    open_cors,
    refuse,
    request_id,
)
from kataven_flask.body import BODY_LIMIT, MAX_BODY
from kataven_flask.handshake import Handshake
from kataven_flask.live import LiveRegistry
from kataven_flask.registry import Registry
from kataven_flask.settings import Settings
from kataven_flask.signing import open_key_ring
from kataven_flask.store import Store, store_from_url
from kataven_flask.store.breaker import Breaker
from kataven_flask.throttle import Throttle
from kataven_flask.tokens import Tokens

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app holds open.

    Args:
        live: The registry that it looks tenants up in.
        store: The state store.
    """

    live: LiveRegistry
    store: Store

    def close(self) -> None:
        """Stop watching the tenants' file, and let go of the state."""
        self.live.close()
        self.store.close()


def create_app(settings: Settings | None = None) -> Flask:
    """Put one server together.

    Args:
        settings: How; None for what the environment says.

    Raises:
        ConfigurationError: It can't be; the message says what to change.

    Returns:
        The WSGI app.
    """
    settings = settings or Settings.from_environ()
    live = LiveRegistry(settings.config)
    ring = open_key_ring(settings.instance, settings.signing_alg)
    store = _open_store(settings)

    def tokens(registry: Registry) -> Tokens:
        return Tokens(ring, registry.issuer or settings.issuer, registry.audience)

    def health() -> Health:
        return _health(live, store, ring.current.kid)

    handshake = Handshake(lambda: live.current, tokens, store, Throttle(), settings.clock)
    app = Flask("kataven_flask", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1  # so that one byte too many is seen
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False  # no redirect is ever built from a Host header
    app.register_blueprint(create_blueprint(handshake, ring.jwks, health))
    app.extensions["kataven"] = Parts(live, store)
    _add_error_handlers(app)
    open_cors(app)
    if settings.watch:
        live.watch()
    return app


def _open_store(settings: Settings) -> Store:
    """Open the state store; where it is out of reach now, it is tried again at each request."""
    store = Breaker(store_from_url(settings.state_url))
    try:
        store.begin(int(settings.clock()))
    except errors.StoreError as error:
        _log.error("state store out of reach: %s", error)
    store.close()  # a connection is not to be carried over a fork
    return store


def _health(live: LiveRegistry, store: Store, kid: str) -> Health:
    config: dict[str, Any] = {"revision": live.current.revision, "ok": live.fault is None}
    if live.fault is not None:
        config["error"] = "the last edit was refused; the log says why"
    state = _state(store)
    report = {"config": config, "state": state, "signing_key": {"ok": True, "kid": kid}}
    return Health(ready=state["ok"], report=report)


def _state(store: Store) -> dict[str, Any]:
    try:
        store.ping()
        since = store.since()
    except errors.StoreError as error:
        _log.error("state store out of reach: %s", error)
        return {"ok": False, "error": "out of reach; the log says why"}
    began = None if since is None else datetime.fromtimestamp(since, UTC).isoformat()
    return {"ok": True, "remembers_since": began}


def _add_error_handlers(app: Flask) -> None:
    @app.errorhandler(errors.Refusal)
    def refused(refusal: errors.Refusal) -> Response:
        return refuse(refusal)

    @app.errorhandler(errors.StoreError)
    def state_unavailable(error: errors.StoreError) -> Response:
        _log.error("state store out of reach: %s (request %s)", error, request_id())
        message = "nothing was changed; try again shortly"
        return refuse(errors.StateUnavailable(message, retry_after=RETRY_AFTER_STATE))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = refuse(_as_refusal(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        _log.error("unhandled fault (request %s)", request_id(), exc_info=error)
        return refuse(errors.InternalError(f"quote {request_id()} to the operator"))


def _as_refusal(error: HTTPException) -> errors.Refusal:
    match error.code:
        case 404:
            return errors.NotFound("no such path here")
        case 405:
            return errors.MethodNotAllowed(_use(error))
        case 413:
            return errors.BodyTooLarge(BODY_LIMIT)
        case _:
            return errors.InvalidRequest(error.name)


def _use(error: HTTPException) -> str:
    methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    use = ", ".join(sorted(set(methods or ()) - {"HEAD", "OPTIONS"}))
    return f"{request.method} is not for this path" + (f"; use {use}" if use else "")


def parts_of(app: Flask) -> Parts:
    """Return what an app made by `create_app` holds open."""
    parts: Parts = app.extensions["kataven"]
    return parts
