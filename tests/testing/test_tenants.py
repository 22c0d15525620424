"""Tenants made in a test, and those of a file that the user has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kataven_flask.testing import ConfigurationError, Kataven, RefusedError, Tenant
from tests.support import AUDIENCE, ISSUER, KEY, document, other
from tests.testing.conftest import PAGE


def test_one_is_in_force_when_it_is_there(kataven: Kataven) -> None:
    """Its page's guest and its backend's user are let in at once, and no other page's."""
    shop = kataven.tenant(origins=[PAGE])
    assert kataven.guest(shop).type == "guest"
    assert kataven.sign_in(shop, user_id="42").id == "42"
    with pytest.raises(RefusedError, match="origin_not_allowed"):
        kataven.guest(shop, origin="https://other.example")


def test_each_has_its_own_id_and_keys(kataven: Kataven) -> None:
    """Two that weren't named don't get into each other's way."""
    one, two = (kataven.tenant(origins=[PAGE]) for _ in range(2))
    assert [one.id, two.id] == ["tenant", "tenant-2"]
    assert one.client_key != two.client_key
    assert kataven.guest(one).session_id != kataven.guest(two).session_id
    with pytest.raises(RefusedError, match="client_key_mismatch"):
        kataven.exchange(two, kataven.user_token(one))


def test_many_are_made_at_once(kataven: Kataven) -> None:
    """Whoever makes tenants from several threads gets each of them, and none twice."""
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: kataven.tenant(origins=[PAGE]), range(16)))
    assert len({tenant.id for tenant in made}) == 16
    assert {kataven.guest(tenant).type for tenant in made} == {"guest"}


def test_its_keys_say_what_they_are_for(kataven: Kataven) -> None:
    """Loopback pages get test keys, as in production; none of them is known beforehand."""
    local = kataven.tenant(origins=["http://localhost:3000", "*.localhost:*"])
    assert local.client_key.startswith("pk_test_")
    assert local.secret_key.startswith("sk_test_")
    assert kataven.guest(local).origin == "http://localhost:3000"
    public = kataven.tenant(origins=["http://localhost:3000", "shop.example"])
    assert public.client_key.startswith("pk_live_")


def test_what_it_looks_like_is_what_was_wished(kataven: Kataven) -> None:
    """Agents, names and colors are those of the test."""
    shop = kataven.tenant(
        "city-bikes",
        origins=[PAGE],
        agents={"sales": {"greeting": "Yes?"}, "support": {"auth_mode": "user"}},
        branding={"launcher_label": "Ask"},
        tokens={"session_ttl": "1m"},
        users=False,
        connect_url="https://chat.example/connect",
    )
    guest = kataven.guest(shop)
    assert guest.agent_id == "sales"
    assert guest.expires_at - kataven.clock() <= 60
    with pytest.raises(RefusedError, match="auth_mode_forbidden"):
        kataven.guest(shop, agent_id="support")
    with pytest.raises(RefusedError, match="auth_mode_forbidden"):
        kataven.sign_in(shop, agent_id="sales")
    assert kataven.sign_in(shop, agent_id="support").type == "user"
    assert kataven.widget_url in shop.snippet
    assert "https://chat.example/connect" in shop.snippet


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"origins": ["https://shop.example/cart"]}, r"origins\[0\]: has a path or a query"),
        ({"origins": [PAGE, "*.com"]}, r"origins\[1\]: anybody can have a host under com"),
        ({"origins": PAGE}, "write a list"),
        ({"origins": [PAGE], "branding": {"primary_color": "red"}}, "branding.primary_color"),
        ({"origins": [PAGE], "branding": {"colour": "red"}}, "branding.colour"),
        ({"origins": [PAGE], "tokens": {"session_ttl": "2h"}}, "from 1m to 15m"),
        ({"origins": [PAGE], "agents": []}, "agents"),
        ({"origins": [PAGE], "guests": False, "users": False}, "nobody is admitted"),
        ({"id": "A B", "origins": [PAGE]}, "not a tenant id"),
        ({"id": "../../etc", "origins": [PAGE]}, "not a tenant id"),
        ({"id": "shop", "origins": [PAGE]}, "there is a tenant 'shop' already"),
    ],
)
def test_a_bad_one_is_refused_in_the_words_of_the_service(
    kataven: Kataven, shop: Tenant, wish: dict[str, Any], words: str
) -> None:
    """The message says what to mend, and the server is as it was."""
    with pytest.raises((ConfigurationError, ValueError), match=words):
        kataven.tenant(**wish)
    assert kataven.guest(shop).type == "guest"
    assert kataven.tenant(origins=[PAGE]).id == "tenant"


def test_an_edit_ends_what_it_covers(kataven: Kataven, shop: Tenant) -> None:
    """A key that is switched off ends its sessions, and lives again when it is switched on."""
    visitor = kataven.guest(shop)
    off = kataven.change(shop, enabled=False)
    assert (off.client_key, off.secret_key) == (shop.client_key, shop.secret_key)
    with pytest.raises(RefusedError, match="client_key_disabled"):
        kataven.refresh(visitor)
    kataven.change("shop", enabled=True, origins=["*.shop.example"])
    with pytest.raises(RefusedError, match="origin_not_allowed"):
        kataven.refresh(visitor)
    assert kataven.guest(shop, origin="https://www.shop.example").type == "guest"
    with pytest.raises(LookupError, match="origin="):
        kataven.guest(shop)


def test_a_bad_edit_changes_nothing(kataven: Kataven, shop: Tenant) -> None:
    """What isn't there can't be changed, and what was there stays."""
    with pytest.raises(ConfigurationError):
        kataven.change(shop, origins=["*"])
    with pytest.raises(TypeError):
        kataven.change(shop, colour="red")
    with pytest.raises(TypeError):
        kataven.change(shop, id="other")
    with pytest.raises(LookupError, match="nobody"):
        kataven.change("nobody", enabled=False)
    assert kataven.guest(shop).type == "guest"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a tenants' file."""
    path = tmp_path / "tenants.yaml"
    content = document()
    content["tenants"]["acme"]["keys"][0]["not_after"] = datetime(2090, 1, 1, tzinfo=UTC)
    content["tenants"]["keyless"] = {**other(), "keys": []}
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_file_of_the_user_is_taken_in(kataven: Kataven, shop: Tenant, file: Path) -> None:
    """Its tenants are in force beside the test's own, with its issuer and its audience."""
    before = file.read_bytes()
    tenants = kataven.load(file)
    acme = tenants["acme"]
    assert (list(tenants), acme.client_key) == (["acme", "other"], KEY)
    ada = kataven.sign_in(acme, user_id="ada")
    assert kataven.verify(ada.token).tenant == "acme"
    assert (kataven.issuer, kataven.audience) == (ISSUER, AUDIENCE)
    assert kataven.guest(shop).type == "guest"
    assert kataven.user_token("other").count(".") == 2
    assert file.read_bytes() == before


def test_a_file_with_faults_is_refused_with_its_lines(kataven: Kataven, file: Path) -> None:
    """The message names the user's own file, and nothing of it is taken in."""
    file.write_text(file.read_text().replace("https://acme.com", "https://acme.com/shop"))
    with pytest.raises(ConfigurationError, match=r"tenants\.yaml:\d+:\d+: tenants\.acme\.keys"):
        kataven.load(file)
    with pytest.raises(LookupError, match="acme"):
        kataven.user_token("acme")


def test_a_tenant_that_is_there_is_not_replaced_by_a_file(kataven: Kataven, file: Path) -> None:
    """Nobody wonders whose keys hold."""
    kataven.tenant("other", origins=[PAGE])
    with pytest.raises(ValueError, match="'other' already"):
        kataven.load(file)
    with pytest.raises(LookupError):
        kataven.user_token("acme")


def test_a_reset_leaves_nothing(kataven: Kataven, shop: Tenant, file: Path) -> None:
    """Tenants, sessions that were ended, faults, requests and time are as at the start."""
    kataven.load(file)
    spent = kataven.user_token(shop, state="spent")
    kataven.fail("crash")
    kataven.clock.advance("1h")
    kataven.reset()
    assert kataven.requests == ()
    assert kataven.issuer == kataven.url
    again = kataven.tenant("shop", origins=[PAGE])
    assert again.client_key != shop.client_key
    with pytest.raises(RefusedError, match="unknown_client_key"):
        kataven.guest(shop)
    with pytest.raises(RefusedError):
        kataven.exchange(again, spent)
    assert kataven.guest(again).type == "guest"
