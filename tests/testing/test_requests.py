"""The requests that a server has had."""

from __future__ import annotations

import threading

import pytest

from kataven_flask.testing import Kataven, RefusedError, Tenant
from kataven_flask.testing.calls import post
from tests.testing.conftest import PAGE


def test_each_is_told_with_its_answer(kataven: Kataven, shop: Tenant) -> None:
    """Who asked what, for whom, and what it was told; by the server's clock."""
    ada = kataven.sign_in(shop, user_id="ada")
    kataven.refresh(ada)
    with pytest.raises(RefusedError):
        kataven.guest(shop, origin="https://other.example")
    told = [(r.path.rpartition("/")[2], r.origin, r.status, r.code) for r in kataven.requests]
    assert told == [
        ("user-token", None, 200, None),
        ("exchange", PAGE, 200, None),
        ("refresh", PAGE, 200, None),
        ("guest", "https://other.example", 403, "origin_not_allowed"),
    ]
    assert {(r.method, r.tenant, r.client_key) for r in kataven.requests} == {
        ("POST", "shop", shop.client_key)
    }
    kataven.clock.advance("1h")
    kataven.guest(shop)
    assert kataven.requests[-1].at - kataven.requests[0].at >= 3600


def test_nothing_secret_can_be_printed(kataven: Kataven, shop: Tenant) -> None:
    """Not even a secret key that stands where a client key should, or in a path."""
    ada = kataven.sign_in(shop, user_id="ada-of-shop", email="ada@shop.example")
    for body in ({"client_key": shop.secret_key}, {"client_key": ada.token}, {"token": "x"}):
        with pytest.raises(RefusedError):
            post(kataven.url, f"guest/{shop.secret_key}", body, {"Origin": PAGE})
        with pytest.raises(RefusedError):
            post(kataven.url, "guest", body, {"Origin": PAGE})
    printed = f"{kataven.requests!r} {kataven!r} {shop!r} {ada!r}"
    for request in kataven.requests:
        printed += str(request)
    for secret in (shop.secret_key, ada.token, ada.refresh_token, "ada-of-shop", "ada@"):
        assert secret not in printed


def test_one_is_waited_for(kataven: Kataven, shop: Tenant) -> None:
    """The test goes on when it has been answered, and not before."""
    caller = threading.Timer(0.05, kataven.guest, [shop])
    caller.start()
    request = kataven.wait_for("auth/guest", tenant=shop, origin=PAGE, status=200)
    assert request in kataven.requests
    caller.join()


def test_the_second_is_waited_for(kataven: Kataven, shop: Tenant) -> None:
    """One that is there already counts, until the requests are forgotten."""
    kataven.guest(shop)
    first = kataven.wait_for("guest")
    kataven.guest(shop)
    assert kataven.wait_for("guest", count=2) is not first
    with pytest.raises(TimeoutError, match="fewer than 3 requests"):
        kataven.wait_for("guest", count=3, timeout=0.01)
    kataven.forget_requests()
    with pytest.raises(TimeoutError, match=r"(?s)no request \(path='guest'\).*none"):
        kataven.wait_for("guest", timeout=0.01)


@pytest.mark.parametrize(
    "wanted",
    [
        {"path": "uest"},
        {"path": "/guest/"},
        {"method": "GET"},
        {"method": "OPTIONS"},
        {"status": 403},
        {"code": "origin_not_allowed"},
        {"tenant": "other"},
        {"origin": "https://other.example"},
    ],
)
def test_another_will_not_do(kataven: Kataven, shop: Tenant, wanted: dict[str, object]) -> None:
    """The message says what there was instead."""
    kataven.guest(shop)
    with pytest.raises(TimeoutError, match=r"auth/guest from https://shop\.example.*: 200"):
        kataven.wait_for(timeout=0.01, **wanted)  # type: ignore[arg-type]  # a table of them
