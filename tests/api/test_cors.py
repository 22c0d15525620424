"""CORS: a page reads every answer of a browser's route, and none of a backend's."""

from __future__ import annotations

from typing import Final

import pytest
from werkzeug.test import TestResponse

from tests.api.recipes import ALL, Recipe
from tests.api.wire import STRANGER, visitor_token
from tests.support import API, ORIGIN, Service

ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
BROWSER_ROUTES: Final = [
    ("GET", f"{API}/config"),
    ("POST", f"{API}/auth/guest"),
    ("POST", f"{API}/auth/exchange"),
    ("POST", f"{API}/auth/refresh"),
    ("POST", f"{API}/auth/logout"),
]
BACKEND_ROUTES: Final = [f"{API}/auth/user-token", f"{API}/auth/revoke"]


def cors(answer: TestResponse) -> dict[str, str]:
    """Return the headers that a browser reads for CORS."""
    named = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in named.items() if name.startswith("access-control-")}


def assert_readable(answer: TestResponse) -> None:
    """Assert that a page of any origin may read an answer and what explains it."""
    assert answer.headers.getlist(ALLOW_ORIGIN) == ["*"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = {each.strip() for each in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"X-Error-Code", "X-Request-Id", "Retry-After"}


@pytest.mark.parametrize(
    "recipe", [each for each in ALL if each.of_browser], ids=lambda recipe: recipe.id
)
def test_a_page_can_read_why_it_was_refused(service: Service, recipe: Recipe) -> None:
    """Every refusal of a browser's route is open to any origin, without credentials."""
    assert_readable(recipe.earn(service))


@pytest.mark.parametrize(
    "recipe", [each for each in ALL if not each.of_browser], ids=lambda recipe: recipe.id
)
def test_no_page_can_read_a_backends_refusal(service: Service, recipe: Recipe) -> None:
    """No answer of `user-token` or `revoke` carries a CORS header."""
    assert cors(recipe.earn(service)) == {}


def test_what_the_routes_write_is_what_flask_cors_adds(service: Service) -> None:
    """An answer that brings its headers for CORS along has those of one that was given them."""
    token = service.guest().get_json()["refresh_token"]
    visitor = service.user_token().get_json()["token"]
    own = [
        service.config(),
        service.guest(),
        service.refresh(token),
        service.exchange(token=visitor),
    ]
    given = service.logout(service.guest().get_json()["refresh_token"])
    assert [answer.status_code for answer in (*own, given)] == [200, 200, 200, 200, 204]
    assert [cors(answer) for answer in own] == [cors(given)] * len(own)


def test_a_page_can_read_every_success(service: Service) -> None:
    """Config, guest, exchange, refresh, logout, the keys and the widget are open."""
    guest = service.guest()
    refreshed = service.refresh(guest.get_json()["refresh_token"])
    config = service.config()
    unchanged = service.client.get(
        f"{API}/config",
        query_string={"client_key": config.get_json()["client_key"]},
        headers={"Origin": ORIGIN, "If-None-Match": config.headers["ETag"]},
    )
    assert unchanged.status_code == 304
    answers = [
        guest,
        refreshed,
        config,
        unchanged,
        service.exchange(token=visitor_token(service)),
        service.logout(refreshed.get_json()["refresh_token"]),
        service.client.get("/.well-known/jwks.json", headers={"Origin": STRANGER}),
        service.client.get("/widget/v1.js", headers={"Origin": STRANGER}, buffered=True),
    ]
    for answer in answers:
        assert answer.status_code < 400
        assert_readable(answer)


def test_no_page_can_read_a_backends_success(service: Service) -> None:
    """A visitor token and a revocation are for a backend alone."""
    for answer in (service.user_token(), service.revoke(user_id="user-7f3a9c42")):
        assert answer.status_code < 400
        assert cors(answer) == {}


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, "null"])
@pytest.mark.parametrize(("method", "path"), BROWSER_ROUTES)
def test_the_preflight_is_answered(service: Service, method: str, path: str, origin: str) -> None:
    """A browser may ask first, from any origin, and send JSON."""
    answer = service.client.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert 200 <= answer.status_code < 300
    assert answer.headers[ALLOW_ORIGIN] == "*"
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", BACKEND_ROUTES)
def test_a_preflight_of_a_backends_route_fails(service: Service, path: str) -> None:
    """A browser that asks whether it may send a secret key is told no."""
    answer = service.client.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 405
    assert cors(answer) == {}


@pytest.mark.parametrize(
    "path",
    [
        f"{API}//auth/user-token",
        f"{API}/auth//user-token",
        f"{API}/./auth/user-token",
        f"{API}/auth/../auth/revoke",
        f"{API}/auth/user-token/",
        f"{API}/auth/USER-TOKEN",
        f"{API}/auth/revoke%0a",
        f"{API}/auth/%75ser-token",
    ],
)
def test_no_spelling_of_a_backends_path_opens_it(service: Service, path: str) -> None:
    """However its path is written, no preflight lets a page call a backend's route."""
    answer = service.client.options(
        path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    )
    assert not 200 <= answer.status_code < 300


def test_a_fault_of_ours_can_be_read_by_the_page(service: Service) -> None:
    """Even a 500 reaches the widget as an answer, not as a network error."""

    def broken() -> str:
        raise ZeroDivisionError

    service.app.add_url_rule(f"{API}/broken", view_func=broken)
    answer = service.client.get(f"{API}/broken", headers={"Origin": ORIGIN})
    assert answer.status_code == 500
    assert_readable(answer)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_operators_routes_are_no_pages_business(service: Service, path: str) -> None:
    """Health is not opened to pages of other origins."""
    assert cors(service.client.get(path, headers={"Origin": STRANGER})) == {}


def test_an_answer_without_an_origin_is_open_too(service: Service) -> None:
    """A cache that kept an answer to a caller without `Origin` may give it to a page."""
    assert_readable(service.client.get(f"{API}/config"))


@pytest.mark.parametrize("path", [f"{API}/a%0ab", f"{API}/%0d%0a", "/widget/x%0ay"])
def test_a_line_break_in_the_path_hides_no_answer(service: Service, path: str) -> None:
    """A 404 under the widget's paths can be read, whatever characters the path has."""
    answer = service.client.get(path, headers={"Origin": ORIGIN})
    assert answer.status_code == 404
    assert_readable(answer)
