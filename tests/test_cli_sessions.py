"""`kataven-flask sessions revoke`, beside a server that runs on the same state."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from werkzeug.test import TestResponse

from kataven_flask.cli import main
from kataven_flask.sessions import is_session_id
from tests.redis_server import running_redis
from tests.support import KEY, OTHER_KEY, Service, refused

ENDED: Final = (400, "revoked_session")
OK: Final = (200, None)


@pytest.fixture(params=["sqlite", "redis"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a server with the system's clock, on each kind of store that can be shared."""
    if request.param == "sqlite":
        yield Service(tmp_path, state=None, clock=time.time)
        return
    with running_redis(tmp_path / "redis", password="hunter2") as redis:
        yield Service(tmp_path, state=redis.url, clock=time.time)


def revoke(service: Service, *options: str) -> Result:
    """Run the command with the server's own settings."""
    settings = service.settings
    arguments = ["--config", str(settings.config), "--instance", str(settings.instance)]
    if settings.state:
        arguments += ["--state", settings.state]
    return CliRunner().invoke(main, ["sessions", "revoke", *options, *arguments])


def refreshed(service: Service, session: dict[str, Any]) -> TestResponse:
    """Refresh a session."""
    return service.refresh(session["refresh_token"])


def test_a_user(service: Service) -> None:
    """All sessions of the user are over, another user's and a guest's go on, and so do new ones."""
    mine = [service.user_session(), service.user_session()]
    renewed = refreshed(service, mine[0]).get_json()
    others = [service.user_session(user_id="43"), service.guest().get_json()]
    result = revoke(service, "--tenant", "acme", "--user", "user-7f3a9c42")
    assert result.exit_code == 0, result.output
    assert "every session that user user-7f3a9c42 of acme began before now" in result.output
    assert "10 min at most" in result.output
    for session in (renewed, *mine):
        assert refused(refreshed(service, session)) == ENDED
    for session in (*others, service.user_session()):
        assert refused(refreshed(service, session)) == OK


def test_a_session(service: Service) -> None:
    """One session is over; the user's other one goes on."""
    one, other = service.user_session(), service.user_session()
    result = revoke(service, "--session", one["session_id"])
    assert result.exit_code == 0, result.output
    assert refused(refreshed(service, one)) == ENDED
    assert refused(refreshed(service, other)) == OK


def test_a_client_key(service: Service) -> None:
    """All that was begun with the key is over: guests, users, and what was vouched for."""
    sessions = [service.user_session(), service.guest().get_json(), service.guest().get_json()]
    other = service.guest(client_key=OTHER_KEY).get_json()
    result = revoke(service, "--key", KEY)
    assert result.exit_code == 0, result.output
    for session in sessions:
        assert refused(refreshed(service, session)) == ENDED
    assert refused(refreshed(service, service.guest().get_json())) == OK
    assert refused(refreshed(service, other)) == OK


def test_twice_is_no_error(service: Service) -> None:
    """An operator may repeat a command."""
    session = service.guest().get_json()
    for _ in range(2):
        assert revoke(service, "--session", session["session_id"]).exit_code == 0
    assert refused(refreshed(service, session)) == ENDED


def test_no_secret_is_shown(service: Service) -> None:
    """The state store is named without its password."""
    result = revoke(service, "--tenant", "acme", "--user", "user-7f3a9c42")
    assert "state.db" in result.output or "redis://127.0.0.1:" in result.output
    assert "hunter2" not in result.output


MISTAKES: Final = {
    "nothing": ([], "name what to end"),
    "a tenant alone": (["--tenant", "acme"], "name what to end"),
    "a user alone": (["--user", "user-7f3a9c42"], "name what to end"),
    "two": (["--session", "ses_x", "--key", KEY], "name what to end"),
    "an unknown tenant": (
        ["--tenant", "acmee", "--user", "user-7f3a9c42"],
        "no such tenant, but acme",
    ),
    "an unknown key": (["--key", "pk_live_acme_x"], "no tenant has this client key"),
    "an empty user": (["--tenant", "acme", "--user", ""], "not a user's id"),
    "a user with a line's end": (["--tenant", "acme", "--user", "42\n"], "not a user's id"),
    "a user with spaces around": (["--tenant", "acme", "--user", " 42 "], "not a user's id"),
    "a user too long": (["--tenant", "acme", "--user", "4" * 257], "not a user's id"),
    "a user that is no text": (["--tenant", "acme", "--user", "\udcff"], "not a user's id"),
    "not a session": (["--session", "ses_x"], "not a session's id"),
    "half a session": (["--session", "ses_3f"], "not a session's id"),
}


@pytest.mark.parametrize(("options", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line(tmp_path: Path, options: list[str], told: str) -> None:
    """What can't be meant ends nothing, and is told with exit status 1."""
    result = revoke(Service(tmp_path, state=None), *options)
    assert result.exit_code == 1
    assert told in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (lambda folder: f"sqlite:///{folder}/other.db", "no server has used this state store"),
        (lambda folder: f"sqlite:///{folder}/nowhere/state.db", "no such folder"),
        (lambda _: "memory:", "inside the server"),
        (lambda _: "redis://127.0.0.1:1", "127.0.0.1:1"),
        (lambda _: "postgres://h", "not a state store"),
    ],
)
def test_the_wrong_store_is_told(tmp_path: Path, state: Callable[[Path], str], told: str) -> None:
    """To end a session where no server looks would be a comfort and no more: it is refused."""
    service = Service(tmp_path, state=None)
    options = ["--session", service.guest().get_json()["session_id"]]
    result = revoke(service, *options, "--state", state(tmp_path))
    assert result.exit_code == 1
    assert told in result.output
    assert not (tmp_path / "other.db").exists()


def test_an_empty_redis_is_the_wrong_store(tmp_path: Path) -> None:
    """A Redis that no server has used is refused, too."""
    with running_redis(tmp_path / "redis") as redis:
        service = Service(tmp_path, state=None)
        result = revoke(
            service, "--tenant", "acme", "--user", "user-7f3a9c42", "--state", redis.url
        )
    assert result.exit_code == 1
    assert "no server has used" in result.output


def test_ids_look_like_ids(tmp_path: Path) -> None:
    """What the service names a session, the command takes."""
    service = Service(tmp_path)
    for _ in range(50):
        assert is_session_id(service.guest().get_json()["session_id"])
        assert is_session_id(service.user_session()["session_id"])
