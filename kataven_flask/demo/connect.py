"""The agent that a visitor talks to: it knows whom it answers from the session token alone."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, jsonify, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException

from kataven_flask.verify import SessionVerifier
from kataven_flask.verify.flask import require_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kataven_flask.verify import Session

MAX_BODY_BYTES: Final = 16 * 1024
MAX_MESSAGE: Final = 2000
"""Characters of a message that the agent reads."""
PREFLIGHT_SECONDS: Final = 600

ABOUT: Final = "The demo's agent: POST /connect with a session token in the Authorization header.\n"

WIT: Final[Mapping[str, str]] = {
    "who am i": "the signature on your session says so, and I checked it myself.",
    "espresso": "short, strong and to the point. I'd say the same of a session token.",
    "decaf": "bold of you. Half Past Four won't tell anybody.",
    "coffee": "First Light if you like mornings, Night Shift if you don't.",
    "price": "a bag starts at €12.50. The conversation is free.",
    "token": "I only ever look at the signature. It's what's inside that counts, though.",
    "help": "ask me about coffee, prices or who you are. I'm a demo, but an honest one.",
    "thank": "any time. I don't sleep; I blame the coffee.",
    "hello": "good to see you. What are you brewing today?",
    "bye": "until the next cup.",
}
"""A word in the message, and what the agent makes of it; the first that fits."""


def create_connect(*, jwks_url: str, issuer: str, audience: str) -> Flask:
    """Create the agent.

    Args:
        jwks_url: Where the API publishes its public keys.
        issuer: Who has to have signed a session token.
        audience: Whom the token has to be meant for.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # Open to every page and without cookies: the token, bound to its origin, is the boundary.
    CORS(
        app,
        origins="*",
        send_wildcard=True,
        allow_headers=["Authorization", "Content-Type"],
        methods=["POST"],
        max_age=PREFLIGHT_SECONDS,
    )
    verifier = SessionVerifier(jwks_url, issuer, audience)

    @app.get("/")
    def about() -> Response:
        return Response(ABOUT, mimetype="text/plain")

    @app.post("/connect")
    @require_session(verifier)
    def connect(visitor: Session) -> Response:
        return _answer({"reply": reply_to(visitor, _message()), "visitor": _card(visitor)})

    app.register_error_handler(HTTPException, _http_error)
    return app


def reply_to(visitor: Session, message: str) -> str:
    """Answer a visitor by name, with something that suits the message."""
    heard = message.casefold()
    wit = next((text for word, text in WIT.items() if word in heard), None)
    if wit is None:
        wit = f"you said “{_shortened(message)}”. I'd have to sleep on that, and I never do."
    return f"Hello {_first_name(visitor)}, {wit}"


def _first_name(visitor: Session) -> str:
    if visitor.visitor_type == "guest":
        return f"guest {''.join(filter(str.isalnum, visitor.visitor_id))[-4:]}"
    words = (visitor.name or visitor.email or visitor.visitor_id).split()
    return words[0] if words else "you"


def _shortened(message: str, limit: int = 80) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"


def _message() -> str:
    body = request.get_json(force=True, silent=True)
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, str) or not 1 <= len(message.strip()) <= MAX_MESSAGE:
        raise _bad_request()
    return message.strip()


def _bad_request() -> HTTPException:
    answer = _answer({"error": "invalid_body", "detail": 'send {"message": "…"}'})
    answer.status_code = HTTPStatus.BAD_REQUEST
    return HTTPException(response=answer)


def _card(visitor: Session) -> dict[str, str | None]:
    return {
        "id": visitor.visitor_id,
        "type": visitor.visitor_type,
        "name": visitor.name,
        "guest_id": visitor.guest_id,
    }


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.response is not None:
        return error
    answer = _answer({"error": error.name.lower().replace(" ", "_"), "detail": error.description})
    answer.status_code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return answer


def _answer(body: Mapping[str, object]) -> Response:
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer
