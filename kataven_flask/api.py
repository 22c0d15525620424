"""The endpoints: read the request, call the handshake, write the answer; no rule lives here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, request
from werkzeug.http import quote_etag

from kataven_flask import answers, errors, incoming
from kataven_flask.body import text_member
from kataven_flask.cors import API, READABLE, open_cors
from kataven_flask.handshake import Handshake
from kataven_flask.headers import CROSS_ORIGIN
from kataven_flask.health import Health
from kataven_flask.messages import UserTokenRequest
from kataven_flask.refusals import refusal_headers
from kataven_flask.signing import JWKS_MAX_AGE
from kataven_flask.tokens import MAX_TOKEN_LENGTH
from kataven_flask.widget import widget_script, widget_types

NEVER_WAITS: Final = frozenset({"/healthz", "/widget/v1.js", "/widget/v1.d.ts"})
"""What is answered from memory alone."""
WAITS_FOR_COUNT: Final = frozenset({f"{API}/config", f"{API}/auth/guest", f"{API}/auth/user-token"})
"""What is, too, unless requests are counted in the state store."""
WAITS_FOR_STATE: Final = frozenset(
    f"{API}/auth/{name}" for name in ("exchange", "refresh", "logout", "revoke")
)
"""What waits for the state store, and seldom for the key ring's file."""

CONFIG_CACHE: Final = "public, max-age=60, stale-while-revalidate=300"
WIDGET_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
RETRY_AFTER_STATE: Final = 2
"""Seconds after which to try again where the state store is out of reach."""

MAX_KEY: Final = 128
MAX_AGENT_ID: Final = 64
MAX_NAME: Final = 256
MAX_EMAIL: Final = 320
"""Characters; 64 for the local part, 255 for the domain and the @ (RFC 5321, 4.5.3.1)."""


def add_routes(
    app: Flask,
    handshake: Handshake,
    jwks: Callable[[], Mapping[str, Any]],
    health: Health,
) -> None:
    """Add the endpoints, with CORS open for what a page calls.

    Args:
        app: The app; a blueprint would be one more thing to look through at each request.
        handshake: The use cases.
        jwks: Gives the public keys.
        health: The state of the parts.
    """
    _add_browser_routes(app, handshake)
    _add_backend_routes(app, handshake)
    _add_public_routes(app, jwks, health)
    open_cors(app)
    app.after_request(answers.tell_quota)


def _add_browser_routes(app: Flask, handshake: Handshake) -> None:
    @app.get(f"{API}/config")
    def config() -> Response:
        query = incoming.query()
        client_key = text_member(query, "client_key", max_length=MAX_KEY)
        agent_id = text_member(query, "agent_id", max_length=MAX_AGENT_ID)
        document = handshake.config(client_key, agent_id, incoming.caller())
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": CONFIG_CACHE,
            # Without an Origin it's the Referer that decided.
            "Vary": "Origin" if "HTTP_ORIGIN" in request.environ else "Origin, Referer",
            "ETag": quote_etag(document.etag),
            **READABLE,
        }
        return answers.unless_known(Response(document.body, headers=headers), document.etag)

    @app.post(f"{API}/auth/guest")
    def guest() -> Response:
        body = incoming.body()
        client_key = text_member(body, "client_key", max_length=MAX_KEY)
        agent_id = text_member(body, "agent_id", max_length=MAX_AGENT_ID)
        return answers.session(handshake.guest(client_key, agent_id, incoming.caller()))

    @app.post(f"{API}/auth/exchange")
    def exchange() -> Response:
        body = incoming.body()
        token = text_member(body, "token", alias="user_token", max_length=MAX_TOKEN_LENGTH)
        client_key = text_member(body, "client_key", max_length=MAX_KEY)
        guest_token = text_member(body, "guest_token", max_length=MAX_TOKEN_LENGTH)
        caller = incoming.caller()
        return answers.session(handshake.exchange(token, client_key, guest_token, caller))

    @app.post(f"{API}/auth/refresh")
    def refresh() -> Response:
        return answers.session(handshake.refresh(incoming.refresh_token(), incoming.caller()))

    @app.post(f"{API}/auth/logout")
    def logout() -> Response:
        handshake.logout(incoming.refresh_token(), incoming.caller())
        return answers.no_content()


def _add_backend_routes(app: Flask, handshake: Handshake) -> None:
    # Without automatic options: a preflight is a browser's, and gets 405.
    @app.post(f"{API}/auth/user-token", provide_automatic_options=False)
    def user_token() -> Response:
        backend = handshake.authenticate(incoming.caller())
        body = incoming.body()
        asked = UserTokenRequest(
            client_key=text_member(body, "client_key", max_length=MAX_KEY),
            user_id=incoming.user_id(body),
            name=text_member(body, "name", alias="display_name", max_length=MAX_NAME),
            email=text_member(body, "email", max_length=MAX_EMAIL),
            agent_id=text_member(body, "agent_id", max_length=MAX_AGENT_ID),
        )
        return answers.visitor_token(handshake.user_token(backend, asked))

    @app.post(f"{API}/auth/revoke", provide_automatic_options=False)
    def revoke() -> Response:
        backend = handshake.authenticate(incoming.caller())
        handshake.revoke(backend, incoming.user_id(incoming.body()))
        return answers.no_content()


def _add_public_routes(app: Flask, jwks: Callable[[], Mapping[str, Any]], health: Health) -> None:
    @app.get("/.well-known/jwks.json")
    def jwks_json() -> Response:
        # RFC 7517, section 8.5
        response = answers.json(jwks(), content_type="application/jwk-set+json")
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return answers.json({"status": "alive"})

    @app.get("/readyz")
    def readyz() -> Response:
        found = health.report()
        if found.ready:
            return answers.json({"status": "ready", **found.parts})
        response = answers.json({"status": "not ready", **found.parts}, status=503)
        unready = errors.StateUnavailable(retry_after=RETRY_AFTER_STATE)
        response.headers.update(refusal_headers(unready, answers.request_id()))
        return response

    script = widget_script()  # now, so that a broken one is no surprise later

    @app.get("/widget/v1.js")
    def widget() -> Response:
        packed = request.accept_encodings["gzip"] > 0
        response = Response(script.packed if packed else script.text, mimetype="text/javascript")
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
        response.add_etag()
        response.headers["Cache-Control"] = WIDGET_CACHE
        response.headers.update(CROSS_ORIGIN)
        return answers.unless_known(response, response.get_etag()[0])

    types = widget_types()

    @app.get("/widget/v1.d.ts")
    def widget_d_ts() -> Response:
        response = Response(types, content_type="text/plain; charset=utf-8")
        response.add_etag()
        response.headers["Cache-Control"] = WIDGET_CACHE
        return answers.unless_known(response, response.get_etag()[0])
