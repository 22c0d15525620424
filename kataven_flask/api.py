"""The endpoints: read the request, call the handshake, write the answer; no rule lives here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import Flask, Response, g, request
from flask_cors import CORS
from werkzeug.http import quote_etag

from kataven_flask import errors
from kataven_flask.body import BODY_LIMIT, MAX_BODY, parse_object, text_member
from kataven_flask.handshake import Handshake
from kataven_flask.messages import (
    MAX_USER_ID,
    Caller,
    SessionGrant,
    UserTokenRequest,
    VisitorToken,
)
from kataven_flask.origins import Origin
from kataven_flask.refusals import new_request_id, refusal_headers, write_refusal
from kataven_flask.signing import JWKS_MAX_AGE
from kataven_flask.tokens import MAX_TOKEN_LENGTH
from kataven_flask.widget import widget_script, widget_types

API: Final = "/api/v1/widget"
BROWSER_PATHS: Final = (
    rf"(?s)^({API}/(?!auth/(user-token|revoke)\b).*|/widget/.*|/\.well-known/.*)$"
)
"""What a page may call and read. `user-token` and `revoke` are no page's business."""

NEVER_WAITS: Final = frozenset(
    {
        f"{API}/config",
        f"{API}/auth/guest",
        f"{API}/auth/user-token",
        "/healthz",
        "/widget/v1.js",
        "/widget/v1.d.ts",
    }
)
"""What is answered from memory alone."""
WAITS_FOR_STATE: Final = frozenset(
    f"{API}/auth/{name}" for name in ("exchange", "refresh", "logout", "revoke")
)
"""What waits for the state store, and seldom for the key ring's file."""

CONFIG_CACHE: Final = "public, max-age=60, stale-while-revalidate=300"
WIDGET_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
PREFLIGHT_MAX_AGE: Final = 7200
"""Seconds that a preflight's answer is kept; browsers cap it here (Fetch, section 4.9)."""
RETRY_AFTER_STATE: Final = 2
"""Seconds after which to try again where the state store is out of reach."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
EXPOSED: Final = ["ETag", "Retry-After", "X-Error-Code", "X-Request-Id"]
_READABLE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(EXPOSED),
}
"""What flask-cors adds for a page. It leaves an answer alone that has it, and is no work there."""

MAX_KEY: Final = 128
MAX_AGENT_ID: Final = 64
MAX_NAME: Final = 256
MAX_EMAIL: Final = 320
"""Characters; 64 for the local part, 255 for the domain and the @ (RFC 5321, 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `/readyz` tells.

    Args:
        ready: Whether every part that a token needs is there.
        report: Each part with its state, for a person to read.
    """

    ready: bool
    report: Mapping[str, Any]


def add_routes(
    app: Flask,
    handshake: Handshake,
    jwks: Callable[[], Mapping[str, Any]],
    health: Callable[[], Health],
) -> None:
    """Add the endpoints, with CORS open for what a page calls.

    Args:
        app: The app; a blueprint would be one more thing to look through at each request.
        handshake: The use cases.
        jwks: Gives the public keys.
        health: Gives the state of the parts.
    """
    _add_browser_routes(app, handshake)
    _add_backend_routes(app, handshake)
    _add_public_routes(app, jwks, health)
    _open_cors(app)


def _open_cors(app: Flask) -> None:
    """Let every page read every answer of a browser route; the allowlist is the boundary.

    It is laid over the whole app, so that a 404 or a 405 is readable too. No pattern of
    origins is given to flask-cors, which would match it unanchored.
    """
    CORS(
        app,
        resources={BROWSER_PATHS: {}},
        origins="*",
        send_wildcard=True,
        supports_credentials=False,
        methods=["GET", "POST"],
        allow_headers="*",
        expose_headers=EXPOSED,
        max_age=PREFLIGHT_MAX_AGE,
    )


def _add_browser_routes(app: Flask, handshake: Handshake) -> None:
    @app.get(f"{API}/config")
    def config() -> Response:
        query = _query()
        client_key = text_member(query, "client_key", max_length=MAX_KEY)
        agent_id = text_member(query, "agent_id", max_length=MAX_AGENT_ID)
        document = handshake.config(client_key, agent_id, _caller())
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": CONFIG_CACHE,
            # Without an Origin it's the Referer that decided.
            "Vary": "Origin" if "HTTP_ORIGIN" in request.environ else "Origin, Referer",
            "ETag": quote_etag(document.etag),
            **_READABLE,
        }
        return _unless_known(Response(document.body, headers=headers), document.etag)

    @app.post(f"{API}/auth/guest")
    def guest() -> Response:
        body = _body()
        client_key = text_member(body, "client_key", max_length=MAX_KEY)
        agent_id = text_member(body, "agent_id", max_length=MAX_AGENT_ID)
        return _session(handshake.guest(client_key, agent_id, _caller()))

    @app.post(f"{API}/auth/exchange")
    def exchange() -> Response:
        body = _body()
        token = text_member(body, "token", alias="user_token", max_length=MAX_TOKEN_LENGTH)
        client_key = text_member(body, "client_key", max_length=MAX_KEY)
        guest_token = text_member(body, "guest_token", max_length=MAX_TOKEN_LENGTH)
        return _session(handshake.exchange(token, client_key, guest_token, _caller()))

    @app.post(f"{API}/auth/refresh")
    def refresh() -> Response:
        return _session(handshake.refresh(_refresh_token(), _caller()))

    @app.post(f"{API}/auth/logout")
    def logout() -> Response:
        handshake.logout(_refresh_token(), _caller())
        return _no_content()


def _add_backend_routes(app: Flask, handshake: Handshake) -> None:
    # Without automatic options: a preflight is a browser's, and gets 405.
    @app.post(f"{API}/auth/user-token", provide_automatic_options=False)
    def user_token() -> Response:
        backend = handshake.authenticate(_caller())
        body = _body()
        asked = UserTokenRequest(
            client_key=text_member(body, "client_key", max_length=MAX_KEY),
            user_id=_user_id(body),
            name=text_member(body, "name", alias="display_name", max_length=MAX_NAME),
            email=text_member(body, "email", max_length=MAX_EMAIL),
            agent_id=text_member(body, "agent_id", max_length=MAX_AGENT_ID),
        )
        return _json(_visitor_token_body(handshake.user_token(backend, asked)))

    @app.post(f"{API}/auth/revoke", provide_automatic_options=False)
    def revoke() -> Response:
        backend = handshake.authenticate(_caller())
        handshake.revoke(backend, _user_id(_body()))
        return _no_content()


def _add_public_routes(
    app: Flask, jwks: Callable[[], Mapping[str, Any]], health: Callable[[], Health]
) -> None:
    @app.get("/.well-known/jwks.json")
    def jwks_json() -> Response:
        response = _json(jwks(), content_type="application/jwk-set+json")  # RFC 7517, section 8.5
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "alive"})

    @app.get("/readyz")
    def readyz() -> Response:
        state = health()
        if state.ready:
            return _json({"status": "ready", **state.report})
        response = _json({"status": "not ready", **state.report}, status=503)
        unready = errors.StateUnavailable(retry_after=RETRY_AFTER_STATE)
        response.headers.update(refusal_headers(unready, request_id()))
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
        # A page with a Cross-Origin-Embedder-Policy may load it too.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return _unless_known(response, response.get_etag()[0])

    types = widget_types()

    @app.get("/widget/v1.d.ts")
    def widget_d_ts() -> Response:
        response = Response(types, content_type="text/plain; charset=utf-8")
        response.add_etag()
        response.headers["Cache-Control"] = WIDGET_CACHE
        return _unless_known(response, response.get_etag()[0])


# --- reading the request


def _caller() -> Caller:
    environ = request.environ  # as PEP 3333 has it; `request.headers` makes each name anew
    origin = environ.get("HTTP_ORIGIN")
    return Caller(
        origin=Origin.of_request(origin, environ.get("HTTP_REFERER")),
        address=environ.get("REMOTE_ADDR", ""),
        is_browser=origin is not None or "HTTP_SEC_FETCH_SITE" in environ,
        secret_key=_bearer_token(environ.get("HTTP_AUTHORIZATION", "")),
    )


def _bearer_token(authorization: str) -> str | None:
    """Read the credentials of RFC 6750, section 2.1."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _body() -> dict[str, Any]:
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BODY:
        raise errors.BodyTooLarge(BODY_LIMIT)
    return parse_object(raw)


def _query() -> dict[str, str]:
    """Read the query; like a body's member, a parameter stands once."""
    try:
        args = request.args
    except UnicodeDecodeError as error:  # waitress lets none through; other servers do
        raise errors.InvalidField("the query is not UTF-8; write it as %XX") from error
    for name in ("client_key", "agent_id"):
        if len(args.getlist(name)) > 1:
            raise errors.InvalidField(f"{name} stands twice; send it once")
    return args.to_dict()


def _refresh_token() -> str | None:
    return text_member(_body(), "refresh_token", max_length=MAX_TOKEN_LENGTH)


def _user_id(body: Mapping[str, Any]) -> str | None:
    return text_member(body, "user_id", alias="external_user_id", max_length=MAX_USER_ID)


# --- writing the answer


def _session(grant: SessionGrant) -> Response:
    session = grant.session
    return _json(
        {
            "token": grant.token,
            "token_type": "Bearer",
            "expires_in": grant.expires_at - grant.server_time,
            "expires_at": grant.expires_at,
            "refresh_token": grant.refresh_token,
            "refresh_expires_in": grant.refresh_expires_at - grant.server_time,
            "session_id": session.sid,
            "agent_id": session.agent_id,
            "visitor": {
                "id": session.sub,
                "type": session.visitor_type,
                "name": session.name,
                "email": session.email,
            },
            "server_time": grant.server_time,
        },
        headers=_READABLE,
    )


def _visitor_token_body(minted: VisitorToken) -> dict[str, Any]:
    return {
        "user_token": minted.token,
        "token": minted.token,
        "token_type": "Bearer",
        "expires_in": minted.expires_in,
        "expires_at": minted.expires_at,
    }


def _json(
    document: Mapping[str, Any],
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] = {},
) -> Response:
    own = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return Response(orjson.dumps(document), status, headers={**own, **headers})


def _unless_known(response: Response, etag: str | None) -> Response:
    """Answer 304 where `If-None-Match` has the entity tag; no other condition is read.

    What describes a body, and the body, werkzeug leaves out then (RFC 9110, section 15.4.5).
    """
    if etag is not None and request.if_none_match.contains_weak(etag):
        response.status_code = 304
    return response


def _no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.headers["Cache-Control"] = "no-store"
    return response


def refuse(refusal: errors.Refusal) -> Response:
    """Answer with a refusal.

    Args:
        refusal: What was refused and why.

    Returns:
        The answer.
    """
    written = write_refusal(refusal, request.headers.get("Accept", ""), request_id())
    return Response(written.body, refusal.status, written.headers)


def request_id() -> str:
    """Return the request's name: the caller's own where it is harmless, else a fresh one."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
    return str(g.request_id)
