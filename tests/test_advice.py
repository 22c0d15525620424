"""Warnings about a sound file: each where it helps, and none where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.assets import example_config
from kataven_flask.document.advice import NEAR, advice, covers, shadowed
from kataven_flask.origins import Origin, OriginPattern
from kataven_flask.registry import read_registry
from tests.support import document

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Tell = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Return what tells the warnings about a document, by their paths."""

    def read(content: dict[str, Any]) -> dict[str, str]:
        file = tmp_path / "tenants.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        registry, plain = read_registry(file)
        found = advice(registry, plain.marks, NOW)
        assert all(warning.mark.line for warning in found)
        return {warning.path: warning.message for warning in found}

    return read


def with_key(**members: Any) -> dict[str, Any]:
    """Return a document of one tenant with one agent and one key."""
    content = document()
    del content["tenants"]["acme"]
    content["tenants"]["other"]["keys"][0].update(members)
    return content


def test_nothing_to_say(tell: Tell) -> None:
    """A file in good order gets no warning, nor does the shipped one."""
    assert tell(document()) == {}
    registry, plain = read_registry(example_config())
    assert advice(registry, plain.marks, NOW) == ()


class TestEnds:
    """Keys near their end."""

    @pytest.mark.parametrize(
        ("left", "words"),
        [
            (NEAR + DAY, ""),
            (NEAR, "ends in 14 d"),
            (3 * DAY, "ends in 3 d (2026-11-26 12:00 UTC)"),
            (timedelta(minutes=5), "ends in 5 min"),
            (timedelta(0), "is over since"),
            (-DAY, "is over since 2026-11-22 12:00 UTC"),
        ],
        ids=["later", "in two weeks", "in three days", "in minutes", "now", "yesterday"],
    )
    def test_of_a_client_key(self, tell: Tell, left: timedelta, words: str) -> None:
        """A client key's end is told two weeks before, with the time that is left, and after."""
        told = tell(with_key(not_after=NOW + left))
        if words:
            assert words in told["tenants.other.keys[0].not_after"]
        else:
            assert not told

    def test_of_a_secret(self, tell: Tell) -> None:
        """A secret key's end is told where no other comes after it."""
        content = with_key()
        (secret,) = content["tenants"]["other"]["keys"][0]["secrets"]
        secret["not_after"] = NOW + 3 * DAY
        told = tell(content)
        assert [*told] == ["tenants.other.keys[0].secrets[0].not_after"]
        assert "ends in 3 d (2026-11-26 12:00 UTC)" in told.popitem()[1]

    @pytest.mark.parametrize("end", [None, NOW + 100 * DAY], ids=["never ends", "ends later"])
    def test_of_a_rotation(self, tell: Tell, end: datetime | None) -> None:
        """The older secret key of a rotation is meant to end: nothing is told."""
        content = with_key()
        secrets = content["tenants"]["other"]["keys"][0]["secrets"]
        secrets[0]["not_after"] = NOW + DAY
        secrets.append({"hash": f"sha256:{1:064x}", "not_after": end})
        assert tell(content) == {}

    def test_of_a_secret_that_is_over(self, tell: Tell) -> None:
        """A secret key that is over is told, so that it is taken out."""
        content = with_key()
        secrets = content["tenants"]["other"]["keys"][0]["secrets"]
        secrets[0]["not_after"] = NOW - DAY
        secrets.append({"hash": f"sha256:{1:064x}"})
        assert "take it out" in tell(content)["tenants.other.keys[0].secrets[0].not_after"]

    def test_of_what_is_switched_off(self, tell: Tell) -> None:
        """Of a key that is switched off on purpose, nothing more is told."""
        content = with_key(not_after=NOW - DAY, domain_allowlist=[], enabled=False)
        assert [*tell(content)] == ["tenants.other"]


class TestReach:
    """Agents and the keys that lead to them."""

    def test_an_agent_that_no_key_reaches(self, tell: Tell) -> None:
        """Where every key pins an agent, the others are told."""
        content = document()
        content["tenants"]["acme"]["keys"][0]["agent_id"] = "support"
        told = tell(content)
        assert [*told] == ["tenants.acme.agents.sales"]
        assert "no live key reaches it" in told["tenants.acme.agents.sales"]

    def test_an_unpinned_key_reaches_all(self, tell: Tell) -> None:
        """A key that pins none reaches every agent: a page may ask for any."""
        content = document()
        del content["tenants"]["acme"]["keys"][1]
        assert tell(content) == {}

    def test_a_key_that_is_off_reaches_none(self, tell: Tell) -> None:
        """A key that is switched off leads nowhere."""
        content = document()
        content["tenants"]["acme"]["keys"][0]["enabled"] = False
        told = tell(content)
        assert [*told] == ["tenants.acme.agents.support", "tenants.acme.agents.sales"]
        assert all("those that would are switched off or over" in words for words in told.values())

    def test_several_agents_and_no_default(self, tell: Tell) -> None:
        """Where a page that names no agent is refused, the tenant is told what to write."""
        content = document()
        del content["tenants"]["acme"]["default_agent"]
        told = tell(content)
        assert [*told] == ["tenants.acme"]
        assert "write default_agent: support, or name one in every page" in told["tenants.acme"]

    def test_no_default_where_none_is_needed(self, tell: Tell) -> None:
        """Where every live key pins its agent, no default is missed."""
        content = document()
        acme = content["tenants"]["acme"]
        del acme["default_agent"]
        acme["agents"] = {"account": acme["agents"]["account"], "sales": acme["agents"]["sales"]}
        acme["keys"][0]["agent_id"] = "sales"
        assert tell(content) == {}

    @pytest.mark.parametrize(
        ("members", "words"),
        [({"enabled": False}, "none of its keys is live"), (None, "it has no key")],
        ids=["off", "none"],
    )
    def test_a_tenant_without_a_live_key(
        self, tell: Tell, members: dict[str, Any] | None, words: str
    ) -> None:
        """A tenant that no page can use is told once, not agent by agent."""
        content = with_key(**(members or {}))
        if members is None:
            content["tenants"]["other"]["keys"] = []
        told = tell(content)
        assert [*told] == ["tenants.other"]
        assert words in told["tenants.other"]


class TestSecrets:
    """Secret keys that are missing."""

    @pytest.mark.parametrize(
        "secrets",
        [[], [{"hash": f"sha256:{1:064x}", "not_after": NOW - DAY}]],
        ids=["none", "one that is over"],
    )
    def test_a_tenant_with_no_live_secret(self, tell: Tell, secrets: list[Any]) -> None:
        """A tenant whose users can't sign in is told."""
        told = tell(with_key(secrets=secrets))
        assert "no live key has a live secret" in told["tenants.other"]

    def test_a_tenant_for_guests(self, tell: Tell) -> None:
        """A tenant whose agents talk to guests alone needs no secret key."""
        content = with_key(secrets=[])
        content["tenants"]["other"]["agents"]["only"]["auth_mode"] = "guest"
        assert tell(content) == {}

    def test_a_key_for_users_without_a_secret(self, tell: Tell) -> None:
        """A key that leads to an agent for users alone, and can't sign any in, is told."""
        content = document()
        content["tenants"]["acme"]["keys"][1]["secrets"] = []
        told = tell(content)
        assert [*told] == ["tenants.acme.keys[1].agent_id"]
        assert "nobody can use it" in told["tenants.acme.keys[1].agent_id"]


class TestKeys:
    """What else may not be meant."""

    def test_an_empty_allowlist(self, tell: Tell) -> None:
        """An allowlist that admits nobody is told."""
        told = tell(with_key(domain_allowlist=[]))
        assert "admits no page" in told["tenants.other.keys[0].domain_allowlist"]

    def test_a_cut_off_that_lies_ahead(self, tell: Tell) -> None:
        """A cut-off that ends sessions which aren't begun yet is told."""
        told = tell(with_key(sessions_not_before=NOW + DAY))
        assert "no session can be refreshed" in told["tenants.other.keys[0].sessions_not_before"]
        assert tell(with_key(sessions_not_before=NOW - DAY)) == {}

    @pytest.mark.parametrize(
        ("entry", "instead"),
        [
            ("http://acme.com", "https://acme.com"),
            ("http://*.acme.com:8080", "https://*.acme.com:8080"),
            ("HTTP://acme.com:80", "https://acme.com"),
            ("https://acme.com", None),
            ("http://localhost:*", None),
            ("localhost:8000", None),
            ("http://127.0.0.1:8001", None),
            ("capacitor://localhost", None),
        ],
    )
    def test_http(self, tell: Tell, entry: str, instead: str | None) -> None:
        """An origin on http is told with what to write, but for this machine's own hosts."""
        told = tell(with_key(domain_allowlist=[entry]))
        if instead is None:
            assert told == {}
        else:
            message = told["tenants.other.keys[0].domain_allowlist[0]"]
            assert message.endswith(f"write https: {instead}")

    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            ("foo", True),
            ("https://foo:8443", True),
            ("localhost", False),
            ("https://[2001:db8::1]", False),
            ("capacitor://foo", False),
            ("*.localhost", False),
        ],
    )
    def test_a_host_without_a_dot(self, tell: Tell, entry: str, *, told: bool) -> None:
        """A host without a dot is told, but for this machine's own and an app's."""
        found = tell(with_key(domain_allowlist=[entry]))
        assert any("foo has no dot" in words for words in found.values()) is told
        assert bool(found) is told

    def test_an_entry_that_adds_nothing(self, tell: Tell) -> None:
        """An entry that another one covers is told at its place, with the other."""
        told = tell(with_key(domain_allowlist=["https://www.acme.com", "*.acme.com", "acme.com"]))
        assert [*told] == ["tenants.other.keys[0].domain_allowlist[0]"]
        assert "*.acme.com admits all that it does" in told.popitem()[1]

    @pytest.mark.parametrize(
        ("entries", "found"),
        [
            (["acme.com", "https://acme.com"], [(1, 0)]),
            (["ACME.com", "acme.com:443", "https://acme.com"], [(1, 0), (2, 0)]),
            (["acme.com:*", "acme.com:8443"], [(1, 0)]),
            (["acme.com", "acme.com:*"], [(0, 1)]),
            (["*.a.acme.com", "*.acme.com"], [(0, 1)]),
            (["acme.com", "*.acme.com"], []),
            (["http://acme.com", "https://acme.com"], []),
            (["localhost", "http://localhost"], [(1, 0)]),
            (["http://localhost:*", "localhost:*"], [(0, 1)]),
            (["http://localhost:443", "localhost:443"], [(0, 1)]),
            (["münchen.de", "xn--mnchen-3ya.de"], [(1, 0)]),
            (["capacitor://localhost", "localhost"], []),
        ],
    )
    def test_shadows(self, entries: list[str], found: list[tuple[int, int]]) -> None:
        """Of two that are alike the later one is told, else the narrower one."""
        assert [*shadowed(tuple(map(OriginPattern.parse, entries)))] == found


HOSTS = ["acme.com", "a.acme.com", "b.a.acme.com", "localhost", "x.localhost", "127.0.0.1"]
SCHEMES = ["", "http://", "https://"]
PORTS = ["", ":80", ":443", ":8443", ":*"]

entries = st.one_of(
    st.builds(
        lambda scheme, star, host, port: scheme + star + host + port,
        st.sampled_from(SCHEMES),
        st.sampled_from(["", "*."]),
        st.sampled_from(HOSTS[:-1]),
        st.sampled_from(PORTS),
    ),
    st.builds("{}127.0.0.1{}".format, st.sampled_from(SCHEMES), st.sampled_from(PORTS)),
    st.sampled_from(["capacitor://localhost", "app://acme.com"]),
).map(OriginPattern.parse)

ORIGINS = [
    origin
    for scheme in ("http", "https", "capacitor", "app")
    for host in (*HOSTS, *[f"z.{host}" for host in HOSTS[:-1]])
    for port in ("", ":80", ":443", ":8443", ":9999")
    if (origin := Origin.parse(f"{scheme}://{host}{port}"))
]
"""At least one origin to tell any two of the entries apart by."""


@given(wide=entries, narrow=entries)
def test_covering_is_admitting_all_that_the_other_admits(
    wide: OriginPattern, narrow: OriginPattern
) -> None:
    """An entry covers another exactly where it admits each origin that the other admits."""
    admitted = [origin for origin in ORIGINS if narrow.matches(origin)]
    assert covers(wide, narrow) is all(wide.matches(origin) for origin in admitted)


@given(st.lists(entries, max_size=6))
def test_without_what_adds_nothing_the_same_is_admitted(allowlist: list[OriginPattern]) -> None:
    """Without the entries that are told, an allowlist admits what it did, and none is left."""
    told = dict(shadowed(tuple(allowlist)))
    kept = tuple(entry for index, entry in enumerate(allowlist) if index not in told)
    for origin in ORIGINS:
        before = any(entry.matches(origin) for entry in allowlist)
        assert any(entry.matches(origin) for entry in kept) is before
    assert not [*shadowed(kept)]
