"""What a person tries, route by route: caches, races, mix-ups, memory, and time."""

from __future__ import annotations

import functools
import threading
from typing import Any

import pytest
from werkzeug.test import TestResponse

from kataven_flask.keys import hash_secret_key
from tests.api.wire import SUBDOMAIN, no_limits, send, tenant, visitor_token
from tests.support import (
    API,
    KEY,
    ORIGIN,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    SECRET,
    Service,
    refused,
)
from tests.vectors.attacker import part, raw_of
from tests.vectors.attacks import ORDER_OF_P256

# --- caches


class Cache:
    """A cache that all share, as a CDN is: it keeps an answer by its `Vary` (RFC 9111, 4.1)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._kept: list[tuple[dict[str, str], TestResponse]] = []

    def get(self, **headers: str) -> TestResponse:
        """Answer from what is kept where that is allowed, else ask."""
        for asked, answer in self._kept:
            names = [name.strip() for name in answer.headers.get("Vary", "").split(",")]
            if all(asked.get(name) == headers.get(name) for name in names):
                return answer
        answer = self._service.client.get(f"{API}/config?client_key={KEY}", headers=headers)
        if answer.status_code == 200 and "public" in answer.headers["Cache-Control"]:
            self._kept.append((headers, answer))
        return answer


def test_a_cache_gives_a_stranger_nothing(service: Service) -> None:
    """What a cache keeps for one page it doesn't give to a page that would be refused."""
    cache = Cache(service)
    assert cache.get(Origin=ORIGIN).status_code == 200
    assert cache.get(Referer=f"{ORIGIN}/page").status_code == 200
    assert cache.get(Origin="https://evil.example").status_code == 403
    assert cache.get(Referer="https://evil.example/").status_code == 403
    assert cache.get().status_code == 403


def test_no_refusal_and_no_token_is_kept(service: Service) -> None:
    """Whatever carries a token, or refuses one, is kept by nobody."""
    session = service.user_session()
    answers = [
        service.guest(),
        service.guest(origin=None),
        service.user_token(),
        service.user_token(secret=None),
        service.exchange(token=visitor_token(service)),
        service.exchange(token="x"),
        service.refresh(session["refresh_token"]),
        service.refresh("x"),
        service.config(origin=None),
        service.client.get("/nothing"),
    ]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
@pytest.mark.parametrize("known", ["*", "the tag", "W/ the tag"])
def test_who_knows_the_tag_is_still_refused(
    service: Service, origin: str | None, known: str
) -> None:
    """A tag, or any, gets a stranger no 304 that would tell whether the config has changed."""
    tag = service.config().headers["ETag"]
    headers = {"If-None-Match": known.replace("the tag", tag).replace(" ", "")}
    if origin is not None:
        headers["Origin"] = origin
    answer = service.client.get(f"{API}/config?client_key={KEY}", headers=headers)
    assert refused(answer) == (403, "origin_not_allowed")


def test_a_tag_of_another_key_is_another(service: Service) -> None:
    """No key's tag makes a 304 of another key's config, nor does one from before an edit."""
    tags = {key: service.config(client_key=key).headers["ETag"] for key in (KEY, OTHER_KEY)}
    tags[PINNED_KEY] = service.config(client_key=PINNED_KEY).headers["ETag"]
    assert len(set(tags.values())) == 3
    tenant(service)["name"] = "Another"
    service.edit()
    for tag in tags.values():
        headers = {"Origin": ORIGIN, "If-None-Match": tag}
        answer = service.client.get(f"{API}/config?client_key={KEY}", headers=headers)
        assert answer.status_code == 200


# --- races


def at_once(calls: list[Any]) -> list[int]:
    """Make calls at the same moment, each from a thread, and return their statuses."""
    barrier = threading.Barrier(len(calls))
    statuses: list[int] = []

    def make(call: Any) -> None:
        barrier.wait()
        statuses.append(call().status_code)

    threads = [threading.Thread(target=make, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_twins_of_a_token_race_for_one_session(service: Service) -> None:
    """A token and its mirrored twin, each sent eight times at once, make one session in all."""
    no_limits(service)
    token = visitor_token(service)
    signed, _, signature = token.rpartition(".")
    raw = raw_of(signature)
    mirrored = raw[:32] + (ORDER_OF_P256 - int.from_bytes(raw[32:])).to_bytes(32)
    twin = f"{signed}.{part(mirrored)}"

    def exchange(token: str) -> TestResponse:
        client = service.app.test_client()
        return client.post(
            f"{API}/auth/exchange", json={"token": token}, headers={"Origin": ORIGIN}
        )

    calls = [functools.partial(exchange, each) for each in [token, twin] * 8]
    statuses = at_once(calls)
    assert sorted(statuses) == [200] + [400] * 15


def test_a_logout_races_a_refresh(service: Service) -> None:
    """Whichever comes first, after a logout no token of the session is good."""
    no_limits(service)
    for _ in range(10):
        token = service.guest().get_json()["refresh_token"]
        answers: list[TestResponse] = []

        def call(action: str, token: str, answers: list[TestResponse] = answers) -> TestResponse:
            answer = service.app.test_client().post(
                f"{API}/auth/{action}",
                json={"refresh_token": token},
                headers={"Origin": ORIGIN},
            )
            answers.append(answer)
            return answer

        at_once([functools.partial(call, action, token) for action in ("refresh", "logout")])
        left = [answer.get_json()["refresh_token"] for answer in answers if answer.is_json]
        assert all(service.refresh(each).status_code == 400 for each in [token, *left])


# --- mix-ups


def test_no_pair_of_keys_and_tokens_is_mixed_up(service: Service) -> None:
    """A token of one key is no other key's, of the same tenant or of another."""
    own = visitor_token(service)
    other = visitor_token(service, secret=OTHER_SECRET, client_key=OTHER_KEY)
    for token, key in ((own, OTHER_KEY), (own, PINNED_KEY), (other, KEY)):
        assert refused(service.exchange(token=token, client_key=key)) == (
            403,
            "client_key_mismatch",
        )
    assert service.exchange(token=own, client_key=KEY).get_json()["agent_id"] == "support"
    assert service.exchange(token=other, client_key=OTHER_KEY).get_json()["agent_id"] == "only"


def test_one_users_id_at_two_tenants_is_two_users(service: Service) -> None:
    """A tenant that revokes user 42 ends its own 42, even where it spells the other's id."""
    session = service.user_session(user_id="42")
    service.clock.move(1)
    for user_id in ("42", "acme/42", "acme:42", "acme 42"):
        assert service.revoke(OTHER_SECRET, user_id=user_id).status_code == 204
    assert refused(service.refresh(session["refresh_token"])) == (200, None)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"token": "a", "\\u0074oken": "b"}',
        b'{"token": "a", "token": "a"}',
        b'{"x": {"y": 1, "y": 2}}',
        b'{"token": "a"}{"token": "b"}',
        b'{"token": "a"}\n{}',
        b"{\"token\": 'a'}",
        b'{"token": "a",}',
        b'{"token": "a" /* b */}',
        b'\xef\xbb\xbf{"token": "a"}',
        b'{"token": NaN}',
    ],
)
def test_a_body_that_two_readers_read_in_two_ways_is_refused(service: Service, raw: bytes) -> None:
    """A proxy in front and the service can't be made to see two different bodies."""
    for action in ("guest", "exchange", "refresh", "logout"):
        assert refused(send(service, action, raw)) == (400, "invalid_body")


def test_a_preflight_opens_no_private_network(service: Service) -> None:
    """A page of the open web isn't let into a network on which the service may stand."""
    answer = service.client.options(
        f"{API}/auth/guest",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    assert answer.headers.get("Access-Control-Allow-Private-Network") != "true"


def test_a_page_of_a_sibling_gets_no_session_by_a_token_of_the_first(service: Service) -> None:
    """A refresh token that leaked from one page is no good on another, though both are admitted."""
    first = service.user_session()
    for origin in (SUBDOMAIN, f"{ORIGIN}:8443", "http://acme.com", "https://acme.com.", None):
        got = refused(service.refresh(first["refresh_token"], origin))
        assert got == (403, "origin_not_allowed")
    assert service.refresh(first["refresh_token"]).status_code == 200


def test_a_secret_is_compared_by_its_hash_alone(service: Service) -> None:
    """Neither a hash nor a part of a secret key stands for it, in whatever case."""
    digest = hash_secret_key(SECRET)
    others = (
        digest, digest.partition(":")[2], SECRET.upper(), SECRET + "\0", SECRET[:-1] + "T",
        f"{SECRET} {SECRET}", f"{SECRET},{SECRET}", "\xa0x" + SECRET,
    )  # fmt: skip
    for other in others:
        assert refused(service.user_token(other)) == (401, "invalid_api_key"), other
