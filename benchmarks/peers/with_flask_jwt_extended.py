"""Flask, flask-jwt-extended and flask-cors, on waitress: `waitress-serve …:app`."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

import bcrypt
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from flask_jwt_extended import JWTManager, create_access_token

from benchmarks.peers.shared import (
    ALLOWLIST,
    API,
    AUDIENCE,
    ISSUER,
    KEYS,
    KID,
    PRIVATE_KEY,
    SESSION_SECONDS,
    VISITOR_SECONDS,
)

app = Flask(__name__)
app.config["JWT_ALGORITHM"] = "ES256"
app.config["JWT_PRIVATE_KEY"] = PRIVATE_KEY
app.config["JWT_ENCODE_ISSUER"] = ISSUER
JWTManager(app)
CORS(app, origins=ALLOWLIST)


@app.post(f"{API}/auth/guest")
def guest() -> ResponseReturnValue:
    """Begin a guest's session."""
    client_key = request.json.get("client_key") if isinstance(request.json, dict) else None
    if not client_key:
        return jsonify(error="Missing client_key"), 400
    key = KEYS.get(client_key)
    if key is None:
        return jsonify(error="Unknown client_key"), 403
    origin = request.headers.get("Origin")
    if origin not in ALLOWLIST:
        return jsonify(error="Origin not in allowlist"), 403
    now = int(time.time())
    session, visitor = f"ses_{secrets.token_urlsafe(16)}", f"guest_{secrets.token_urlsafe(16)}"
    claims = {
        "aud": AUDIENCE,
        "sid": session,
        "tenant": key["tenant"],
        "agent_id": key["agent_id"],
        "client_key": client_key,
        "origin": origin,
        "visitor_type": "guest",
        "auth_time": now,
    }
    return jsonify(
        token=_signed(visitor, claims, "widget-session+jwt", SESSION_SECONDS),
        token_type="Bearer",  # noqa: S106 - no secret
        expires_in=SESSION_SECONDS,
        expires_at=now + SESSION_SECONDS,
        session_id=session,
        agent_id=key["agent_id"],
        visitor={"id": visitor, "type": "guest", "name": None, "email": None},
        server_time=now,
    )


@app.post(f"{API}/auth/user-token")
def user_token() -> ResponseReturnValue:
    """Mint a visitor token."""
    asked = request.json if isinstance(request.json, dict) else {}
    if not asked.get("client_key") or not asked.get("user_id"):
        return jsonify(error="Missing client_key or user_id"), 400
    key = KEYS.get(asked["client_key"])
    secret = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if key is None or not bcrypt.checkpw(secret.encode(), key["secret_hash"].encode()):
        return jsonify(error="Missing or invalid API key"), 401
    claims = {
        "aud": f"{ISSUER}{API}/auth/exchange",
        "tenant": key["tenant"],
        "client_key": asked["client_key"],
        "name": asked.get("name"),
        "email": asked.get("email"),
    }
    token = _signed(asked["user_id"], claims, "widget-visitor+jwt", VISITOR_SECONDS)
    return jsonify(
        user_token=token,
        token=token,
        token_type="Bearer",  # noqa: S106 - no secret
        expires_in=VISITOR_SECONDS,
        expires_at=int(time.time()) + VISITOR_SECONDS,
    )


def _signed(subject: str, claims: dict[str, Any], typ: str, seconds: int) -> str:
    token: str = create_access_token(
        identity=subject,
        additional_claims=claims,
        additional_headers={"kid": KID, "typ": typ},
        expires_delta=timedelta(seconds=seconds),
    )
    return token
