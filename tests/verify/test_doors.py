"""Who gets through the decorator and the middlewares, and what the others are answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers

from kataven_flask.verify import InvalidSession, Session, SessionVerifier, asgi, wsgi
from kataven_flask.verify.flask import require_session
from tests.support import NOON, ORIGIN, FrozenClock
from tests.verify.doors import DOORS, Door, Reply, ask_asgi
from tests.verify.key_server import GOOD, NEXT, KeyServer, minted
from tests.verify.sign_in import USER

IN = {"Authorization": f"Bearer {GOOD}", "Origin": ORIGIN}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, verifier: SessionVerifier) -> Door:
    """Return a service of each kind."""
    make: Callable[[SessionVerifier], Door] = DOORS[request.param]
    return make(verifier)


def problem(reply: Reply) -> dict[str, object]:
    """Return a refusal's problem document, once it is sure that a page can read it."""
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Cache-Control"] == "no-store"
    exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"WWW-Authenticate", "Retry-After", "X-Error-Code"} == set(exposed)
    document: dict[str, object] = json.loads(reply.body)
    assert document["code"] == reply.headers["X-Error-Code"]
    assert document["status"] == reply.status
    assert document["type"] == f"urn:kataven:error:{document['code']}"
    return document


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_gets_in(door: Door, method: str) -> None:
    """A request with a live session reaches the app, which is told whose it is."""
    reply = door(method, IN)
    assert (reply.status, reply.body.decode()) == (200, f"acme {USER.sub}")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_schemes_letters(door: Door, scheme: str) -> None:
    """`Bearer` may be written in any letters (RFC 9110, section 11.1)."""
    assert door("POST", {**IN, "Authorization": f"{scheme} {GOOD}"}).status == 200


def test_no_page_at_all(door: Door) -> None:
    """An app that is no page sends no origin, and gets in."""
    assert door("POST", {"Authorization": f"Bearer {GOOD}"}).status == 200


@pytest.mark.parametrize("authorization", [None, "", "Basic eDp5", "Bearerx", GOOD])
def test_no_token(door: Door, authorization: str | None) -> None:
    """A request without a token is told to send one, and no error (RFC 6750, section 3.1)."""
    headers = {"Origin": ORIGIN}
    if authorization is not None:
        headers["Authorization"] = authorization
    reply = door("POST", headers)
    assert (reply.status, problem(reply)["code"]) == (401, "missing_token")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="connect"'


def ended() -> str:
    """Return a token whose time is over."""
    return minted(at=NOON - 700, minutes=10)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (ended(), "not a live session token: it has expired"),
        (GOOD[:-9] + "AAAAAAAAA", "not a live session token: its signature is not valid"),
        (minted(NEXT), "not a live session token: no key of the service signed it"),
        ("x", "not a JWT"),
        (f"{GOOD} {GOOD}", "what follows Bearer is not one token"),
        (f"{GOOD}, Bearer {GOOD}", "what follows Bearer is not one token"),
        ("", "what follows Bearer is not one token"),
        ('x"y', "what follows Bearer is not one token"),
        ("x\u00e9", "what follows Bearer is not one token"),
    ],
    ids=["ended", "bent", "foreign", "no JWT", "two", "two headers", "none", "quote", "é"],
)
def test_a_token_that_is_not_good(door: Door, token: str, why: str) -> None:
    """A page can read that its token isn't good any more, and why; nothing of it is sent back."""
    reply = door("POST", {"Origin": ORIGIN, "Authorization": f"Bearer {token}"})
    assert reply.status == 401
    document = problem(reply)
    assert (document["code"], document["detail"]) == ("invalid_token", why)
    assert reply.headers["WWW-Authenticate"] == (
        f'Bearer realm="connect", error="invalid_token", error_description="{why}"'
    )


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", f"{ORIGIN}/", f"{ORIGIN}, {ORIGIN}", ORIGIN.upper()],
)
def test_a_page_of_another_origin(door: Door, origin: str) -> None:
    """A session is good on the page that it was made for, and on no other."""
    reply = door("POST", {**IN, "Origin": origin})
    assert reply.status == 401
    assert problem(reply)["detail"] == "this session token was made for another origin"


def test_no_keys(door: Door, keys: KeyServer) -> None:
    """Where nobody can tell, a request is told to come again, and not that its token is bad."""
    keys.fail()
    reply = door("POST", IN)
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "10"
    assert "WWW-Authenticate" not in reply.headers
    document = problem(reply)
    assert document["code"] == "keys_unavailable"
    assert "500" not in str(document["detail"])


def test_a_preflight_gets_through(door: Door, keys: KeyServer) -> None:
    """A browser asks without a token whether it may send one: that is the app's to answer."""
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert door("OPTIONS", asked).status == 200
    assert keys.fetches == 0


def test_a_head_has_no_body(door: Door) -> None:
    """A refused HEAD has the headers of a refusal, and no body."""
    reply = door("HEAD", {})
    assert (reply.status, reply.body) == (401, b"")
    assert int(reply.headers["Content-Length"]) > 0


# --- what only some of them have


def test_a_flask_view_keeps_its_arguments(verifier: SessionVerifier) -> None:
    """The session comes before what the route takes from the address."""
    app = Flask(__name__)

    @app.get("/rooms/<int:room>")
    @require_session(verifier)
    def room(session: Session, room: int) -> ResponseReturnValue:
        return {"room": room, "visitor": session.visitor_id}

    client = app.test_client()
    assert client.get("/rooms/7", headers=IN).json == {"room": 7, "visitor": USER.sub}
    assert client.get("/rooms/7").status_code == 401
    assert room.__name__ == "room"


def test_a_flask_route_that_answers_options_itself(verifier: SessionVerifier) -> None:
    """A preflight never reaches a view that wants a session; any other OPTIONS needs one."""
    app = Flask(__name__)

    @app.route("/connect", methods=["POST", "OPTIONS"])
    @require_session(verifier)
    def connect(session: Session) -> str:
        return session.visitor_id

    client = app.test_client()
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    reply = client.options("/connect", headers=preflight)
    assert (reply.status_code, reply.data) == (200, b"")
    assert {"POST", "OPTIONS"} <= set(reply.headers["Allow"].split(", "))
    assert client.options("/connect").status_code == 401


def passing_wsgi(verifier: SessionVerifier, public: tuple[str, ...]) -> Callable[[str], int]:
    """Return what asks a WSGI app for a path without a token."""
    app = Flask(__name__)
    app.add_url_rule("/<path:path>", view_func=lambda path: path)
    app.wsgi_app = wsgi.SessionMiddleware(  # type: ignore[method-assign]  # as Flask says
        app.wsgi_app, verifier, public=public
    )
    return lambda path: app.test_client().get(path).status_code


def passing_asgi(verifier: SessionVerifier, public: tuple[str, ...]) -> Callable[[str], int]:
    """Return what asks an ASGI app for a path without a token."""

    async def app(_scope: asgi.Scope, _receive: asgi.Receive, send: asgi.Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = asgi.SessionMiddleware(app, verifier, public=public)
    return lambda path: ask_asgi(middleware, "GET", {}, path).status


@pytest.mark.parametrize("passing", [passing_wsgi, passing_asgi])
def test_public_paths(
    verifier: SessionVerifier,
    passing: Callable[[SessionVerifier, tuple[str, ...]], Callable[[str], int]],
) -> None:
    """A path that is public needs no session; one that only looks like it does."""
    ask = passing(verifier, ("/healthz",))
    assert ask("/healthz") == 200
    for path in ("/healthz/", "/healthz/x", "/Healthz", "//healthz", "/x/../healthz", "/health"):
        assert ask(path) == 401, path


@pytest.mark.parametrize("middleware", [wsgi.SessionMiddleware, asgi.SessionMiddleware])
def test_one_path_is_no_list_of_paths(middleware: type, verifier: SessionVerifier) -> None:
    """A path in the place of a list of paths is a mistake, and not a list of letters."""
    with pytest.raises(TypeError, match="public is a collection of paths"):
        middleware(None, verifier, public="/")


def test_asked_for_a_session_where_there_is_none() -> None:
    """An app that asks for the session of a public path is told so."""
    with pytest.raises(LookupError, match="this request has no session"):
        wsgi.session_of({})
    with pytest.raises(LookupError, match="this request has no session"):
        asgi.session_of({})


def test_seconds_left(verifier: SessionVerifier, clock: FrozenClock) -> None:
    """What stays connected is told how long its token is taken; then it isn't."""
    session = verifier.verify(GOOD)
    left = verifier.seconds_left(session)
    clock.move(left - 0.001)
    assert verifier.verify(GOOD) == session
    clock.move(0.001)
    assert verifier.seconds_left(session) == 0
    with pytest.raises(InvalidSession, match="it has expired"):
        verifier.verify(GOOD)


@pytest.mark.parametrize(
    ("name", "second"),
    [("Authorization", "Bearer x"), ("Authorization", IN["Authorization"]), ("Origin", ORIGIN)],
)
def test_a_header_that_was_sent_twice(verifier: SessionVerifier, name: str, second: str) -> None:
    """An ASGI server gives both of two headers: then neither counts."""
    door = DOORS["ASGI"](verifier)
    assert door("POST", Headers([*IN.items(), (name, second)])).status == 401


def test_a_server_with_one_state_for_all(verifier: SessionVerifier) -> None:
    """Nobody is taken for another, though a server hands the same state to every request."""
    state: dict[str, object] = {"pool": "the app's own"}
    scope = {"type": "http", "method": "POST", "path": "/connect", "state": state}
    seen: list[object] = []

    async def app(scope: asgi.Scope, _receive: asgi.Receive, _send: asgi.Send) -> None:
        seen.extend([asgi.session_of(scope).visitor_id, scope["state"]["pool"]])

    async def nothing(*_: asgi.Message) -> asgi.Message:
        return {}

    headers = [(b"authorization", f"Bearer {GOOD}".encode())]
    middleware = asgi.SessionMiddleware(app, verifier)
    asyncio.run(middleware({**scope, "headers": headers}, nothing, nothing))  # type: ignore[arg-type]
    assert seen == [USER.sub, "the app's own"]
    assert state == {"pool": "the app's own"}
