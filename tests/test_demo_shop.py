"""What the demo's shop does for the inspector beside it, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kataven_flask.assets import example_config
from kataven_flask.demo.own_file import OwnFile, copied
from kataven_flask.demo.run import CLIENT_KEY, SECRET_KEY
from kataven_flask.demo.shop import CALL_HEADER, create_shop
from kataven_flask.demo.stranger import create_stranger
from kataven_flask.registry import load_registry
from tests.support import Service

API = "http://localhost:8000"
SHOP = "http://shop.acme.localhost:8001"
PLAIN = "http://localhost:8001"
STRANGER = "http://stranger.localhost:8002"
NOBODY = "http://127.0.0.1:1"
"""Where nothing listens."""


@pytest.fixture
def shop(tmp_path: Path) -> FlaskClient:
    """Return a browser at the shop; its backend can't reach the API."""
    path = copied(example_config(), tmp_path / "config")
    app = create_shop(
        api_url=API,
        connect_url=None,
        client_key=CLIENT_KEY,
        secret_key=SECRET_KEY,
        stranger_url=STRANGER,
        backend_url=NOBODY,
        own_urls=(SHOP, PLAIN),
        own_file=OwnFile(path, CLIENT_KEY, lambda: load_registry(path)),
    )
    return app.test_client()


def test_an_edit_is_told(shop: FlaskClient) -> None:
    """The answer has the diff, how long it took, and whether the key is on."""
    answer = shop.post("/edit", base_url=SHOP, data={"edit": "key"})
    told = answer.get_json()
    assert (answer.status_code, told["file"], told["key_is_on"]) == (200, "tenants.yaml", False)
    assert "+        enabled: false" in told["diff"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": STRANGER},
        {"Origin": PLAIN},
        {"Origin": "null"},
        {"Origin": SHOP + ".evil.example"},
        {"Origin": SHOP.replace("http:", "https:")},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": SHOP},
        {"Sec-Fetch-Site": "same-site", "Origin": SHOP},
    ],
)
def test_no_other_site_edits(shop: FlaskClient, headers: dict[str, str]) -> None:
    """A page of another origin can't have the file edited behind the visitor's back."""
    answer = shop.post("/edit", base_url=SHOP, data={"edit": "key"}, headers=headers)
    assert answer.status_code == 403
    assert "Switch the key off" in shop.get("/", base_url=SHOP).text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/widget-token"])
def test_no_other_site_acts(shop: FlaskClient, path: str) -> None:
    """Nor can it sign the visitor in or out, or fetch a visitor token."""
    answer = shop.post(path, base_url=SHOP, data={"user": "ada"}, headers={"Origin": STRANGER})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example:8001", "127.0.0.1:8001", "localhost.evil.example:8001", "", "[::1]:8001"]
)
def test_a_domain_that_resolves_here_reaches_nothing(shop: FlaskClient, host: str) -> None:
    """Somebody's own domain, pointed at this machine, doesn't pass for the shop in a browser."""
    same_origin = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for path in ("/edit", "/widget-token", "/sign-in"):
        assert shop.post(path, data={"edit": "key"}, headers=same_origin).status_code == 400
    assert shop.get("/elsewhere", headers={"Host": host}).status_code == 400
    assert "Switch the key off" in shop.get("/", base_url=SHOP).text


def test_a_host_in_another_header_changes_nothing(shop: FlaskClient) -> None:
    """What a proxy would say of the host isn't read: there is none before the demo."""
    foreign = {"Host": "evil.example", "X-Forwarded-Host": "shop.acme.localhost:8001"}
    assert shop.get("/", headers=foreign).status_code == 400
    forwarded = shop.get("/", base_url=SHOP, headers={"X-Forwarded-Host": "evil.example"})
    assert forwarded.status_code == 200
    assert "evil.example" not in forwarded.text


def test_a_form_has_its_size_and_its_method(shop: FlaskClient) -> None:
    """A body beyond all of the shop's forms isn't read, and an edit isn't made by a link."""
    assert shop.post("/edit", base_url=SHOP, data={"edit": "x" * 20_000}).status_code == 413
    assert shop.get("/edit?edit=key", base_url=SHOP).status_code == 405
    assert "Switch the key off" in shop.get("/", base_url=SHOP).text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../shop.html",
        "/static/%2e%2e/inspector.html",
        "/static/..%2f..%2fwidget%2fv1.js",
        "/static/%2e%2e/%2e%2e/%2e%2e/config/tenants.yaml",
        "/static/..\\shop.html",
        "/shop.html",
    ],
)
def test_only_its_assets_are_served(shop: FlaskClient, path: str) -> None:
    """No way leads out of the folder of pictures, styles and scripts."""
    assert shop.get(path, base_url=SHOP).status_code == 404


@pytest.mark.parametrize("path", ["/edit", "/elsewhere", "/widget-token", "/sign-in"])
def test_a_server_has_none_of_it(service: Service, path: str) -> None:
    """What is there for the demo's pages isn't there in what an operator serves."""
    assert [service.client.get(path).status_code, service.client.post(path).status_code] == [
        404
    ] * 2


@pytest.mark.parametrize("form", [{}, {"edit": ""}, {"edit": "tenants"}, {"edit": "key\n"}])
def test_an_edit_that_there_is_not(shop: FlaskClient, form: dict[str, str]) -> None:
    """Only the edits on the page can be asked for."""
    assert shop.post("/edit", base_url=SHOP, data=form).status_code == 400


def test_a_file_that_cannot_be_edited(shop: FlaskClient, tmp_path: Path) -> None:
    """A copy that somebody broke by hand gives a sentence, and no error page."""
    (tmp_path / "config" / "tenants.yaml").write_text("version: 1\ntenants: [")
    answer = shop.post("/edit", base_url=SHOP, data={"edit": "color"})
    assert answer.status_code == 409
    assert "mend these first" in answer.get_json()["error"]


def test_without_a_file_nothing_is_edited() -> None:
    """A shop that was given no file has no such route, and no such buttons."""
    app = create_shop(
        api_url=API, connect_url=None, client_key=CLIENT_KEY, secret_key=SECRET_KEY
    ).test_client()
    assert app.post("/edit", data={"edit": "key"}).status_code == 404
    page = app.get("/").text
    assert "data-edit" not in page
    assert 'data-trial="swap"' not in page


def test_a_call_that_fails_is_told_without_the_secret(shop: FlaskClient) -> None:
    """The page learns what its backend tried and what became of it; of the key that it is one."""
    shop.post("/sign-in", base_url=SHOP, data={"user": "ada"})
    answer = shop.post("/widget-token", base_url=SHOP)
    assert (answer.status_code, answer.get_json()) == (502, {"error": "unreachable"})
    call = json.loads(answer.headers[CALL_HEADER])
    assert (call["status"], call["code"]) == (0, "unreachable")
    assert call["authorization"] == "Bearer sk_test_…"
    assert SECRET_KEY.rpartition("_")[2] not in str(answer.headers)


def test_nobody_is_no_call(shop: FlaskClient) -> None:
    """Where nobody is signed in, the backend calls nobody."""
    answer = shop.post("/widget-token", base_url=SHOP)
    assert answer.status_code == 401
    assert CALL_HEADER not in answer.headers


@pytest.mark.parametrize(("here", "other"), [(SHOP, PLAIN), (PLAIN, SHOP)])
def test_the_other_origin_is_the_one_where_the_visitor_is_not(
    shop: FlaskClient, here: str, other: str
) -> None:
    """The page frames the shop's other address, whichever it was opened at."""
    assert f'data-src="{other}/elsewhere"' in shop.get("/", base_url=here).text


@pytest.mark.parametrize("site", ["shop", "stranger"])
def test_only_the_shop_frames_the_small_page(shop: FlaskClient, site: str) -> None:
    """The page that tries what its host asks for lets the shop's own origins frame it alone."""
    stranger = create_stranger(api_url=API, client_key=CLIENT_KEY, framed_by=(SHOP, PLAIN))
    client = shop if site == "shop" else stranger.test_client()
    policy = client.get("/elsewhere").headers["Content-Security-Policy"]
    assert f"frame-ancestors {SHOP} {PLAIN}" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]


def test_by_default_nobody_frames_it() -> None:
    """A stranger's site that was told of no shop is framed by nobody."""
    client = create_stranger(api_url=API, client_key=CLIENT_KEY).test_client()
    policy = client.get("/elsewhere").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy


def test_the_shop_frames_its_neighbours_alone(shop: FlaskClient) -> None:
    """The shop's policy names what it frames, and has no hole."""
    policy = shop.get("/", base_url=SHOP).headers["Content-Security-Policy"]
    assert f"frame-src {STRANGER} {SHOP} {PLAIN}" in policy
    assert "unsafe" not in policy
