"""A fault of ours in the middle of a request: it says what it had in hand to nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import pytest
from werkzeug.test import TestResponse

from kataven_flask import api, handshake, secret_keys
from kataven_flask.sessions import Sessions
from kataven_flask.store.memory import MemoryStore
from kataven_flask.tokens import Tokens
from tests.canary import CANARY
from tests.support import SECRET, Service

USER: Final = {
    "user_id": "user-0c11d2",
    "name": "Canary Nightingale",
    "email": "canary@nest.example",
}


def sign_in(service: Service) -> tuple[str, str]:
    """Return a visitor token, and a refresh token of another session."""
    token = service.user_token(**USER).get_json()["token"]
    return token, service.user_session(**USER)["refresh_token"]


CALLS: Final[dict[str, Callable[[Service, str, str], TestResponse]]] = {
    "config": lambda s, _token, _refresh: s.config(),
    "guest": lambda s, _token, _refresh: s.guest(),
    "user-token": lambda s, _token, _refresh: s.user_token(**USER),
    "exchange": lambda s, token, _refresh: s.exchange(token=token),
    "refresh": lambda s, _token, refresh: s.refresh(refresh),
    "logout": lambda s, _token, refresh: s.logout(refresh),
    "revoke": lambda s, _token, _refresh: s.revoke(user_id=USER["user_id"]),
}
BROKEN: Final[list[tuple[str, Any, str]]] = [
    ("config", handshake, "resolve_agent"),
    ("guest", Tokens, "mint_session"),
    ("user-token", secret_keys, "_find"),
    ("user-token", api, "text_member"),
    ("user-token", Tokens, "mint_visitor"),
    ("exchange", Tokens, "verify_visitor"),
    ("exchange", MemoryStore, "spend"),
    ("exchange", Sessions, "grant"),
    ("refresh", Tokens, "verify_refresh"),
    ("refresh", MemoryStore, "rotate"),
    ("refresh", Tokens, "mint_refresh"),
    ("logout", Tokens, "verify_refresh"),
    ("logout", MemoryStore, "revoke_session"),
    ("revoke", secret_keys, "_find"),
    ("revoke", Sessions, "end_user"),
]


def all_of(value: Any) -> str:
    """Write an object with all that its repr leaves out."""
    names = getattr(value, "__dataclass_fields__", ())
    return f"{value!r} " + " ".join(all_of(getattr(value, name)) for name in names)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken[0]}-{broken[2]}")
def test_a_fault_tells_nobody_what_it_had_in_hand(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[str, Any, str],
) -> None:
    """An exception whose message has every argument: the log has where, the stranger a number."""
    call, place, name = broken
    token, refresh = sign_in(service)

    def fail(*arguments: object, **named: object) -> NoReturn:
        raise RuntimeError(f"{SECRET} {[all_of(each) for each in arguments]} {named}")

    monkeypatch.setattr(place, name, fail)
    answer = CALLS[call](service, token, refresh)
    assert answer.status_code == 500
    assert answer.text == f"Internal error: quote {answer.headers['X-Request-Id']} to the operator"
    assert answer.headers["X-Request-Id"] in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert 'raise RuntimeError(f"{SECRET}' in caplog.text  # the line as it is written
    # What the exception itself says is what makes this a test; it goes no further.
    cries = [cry for cry in CANARY.cries() if "in the repr of what" not in cry]
    assert not cries
