"""The document's models: what an operator may write, member by member."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from kataven_flask.origins import Origin
from kataven_flask.tenants import (
    Agent,
    AuthMode,
    Branding,
    ClientKey,
    Document,
    DocumentLimits,
    RateLimits,
    Secret,
    Tenant,
    TokenPolicy,
    VisitorType,
)
from tests.support import KEY, document

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def words(model: type[BaseModel], **members: Any) -> str:
    """Return what the operator reads about members that are refused."""
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(members)
    return " ".join(error["msg"] for error in refusal.value.errors())


class TestTokenPolicy:
    """Lifetimes."""

    def test_defaults(self) -> None:
        """A document that says nothing gets the promised lifetimes."""
        assert TokenPolicy().model_dump() == {
            "session_ttl": 10 * MINUTE,
            "visitor_ttl": 5 * MINUTE,
            "refresh_ttl": 24 * HOUR,
            "guest_max_age": 24 * HOUR,
            "user_max_age": 30 * DAY,
            "refresh_grace": 30,
        }

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("60s", 60),
            ("90s", 90),
            ("10m", 600),
            ("010m", 600),
            ("15m", 900),
            (600, 600),
        ],
    )
    def test_reads_durations(self, text: object, seconds: int) -> None:
        """A duration is a number and its unit; a bare number is seconds."""
        assert TokenPolicy.model_validate({"session_ttl": text}).session_ttl == seconds

    @pytest.mark.parametrize(
        ("text", "seconds"), [("24h", DAY), ("30d", 30 * DAY), ("720h", 30 * DAY)]
    )
    def test_reads_long_durations(self, text: str, seconds: int) -> None:
        """Hours and days are units too."""
        assert TokenPolicy.model_validate({"refresh_ttl": text}).refresh_ttl == seconds

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "10",
            "m",
            "10 m",
            " 10m",
            "10m ",
            "10m\n",
            "10M",
            "10min",
            "1h30m",
            "1.5h",
            "-10m",
            "+10m",
            "1w",
            "1_0m",
            "٣m",
            "1e1m",
            "9999999999s",
        ],
        ids=repr,
    )
    def test_refuses_what_is_no_duration(self, text: str) -> None:
        """Another text is refused with an example of what to write."""
        assert "for example 10m" in words(TokenPolicy, session_ttl=text)

    @pytest.mark.parametrize("value", [True, 10.5, 600.0, None, [10], {"m": 10}], ids=repr)
    def test_refuses_another_type(self, value: object) -> None:
        """A value of another type is refused, not rounded."""
        assert words(TokenPolicy, session_ttl=value)

    @pytest.mark.parametrize(
        ("name", "low", "high", "told"),
        [
            ("session_ttl", MINUTE, 15 * MINUTE, "from 1m to 15m"),
            ("visitor_ttl", 30, 10 * MINUTE, "from 30s to 10m"),
            ("refresh_ttl", MINUTE, 30 * DAY, "from 1m to 30d"),
            ("guest_max_age", MINUTE, 90 * DAY, "from 1m to 90d"),
            ("user_max_age", MINUTE, 90 * DAY, "from 1m to 90d"),
            ("refresh_grace", 0, 60, "from 0s to 1m"),
        ],
    )
    def test_ranges(self, name: str, low: int, high: int, told: str) -> None:
        """Each lifetime is held in its range, both ends included, and the range is told."""
        for seconds in (low, high):
            assert getattr(TokenPolicy.model_validate({name: f"{seconds}s"}), name) == seconds
        for seconds in (low - 1, high + 1):
            assert told in words(TokenPolicy, **{name: seconds})

    @pytest.mark.parametrize(("visitor", "age"), [("guest", DAY), ("user", 30 * DAY)])
    def test_a_session_ages_by_its_visitor(self, visitor: VisitorType, age: int) -> None:
        """A guest's session ends after a day, a user's after thirty, however often renewed."""
        assert TokenPolicy().max_age(visitor) == age


class TestRateLimits:
    """Requests a minute."""

    def test_defaults(self) -> None:
        """A document that says nothing gets the promised limits."""
        assert RateLimits().model_dump() == {
            "guest_per_minute": 60,
            "exchange_per_minute": 60,
            "refresh_per_minute": 60,
            "config_per_minute": 600,
            "user_token_per_minute": 6000,
        }
        assert DocumentLimits().model_dump() == {
            **RateLimits().model_dump(),
            "wrong_secret_per_minute": 10,
            "bad_token_per_minute": 120,
        }

    def test_null_is_no_limit(self) -> None:
        """A limit of null lets any number through."""
        assert RateLimits(guest_per_minute=None).guest_per_minute is None

    @pytest.mark.parametrize("value", [0, -1, 1.5, "60", True, 10_000_001], ids=repr)
    def test_refuses_what_is_no_number_of_requests(self, value: object) -> None:
        """A limit is a whole number of at least one."""
        assert words(RateLimits, guest_per_minute=value)


class TestBranding:
    """Looks."""

    @pytest.mark.parametrize("color", ["#2563eb", "#2563EB", "#fff", "#000000"])
    def test_colors(self, color: str) -> None:
        """A color is three or six hex digits."""
        assert Branding(primary_color=color, accent_color=color).primary_color == color

    @pytest.mark.parametrize(
        "color",
        [
            "",
            "#",
            "2563eb",
            "#ff",
            "#ffff",
            "#fffff",
            "#2563ebff",
            "#2563eg",
            "red",
            "rgb(0,0,0)",
            "#2563eb;",
            "#2563eb\n",
            " #2563eb",
            "#fff;background:url(https://evil.example)",
            "var(--x)",
            "#٣٣٣",
        ],
        ids=repr,
    )
    def test_refused_colors(self, color: str) -> None:
        """Whatever else is refused, with an example: nothing but a color reaches a page's CSS."""
        assert '"#2563eb"' in words(Branding, primary_color=color)
        assert '"#2563eb"' in words(Branding, accent_color=color)

    @pytest.mark.parametrize(
        "url",
        [
            "https://acme.com/logo.svg",
            "https://acme.com",
            "https://cdn.acme.com:8443/a/b.png?v=1#x",
            "http://localhost:8000/logo.svg",
            "http://shop.localhost/logo.svg",
            "http://127.0.0.1:8000/logo.svg",
            "http://[::1]:8000/logo.svg",
            "HTTPS://acme.com/logo.svg",
        ],
    )
    def test_urls(self, url: str) -> None:
        """A logo comes over https, or from this machine."""
        assert Branding(logo_url=url).logo_url == url

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "logo.svg",
            "/logo.svg",
            "//acme.com/logo.svg",
            "acme.com/logo.svg",
            "http://acme.com/logo.svg",
            "http://localhost.evil.example/logo.svg",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "file:///etc/passwd",
            "ftp://acme.com/logo.svg",
            "blob:https://acme.com/1",
            "https:/acme.com/logo.svg",
            "https:///logo.svg",
            "https://",
            "https://[::1/logo.svg",
            "https://ada:pw@acme.com/logo.svg",
            "https://acme.com:99999/logo.svg",
            "https://acme.com\\@evil.example/",
            " https://acme.com/logo.svg",
            "\thttps://acme.com/logo.svg",
            "https://acme.com/" + "a" * 2048,
        ],
        ids=lambda url: repr(url)[:40],
    )
    def test_refused_urls(self, url: str) -> None:
        """Another address is refused: a page would be blocked from it, or run it."""
        assert words(Branding, logo_url=url)
        assert words(Agent, display_name="A", avatar_url=url)

    @pytest.mark.parametrize("position", ["br", "bl", "tr", "tl"])
    def test_positions(self, position: str) -> None:
        """The launcher stands in one of four corners."""
        assert (
            Branding.model_validate({"launcher_position": position}).launcher_position == position
        )

    @pytest.mark.parametrize("position", ["", "BR", "left", "rb", None, 1], ids=repr)
    def test_refused_positions(self, position: object) -> None:
        """Another corner is refused."""
        assert words(Branding, launcher_position=position)

    @pytest.mark.parametrize("label", ["", "a" * 81, "a\0b", "a\x1b[0m", 7, None], ids=repr)
    def test_refused_labels(self, label: object) -> None:
        """A launcher's label is 1 to 80 characters of text without control characters."""
        assert words(Branding, launcher_label=label)

    @pytest.mark.parametrize("notice", ["", "a" * 501, "a\x07b", "a\x85b"], ids=repr)
    def test_refused_notices(self, notice: str) -> None:
        """A privacy notice is 1 to 500 characters of text without control characters."""
        assert words(Branding, privacy_notice=notice)


class TestAgent:
    """Agents."""

    def test_defaults(self) -> None:
        """An agent that is only named is switched on and talks to everybody."""
        agent = Agent(display_name="Support")
        assert agent.widget_enabled
        assert agent.auth_mode == "both"
        assert agent.avatar_url is None
        assert agent.greeting

    @pytest.mark.parametrize(
        ("mode", "guest", "user"),
        [("both", True, True), ("guest", True, False), ("user", False, True)],
    )
    def test_auth_modes(self, mode: AuthMode, *, guest: bool, user: bool) -> None:
        """An agent talks to guests, to users, or to both, as its `auth_mode` says."""
        agent = Agent(display_name="Support", auth_mode=mode)
        assert (agent.admits("guest"), agent.admits("user")) == (guest, user)

    @pytest.mark.parametrize("mode", ["", "all", "guests", "Both", None, True], ids=repr)
    def test_refused_auth_modes(self, mode: object) -> None:
        """Another mode is refused."""
        assert words(Agent, display_name="Support", auth_mode=mode)

    @pytest.mark.parametrize("value", ["true", "yes", 1, 0, None], ids=repr)
    def test_a_switch_is_true_or_false(self, value: object) -> None:
        """What only looks like true isn't: nothing is switched on by a guess."""
        assert words(Agent, display_name="Support", widget_enabled=value)

    @pytest.mark.parametrize(
        "greeting",
        [
            "Grüß Gott! 你好 مرحبا",
            "Hello 👋🏽",
            "One line\nand another",
            "Besoin d'aide\u00a0?",
            "Une question\u202f?",
            "سلام، چطور می\u200cتوانم کمک کنم؟",  # noqa: RUF001
            "We are a family \U0001f468\u200d\U0001f469\u200d\U0001f467",
            "何か\u3000お困りですか",
        ],
        ids=[
            "letters of the world",
            "emoji",
            "two lines",
            "no-break space before a question mark",
            "narrow no-break space",
            "Persian non-joiner",
            "joined emoji",
            "ideographic space",
        ],
    )
    def test_greetings_of_the_world(self, greeting: str) -> None:
        """A greeting in anybody's language is taken: a space or a joiner isn't a control."""
        assert Agent(display_name="A", greeting=greeting).greeting == greeting

    @pytest.mark.parametrize(
        "greeting", ["", "a\0", "a\x1b[31m", "a\x7f", "a\x9b", "a\ud800"], ids=repr
    )
    def test_refused_greetings(self, greeting: str) -> None:
        """An empty text, or one with control characters or half a character, is refused."""
        assert words(Agent, display_name="A", greeting=greeting)


class TestClientKey:
    """Client keys."""

    def make(self, **members: Any) -> ClientKey:
        """Make a key that admits one origin."""
        return ClientKey.model_validate(
            {"name": "k", "client_key": KEY, "domain_allowlist": ["https://acme.com"], **members}
        )

    def test_defaults(self) -> None:
        """A key is on, without an end, without secrets and without an agent of its own."""
        key = self.make()
        assert key.is_live(NOON)
        assert key.secrets == ()
        assert (key.agent_id, key.not_after, key.sessions_not_before) == (None, None, None)

    def test_needs_an_allowlist(self) -> None:
        """A key without an allowlist is refused: it is never open by omission."""
        assert words(ClientKey, name="k", client_key=KEY)

    @pytest.mark.parametrize(
        "origin", ["https://acme.com", "http://localhost", "https://evil.example"]
    )
    def test_an_empty_allowlist_admits_nobody(self, origin: str) -> None:
        """A key with an empty allowlist admits nobody."""
        parsed = Origin.parse(origin)
        assert parsed is not None
        assert not self.make(domain_allowlist=[]).admits(parsed)

    @pytest.mark.parametrize(
        ("enabled", "not_after", "live"),
        [
            (True, None, True),
            (True, NOON + timedelta(seconds=1), True),
            (True, NOON, False),
            (True, NOON - timedelta(seconds=1), False),
            (False, None, False),
            (False, NOON + timedelta(days=1), False),
        ],
        ids=["on", "before its end", "at its end", "past its end", "off", "off before its end"],
    )
    def test_is_live(self, enabled: bool, not_after: datetime | None, live: bool) -> None:  # noqa: FBT001
        """A key works while it is switched on and before its `not_after`."""
        assert self.make(enabled=enabled, not_after=not_after).is_live(NOON) is live

    @pytest.mark.parametrize("name", ["not_after", "sessions_not_before"])
    @pytest.mark.parametrize(
        "value",
        [datetime(2026, 12, 24), "2026-12-24", 1_790_000_000, True],  # noqa: DTZ001
        ids=["no zone", "text", "number", "boolean"],
    )
    def test_a_time_has_its_zone(self, name: str, value: object) -> None:
        """A time without a zone, or anything else, is refused: it isn't guessed whose noon."""
        with pytest.raises(ValidationError):
            self.make(**{name: value})

    def test_two_secrets_may_live_at_once(self) -> None:
        """Two secret keys may stand, so that one can be rotated, and no more."""
        secrets = [{"hash": f"sha256:{n:064x}"} for n in range(3)]
        assert len(self.make(secrets=secrets[:2]).secrets) == 2
        with pytest.raises(ValidationError):
            self.make(secrets=secrets)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a" * 64,
            "sha256:" + "a" * 63,
            "sha256:" + "a" * 65,
            "sha256:" + "A" * 64,
            "sha256:" + "g" * 64,
            "sha1:" + "a" * 40,
            "sha256:" + "a" * 64 + "\n",
            "sk_live_acme_" + "s" * 43,
        ],
        ids=[
            "empty",
            "no prefix",
            "short",
            "long",
            "upper case",
            "not hex",
            "SHA-1",
            "line's end",
            "the secret key itself",
        ],
    )
    def test_refused_hashes(self, text: str) -> None:
        """What isn't a hash is refused, and never repeated: it may be the secret key itself."""
        told = words(Secret, hash=text)
        assert "sha256:" in told
        assert "sk_" not in told

    def test_refusals_repeat_no_input(self) -> None:
        """A refusal that reaches a log has nothing of what was written."""
        with pytest.raises(ValidationError) as refusal:
            Secret.model_validate({"hash": "sk_live_acme_" + "s" * 43})
        assert "ssss" not in str(refusal.value)

    @pytest.mark.parametrize("entry", [1, None, True, ["acme.com"], {"acme": "com"}], ids=repr)
    def test_an_entry_is_text(self, entry: object) -> None:
        """An allowlist entry that isn't text is refused with an example."""
        with pytest.raises(ValidationError, match=r"https://acme\.com"):
            self.make(domain_allowlist=[entry])


class TestDocument:
    """The document as a whole."""

    def test_defaults(self) -> None:
        """A document needs its version and its tenants, and nothing else."""
        read = Document.model_validate({"version": 1, "tenants": {}})
        assert read.issuer is None
        assert read.audience == "kataven:connect"
        assert read.tokens == TokenPolicy()
        assert read.limits == DocumentLimits()

    @pytest.mark.parametrize("version", [0, 2, "1", None], ids=repr)
    def test_another_version_is_refused(self, version: object) -> None:
        """A document of another version is refused, not half understood."""
        assert words(Document, version=version, tenants={})

    @pytest.mark.parametrize(
        ("written", "issuer"),
        [
            ("https://widget.example.com", "https://widget.example.com"),
            ("https://widget.example.com/", "https://widget.example.com"),
            ("https://example.com/widget", "https://example.com/widget"),
            ("http://localhost:5000", "http://localhost:5000"),
        ],
    )
    def test_issuer(self, written: str, issuer: str) -> None:
        """An issuer is an https address, or one of this machine; a last slash doesn't count."""
        read = Document.model_validate({"version": 1, "tenants": {}, "issuer": written})
        assert read.issuer == issuer

    @pytest.mark.parametrize(
        "issuer",
        [
            "",
            "widget.example.com",
            "http://widget.example.com",
            "https://a.com?b",
            "https://a.com#b",
        ],
        ids=repr,
    )
    def test_refused_issuers(self, issuer: str) -> None:
        """An issuer has no query and no fragment (RFC 8414, section 2)."""
        assert words(Document, version=1, tenants={}, issuer=issuer)

    @pytest.mark.parametrize("tenant_id", ["", "a", "Acme", "ac_me", "a" * 33, "ac me", "../x"])
    def test_refused_tenant_ids(self, tenant_id: str) -> None:
        """A tenant's id that can't stand in a client key is refused."""
        tenants = {tenant_id: document()["tenants"]["other"]}
        assert "tenant id" in words(Document, version=1, tenants=tenants)

    @pytest.mark.parametrize("agent_id", ["", "-a", "_a", "A", "a b", "a.b", "a" * 65, "ä"])
    def test_refused_agent_ids(self, agent_id: str) -> None:
        """An agent's id that can't stand in an address is refused."""
        agents = {agent_id: {"display_name": "A"}}
        assert "agent id" in words(Tenant, name="T", agents=agents)

    def test_a_tenant_needs_an_agent(self) -> None:
        """A tenant without agents is refused: its widget would have nobody to talk to."""
        assert words(Tenant, name="T", agents={})

    @pytest.mark.parametrize(
        ("model", "members"),
        [
            (Document, {"version": 1, "tenants": {}}),
            (Tenant, {"name": "T", "agents": {"a": {"display_name": "A"}}}),
            (Agent, {"display_name": "A"}),
            (ClientKey, {"name": "k", "client_key": KEY, "domain_allowlist": []}),
            (Secret, {"hash": f"sha256:{0:064x}"}),
            (Branding, {}),
            (TokenPolicy, {}),
            (RateLimits, {}),
        ],
        ids=lambda value: value.__name__ if isinstance(value, type) else "",
    )
    def test_unknown_members_are_refused(
        self, model: type[BaseModel], members: dict[str, Any]
    ) -> None:
        """A member that is misspelled is refused, at every level; it isn't passed over."""
        assert model.model_validate(members)
        assert words(model, **members, enabeld=False)

    def test_nothing_changes_it(self) -> None:
        """A document in force can't be changed by a request."""
        read = Document.model_validate(document())
        with pytest.raises(ValidationError):
            read.audience = "x"
        with pytest.raises(TypeError):
            read.tenants["evil"] = read.tenants["acme"]  # type: ignore[index]
        with pytest.raises(TypeError):
            read.tenants["acme"].agents["evil"] = Agent(display_name="E")  # type: ignore[index]
