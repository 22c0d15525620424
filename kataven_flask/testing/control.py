"""The server's controls for tests in another language: HTTP on a second port of loopback.

Whoever has the address, with the random text in it, may do whatever `Kataven` can. No page may:
what a browser sends is refused, whatever its address.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from flask import Flask, Response, jsonify, request

from kataven_flask.errors import ConfigurationError
from kataven_flask.testing.kataven import Kataven
from kataven_flask.testing.server import LOOPBACK
from kataven_flask.testing.tenants import Tenant
from kataven_flask.verify import InvalidSession

_KEY_BYTES: Final = 16
_BROWSERS_ALONE: Final = ("Origin", "Sec-Fetch-Site")
_WRONG: Final = (
    ConfigurationError,
    InvalidSession,
    LookupError,
    TypeError,
    ValueError,
    TimeoutError,
)
"""What a test has done wrong, or what isn't so; the message is for it."""

Act = Callable[..., Any]


def serve_control(kataven: Kataven, beside: Callable[[Flask], str]) -> str:
    """Serve the controls.

    Args:
        kataven: The server that they are for.
        beside: Serves an app on a port of its own, and returns its address.

    Returns:
        Their address, without a slash at the end; it is a secret.
    """
    key = secrets.token_urlsafe(_KEY_BYTES)
    return f"{beside(_control_app(key, _acts(kataven)))}/{key}"


def _control_app(key: str, acts: Mapping[str, Act]) -> Flask:
    app = Flask("kataven_flask_testing", static_folder=None)

    @app.post(f"/{key}/<name>")
    def act(name: str) -> tuple[Response, int]:
        host = request.host.partition(":")[0]
        if host != LOOPBACK or any(header in request.headers for header in _BROWSERS_ALONE):
            return _wrong(HTTPStatus.FORBIDDEN, "this is for tests, and for no page")
        if name not in acts:
            return _wrong(HTTPStatus.NOT_FOUND, f"there are: {', '.join(sorted(acts))}")
        body = request.get_json(force=True, silent=True) if request.get_data() else {}
        if not isinstance(body, dict):
            return _wrong(HTTPStatus.BAD_REQUEST, "send a JSON object, or nothing")
        try:
            return jsonify(acts[name](**body)), HTTPStatus.OK
        except _WRONG as error:
            return _wrong(HTTPStatus.BAD_REQUEST, str(error.args[0] if error.args else error))

    return app


def _wrong(status: HTTPStatus, words: str) -> tuple[Response, int]:
    return jsonify({"error": words}), status


def _acts(kataven: Kataven) -> Mapping[str, Act]:
    """Return what can be done, by its name; its arguments are the members of the body."""
    return MappingProxyType(
        {
            "tenant": lambda **wishes: described(kataven.tenant(**wishes)),
            "change": lambda **wishes: described(kataven.change(**wishes)),
            "load": lambda path: [described(each) for each in kataven.load(path).values()],
            "clock": lambda **move: _move(kataven, **move),
            "fail": lambda **fault: _fail(kataven, **fault),
            "restore": kataven.restore,
            "requests": lambda: [dataclasses.asdict(each) for each in kataven.requests],
            "forget-requests": kataven.forget_requests,
            "wait-for": lambda **wanted: dataclasses.asdict(kataven.wait_for(**wanted)),
            "user-token": lambda **asked: {"token": kataven.user_token(**asked)},
            "session-token": lambda **asked: {"token": kataven.session_token(**asked)},
            "refresh-token": lambda **asked: {"refresh_token": kataven.refresh_token(**asked)},
            "verify": lambda token: dataclasses.asdict(kataven.verify(token)),
            "settle": kataven.settle,
            "reset": kataven.reset,
        }
    )


def described(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant with its secret key, for the test that made it."""
    return dataclasses.asdict(tenant)


def _move(
    kataven: Kataven,
    *,
    advance: float | str | None = None,
    set: float | None = None,  # noqa: A002 - as the clock calls it
    freeze: bool = False,
    reset: bool = False,
) -> dict[str, float]:
    """Move the clock, in this order, and tell what it shows."""
    if reset:
        kataven.clock.reset()
    if freeze:
        kataven.clock.freeze()
    if set is not None:
        kataven.clock.set(set)
    if advance is not None:
        kataven.clock.advance(advance)
    return {"now": kataven.clock()}


def _fail(kataven: Kataven, **fault: Any) -> dict[str, str]:
    return {"failing": kataven.fail(**fault).name}
