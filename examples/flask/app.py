"""A shop in Flask whose chat knows who is signed in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import httpx
from flask import Flask, Response, abort, request, send_from_directory, session
from flask.typing import ResponseReturnValue


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

app = Flask(__name__, static_folder=PAGE, static_url_path="/static")
app.secret_key = SHOP_SECRET_KEY
app.config.update(
    SESSION_COOKIE_SAMESITE="Lax",
    SESSION_COOKIE_SECURE="SHOP_INSECURE_COOKIE" not in os.environ,
)
kataven = httpx.Client(
    base_url=KATAVEN_URL,
    headers={"Authorization": f"Bearer {SECRET_KEY}"},
    timeout=5,
    trust_env=False,  # through no proxy: the secret key goes to the service and nowhere else
)


def widget_token(user: dict[str, str]) -> str:
    """Ask the service for a token that says who a user is."""
    body = {"client_key": CLIENT_KEY, "user_id": user["id"]}
    body |= {"name": user["name"], "email": user["email"]}
    answer = kataven.post("/api/v1/widget/auth/user-token", json=body)
    if answer.status_code != httpx.codes.OK:
        code = answer.headers.get("X-Error-Code", "no code")
        raise RuntimeError(f"user-token: {answer.status_code} {code}: {answer.text}")
    return str(answer.json()["user_token"])


def who() -> dict[str, str] | None:
    """Return who is signed in: what our own session says, and never what a request says."""
    return USERS.get(session.get("user", ""))


@app.before_request
def refuse_other_sites() -> None:
    """Let no page of another site have the browser ask in a user's name."""
    if request.method == "POST" and not is_own_page():
        abort(403)


def is_own_page() -> bool:
    """Tell whether a page of ours asks; a browser too old to say so names the page's origin."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin is not None:
        return origin.partition("://")[2] == request.host
    return site in {None, "same-origin"}


@app.after_request
def add_headers(response: Response) -> Response:
    """Keep answers about a user out of every cache, and strange scripts out of the page."""
    response.headers["Content-Security-Policy"] = POLICY
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
def index() -> Response:
    """Give the page."""
    return send_from_directory(PAGE, "index.html")


@app.get("/me")
def me() -> ResponseReturnValue:
    """Tell the page who is signed in, and where the widget is."""
    widget = {"url": KATAVEN_URL, "client_key": CLIENT_KEY, "connect_url": CONNECT_URL or None}
    return {"user": who(), "widget": widget}


@app.post("/sign-in/<name>")
def sign_in(name: str) -> ResponseReturnValue:
    """Sign a user in; put your own way of doing so here."""
    if name not in USERS:
        abort(404)
    session.clear()
    session["user"] = name
    return me()


@app.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign the user out."""
    session.clear()
    return me()


@app.post("/widget-token")
def give_widget_token() -> ResponseReturnValue:
    """Vouch for the user who is signed in."""
    user = who()
    if user is None:
        return "", 204
    try:
        return {"user_token": widget_token(user)}
    except (httpx.HTTPError, RuntimeError, ValueError, KeyError):
        app.logger.exception("no widget token")
        return "", 503  # the widget keeps the session that it has, and asks again
