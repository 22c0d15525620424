"""`create_app`: everything is put together here and only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Flask, Request, Response, has_request_context, request
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from kataven_flask import errors
from kataven_flask.answers import note_quota, refuse, request_id
from kataven_flask.api import (
    NEVER_WAITS,
    RETRY_AFTER_STATE,
    WAITS_FOR_COUNT,
    WAITS_FOR_STATE,
    add_routes,
)
from kataven_flask.body import BODY_LIMIT, MAX_BODY
from kataven_flask.entry import came_by_unnamed_proxy, with_entry
from kataven_flask.event_log import Asked, EventLog, Person, Sources
from kataven_flask.handshake import Handshake
from kataven_flask.headers import WsgiApp, with_secured_headers
from kataven_flask.health import OUT_OF_REACH, Health
from kataven_flask.key_ring_file import KEY_RING_FILE
from kataven_flask.live import Live, Watch, live_key_ring, live_registry
from kataven_flask.log import Log
from kataven_flask.measuring import route_names, with_measure
from kataven_flask.observer import NOBODY, Observer, together
from kataven_flask.openapi.routes import add_docs_routes
from kataven_flask.registry import Registry
from kataven_flask.request_log import RequestLog, with_request_ids
from kataven_flask.security_events import Event
from kataven_flask.seldom import Seldom
from kataven_flask.settings import Settings
from kataven_flask.signing import KeyRing
from kataven_flask.store import Store, store_from_url
from kataven_flask.store.base import CLOCK_SKEW_MS
from kataven_flask.store.breaker import Breaker
from kataven_flask.throttle import Throttle
from kataven_flask.tokens import Tokens
from kataven_flask.user_hash import user_hash

UNNAMED_PROXY: Final = 60.0
"""Seconds between two lines of the log about it."""

_log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app holds open.

    Args:
        live: The registry that it looks tenants up in.
        ring: The keys that it signs and verifies with.
        events: What tells the operator of security events.
        watch: What picks up edits of both, and tells what is due.
        store: The state store.
        throttle: The rate limits.
    """

    live: Live[Registry]
    ring: Live[KeyRing]
    events: EventLog
    watch: Watch
    store: Breaker
    throttle: Throttle

    def may_wait(self, path: str) -> bool:
        """Tell whether a request for this path may have to wait: for the state, or for a file."""
        if path in NEVER_WAITS:
            return False
        if path in WAITS_FOR_COUNT:
            return self.throttle.may_wait and not self.store.is_prompt
        # A token whose key isn't known here has the key ring's file looked at, whoever sends it.
        return path not in WAITS_FOR_STATE or not (self.store.is_prompt and self.ring.is_prompt)

    def close(self) -> None:
        """Stop watching the files, and let go of the state."""
        self.watch.close()
        self.events.close()
        self.store.close()


class _NoSessions(SessionInterface):
    """No cookie is ever read or set."""

    _none = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """Return a session that nothing can be kept in."""
        return self._none


class _App(Flask):
    """A Flask app without what no route of ours needs, and each request would pay for."""

    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view as it is: none of ours is a coroutine."""
        return func


def create_app(
    settings: Settings | None = None, observer: Observer = NOBODY, *, store: Store | None = None
) -> Flask:
    """Put one server together.

    Args:
        settings: How; None for what the environment says.
        observer: Who is told what it does.
        store: The state store; None for the one that the settings name.

    Raises:
        ConfigurationError: It can't be; the message says what to change.

    Returns:
        The WSGI app.
    """
    settings = settings or Settings.from_environ()
    if settings.log_requests:
        observer = together(observer, RequestLog())
    live = live_registry(settings.config, settings.clock)
    is_new = not (settings.instance / KEY_RING_FILE).exists()
    ring = live_key_ring(settings.instance, settings.signing_alg, settings.clock)
    store = _open_store(settings, store, observer, is_new=is_new)

    def tokens(registry: Registry) -> Tokens:
        issuer = registry.issuer or settings.issuer
        return Tokens(ring.current, issuer, registry.audience, ring.latest)

    def jwks() -> Mapping[str, Any]:
        return ring.latest().jwks()  # asked for seldom, and kept for long

    def registry() -> Registry:
        return live.current

    def user(person: Person) -> str:
        return user_hash(ring.current.refresh_secret(settings.clock()), *person)

    def alone(fault: errors.StoreError) -> None:
        events.tell(Event.RATE_LIMITER_UNAVAILABLE, why=str(fault))

    events = EventLog(Sources(registry, settings.config, settings.clock, user, _asked))
    events.counted = observer.happened
    throttle = Throttle(note_quota, store if store.counts else None, alone)
    handshake = Handshake(registry, tokens, store, throttle, events, settings.clock, observer)
    app = _bare_app(settings.instance)
    health = Health(live, ring, store, settings.clock)
    add_routes(app, handshake, jwks, health)
    add_docs_routes(app)
    watch = Watch(live, ring, events)
    app.extensions["kataven"] = Parts(live, ring, events, watch, store, throttle)
    _add_error_handlers(app, health)
    app.wsgi_app = _layers(app, settings, observer)  # type: ignore[assignment, method-assign]
    if settings.watch:
        watch.start()
    return app


def _bare_app(instance: Path) -> Flask:
    """Make an app that has no route yet."""
    app = _App("kataven_flask", static_folder=None, instance_path=str(instance.absolute()))
    app.config.update(DEBUG=False, TESTING=False)  # whatever FLASK_DEBUG says
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1  # so that one byte too many is seen
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False  # no redirect is ever built from a Host header
    return app


def _layers(app: Flask, settings: Settings, observer: Observer) -> WsgiApp:
    """Lay over the app what every answer passes, from the inside out."""
    outer = with_secured_headers(app.wsgi_app)
    if observer is not NOBODY:
        routes = route_names(rule.rule for rule in app.url_map.iter_rules())
        outer = with_measure(outer, routes, observer)
    if settings.log_requests:
        outer = with_request_ids(outer)
    return with_entry(outer, settings.proxies, settings.hsts)


def _request_id() -> str | None:
    """Return the id of the request that is being answered in this thread, if one is."""
    return request_id() if has_request_context() else None


Log.request_id = _request_id


def _asked() -> Asked | None:
    """Return the request that is being answered in this thread, as an event has it."""
    if not has_request_context():
        return None
    rule = "" if request.url_rule is None else request.url_rule.rule
    return Asked(request_id(), rule.rpartition("/")[2])


def _open_store(
    settings: Settings, given: Store | None, observer: Observer, *, is_new: bool
) -> Breaker:
    """Open the state store; where it is out of reach now, it is tried again at each request."""
    store = Breaker(store_from_url(settings.state_url) if given is None else given, observer)
    try:
        store.begin(_start_ms(settings.clock(), is_new=is_new))
    except errors.StoreError as error:
        _log.error(OUT_OF_REACH, error=str(error))
    store.close()  # a connection is not to be carried over a fork
    return store


def _start_ms(now: float, *, is_new: bool) -> int:
    """Return since when a fresh store remembers, in milliseconds since the epoch.

    Where this start made the keys, nothing is older than the store. Where it didn't, another
    host may have minted what an earlier store was asked about, and its clock may be ahead.
    """
    return int(now) * 1000 if is_new else int(now * 1000) + CLOCK_SKEW_MS


def _add_error_handlers(app: Flask, health: Health) -> None:
    warn = Seldom(_log.warning, UNNAMED_PROXY)

    @app.errorhandler(errors.Refusal)
    def refused(refusal: errors.Refusal) -> Response:
        if isinstance(refusal, errors.RateLimited) and came_by_unnamed_proxy(request.environ):
            warn(
                "over a limit, and passed on by a proxy that isn't named",
                hint="if it is yours, name it with --trusted-proxies: its visitors count as one",
            )
        return refuse(refusal)

    @app.errorhandler(errors.StoreError)
    def state_unavailable(error: errors.StoreError) -> Response:
        health.tell_of(error)
        return refuse(errors.StateUnavailable("try again shortly", retry_after=RETRY_AFTER_STATE))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = refuse(_as_refusal(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        _log.fault("unhandled fault", error)
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
