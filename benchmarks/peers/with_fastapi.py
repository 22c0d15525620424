"""FastAPI and PyJWT, on uvicorn: `uvicorn benchmarks.peers.with_fastapi:app`."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

import bcrypt
import jwt
from fastapi import FastAPI, Header, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

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

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=ALLOWLIST, allow_methods=["GET", "POST"])


class Guest(BaseModel):
    """What a page sends."""

    client_key: str


class User(BaseModel):
    """What a customer's backend sends."""

    client_key: str
    user_id: str
    name: str | None = None
    email: str | None = None


@app.post(f"{API}/auth/guest")
async def guest(asked: Guest, origin: Annotated[str | None, Header()] = None) -> dict[str, Any]:
    """Begin a guest's session."""
    key = KEYS.get(asked.client_key)
    if key is None:
        raise HTTPException(403, "Unknown client_key")
    if origin not in ALLOWLIST:
        raise HTTPException(403, "Origin not in allowlist")
    now = int(time.time())
    session, visitor = f"ses_{secrets.token_urlsafe(16)}", f"guest_{secrets.token_urlsafe(16)}"
    claims = {
        "aud": AUDIENCE,
        "sub": visitor,
        "sid": session,
        "agent_id": key["agent_id"],
        "origin": origin,
        "visitor_type": "guest",
        "auth_time": now,
        **_of_every_token(asked.client_key, key, now, SESSION_SECONDS),
    }
    return {
        "token": _signed(claims, "widget-session+jwt"),
        "token_type": "Bearer",
        "expires_in": SESSION_SECONDS,
        "expires_at": now + SESSION_SECONDS,
        "session_id": session,
        "agent_id": key["agent_id"],
        "visitor": {"id": visitor, "type": "guest", "name": None, "email": None},
        "server_time": now,
    }


@app.post(f"{API}/auth/user-token")
def user_token(asked: User, authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    """Mint a visitor token; not `async`, so that the slow hash doesn't stop the event loop."""
    key = KEYS.get(asked.client_key)
    secret = authorization.removeprefix("Bearer ")
    if key is None or not bcrypt.checkpw(secret.encode(), key["secret_hash"].encode()):
        raise HTTPException(401, "Missing or invalid API key")
    now = int(time.time())
    claims = {
        "aud": f"{ISSUER}{API}/auth/exchange",
        "sub": asked.user_id,
        "name": asked.name,
        "email": asked.email,
        **_of_every_token(asked.client_key, key, now, VISITOR_SECONDS),
    }
    token = _signed(claims, "widget-visitor+jwt")
    return {
        "user_token": token,
        "token": token,
        "token_type": "Bearer",
        "expires_in": VISITOR_SECONDS,
        "expires_at": now + VISITOR_SECONDS,
    }


def _of_every_token(
    client_key: str, key: dict[str, str], now: int, seconds: int
) -> dict[str, str | int]:
    return {
        "iss": ISSUER,
        "jti": f"tok_{secrets.token_urlsafe(16)}",
        "tenant": key["tenant"],
        "client_key": client_key,
        "iat": now,
        "exp": now + seconds,
    }


def _signed(claims: dict[str, Any], typ: str) -> str:
    return jwt.encode(claims, PRIVATE_KEY, algorithm="ES256", headers={"kid": KID, "typ": typ})
