"""The document: what an operator writes in `tenants.yaml`, as frozen pydantic models.

A model checks what it can see by itself. What needs two places of the document at
once (an agent that a key names, a key that stands twice) is checked in `faults`.
The text under each member is what an editor shows and what the reference says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from kataven_flask.document.member_types import (
    NO_SECRET_KEY,
    AgentId,
    AllowlistEntry,
    ClientKeyText,
    Color,
    Label,
    PerMinute,
    SecretHash,
    TenantId,
    Text,
    Time,
    Version,
    WebUrl,
    parse_issuer,
)
from kataven_flask.durations import DAY, HOUR, MINUTE, SECOND, Between, Seconds
from kataven_flask.origins import Origin

MAX_VISITOR_TTL: Final = 10 * MINUTE
MAX_SESSION_TTL: Final = 15 * MINUTE
"""No JWT outlives the longer of these, so that a key that signs no more need not be kept longer."""
MAX_SESSION_AGE: Final = 90 * DAY
MAX_REFRESH_TTL: Final = 30 * DAY
"""No refresh token outlives this, so that a revocation need not be kept longer either."""

VisitorType = Literal["guest", "user"]
AuthMode = Literal["guest", "user", "both"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class TokenPolicy(_Model):
    """How long tokens and sessions live: a number and s, m, h or d; a bare number is seconds."""

    session_ttl: Annotated[Seconds, Between(1 * MINUTE, MAX_SESSION_TTL)] = 10 * MINUTE
    """How long a session token lives: what the widget shows to your /connect service."""

    visitor_ttl: Annotated[Seconds, Between(30 * SECOND, MAX_VISITOR_TTL)] = 5 * MINUTE
    """How long a visitor token lives: what your customer's backend mints for a signed-in user."""

    refresh_ttl: Annotated[Seconds, Between(1 * MINUTE, MAX_REFRESH_TTL)] = 24 * HOUR
    """How long a session may rest: after this time without a refresh it is over."""

    guest_max_age: Annotated[Seconds, Between(1 * MINUTE, MAX_SESSION_AGE)] = 24 * HOUR
    """How long a guest's session lives, however often it is refreshed."""

    user_max_age: Annotated[Seconds, Between(1 * MINUTE, MAX_SESSION_AGE)] = 30 * DAY
    """How long a signed-in user's session lives, however often it is refreshed."""

    refresh_grace: Annotated[Seconds, Between(0, 1 * MINUTE)] = 30 * SECOND
    """How long a refresh token that was just replaced still works: a second tab, a lost answer."""

    def max_age(self, visitor_type: VisitorType) -> int:
        """Return how long a visitor's session lives however often refreshed, in seconds."""
        return self.guest_max_age if visitor_type == "guest" else self.user_max_age


class RateLimits(_Model):
    """How many requests a minute are answered; null is no limit."""

    guest_per_minute: PerMinute = 60
    """Guest sessions begun a minute, for each client address and client key."""

    exchange_per_minute: PerMinute = 60
    """Visitor tokens exchanged a minute, for each client address and client key."""

    refresh_per_minute: PerMinute = 60
    """Refreshes and logouts a minute, for each client address and client key."""

    config_per_minute: PerMinute = 600
    """Reads of the widget's configuration a minute, for each client address and client key."""

    user_token_per_minute: PerMinute = 6000
    """Calls of the customer's backend a minute, for each secret key."""


class DocumentLimits(RateLimits):
    """How many requests a minute are answered; each tenant may override those of its keys."""

    wrong_secret_per_minute: PerMinute = 10
    """Wrong secret keys answered a minute, for each client address; a right one always passes."""

    bad_token_per_minute: PerMinute = 120
    """Tokens answered a minute that were not signed here, for each client address and process; a
    good one always passes."""


class Branding(_Model):
    """What the widget looks like on a tenant's pages."""

    primary_color: Color = "#2563eb"
    """The color of the launcher, the header and the buttons: # and 3 or 6 hex digits, in quotes."""

    accent_color: Color = "#7c3aed"
    """The color of the visitor's own words: # and 3 or 6 hex digits, in quotes."""

    logo_url: Annotated[WebUrl, Field(examples=["https://acme.com/logo.svg"])] | None = None
    """An image for the header, over https; without it there is none."""

    launcher_position: Literal["br", "bl", "tr", "tl"] = "br"
    """The corner of the page: bottom right, bottom left, top right, top left."""

    launcher_label: Label = "Talk to us"
    """What the launcher says: 1 to 80 characters."""

    privacy_notice: (
        Annotated[Text, Field(examples=["Calls may be recorded for quality."])] | None
    ) = None
    """What a visitor reads before the first word, 1 to 500 characters; without it there is none."""


class Agent(_Model):
    """What a visitor talks to."""

    display_name: Annotated[Label, Field(examples=["Acme Support"])]
    """What visitors see as its name: 1 to 80 characters."""

    greeting: Text = "Hi! How can we help?"
    """Its first words: 1 to 500 characters."""

    avatar_url: Annotated[WebUrl, Field(examples=["https://acme.com/support.png"])] | None = None
    """Its picture, over https; without it there is none."""

    widget_enabled: bool = True
    """Whether it answers; false refuses it, and ends its sessions at their next refresh."""

    auth_mode: AuthMode = "both"
    """Whom it talks to: guests, users that the customer's backend has signed in, or both."""

    def admits(self, visitor_type: VisitorType) -> bool:
        """Tell whether this agent talks to guests, or to users."""
        return self.auth_mode in (visitor_type, "both")


class Secret(_Model):
    """What is kept of a secret key: its hash, and when it ends."""

    hash: SecretHash
    """sha256: and the SHA-256 of the whole sk_… key in hex; never the key itself."""

    not_after: Time | None = None
    """When it ends; without it, never. Set it on the older of two while you rotate."""

    @property
    def digest(self) -> str:
        """The hash's hex digits, of which the first few name it for a person."""
        return self.hash.removeprefix("sha256:")

    def is_live(self, now: datetime) -> bool:
        """Tell whether the secret key is not past its `not_after`."""
        return self.not_after is None or now < self.not_after


class ClientKey(_Model):
    """A public client key, the secret keys behind it and the origins it may be used on."""

    name: Annotated[Label, Field(examples=["acme.com production"])]
    """What you call it, for the log and for lists; visitors never see it."""

    client_key: ClientKeyText
    """The key that stands in the page, as `kataven-flask keys create` makes it:
    pk_live_<tenant>_…, or pk_test_<tenant>_… for loopback hosts alone."""

    secrets: Annotated[tuple[Secret, ...], Field(strict=False, max_length=2)] = ()
    """The hashes of its secret keys: two may live at once, so that one can be rotated."""

    domain_allowlist: Annotated[tuple[AllowlistEntry, ...], Field(strict=False)]
    """The origins that may use it. https://acme.com is that host alone, *.acme.com (in quotes)
    every host under it, acme.com:8443 that port, acme.com:* any; an empty list admits nobody."""

    agent_id: Annotated[AgentId, Field(examples=["support"])] | None = None
    """Pins an agent: this key always talks to it, whatever the page asks for."""

    enabled: bool = True
    """Whether it works; false refuses it, and ends its sessions at their next refresh."""

    not_after: Time | None = None
    """When it ends, and its sessions at their next refresh; without it, never."""

    sessions_not_before: Time | None = None
    """Ends every session of this key that was begun earlier, at its next refresh."""

    def admits(self, origin: Origin) -> bool:
        """Tell whether any entry of the allowlist admits an origin."""
        return any(entry.matches(origin) for entry in self.domain_allowlist)

    def is_live(self, now: datetime) -> bool:
        """Tell whether the key is switched on and not past its `not_after`."""
        return self.enabled and (self.not_after is None or now < self.not_after)


class Tenant(_Model):
    """An account: its agents, its keys and its looks."""

    name: Annotated[Label, Field(examples=["Acme Inc."])]
    """What visitors see as its name: 1 to 80 characters."""

    default_agent: Annotated[AgentId, Field(examples=["support"])] | None = None
    """The agent for a key that pins none and a page that names none; a single agent needs none."""

    branding: Branding = Branding()
    """What the widget looks like on this tenant's pages."""

    agents: Annotated[
        Mapping[AgentId, Agent],
        Field(min_length=1),
        AfterValidator(MappingProxyType),
        PlainSerializer(dict),
    ]
    """Whom visitors talk to, each under its id: a-z, 0-9, _ and -, 1 to 64 of them."""

    keys: Annotated[tuple[ClientKey, ...], Field(strict=False)] = ()
    """The client keys of its pages: one a site is a good habit."""

    tokens: TokenPolicy = TokenPolicy()
    """How long this tenant's tokens live: what stands here wins over the document's own."""

    limits: RateLimits = RateLimits()
    """This tenant's limits: what stands here wins over the document's own; null is no limit."""


class Document(_Model):
    """The tenants of a kataven-flask server: who may embed the widget, where, and how it looks."""

    version: Annotated[Version, Field(examples=[1])]
    """The version of this file's format: 1."""

    issuer: (
        Annotated[
            WebUrl,
            AfterValidator(parse_issuer),
            Field(
                examples=["https://widget.example.com"],
                json_schema_extra={"not": {"type": "string", "pattern": "#|[?]."}},
            ),
        ]
        | None
    ) = None
    """The iss of every token: your server's public https address. Without it, the address that
    the server listens on; to change it ends all tokens."""

    audience: Annotated[str, Field(min_length=1, max_length=256), NO_SECRET_KEY] = "kataven:connect"
    """The aud of session tokens: what your /connect service is called."""

    tokens: TokenPolicy = TokenPolicy()
    """How long tokens and sessions live; each tenant may override any of them."""

    limits: DocumentLimits = DocumentLimits()
    """How many requests a minute are answered; null is no limit. Each tenant may override those
    of its keys."""

    tenants: Annotated[Mapping[TenantId, Tenant], AfterValidator(MappingProxyType)]
    """The tenants, each under its id: a-z, 0-9 and -, 2 to 32 of them, as in its keys' names."""
