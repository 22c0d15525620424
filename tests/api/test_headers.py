"""Security headers: on every answer of every path, refusals and broken requests included."""

from __future__ import annotations

import pytest

from tests.api.test_public import JWKS, WIDGET
from tests.support import API, Service

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
PATHS = [
    ("GET", f"{API}/config"),
    ("OPTIONS", f"{API}/config"),
    *(("POST", f"{API}/auth/{name}") for name in ("guest", "exchange", "refresh", "logout")),
    *(("POST", f"{API}/auth/{name}") for name in ("user-token", "revoke")),
    ("GET", JWKS),
    ("GET", WIDGET),
    ("GET", "/widget/v1.d.ts"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/"),
    ("DELETE", "/healthz"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_answer_has_them(service: Service, method: str, path: str) -> None:
    """Nothing is sniffed, nobody's address is told on, and nothing is loaded by an answer."""
    headers = service.client.open(path, method=method).headers
    assert {name: headers.get(name) for name in ALWAYS} == ALWAYS


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_only_the_script_may_be_embedded(service: Service, method: str, path: str) -> None:
    """Another site's page loads the widget, and nothing else without CORS."""
    policy = service.client.open(path, method=method).headers["Cross-Origin-Resource-Policy"]
    assert policy == ("cross-origin" if path == WIDGET else "same-origin")


def test_each_stands_once(service: Service) -> None:
    """No header is said twice, of which a browser would take the stricter, or none."""
    for answer in (service.guest(), service.config(), service.client.get(WIDGET)):
        names = [name.lower() for name, _ in answer.headers]
        assert sorted(set(names)) == sorted(names)


def test_whatever_carries_a_token_is_kept_nowhere(service: Service) -> None:
    """No cache, of the browser or on the way, has a token."""
    visitor = service.user_token()
    user = service.exchange(token=visitor.get_json()["token"])
    again = service.refresh(user.get_json()["refresh_token"])
    for answer in (service.guest(), visitor, user, again):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
