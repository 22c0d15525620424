"""Rate limits: how many a minute, counted by key and by address, and when to come back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from kataven_flask import windows
from kataven_flask.app import parts_of
from kataven_flask.keys import hash_secret_key
from tests.api.wire import entry, tenant, visitor_token
from tests.redis_server import RedisServer, running_redis
from tests.running import wait_until
from tests.support import OTHER_KEY, OTHER_SECRET, SECRET, Service, refused

WRONG: Final = "sk_live_acme_" + "w" * 43
RATE_LIMIT: Final = r'"(?P<policy>[a-z-]+)";r=(?P<left>\d+);t=(?P<wait>\d+)'
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
    """Whichever host of a backend calls, its secret key's count goes up."""
    limit(service, 2, "user_token")
    for address in ("192.0.2.1", "192.0.2.2"):
        as_address(service, address)
        assert refused(service.user_token()) == OK
    as_address(service, "192.0.2.3")
    assert refused(service.user_token()) == LIMITED
    assert refused(service.user_token(OTHER_SECRET, client_key=OTHER_KEY)) == OK


@pytest.mark.usefixtures("wall")
def test_a_leaked_secret_locks_its_replacement_out_of_nothing(service: Service) -> None:
    """Of two secret keys of one client key, each has its own limit."""
    limit(service, 1, "user_token")
    new = "sk_live_acme_" + "n" * 43
    entry(service)["secrets"].append({"hash": hash_secret_key(new)})
    service.edit()
    assert [refused(service.user_token(SECRET)) for _ in range(2)] == [OK, LIMITED]
    assert [refused(service.user_token(new)) for _ in range(2)] == [OK, LIMITED]


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
    """Guessing secrets doesn't lock the backend out, even from the same address."""
    limit(service, 1, "user_token")
    for _ in range(20):
        assert service.user_token(WRONG).status_code in {401, 429}
    assert refused(service.user_token()) == OK


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize("action", ["user_token", "revoke"])
def test_wrong_secrets_are_few(service: Service, action: str) -> None:
    """Of wrong secret keys ten a minute are answered, for each address."""
    call = getattr(service, action)
    answers = [call(WRONG) for _ in range(12)]
    assert [refused(answer) for answer in answers] == [(401, "invalid_api_key")] * 10 + [
        LIMITED
    ] * 2
    assert answers[0].headers["RateLimit"].startswith('"wrong-secret";r=9;t=')
    as_address(service, "203.0.113.9")
    assert refused(call(WRONG)) == (401, "invalid_api_key")


@pytest.mark.usefixtures("wall")
def test_the_number_of_wrong_secrets_is_in_the_file(service: Service) -> None:
    """The operator says how many; null is no limit."""
    limit(service, 1, "wrong_secret")
    assert [service.user_token(WRONG).status_code for _ in range(3)] == [401, 429, 429]
    limit(service, None, "wrong_secret")
    assert {service.user_token(WRONG).status_code for _ in range(100)} == {401}


BAD: Final[dict[str, Callable[[Service], TestResponse]]] = {
    "exchange": lambda service: service.exchange(token="x"),
    "refresh": lambda service: service.refresh("x"),
    "logout": lambda service: service.logout("x"),
}


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize("name", BAD)
def test_who_sends_bad_tokens_is_limited(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many tokens that were not signed here, no file is looked at for that address."""
    limit(service, 3, "bad_token")
    assert [refused(BAD[name](service))[0] for _ in range(5)] == [400] * 3 + [429] * 2
    monkeypatch.setattr(parts_of(service.app).ring, "latest", pytest.fail)
    answers = [BAD[each](service) for each in BAD]
    assert [refused(answer) for answer in answers] == [LIMITED] * 3
    assert all(answer.headers["RateLimit"].startswith('"bad-token";r=0;t=') for answer in answers)
    monkeypatch.undo()
    as_address(service, "203.0.113.9")
    assert refused(BAD[name](service))[0] == 400


@pytest.mark.usefixtures("wall")
def test_bad_tokens_lock_nobody_out(service: Service) -> None:
    """Whoever shares an address with who sends them signs in, goes on and signs out."""
    limit(service, 1, "bad_token")
    visitor = visitor_token(service)
    for call in BAD.values():
        assert [call(service).status_code for _ in range(3)][-1] == 429
    token = service.exchange(token=visitor).get_json()["refresh_token"]
    again = service.refresh(token).get_json()["refresh_token"]
    assert service.logout(again).status_code == 204


@pytest.mark.usefixtures("wall")
def test_good_tokens_are_not_bad_ones(service: Service) -> None:
    """A token that is good, or was once, takes nothing from that limit."""
    limit(service, 1, "bad_token")
    for _ in range(5):
        token = service.guest().get_json()["refresh_token"]
        assert refused(service.refresh(token)) == OK
        service.logout(token)
        assert refused(service.refresh(token)) == (400, "revoked_session")
        spent = visitor_token(service)
        assert refused(service.exchange(token=spent)) == OK
        assert refused(service.exchange(token=spent)) == (400, "used_token")


@pytest.mark.usefixtures("wall")
def test_a_network_is_one_address(service: Service) -> None:
    """Who has a /64 of IPv6, as every customer of a provider has, has no more than others."""
    limit(service, 1, "guest")
    as_address(service, "2001:db8::1")
    assert refused(service.guest()) == OK
    as_address(service, "2001:db8::ffff:2")
    assert refused(service.guest()) == LIMITED
    as_address(service, "2001:db8:0:1::1")
    assert refused(service.guest()) == OK


@pytest.mark.usefixtures("wall")
def test_a_limit_is_edited_while_it_runs(service: Service) -> None:
    """A higher limit in the file lets the next request through at once."""
    limit(service, 1, "guest")
    assert [refused(service.guest()) for _ in range(2)] == [OK, LIMITED]
    limit(service, 50, "guest")
    assert refused(service.guest()) == OK


class TestHeaders:
    """What is left of a limit stands in `RateLimit` and `RateLimit-Policy`, for pages to read."""

    @pytest.mark.usefixtures("wall")
    @pytest.mark.parametrize("name", CALLS)
    def test_each_answer_tells_what_is_left(self, service: Service, name: str) -> None:
        """Of two requests one is left after the first, and none after the second and third."""
        limit(service, 2, name)
        answers = [CALLS[name](service) for _ in range(3)]
        policy = name.replace("_", "-")
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {
            f'"{policy}";q=2;w=60'
        }
        left = [re.fullmatch(RATE_LIMIT, answer.headers["RateLimit"]) for answer in answers]
        assert [match and match["policy"] for match in left] == [policy] * 3
        assert [match and int(match["left"]) for match in left] == [1, 0, 0]
        assert left[2] is not None
        assert left[2]["wait"] == answers[2].headers["Retry-After"]

    @pytest.mark.usefixtures("wall")
    def test_of_sessions(self, service: Service) -> None:
        """Exchange, refresh and logout tell it, too."""
        user = service.exchange(token=visitor_token(service))
        token = user.get_json()["refresh_token"]
        answers = {"exchange": user, "refresh": service.refresh(token)}
        answers["logout"] = service.logout(token)
        for policy, answer in answers.items():
            assert answer.headers["RateLimit-Policy"] == f'"{policy}";q=60;w=60'
            assert answer.headers["RateLimit"].startswith(f'"{policy}";r=59;t=')

    def test_a_page_can_read_them(self, service: Service) -> None:
        """CORS exposes both."""
        exposed = service.guest().headers["Access-Control-Expose-Headers"].split(", ")
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)

    def test_without_a_limit_there_are_none(self, service: Service) -> None:
        """Where null stands in the file, and where nothing is counted, nothing is told."""
        limit(service, None, "guest")
        for answer in (service.guest(), service.client.get("/healthz")):
            assert not {"RateLimit", "RateLimit-Policy"} & set(answer.headers.keys())


class TestRedis:
    """Where the state is in Redis, servers count together."""

    @pytest.fixture
    def redis(self, tmp_path: Path) -> Iterator[RedisServer]:
        """Return a Redis at the beginning of a minute, so that none ends meanwhile."""
        with running_redis(tmp_path / "redis") as redis:
            wait_until(lambda: time.time() % 60 < 45, "the minute is young", bound=20)
            yield redis

    @pytest.fixture
    def hosts(self, tmp_path: Path, redis: RedisServer) -> list[Service]:
        """Return two servers that share it."""
        hosts = [tmp_path / name for name in ("one", "two")]
        for host in hosts:
            host.mkdir()
        return [Service(host, state=redis.url, instance=tmp_path / "instance") for host in hosts]

    @pytest.mark.parametrize("name", CALLS)
    def test_hosts_count_together(self, hosts: list[Service], name: str) -> None:
        """What one host lets through is taken from what the other does."""
        for host in hosts:
            limit(host, 4, name)
        answers = [CALLS[name](host) for _ in range(3) for host in hosts]
        assert sorted(refused(answer) for answer in answers) == [OK] * 4 + [LIMITED] * 2
        left = [re.fullmatch(RATE_LIMIT, answer.headers["RateLimit"]) for answer in answers]
        assert [match and int(match["left"]) for match in left] == [3, 2, 1, 0, 0, 0]

    def test_wrong_secrets_are_counted_together(self, hosts: list[Service]) -> None:
        """Guessing at two hosts is no faster than at one."""
        answers = [host.user_token(WRONG).status_code for _ in range(6) for host in hosts]
        assert answers == [401] * 10 + [429] * 2

    def test_while_redis_is_gone_requests_get_through(
        self, hosts: list[Service], redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each host counts for itself meanwhile, and says so; what needs the state fails closed."""
        for host in hosts:
            limit(host, 2, "guest")
        token = hosts[0].guest().get_json()["refresh_token"]
        redis.stop()
        counted = [[refused(host.guest()) for _ in range(3)] for host in hosts]
        assert counted == [[OK, OK, LIMITED]] * 2
        assert refused(hosts[0].config()) == OK
        assert refused(hosts[0].user_token()) == OK
        assert refused(hosts[0].refresh(token)) == (503, "state_unavailable")
        told = [each for each in caplog.messages if each.startswith("rate_limiter_unavailable")]
        assert len(told) == len(hosts)
        assert all("redis://" in each for each in told)

    def test_once_redis_is_back_they_count_together_again(
        self, hosts: list[Service], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing has to be restarted."""
        monkeypatch.setattr(windows, "REST", 0.0)
        for host in hosts:
            limit(host, 4, "guest")
        redis.stop()
        assert [refused(host.guest()) for host in hosts] == [OK] * 2
        redis.start(empty=True)
        answers = [refused(host.guest()) for _ in range(3) for host in hosts]
        assert sorted(answers) == [OK] * 4 + [LIMITED] * 2
