"""The keys, the widget's file and the operator's two health routes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

import jwt
import pytest

from kataven_flask.app import parts_of
from kataven_flask.widget import widget_script, widget_types
from tests.api.wire import STRANGER, claims, visitor_token
from tests.support import Service, refused

JWKS: Final = "/.well-known/jwks.json"
WIDGET: Final = "/widget/v1.js"
TYPES: Final = "/widget/v1.d.ts"
OK: Final = (200, None)


def test_the_keys_are_public_and_only_that(service: Service) -> None:
    """Each key has what a verifier needs, and no private member (RFC 7518, section 6.2.2)."""
    answer = service.client.get(JWKS)
    assert refused(answer) == OK
    assert set(answer.get_json()) == {"keys"}
    (key,) = answer.get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "json" in answer.headers["Content-Type"]
    assert "max-age" in answer.headers["Cache-Control"]


def test_an_edwards_key_is_published_as_one(tmp_path: Path) -> None:
    """With EdDSA configured, tokens and keys are of it (RFC 8037, section 2)."""
    service = Service(tmp_path, signing_alg="EdDSA")
    (key,) = service.client.get(JWKS).get_json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    session = service.user_session()
    header = jwt.get_unverified_header(session["token"])
    assert header == {"alg": "EdDSA", "kid": key["kid"], "typ": "widget-session+jwt"}
    assert refused(service.refresh(session["refresh_token"])) == OK


def test_the_keys_verify_what_is_minted(service: Service) -> None:
    """Guest, user and visitor tokens name a key that is published."""
    kid = service.client.get(JWKS).get_json()["keys"][0]["kid"]
    tokens = [service.guest().get_json()["token"], visitor_token(service)]
    assert {jwt.get_unverified_header(token)["kid"] for token in tokens} == {kid}


def test_two_servers_keys_verify_nothing_of_each_other(tmp_path: Path) -> None:
    """Each instance folder has keys of its own: nothing is shared by default."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Service(tmp_path / "one"), Service(tmp_path / "two")
    token = visitor_token(one)
    assert refused(two.exchange(token=token)) == (400, "invalid_token")
    refresh_token = one.guest().get_json()["refresh_token"]
    assert refused(two.refresh(refresh_token)) == (400, "invalid_refresh_token")
    with pytest.raises(KeyError):
        claims(two, one.guest().get_json()["token"])


def test_a_restart_keeps_the_sessions(tmp_path: Path) -> None:
    """Keys outlive the process: a server on the same folder takes the same tokens."""
    state = f"sqlite:///{tmp_path}/state.db"
    before = Service(tmp_path, state=state)
    session, token = before.user_session(), visitor_token(before)
    assert refused(before.refresh(session["refresh_token"])) == OK
    after = Service(tmp_path, state=state)
    assert after.client.get(JWKS).get_json() == before.client.get(JWKS).get_json()
    assert refused(after.refresh(session["refresh_token"])) == OK
    assert refused(after.exchange(token=token)) == OK
    assert refused(before.exchange(token=token)) == (400, "used_token")


def test_the_widget_is_served(service: Service) -> None:
    """It is JavaScript, for any page, and may be kept."""
    answer = service.client.get(WIDGET, headers={"Origin": STRANGER}, buffered=True)
    assert refused(answer) == OK
    assert answer.data == widget_script().text
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "max-age" in answer.headers["Cache-Control"]


def test_the_widget_is_small(service: Service) -> None:
    """Who takes gzip gets gzip, the same script; who doesn't, doesn't, and no cache mixes them."""
    packed = service.client.get(WIDGET, headers={"Accept-Encoding": "br, gzip"})
    plain = service.client.get(WIDGET, headers={"Accept-Encoding": "gzip;q=0, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_a_kept_widget_is_not_sent_again(service: Service) -> None:
    """Its entity tag gets 304."""
    tag = service.client.get(WIDGET, buffered=True).headers["ETag"]
    answer = service.client.get(WIDGET, headers={"If-None-Match": tag}, buffered=True)
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_widgets_types_are_served(service: Service) -> None:
    """A developer reads them in a browser, or fetches them; what is kept isn't sent again."""
    answer = service.client.get(TYPES)
    assert answer.data == widget_types()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    known = service.client.get(TYPES, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")


@pytest.mark.parametrize("given", ["bytes=99999999-", "bytes=abc", "bytes=-0", "lines=1-2"])
def test_a_strange_range_is_no_fault_of_the_body(service: Service, given: str) -> None:
    """A Range that can't be met is ignored or 416 (RFC 9110, section 14.2), never a 5xx."""
    answer = service.client.get(WIDGET, headers={"Range": given}, buffered=True)
    assert answer.status_code in {200, 416}


def test_alive(service: Service) -> None:
    """`/healthz` says so, without asking any part."""
    answer = service.client.get("/healthz")
    assert refused(answer) == OK
    assert answer.get_json()["status"]


def test_ready(service: Service) -> None:
    """`/readyz` says of each part what it is, that it is sound, and since when."""
    service.clock.move(90)
    answer = service.client.get("/readyz")
    assert refused(answer) == OK
    kid = service.client.get(JWKS).get_json()["keys"][0]["kid"]
    began, asked = "2026-09-21T14:13:20+00:00", "2026-09-21T14:14:50+00:00"
    assert answer.get_json() == {
        "status": "ready",
        "config": {
            "is": "the tenants' file",
            "ok": True,
            "since": began,
            "revision": parts_of(service.app).live.current.revision,
        },
        "state": {
            "is": "what was spent, rotated and revoked",
            "ok": True,
            "since": asked,
            "remembers_since": began,
        },
        "signing_key": {"is": "what signs tokens", "ok": True, "since": began, "kid": kid},
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_edit_is_a_new_revision(service: Service) -> None:
    """The operator sees which edit is in force."""
    before = service.client.get("/readyz").get_json()["config"]["revision"]
    service.document["tenants"]["acme"]["name"] = "Acme Incorporated"
    service.edit()
    assert service.client.get("/readyz").get_json()["config"]["revision"] != before


def test_a_faulty_edit_changes_nothing_and_is_told(service: Service) -> None:
    """The last good file goes on, and `/readyz` says that an edit was refused."""
    before = service.client.get("/readyz").get_json()["config"]["revision"]
    service.document["tenants"]["acme"]["default_agent"] = "nobody"
    service.write()
    parts_of(service.app).live.reload()
    config = service.client.get("/readyz").get_json()["config"]
    assert config["revision"] == before
    assert config["ok"] is False
    assert "nobody" not in str(config)
    assert "kataven-flask check" in config["do"]
    since = config["since"]
    service.clock.move(60)
    parts_of(service.app).live.reload()
    assert service.client.get("/readyz").get_json()["config"]["since"] == since
    assert service.guest().get_json()["agent_id"] == "support"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", JWKS, WIDGET])
def test_head_is_answered_like_get(service: Service, path: str) -> None:
    """A monitor may ask with HEAD."""
    answer = service.client.head(path, buffered=True)
    assert (answer.status_code, answer.data) == (200, b"")
