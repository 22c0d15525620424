"""What is logged: enough to mend, and never a secret, a token or who somebody is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.recipes import ALL, Recipe
from tests.api.wire import LONG_AGO, STRANGER, entry, flip, locked
from tests.support import KEY, SECRET, Service

USER_ID: Final = "canary-user-7d1f"
NAME: Final = "Canary Nightingale"
EMAIL: Final = "canary@nest.example"
WRONG_SECRET: Final = "sk_live_acme_canaryWrongSecret"


def everything_logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that any formatter could write of the records."""
    formatter = logging.Formatter()
    lines = [caplog.text]
    for record in caplog.records:
        lines += [formatter.format(record), repr(record.args), repr(record.__dict__)]
    return "\n".join(lines)


def parts(token: str) -> set[str]:
    """Return a token and those of its parts that are its secret or its content."""
    return {token, *(part for part in token.split(".")[-2:] if len(part) > 16)}


def assert_silent(logged: str, secrets: set[str]) -> None:
    """Assert that nothing of what must stay secret was written."""
    found = [secret for secret in secrets if secret in logged]
    assert not found


def test_nothing_secret_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """One request of every kind, served and refused, at DEBUG: no token, no secret, no person."""
    caplog.set_level(logging.DEBUG)
    secrets = {SECRET, WRONG_SECRET, USER_ID, NAME, EMAIL}
    person = {"user_id": USER_ID, "name": NAME, "email": EMAIL}

    guest = service.guest().get_json()
    minted = service.user_token(**person).get_json()["token"]
    secrets |= parts(guest["token"]) | parts(guest["refresh_token"]) | parts(minted)
    secrets.add(guest["visitor"]["id"])
    service.config()
    first = service.exchange(token=minted, guest_token=guest["token"]).get_json()
    second = service.refresh(first["refresh_token"]).get_json()
    for session in (first, second):
        secrets |= parts(session["token"]) | parts(session["refresh_token"])

    # refused
    service.exchange(token=minted)
    service.exchange(token=flip(minted, -9))
    service.exchange(token=service.user_token(**person).get_json()["token"], origin=STRANGER)
    service.exchange(token=first["token"])
    service.exchange(token=first["refresh_token"], guest_token=minted)
    service.user_token(WRONG_SECRET, **person)
    service.user_token(client_key="pk_live_x", **person)
    service.user_token(user_id=USER_ID, name=NAME + "\0", email=EMAIL)
    service.user_token(user_id=USER_ID, external_user_id="other", email=EMAIL)
    service.refresh(flip(first["refresh_token"], -9))
    service.refresh(second["refresh_token"], origin=STRANGER)
    service.logout(second["refresh_token"], origin=STRANGER)
    service.client.environ_base["HTTP_SEC_FETCH_SITE"] = "cross-site"
    service.user_token(**person)
    service.revoke(user_id=USER_ID)
    del service.client.environ_base["HTTP_SEC_FETCH_SITE"]
    service.clock.move(60)
    service.refresh(first["refresh_token"])
    service.refresh(second["refresh_token"])
    service.logout(second["refresh_token"])
    service.revoke(user_id=USER_ID)
    service.revoke(user_id=USER_ID + "\n")
    service.clock.move(40 * 86_400)
    service.refresh(guest["refresh_token"])
    service.exchange(token=minted)
    entry(service)["secrets"][0]["not_after"] = LONG_AGO
    service.edit()
    service.user_token(**person)

    assert caplog.records
    assert_silent(everything_logged(caplog), secrets)


def test_nothing_secret_is_logged_when_the_store_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator reads that the store is out of reach, and nobody's token or name."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("kataven_flask.store.sqlite.BUSY_TIMEOUT", 0.02)
    state = tmp_path / "state.db"
    service = Service(tmp_path, state=f"sqlite:///{state}")
    session = service.user_session(user_id=USER_ID, name=NAME, email=EMAIL)
    token = service.user_token(user_id=USER_ID, name=NAME, email=EMAIL).get_json()["token"]
    with locked(state):
        service.exchange(token=token)
        service.refresh(session["refresh_token"])
        service.logout(session["refresh_token"])
        service.revoke(user_id=USER_ID)
    logged = everything_logged(caplog)
    assert "state store" in logged
    secrets = parts(token) | parts(session["token"]) | parts(session["refresh_token"])
    assert_silent(logged, secrets | {SECRET, USER_ID, NAME, EMAIL})


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.id)
def test_no_refusal_logs_a_traceback(
    service: Service, caplog: pytest.LogCaptureFixture, recipe: Recipe
) -> None:
    """A caller's mistake is no fault of ours: it never fills the log with tracebacks."""
    caplog.set_level(logging.DEBUG)
    recipe.earn(service)
    assert not any(record.exc_info for record in caplog.records)
    grave = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert all(
        each.getMessage().startswith("secret_key_") for each in grave
    )  # a leak is no mistake
    assert_silent(everything_logged(caplog), {SECRET})


def test_a_refused_origin_is_explained_to_the_operator(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what is nearest and what to add; the stranger isn't told."""
    answer = service.guest(origin="https://acme.com:8443")
    (record,) = [each for each in caplog.records if each.getMessage().startswith("origin_refused")]
    said = record.getMessage()
    add = f"kataven-flask origins add {KEY} https://acme.com:8443"
    for word in ("nearest entry is https://acme.com: its port is 8443", "tenant=acme", add):
        assert word in said
    assert answer.text.endswith("https://acme.com:8443 is not one of its origins")


def test_a_reused_token_is_a_security_event(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator is warned of a copied refresh token, with the session's id."""
    session = service.guest().get_json()
    service.refresh(session["refresh_token"])
    service.clock.move(60)
    service.refresh(session["refresh_token"])
    events = [each for each in caplog.records if session["session_id"] in each.getMessage()]
    assert events
    assert all(each.levelno >= logging.WARNING for each in events)


@pytest.mark.parametrize(
    "hostile",
    [
        {"HTTP_ORIGIN": "https://acme.com\nINJECTED: line"},
        {"HTTP_ORIGIN": "https://evil.example\r\nINJECTED"},
        {"HTTP_ORIGIN": "https://\x1b[31mINJECTED.example"},
        {"HTTP_X_REQUEST_ID": "abcdefgh\nINJECTED"},
        {"HTTP_REFERER": "https://evil.example/\nINJECTED"},
        {"HTTP_USER_AGENT": "x\nINJECTED"},
        {"REMOTE_ADDR": "\nINJECTED"},
    ],
    ids=lambda hostile: next(iter(hostile)),
)
def test_no_header_writes_a_line_of_its_own(
    service: Service, caplog: pytest.LogCaptureFixture, hostile: dict[str, Any]
) -> None:
    """What a stranger sends can't forge a log line."""
    caplog.set_level(logging.DEBUG)
    session = service.guest().get_json()
    service.client.environ_base.update(hostile)
    service.guest(origin=None)
    service.refresh(session["refresh_token"], origin=None)
    service.user_token()
    assert not any("\n" in each.getMessage() for each in caplog.records)
    assert "INJECTED" not in caplog.text
