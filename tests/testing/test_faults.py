"""What a test can have go wrong: as in production, and only as long as it is said."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from kataven_flask.testing import Kataven, RefusedError, Tenant, running
from kataven_flask.testing.faults import KNOWN
from tests.openapi.on_the_wire import check_answer
from tests.testing.conftest import PAGE

API = "/api/v1/widget"
Ask = Callable[..., tuple[int, str | None]]


@pytest.fixture
def ask(kataven: Kataven) -> Ask:
    """Return what asks for a path over HTTP, and holds the answer against its description."""

    def asked(method: str, path: str, body: str = "") -> tuple[int, str | None]:
        with closing(http.client.HTTPConnection(urlsplit(kataven.url).netloc)) as connection:
            connection.request(method, path, body, {"Origin": PAGE})
            answer = connection.getresponse()
            text = answer.read()
            check_answer(method, path, answer, text)
            return answer.status, answer.headers["X-Error-Code"]

    return asked


@pytest.fixture
def calls(kataven: Kataven, shop: Tenant, ask: Ask) -> dict[str, Callable[[], object]]:
    """Return the calls that a fault may hit."""
    visitor = kataven.guest(shop)
    return {
        "config": lambda: ask("GET", f"{API}/config?client_key={shop.client_key}"),
        "guest": lambda: ask("POST", f"{API}/auth/guest", f'{{"client_key":"{shop.client_key}"}}'),
        "refresh": lambda: ask(
            "POST", f"{API}/auth/refresh", f'{{"refresh_token":"{visitor.refresh_token}"}}'
        ),
        "jwks": lambda: ask("GET", "/.well-known/jwks.json"),
        "healthz": lambda: ask("GET", "/healthz"),
    }


STATE, LIMIT, CRASH = (503, "state_unavailable"), (429, "rate_limited"), (500, "internal_error")
GOOD = (200, None)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("state", {"refresh": STATE}),
        ("rate limit", {"config": LIMIT, "guest": LIMIT, "refresh": LIMIT}),
        ("crash", dict.fromkeys(["config", "guest", "refresh", "jwks", "healthz"], CRASH)),
        ("config", {"config": CRASH}),
        ("jwks", {"jwks": CRASH}),
    ],
)
def test_who_is_hit_is_answered_as_in_production(
    kataven: Kataven,
    calls: dict[str, Callable[[], object]],
    fault: str,
    expected: dict[str, object],
) -> None:
    """Status, code and headers are those of the service; all others are answered, and all after."""
    with kataven.fail(fault):
        assert {name: call() for name, call in calls.items()} == dict.fromkeys(
            calls, GOOD
        ) | expected
    assert {name: call() for name, call in calls.items()} == dict.fromkeys(calls, GOOD)


def test_the_network_gives_no_answer(kataven: Kataven, shop: Tenant) -> None:
    """The connection is closed, nothing has happened, and the request was seen."""
    with kataven.fail("network"), pytest.raises(http.client.RemoteDisconnected):
        kataven.guest(shop)
    assert (kataven.requests[-1].path, kataven.requests[-1].status) == (f"{API}/auth/guest", None)
    assert kataven.guest(shop).type == "guest"


def test_slow_answers_come_all_the_same(kataven: Kataven, shop: Tenant) -> None:
    """They take as long as is said; the others don't wait for them."""
    began = time.monotonic()
    with kataven.fail("slow", seconds=0.1, path="guest") as slow:
        kataven.guest(shop)
        assert time.monotonic() - began >= 0.1
        kataven.sign_in(shop)
    assert slow.hits == 1


def test_nobody_is_kept_waiting_beyond_its_end(kataven: Kataven, shop: Tenant) -> None:
    """Whoever waits for a slow answer when the fault ends is answered then."""
    slow = kataven.fail("slow", seconds=3600)
    caller = threading.Thread(target=kataven.guest, args=[shop])
    caller.start()
    while not slow.hits:
        time.sleep(0.001)
    assert kataven.requests == ()
    slow.end()
    assert kataven.wait_for("guest").status == 200
    caller.join()


def test_a_server_ends_at_once_whoever_waits() -> None:
    """The end of a test isn't held up by an answer that it has slowed down."""
    began = time.monotonic()
    with running() as kataven:
        shop = kataven.tenant(origins=[PAGE])
        slow = kataven.fail("slow", seconds=3600)

        def call() -> None:
            with suppress(OSError):
                kataven.guest(shop)

        caller = threading.Thread(target=call)
        caller.start()
        while not slow.hits:
            time.sleep(0.001)
    caller.join()
    assert time.monotonic() - began < 5


def test_it_hits_where_and_as_often_as_is_said(kataven: Kataven, shop: Tenant) -> None:
    """One path, and the first requests alone."""
    first = kataven.guest(shop)
    fault = kataven.fail("crash", path="auth/refresh", times=2)
    kataven.guest(shop)
    for _ in range(2):
        with pytest.raises(RefusedError, match="internal_error"):
            kataven.refresh(first)
    assert fault.is_over
    assert fault.hits == 2
    kataven.refresh(first)


def test_the_state_is_out_of_reach_for_so_many(kataven: Kataven, shop: Tenant) -> None:
    """A request that doesn't need the state isn't counted as hit."""
    visitor = kataven.guest(shop)
    kataven.fail("state", times=1)
    kataven.guest(shop)
    with pytest.raises(RefusedError, match="state_unavailable"):
        kataven.refresh(visitor)
    kataven.refresh(visitor)


def test_tokens_are_minted_in_any_state_meanwhile(kataven: Kataven, shop: Tenant) -> None:
    """What goes wrong for requests doesn't for the test itself."""
    with kataven.fail("state"):
        token = kataven.user_token(shop, state="spent")
    with pytest.raises(RefusedError, match="used_token"):
        kataven.exchange(shop, token)


def test_a_preflight_is_spared(kataven: Kataven, ask: Ask) -> None:
    """The request that it is for is the one that is hit."""
    with kataven.fail("crash", times=1) as fault:
        assert ask("OPTIONS", f"{API}/auth/guest")[0] == 200
        assert fault.hits == 0


def test_the_way_it_is_written(kataven: Kataven, shop: Tenant) -> None:
    """A rate limit has a space, a line or a hyphen in it, and tells when to come again."""
    for name in ("rate limit", "rate_limit", "rate-limit"):
        with kataven.fail(name, seconds=7), pytest.raises(RefusedError) as refused:
            kataven.guest(shop)
        assert refused.value.code == "rate_limited"


def test_an_unknown_one_is_refused_with_the_list(kataven: Kataven) -> None:
    """The message has what was likely meant, and each that there is."""
    with pytest.raises(ValueError, match="did you mean 'state'") as refused:
        kataven.fail("stat")
    assert all(repr(name) in str(refused.value) for name in KNOWN)
    with pytest.raises(ValueError, match=r"no fault is called ''\. There are"):
        kataven.fail("")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "crash", "times": 0},
        {"name": "crash", "seconds": 1},
        {"name": "slow", "seconds": 0},
        {"name": "slow", "seconds": float("nan")},
        {"name": "slow", "seconds": 1e9},
    ],
)
def test_what_makes_no_sense_is_refused(kataven: Kataven, wrong: dict[str, float]) -> None:
    """Nothing goes wrong then."""
    with pytest.raises(ValueError, match=r"seconds|times"):
        kataven.fail(**wrong)  # type: ignore[arg-type]  # as a test may write it
