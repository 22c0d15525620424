"""Every refusal: its status, its code, its first words, its headers and its two shapes."""

from __future__ import annotations

import re
from typing import Final

import pytest

from kataven_flask import errors
from tests.api.recipes import ALL, Recipe
from tests.support import API, ORIGIN, SECRET, Service, refused

PROBLEM_MEMBERS: Final = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "retryable",
    "request_id",
}
PROMISED_CODES: Final = {
    "missing_client_key",
    "missing_field",
    "missing_token",
    "invalid_token",
    "expired_token",
    "used_token",
    "missing_refresh_token",
    "invalid_refresh_token",
    "expired_refresh_token",
    "reused_refresh_token",
    "revoked_session",
    "invalid_body",
    "invalid_field",
    "missing_agent_id",
    "unknown_agent_id",
    "invalid_api_key",
    "origin_not_allowed",
    "unknown_client_key",
    "client_key_disabled",
    "agent_disabled",
    "auth_mode_forbidden",
    "client_key_mismatch",
    "browser_forbidden",
    "not_found",
    "method_not_allowed",
    "body_too_large",
    "rate_limited",
    "state_unavailable",
}
CODES_OF_HTTP: Final = {
    "headers_too_large",
    "invalid_request",
    "request_timeout",
    "too_many_connections",
    "uri_too_long",
}
"""Of what the server refuses before the application sees it."""

every_refusal = pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.id)


@every_refusal
def test_each_refusal_has_its_status_and_code(service: Service, recipe: Recipe) -> None:
    """What is wrong decides the status and `X-Error-Code`, whatever the endpoint."""
    assert refused(recipe.earn(service)) == (recipe.status, recipe.code)


@every_refusal
def test_a_refusal_is_a_plain_string_by_default(service: Service, recipe: Recipe) -> None:
    """The body is one line of text: the promised words, then what exactly was wrong."""
    answer = recipe.earn(service)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(recipe.words)
    assert re.fullmatch(r"[^:]+: .+", answer.text)
    assert "\n" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("accept", ["application/problem+json", "application/json"])
@every_refusal
def test_a_refusal_is_rfc_9457_for_who_asks(service: Service, recipe: Recipe, accept: str) -> None:
    """A caller whose `Accept` names JSON reads the same refusal as a problem document."""
    service.client.environ_base["HTTP_ACCEPT"] = accept
    answer = recipe.earn(service)
    assert refused(answer) == (recipe.status, recipe.code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.get_json(force=True)
    assert set(problem) == PROBLEM_MEMBERS
    assert problem["status"] == recipe.status
    assert problem["code"] == recipe.code
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["retryable"] is (recipe.status in {429, 503})
    assert all(isinstance(problem[name], str) for name in ("type", "title", "detail"))
    assert problem["title"].startswith(recipe.words)


@every_refusal
def test_a_refusal_has_the_headers_that_its_status_promises(
    service: Service, recipe: Recipe
) -> None:
    """A request id always; who may ask, when and how, where the status calls for it."""
    answer = recipe.earn(service)
    assert answer.headers["X-Request-Id"]
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (recipe.status == 401)
    assert ("Retry-After" in answer.headers) is (recipe.status in {429, 503})
    assert ("Allow" in answer.headers) is (recipe.status == 405)
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_promised_code_is_earned_here() -> None:
    """The recipes leave out no row of the table of errors but the state store's."""
    assert {recipe.code for recipe in ALL} == PROMISED_CODES - {"state_unavailable"}


def test_no_code_is_given_that_nobody_was_promised() -> None:
    """The package has the promised codes, one for its own faults, and those of HTTP itself."""

    def leaves(cls: type[errors.Refusal]) -> set[str]:
        below = cls.__subclasses__()
        return {cls.code} if not below else set().union(*(leaves(each) for each in below))

    assert leaves(errors.Refusal) == PROMISED_CODES | CODES_OF_HTTP | {"internal_error"}


@pytest.mark.parametrize(
    ("accept", "is_problem"),
    [
        pytest.param("", False, id="nothing"),
        pytest.param("*/*", False, id="anything"),
        pytest.param("application/*", False, id="a-range"),
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", False, id="a-page"),
        pytest.param("text/plain", False, id="text"),
        pytest.param("application/jsonp", False, id="nearly"),
        pytest.param("text/plain, application/json;q=0.5", True, id="with-a-weight"),
        pytest.param("APPLICATION/JSON", True, id="upper-case"),
        pytest.param("application/json; charset=utf-8", True, id="with-a-parameter"),
        pytest.param("*/*,application/problem+json", True, id="among-others"),
        pytest.param(",;,=;;", False, id="garbage"),
    ],
)
def test_accept_decides_the_shape(service: Service, accept: str, is_problem: bool) -> None:  # noqa: FBT001
    """Only an `Accept` that names JSON itself gets a problem document."""
    answer = service.client.get(f"{API}/config", headers={"Accept": accept, "Origin": ORIGIN})
    assert refused(answer) == (400, "missing_client_key")
    assert (answer.headers["Content-Type"] == "application/problem+json") is is_problem


def test_the_origin_refusal_says_what_was_wrong_and_no_more(service: Service) -> None:
    """A stranger reads its own origin back, and none of those that would have matched."""
    answer = service.guest(origin="https://www.acme.net")
    assert answer.text == (
        "Origin not in allowlist for this client_key: "
        "https://www.acme.net is not one of its origins"
    )


def test_a_harmless_request_id_is_taken_over(service: Service) -> None:
    """A caller finds its own request id in the refusal."""
    service.client.environ_base["HTTP_X_REQUEST_ID"] = "trace-0123.abc_DEF"
    assert service.guest(origin=None).headers["X-Request-Id"] == "trace-0123.abc_DEF"


@pytest.mark.parametrize(
    "given",
    [
        SECRET,
        "",
        "short",
        "x" * 65,
        "a b c d e f",
        "<script>alert(1)</script>",
        "id-with-\u00fc-inside",
    ],
)
def test_a_hostile_request_id_is_replaced(service: Service, given: str) -> None:
    """What could harm a log never comes back."""
    service.client.environ_base["HTTP_X_REQUEST_ID"] = given
    answer = service.guest(origin=None)
    assert re.fullmatch(r"req_[0-9a-f]{16}", answer.headers["X-Request-Id"])


def test_request_ids_differ(service: Service) -> None:
    """Two refusals can be told apart in the log."""
    ids = {service.guest(origin=None).headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_success_has_no_error_code(service: Service) -> None:
    """`X-Error-Code` stands on refusals alone."""
    assert "X-Error-Code" not in service.guest().headers


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_fault_of_ours_shows_no_inside(service: Service, accept: str) -> None:
    """A 500 has a code and a request id, and no word of what broke."""

    def broken() -> str:
        raise ZeroDivisionError("the inside")

    service.app.add_url_rule(f"{API}/broken", view_func=broken)
    answer = service.client.get(f"{API}/broken", headers={"Accept": accept})
    assert refused(answer) == (500, "internal_error")
    assert answer.headers["X-Request-Id"] in answer.text
    assert not re.search(r"Traceback|ZeroDivision|the inside|\.py", answer.text)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", f"{API}/config", {"GET", "HEAD", "OPTIONS"}),
        ("GET", f"{API}/auth/guest", {"POST", "OPTIONS"}),
        ("GET", f"{API}/auth/exchange", {"POST", "OPTIONS"}),
        ("PUT", f"{API}/auth/refresh", {"POST", "OPTIONS"}),
        ("PATCH", f"{API}/auth/logout", {"POST", "OPTIONS"}),
        ("GET", f"{API}/auth/user-token", {"POST"}),
        ("OPTIONS", f"{API}/auth/user-token", {"POST"}),
        ("OPTIONS", f"{API}/auth/revoke", {"POST"}),
        ("HEAD", f"{API}/auth/revoke", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/readyz", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", f"{API}/auth/guest", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    service: Service, method: str, path: str, allowed: set[str]
) -> None:
    """A 405 lists in `Allow` what the path answers (RFC 9110, section 15.5.6)."""
    answer = service.client.open(path, method=method)
    assert refused(answer) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/.env",
        "/widget/",
        "/widget/../pyproject.toml",
        "/widget/%2e%2e/demo/shop.html",
        "/static/widget/v1.js",
        f"{API}",
        f"{API}/config/",
        f"{API}/CONFIG",
        "/v1/widget/config",
        f"{API}/auth",
        f"{API}/auth/guest/x",
        f"{API}/%00",
        f"{API}/%ff%fe",
    ],
)
def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    """Nothing is served, redirected or guessed beyond the paths that stand."""
    assert refused(service.client.get(path)) == (404, "not_found")
