"""Rate limits: how many a minute, counted by key and by address, and when to come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from tests.api.wire import tenant, visitor_token
from tests.support import OTHER_KEY, OTHER_SECRET, Service, refused

OK: Final = (200, None)
LIMITED: Final = (429, "rate_limited")
CALLS: Final[dict[str, Callable[[Service], TestResponse]]] = {
    "config": Service.config,
    "guest": Service.guest,
    "user_token": Service.user_token,
}


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Hold the machine's clock, by which requests are counted; return what moves it."""
    now = [time.time() // 60 * 60 + 1]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def limit(service: Service, per_minute: int | None, name: str) -> None:
    """Set one limit of the document."""
    service.document["limits"] = {f"{name}_per_minute": per_minute}
    service.edit()


def as_address(service: Service, address: str) -> None:
    """Call from another machine from now on."""
    service.client.environ_base["REMOTE_ADDR"] = address


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("wall")
def test_exactly_as_many_as_allowed_get_through(service: Service, name: str) -> None:
    """The limit's last request is served, the next is told when to come back."""
    limit(service, 3, name)
    assert [refused(CALLS[name](service)) for _ in range(3)] == [OK] * 3
    answer = CALLS[name](service)
    assert refused(answer) == LIMITED
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.text.startswith("Too many requests: ")


@pytest.mark.usefixtures("wall")
def test_exchange_is_limited(service: Service) -> None:
    """A refused exchange spends nothing: the token is good once the caller comes back."""
    limit(service, 2, "exchange")
    tokens = [visitor_token(service) for _ in range(3)]
    assert [refused(service.exchange(token=t)) for t in tokens] == [OK, OK, LIMITED]
    limit(service, None, "exchange")
    assert refused(service.exchange(token=tokens[2])) == OK


@pytest.mark.usefixtures("wall")
def test_refresh_is_limited(service: Service) -> None:
    """A refused refresh rotates nothing: the token is good once the caller comes back."""
    limit(service, 2, "refresh")
    tokens = [service.guest().get_json()["refresh_token"] for _ in range(3)]
    assert [refused(service.refresh(t)) for t in tokens] == [OK, OK, LIMITED]
    limit(service, None, "refresh")
    assert refused(service.refresh(tokens[2])) == OK


@pytest.mark.parametrize("name", ["config", "guest"])
@pytest.mark.parametrize("per_minute", [1, 2, 3, 7, 60])
def test_who_waits_as_told_is_served(
    service: Service, wall: Callable[[float], None], name: str, per_minute: int
) -> None:
    """After the seconds of `Retry-After` the same request is let through."""
    limit(service, per_minute, name)
    for _ in range(per_minute):
        assert refused(CALLS[name](service)) == OK
        wall(0.01)
    answer = CALLS[name](service)
    assert refused(answer) == LIMITED
    wall(int(answer.headers["Retry-After"]))
    assert refused(CALLS[name](service)) == OK


@pytest.mark.parametrize("phase", [0, 0.5, 20, 29.7, 45.25, 58.999])
@pytest.mark.parametrize("per_minute", [1, 3, 10])
def test_who_waits_as_told_is_served_each_time(
    service: Service, wall: Callable[[float], None], per_minute: int, phase: float
) -> None:
    """Whenever a flood began and however often it is told to wait, waiting helps."""
    limit(service, per_minute, "guest")
    wall(phase)
    for _ in range(6):
        answer = service.guest()
        for _ in range(2 * per_minute):
            if answer.status_code == 429:
                break
            wall(0.003)
            answer = service.guest()
        assert refused(answer) == LIMITED
        wall(int(answer.headers["Retry-After"]))
        assert refused(service.guest()) == OK


def test_a_minute_later_all_is_well(service: Service, wall: Callable[[float], None]) -> None:
    """Who is quiet for two minutes has the whole limit again."""
    limit(service, 3, "guest")
    for _ in range(5):
        service.guest()
    wall(121)
    assert [refused(service.guest()) for _ in range(4)] == [OK, OK, OK, LIMITED]


@pytest.mark.parametrize("name", CALLS)
def test_null_is_no_limit(service: Service, name: str) -> None:
    """A limit of null lets everything through."""
    limit(service, None, name)
    assert {refused(CALLS[name](service)) for _ in range(100)} == {OK}


@pytest.mark.usefixtures("wall")
def test_the_default_is_60_guests_a_minute(service: Service) -> None:
    """Without a word in the file the promised default holds."""
    got = [refused(service.guest()) for _ in range(61)]
    assert got == [OK] * 60 + [LIMITED]


@pytest.mark.usefixtures("wall")
def test_a_tenant_may_have_limits_of_its_own(service: Service) -> None:
    """What a tenant writes wins over the document, for this tenant alone."""
    service.document["limits"] = {"guest_per_minute": 1}
    tenant(service)["limits"] = {"guest_per_minute": 2}
    tenant(service, "other")["limits"] = {"guest_per_minute": None}
    service.edit()
    assert [refused(service.guest()) for _ in range(3)] == [OK, OK, LIMITED]
    theirs = [refused(service.guest(client_key=OTHER_KEY)) for _ in range(5)]
    assert theirs == [OK] * 5


@pytest.mark.usefixtures("wall")
def test_what_a_tenant_leaves_out_is_the_documents(service: Service) -> None:
    """A tenant that sets one limit keeps the document's others."""
    service.document["limits"] = {"guest_per_minute": 1, "config_per_minute": 1}
    tenant(service)["limits"] = {"guest_per_minute": None}
    service.edit()
    assert [refused(service.guest()) for _ in range(3)] == [OK] * 3
    assert [refused(service.config()) for _ in range(2)] == [OK, LIMITED]


@pytest.mark.usefixtures("wall")
def test_each_address_is_counted_by_itself(service: Service) -> None:
    """One visitor's flood leaves the others alone."""
    limit(service, 1, "guest")
    assert [refused(service.guest()) for _ in range(2)] == [OK, LIMITED]
    as_address(service, "203.0.113.9")
    assert refused(service.guest()) == OK


@pytest.mark.usefixtures("wall")
def test_each_key_is_counted_by_itself(service: Service) -> None:
    """A visitor of two sites has each site's limit."""
    limit(service, 1, "guest")
    assert [refused(service.guest()) for _ in range(2)] == [OK, LIMITED]
    assert refused(service.guest(client_key=OTHER_KEY)) == OK


@pytest.mark.usefixtures("wall")
def test_each_action_is_counted_by_itself(service: Service) -> None:
    """Who asked for too many guests can still read the config."""
    limit(service, 1, "guest")
    assert [refused(service.guest()) for _ in range(2)] == [OK, LIMITED]
    assert refused(service.config()) == OK
    assert refused(service.user_token()) == OK


@pytest.mark.usefixtures("wall")
def test_a_backend_is_counted_by_its_key(service: Service) -> None:
    """Whichever host of a backend calls, its client key's count goes up."""
    limit(service, 2, "user_token")
    for address in ("192.0.2.1", "192.0.2.2"):
        as_address(service, address)
        assert refused(service.user_token()) == OK
    as_address(service, "192.0.2.3")
    assert refused(service.user_token()) == LIMITED
    assert refused(service.user_token(OTHER_SECRET, client_key=OTHER_KEY)) == OK


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "X-Client-IP"]
)
def test_no_header_changes_the_address(service: Service, header: str) -> None:
    """A caller can't pose as many by what it sends."""
    limit(service, 1, "guest")
    answers: list[Any] = []
    for number in range(3):
        name = "HTTP_" + header.upper().replace("-", "_")
        service.client.environ_base[name] = f"203.0.113.{number}"
        answers.append(refused(service.guest()))
    assert answers == [OK, LIMITED, LIMITED]


@pytest.mark.usefixtures("wall")
def test_a_stranger_uses_up_nobody_elses_limit(service: Service) -> None:
    """Refused requests of one address leave the key's other visitors alone."""
    limit(service, 2, "guest")
    as_address(service, "198.51.100.1")
    for _ in range(10):
        service.guest(origin="https://evil.example")
    as_address(service, "198.51.100.2")
    assert refused(service.guest()) == OK


@pytest.mark.usefixtures("wall")
def test_a_wrong_secret_uses_up_no_limit(service: Service) -> None:
    """Guessing secrets doesn't lock the backend out."""
    limit(service, 1, "user_token")
    for _ in range(5):
        assert refused(service.user_token("sk_live_acme_wrong")) == (401, "invalid_api_key")
    assert refused(service.user_token()) == OK


@pytest.mark.usefixtures("wall")
def test_a_limit_is_edited_while_it_runs(service: Service) -> None:
    """A higher limit in the file lets the next request through at once."""
    limit(service, 1, "guest")
    assert [refused(service.guest()) for _ in range(2)] == [OK, LIMITED]
    limit(service, 50, "guest")
    assert refused(service.guest()) == OK
