"""A shop in FastAPI whose chat knows who is signed in."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.sessions import SessionMiddleware


def needed(name: str) -> str:
    """Return a variable that the shop can't do without."""
    value = os.environ.get(name, "").strip()
    if not value:
        sys.exit(f"{name} isn't set: ../README.md says what it is, ../demo.sh sets it for the demo")
    return value


PAGE: Final = Path(__file__).resolve().parent.parent / "page"
KATAVEN_URL: Final = needed("KATAVEN_URL")
CLIENT_KEY: Final = needed("KATAVEN_CLIENT_KEY")
SECRET_KEY: Final = needed("KATAVEN_SECRET_KEY")
CONNECT_URL: Final = os.environ.get("KATAVEN_CONNECT_URL", "")
MIN_SECRET: Final = 32
SHOP_SECRET_KEY: Final = needed("SHOP_SECRET_KEY")
if len(SHOP_SECRET_KEY) < MIN_SECRET:
    sys.exit("SHOP_SECRET_KEY is too short: whoever guesses it signs in as anybody")
POLICY: Final = (
    f"default-src 'self'; script-src 'self' {KATAVEN_URL}; "
    f"connect-src 'self' {KATAVEN_URL} {CONNECT_URL}; img-src 'self' https:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
USERS: Final = {
    "ada": {"id": "42", "name": "Ada Lovelace", "email": "ada@example.com"},
    "grace": {"id": "43", "name": "Grace Hopper", "email": "grace@example.com"},
}
"""Your own accounts."""

log = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep connections to the service as long as the shop is up."""
    async with httpx.AsyncClient(
        base_url=KATAVEN_URL,
        headers={"Authorization": f"Bearer {SECRET_KEY}"},
        timeout=5,
        trust_env=False,  # through no proxy: the secret key goes to the service and nowhere else
    ) as app.state.kataven:
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.mount("/static", StaticFiles(directory=PAGE))


async def widget_token(user: dict[str, str]) -> str:
    """Ask the service for a token that says who a user is."""
    body = {"client_key": CLIENT_KEY, "user_id": user["id"]}
    body |= {"name": user["name"], "email": user["email"]}
    answer = await app.state.kataven.post("/api/v1/widget/auth/user-token", json=body)
    if answer.status_code != httpx.codes.OK:
        code = answer.headers.get("X-Error-Code", "no code")
        raise RuntimeError(f"user-token: {answer.status_code} {code}: {answer.text}")
    return str(answer.json()["user_token"])


def who(request: Request) -> dict[str, str] | None:
    """Return who is signed in: what our own session says, and never what a request says."""
    return USERS.get(request.session.get("user", ""))


def is_own_page(request: Request) -> bool:
    """Tell whether a page of ours asks; a browser too old to say so names the page's origin."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None:
        return origin.partition("://")[2] == request.headers.get("Host")
    return site in {None, "same-origin"}


@app.middleware("http")
async def guard(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Let no page of another site ask in a user's name; keep answers out of every cache."""
    if request.method == "POST" and not is_own_page(request):
        return Response(status_code=403)
    response = await handle(request)
    response.headers["Content-Security-Policy"] = POLICY
    if not request.url.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    return response


app.add_middleware(
    SessionMiddleware,
    secret_key=SHOP_SECRET_KEY,
    same_site="lax",
    https_only="SHOP_INSECURE_COOKIE" not in os.environ,
)


@app.get("/")
async def index() -> FileResponse:
    """Give the page."""
    return FileResponse(PAGE / "index.html")


@app.get("/me")
async def me(request: Request) -> dict[str, Any]:
    """Tell the page who is signed in, and where the widget is."""
    widget = {"url": KATAVEN_URL, "client_key": CLIENT_KEY, "connect_url": CONNECT_URL or None}
    return {"user": who(request), "widget": widget}


@app.post("/sign-in/{name}")
async def sign_in(name: str, request: Request) -> dict[str, Any]:
    """Sign a user in; put your own way of doing so here."""
    if name not in USERS:
        raise HTTPException(404)
    request.session.clear()
    request.session["user"] = name
    return await me(request)


@app.post("/sign-out")
async def sign_out(request: Request) -> dict[str, Any]:
    """Sign the user out."""
    request.session.clear()
    return await me(request)


@app.post("/widget-token", response_model=None)
async def give_widget_token(request: Request) -> dict[str, str] | Response:
    """Vouch for the user who is signed in."""
    user = who(request)
    if user is None:
        return Response(status_code=204)
    try:
        return {"user_token": await widget_token(user)}
    except (httpx.HTTPError, RuntimeError, ValueError, KeyError):
        log.exception("no widget token")
        return Response(status_code=503)  # the widget keeps its session, and asks again
