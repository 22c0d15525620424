"""The canary that every test has: it does cry."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Final

import pytest

from kataven_flask import handshake
from kataven_flask.messages import UserTokenRequest
from tests.canary import CANARY, USER_ID, Canary, hear_answer, hear_output
from tests.support import KEY, SECRET, Service

USER: Final = {
    "user_id": "user-0c11d2",
    "name": "Canary Nightingale",
    "email": "canary@nest.example",
}
_log: Final = logging.getLogger("kataven_flask.test")


def known(service: Service) -> dict[str, str]:
    """Have a user sign in, and return what the server was told and what it gave."""
    visitor = service.user_token(**USER).get_json()["token"]
    session: dict[str, Any] = service.exchange(token=visitor).get_json()
    return {
        **USER,
        "visitor token": visitor,
        "session token": session["token"],
        "refresh token": session["refresh_token"],
        "half of a token": session["token"].split(".")[1],
        "signature": session["refresh_token"].split(".")[-1],
        "secret key": SECRET,
    }


WHAT: Final = [
    "user_id", "name", "email", "visitor token", "session token", "refresh token",
    "half of a token", "signature", "secret key",
]  # fmt: skip


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
def test_it_hears_the_log(service: Service, what: str, level: int) -> None:
    """Whatever went in or out of a server, and is logged on purpose, makes it cry."""
    secret = known(service)[what]
    _log.log(level, "who is %s?", secret)
    cries = CANARY.cries()
    assert cries
    assert all("the log of kataven_flask.test" in cry for cry in cries)


def test_it_hears_a_traceback(service: Service) -> None:
    """An exception's message counts, and so do arguments that no format asked for."""
    known(service)
    try:
        raise KeyError(USER["email"])  # noqa: TRY301 - what is tested
    except KeyError:
        _log.exception("a fault")
    assert len(CANARY.cries()) == 1


def test_it_hears_an_answer(service: Service) -> None:
    """An error that repeats what it was sent, in its body or in a header."""
    known(service)
    hear_answer(400, {}, f"no such user: {USER['user_id']}".encode())
    hear_answer(400, {"X-User": USER["name"]}, b"")
    assert len(CANARY.cries()) == 2


def test_it_hears_a_repr(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the core is handed, shown as a debugger would show it."""
    known(service)
    monkeypatch.setattr(UserTokenRequest, "__repr__", lambda self: f"<{self.email}>")
    service.user_token(**USER)
    cries = CANARY.cries()
    assert cries
    assert all("the repr of what Handshake.user_token has" in cry for cry in cries)


def test_it_hears_an_exception(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault whose message names a person, though the answer doesn't repeat it."""

    def broken(*_: object) -> None:
        raise RuntimeError(USER["email"])

    monkeypatch.setattr(handshake, "require_live", broken)
    assert service.user_token(**USER).status_code == 500
    cries = CANARY.cries()
    assert cries
    assert not [cry for cry in cries if "the log of" in cry or "an answer" in cry]


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJFUzI1NiJ9eyJ.eyJzdWIiOiI0MiJ9eyJzdWIi",
        SECRET,
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_it_knows_a_secret_by_its_look(text: str) -> None:
    """A token that it was never told of is one all the same."""
    _log.warning("%s", text)
    assert len(CANARY.cries()) == 1


def test_it_is_silent_on_what_may_be_said(service: Service) -> None:
    """Client keys, origins, sessions' ids and short words are no secrets."""
    canary = Canary()
    session = service.guest().get_json()["session_id"]
    for text in (KEY, "https://acme.com", session, "Ann", None, 42):
        canary.note(text, "name")
        canary.hear(f"{text} of {text}", "a log")
    assert canary.cries() == []


def test_it_forgets_with_each_test(service: Service) -> None:
    """What one test has sent may be said in the next."""
    known(service)
    CANARY.cries()
    _log.warning("%s", USER["name"])
    assert CANARY.cries() == []


def test_a_warning_is_an_error() -> None:
    """What a warning says need not be heard: none gets as far."""
    with pytest.raises(UserWarning, match="spoken"):
        warnings.warn("spoken", stacklevel=1)


@pytest.mark.parametrize("program", ["kataven-flask serve", "gunicorn kataven_flask.wsgi:app"])
def test_it_hears_what_a_server_prints(program: str) -> None:
    """A server in a process of its own is listened to, line by line; a command isn't."""
    printed = f"ready\n{SECRET} is what a backend sent\n{USER_ID} has signed in\n"
    hear_output(["kataven-flask", "keys", "create"], printed)
    assert CANARY.cries() == []
    hear_output(program.split(), printed)
    assert len(CANARY.cries()) == 2
