"""Security events: each is one structured line, and no stranger's text can change that."""

from __future__ import annotations

import json
import logging
import re
import select
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.event_log import Person
from kataven_flask.keys import generate_secret_key
from kataven_flask.security_events import (
    KINDS,
    MAX_TEXT,
    ORDER,
    Event,
    Happening,
)
from kataven_flask.tokens import Session
from tests.api.wire import LONG_AGO, entry, flip
from tests.logfmt import read_line, told
from tests.support import KEY, ORIGIN, SECRET, Service

EVIL: Final = "https://evil.example"
DEPLOYMENT: Final = Path(__file__).parents[1] / "docs" / "deployment.md"


# --- how each comes about, and what its line has


def reuse(service: Service) -> None:
    """Present a refresh token again, after its grace."""
    session = service.user_session()
    service.refresh(session["refresh_token"])
    service.clock.move(60)
    service.refresh(session["refresh_token"])


def lose_a_record(service: Service) -> None:
    """Refresh twice, with a store that has forgotten the first time."""
    session = service.user_session()
    token = service.refresh(session["refresh_token"]).get_json()["refresh_token"]
    other = Service(service.settings.config.parent)
    other.clock.move(60)
    other.refresh(token)


def move(service: Service) -> None:
    """Refresh from a page elsewhere."""
    service.refresh(service.user_session()["refresh_token"], origin=EVIL)


def replay(service: Service) -> None:
    """Exchange a visitor token twice."""
    token = service.user_token().get_json()["token"]
    service.exchange(token=token)
    service.exchange(token=token)


def forge(service: Service) -> None:
    """Present a token that isn't signed by its key."""
    service.exchange(token=flip(service.user_token().get_json()["token"], -9))


def guess(service: Service) -> None:
    """Call as a backend with a secret key that is nobody's."""
    service.user_token(generate_secret_key("acme"))


def outlive(service: Service) -> None:
    """Call with a secret key that is past its time."""
    entry(service)["secrets"][0]["not_after"] = LONG_AGO
    service.edit()
    service.user_token()


def leak(service: Service) -> None:
    """Call as a page that has a secret key."""
    service.client.environ_base["HTTP_ORIGIN"] = EVIL
    service.revoke(user_id="user-1")


def mistake(service: Service) -> None:
    """Write a secret key where a client key belongs."""
    service.guest(client_key=SECRET)


def call_from_a_page(service: Service) -> None:
    """Call as a page that has no secret key."""
    service.client.environ_base["HTTP_SEC_FETCH_SITE"] = "cross-site"
    service.user_token(secret=None)


def refuse(service: Service) -> None:
    """Call from a page that isn't in the allowlist."""
    service.config(EVIL)


SESSION: Final = {"tenant", "client_key", "session", "user", "endpoint", "request_id"}
WAYS: Final[dict[Event, tuple[Callable[[Service], None], set[str]]]] = {
    Event.REFRESH_TOKEN_REUSED: (reuse, SESSION),
    Event.SESSION_WITHOUT_RECORD: (lose_a_record, SESSION),
    Event.SESSION_FROM_ANOTHER_ORIGIN: (move, SESSION | {"origin"}),
    Event.VISITOR_TOKEN_REPLAYED: (replay, SESSION - {"session"} | {"token"}),
    Event.TOKEN_INVALID: (forge, {"endpoint", "request_id", "why"}),
    Event.SECRET_KEY_WRONG: (guess, {"endpoint", "request_id"}),
    Event.SECRET_KEY_EXPIRED: (outlive, {"tenant", "client_key", "endpoint", "request_id"}),
    Event.SECRET_KEY_FROM_BROWSER: (
        leak,
        {"tenant", "client_key", "origin", "endpoint", "request_id"},
    ),
    Event.SECRET_KEY_AS_CLIENT_KEY: (
        mistake,
        {"tenant", "client_key", "origin", "endpoint", "request_id"},
    ),
    Event.BACKEND_CALLED_BY_BROWSER: (call_from_a_page, {"origin", "endpoint", "request_id"}),
    Event.ORIGIN_REFUSED: (
        refuse,
        {"tenant", "client_key", "origin", "endpoint", "request_id", "why", "add"},
    ),
}


@pytest.mark.parametrize("event", WAYS)
def test_each_is_one_line(service: Service, caplog: pytest.LogCaptureFixture, event: Event) -> None:
    """What has happened, to whom, and which request did it, by names that don't change."""
    earn, names = WAYS[event]
    earn(service)
    (record,) = [each for each in caplog.records if each.name == "kataven_flask.security"]
    fields = read_line(record.getMessage())
    assert set(fields) == {"event", "count", *names}
    assert fields["event"] == event
    assert list(fields) == ["event", *(name for name in ORDER if name in fields)]
    assert fields.get("tenant", "acme") == "acme"
    assert fields.get("client_key", KEY) == KEY
    assert re.fullmatch(r"req_[0-9a-f]{16}", fields["request_id"])
    assert record.levelno == KINDS[event].level


def test_every_event_has_its_way_here() -> None:
    """A new event is shown to happen; the rate limiter's has a test of its own."""
    assert set(WAYS) | {Event.RATE_LIMITER_UNAVAILABLE} == set(Event) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values())
def test_no_line_has_a_field_that_is_not_written(kind: object) -> None:
    """Whatever is told of an event has its place in the line."""
    assert set(getattr(kind, "fields")) <= set(ORDER)  # noqa: B009 - mypy takes enum values for str


# --- what is said of a secret key


def test_a_leaked_key_is_named_by_its_client_key(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator knows which one to rotate, where it was seen, and that it's urgent."""
    leak(service)
    (fields,) = told(caplog)
    assert fields["origin"] == EVIL
    assert fields["endpoint"] == "revoke"
    mistake(service)
    (fields,) = told(caplog)
    assert fields["origin"] == ORIGIN
    assert fields["endpoint"] == "guest"


def test_a_key_that_is_nobodys_is_no_leak(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger can't have somebody paged by making a secret key up."""
    made_up = generate_secret_key("acme")
    service.guest(client_key=made_up)
    service.config(client_key=made_up)
    service.client.environ_base["HTTP_ORIGIN"] = EVIL
    service.user_token(made_up)
    assert [(fields["event"], fields["endpoint"]) for fields in told(caplog)] == [
        ("secret_key_wrong", "guest"),
        ("secret_key_wrong", "config"),
        ("backend_called_by_browser", "user-token"),
    ]


def test_a_key_past_its_time_is_no_leak(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing left to rotate, but the page that has it is found."""
    entry(service)["secrets"][0]["not_after"] = LONG_AGO
    service.edit()
    leak(service)
    (fields,) = told(caplog)
    assert (fields["event"], fields["client_key"]) == ("backend_called_by_browser", KEY)


# --- who it was


def test_lines_of_one_user_can_be_joined(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The same user has the same hash in every line, another one another, and a guest none."""
    move(service)
    replay(service)
    token = service.user_token(user_id="somebody-else").get_json()["token"]
    service.exchange(token=token)
    service.exchange(token=token)
    service.refresh(service.guest().get_json()["refresh_token"], origin=EVIL)
    mine, again, other, guest = told(caplog)
    assert mine["user"] == again["user"] != other["user"]
    assert re.fullmatch(r"usr_[0-9a-f]{32}", mine["user"])
    assert "user" not in guest


def test_a_person_is_not_shown() -> None:
    """What carries a user's id to where it is hashed doesn't say it by itself."""
    person = Person("acme", "user-nightingale")
    for text in (repr(person), str(person), f"{person}"):
        assert "nightingale" not in text


def test_a_guest_is_no_person() -> None:
    """A guest's id is a random one, and stands in no line."""
    session = Session("ses_1", "guest_1", "acme", "support", KEY, ORIGIN, "guest", 0)
    assert Person.of(session) is None


# --- what goes between processes


def test_the_longest_event_fits_into_the_pipe() -> None:
    """No message is so long that two workers' could mix (POSIX, write)."""
    longest = {name: "a" * MAX_TEXT * 2 for name in ORDER if name != "add"}
    for event in set(Event) - {Event.RATE_LIMITER_UNAVAILABLE}:
        message = [event, dict(Happening.of(event, **longest).fields), 10**9]
        assert len(json.dumps(message)) < select.PIPE_BUF


# --- what the operator reads


def documented() -> dict[str, tuple[bool, str, str]]:
    """Return the operator's table of events: whether one is grave, what it means, what to do."""
    row = r"(?m)^\| `([a-z_]+)`( ●)? \| ([^|]+) \| ([^|]+) \|$"
    section = DEPLOYMENT.read_text().split("\n### Security events\n")[1].split("\n### ")[0]
    table = section.split("| `event` |")[1]
    return {name: (bool(mark), *rest) for name, mark, *rest in re.findall(row, table)}


def test_the_operator_is_told_what_to_do() -> None:
    """Each event is in the documentation, with what it means, what to do, how grave it is."""
    assert set(documented()) == set(Event)
    for event, (is_grave, meaning, advice) in documented().items():
        assert is_grave == (KINDS[Event(event)].level == logging.ERROR)
        assert meaning
        assert advice
