"""The document: what an operator writes in `tenants.yaml`, as frozen pydantic models.

A model checks what it can see by itself. What needs two places of the document at
once (an agent that a key names, a key that stands twice) is checked in `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from kataven_flask.keys import CLIENT_KEY, SECRET_HASH, TENANT_ID
from kataven_flask.origins import Origin, OriginPattern
from kataven_flask.text import has_control_characters

SECOND: Final = 1
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MAX_VISITOR_TTL: Final = 10 * MINUTE
MAX_SESSION_TTL: Final = 15 * MINUTE
"""No JWT outlives the longer of these, so that a key that signs no more need not be kept longer."""
MAX_SESSION_AGE: Final = 90 * DAY
MAX_REFRESH_TTL: Final = 30 * DAY
"""No refresh token outlives this, so that a revocation need not be kept longer either."""

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhd])")


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            message = "not a duration; write a number and s, m, h or d, for example 10m"
            raise ValueError(message)
        return int(match["count"]) * _UNITS[match["unit"]]
    return value


def _duration_text(seconds: int) -> str:
    for unit, size in reversed(_UNITS.items()):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _between(low: int, high: int) -> AfterValidator:
    def check(seconds: int) -> int:
        if not low <= seconds <= high:
            message = f"must be from {_duration_text(low)} to {_duration_text(high)}"
            raise ValueError(message)
        return seconds

    return AfterValidator(check)


def _pattern(name: str, pattern: re.Pattern[str], hint: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            message = f"not a {name}; it looks like {hint}"
            raise ValueError(message)
        return text

    return AfterValidator(check)


def _no_secret(text: str) -> str:
    if text.startswith("sk_"):
        message = "this is a secret key itself; make a new one and write its hash, sha256:…"
        raise ValueError(message)
    return text


def _origin_pattern(value: object) -> OriginPattern:
    if not isinstance(value, str):
        message = "write an origin as text, for example https://acme.com"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueErrors alone
    return OriginPattern.parse(value)


def _web_url(text: str) -> str:
    url = urlsplit(text)
    origin = Origin.of_url(text)
    plain = url.scheme == "http" and origin is not None and origin.is_loopback
    if origin is None or not (url.scheme == "https" or plain):
        message = "not an https:// URL (http:// only for a loopback host)"
        raise ValueError(message)
    return text


def parse_issuer(text: str) -> str:
    """Read an issuer: an https URL without query and fragment (RFC 8414, section 2).

    Args:
        text: The URL; http is taken for a loopback host.

    Raises:
        ValueError: It isn't one.

    Returns:
        The URL without a slash at its end.
    """
    if urlsplit(_web_url(text)).query or "#" in text:
        message = "an issuer has no query and no fragment"
        raise ValueError(message)
    return text.rstrip("/")


def _version(value: object) -> object:
    if type(value) is not int or value != 1:  # True and 1.0 equal 1
        message = "must be 1"
        raise ValueError(message)
    return value


def _no_control_characters(text: str) -> str:
    if has_control_characters(text, but="\n\t"):
        message = "has control characters"
        raise ValueError(message)
    return text


Seconds = Annotated[int, BeforeValidator(_seconds)]
Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_no_control_characters)]
Label = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_no_control_characters)]
WebUrl = Annotated[str, Field(max_length=2048), AfterValidator(_web_url)]
Color = Annotated[str, _pattern("color", re.compile("#(?:[0-9a-fA-F]{3}){1,2}"), '"#2563eb"')]
TenantId = Annotated[str, _pattern("tenant id", TENANT_ID, "acme: a-z, 0-9 and -, 2 to 32")]
AgentId = Annotated[
    str, _pattern("agent id", re.compile("[a-z0-9][a-z0-9_-]{0,63}"), "support: a-z, 0-9, _ and -")
]
ClientKeyText = Annotated[
    str, _pattern("client key", CLIENT_KEY, "pk_live_<tenant>_ and 22 to 64 letters and digits")
]
SecretHash = Annotated[
    str,
    AfterValidator(_no_secret),
    _pattern("hash of a secret key", SECRET_HASH, "sha256: and 64 hex digits in lower case"),
]
AllowlistEntry = Annotated[
    OriginPattern, BeforeValidator(_origin_pattern), PlainSerializer(lambda p: p.text)
]
PerMinute = Annotated[int, Field(ge=1, le=10_000_000)] | None

VisitorType = Literal["guest", "user"]
AuthMode = Literal["guest", "user", "both"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )


class TokenPolicy(_Model):
    """How long tokens and sessions live, each in seconds."""

    session_ttl: Annotated[Seconds, _between(1 * MINUTE, MAX_SESSION_TTL)] = 10 * MINUTE
    visitor_ttl: Annotated[Seconds, _between(30 * SECOND, MAX_VISITOR_TTL)] = 5 * MINUTE
    refresh_ttl: Annotated[Seconds, _between(1 * MINUTE, MAX_REFRESH_TTL)] = 24 * HOUR
    guest_max_age: Annotated[Seconds, _between(1 * MINUTE, MAX_SESSION_AGE)] = 24 * HOUR
    user_max_age: Annotated[Seconds, _between(1 * MINUTE, MAX_SESSION_AGE)] = 30 * DAY
    refresh_grace: Annotated[Seconds, _between(0, 1 * MINUTE)] = 30 * SECOND

    def max_age(self, visitor_type: VisitorType) -> int:
        """Return how long a visitor's session lives however often refreshed, in seconds."""
        return self.guest_max_age if visitor_type == "guest" else self.user_max_age


class RateLimits(_Model):
    """Requests a minute; None is no limit."""

    guest_per_minute: PerMinute = 60
    exchange_per_minute: PerMinute = 60
    refresh_per_minute: PerMinute = 60
    config_per_minute: PerMinute = 600
    user_token_per_minute: PerMinute = 6000


class Branding(_Model):
    """What the widget looks like on a tenant's pages."""

    primary_color: Color = "#2563eb"
    accent_color: Color = "#7c3aed"
    logo_url: WebUrl | None = None
    launcher_position: Literal["br", "bl", "tr", "tl"] = "br"
    launcher_label: Label = "Talk to us"
    privacy_notice: Text | None = None


class Agent(_Model):
    """What a visitor talks to."""

    display_name: Label
    greeting: Text = "Hi! How can we help?"
    avatar_url: WebUrl | None = None
    widget_enabled: bool = True
    auth_mode: AuthMode = "both"

    def admits(self, visitor_type: VisitorType) -> bool:
        """Tell whether this agent talks to guests, or to users."""
        return self.auth_mode in (visitor_type, "both")


class Secret(_Model):
    """What is kept of a secret key: its hash, and when it ends."""

    hash: SecretHash
    not_after: AwareDatetime | None = None

    @property
    def digest(self) -> str:
        """The hash's hex digits, of which the first few name it for a person."""
        return self.hash.removeprefix("sha256:")

    def is_live(self, now: datetime) -> bool:
        """Tell whether the secret key is not past its `not_after`."""
        return self.not_after is None or now < self.not_after


class ClientKey(_Model):
    """A public client key, the secret keys behind it and the origins it may be used on."""

    name: Label
    client_key: ClientKeyText
    secrets: Annotated[tuple[Secret, ...], Field(strict=False, max_length=2)] = ()
    domain_allowlist: Annotated[tuple[AllowlistEntry, ...], Field(strict=False)]
    agent_id: AgentId | None = None
    enabled: bool = True
    not_after: AwareDatetime | None = None
    sessions_not_before: AwareDatetime | None = None

    def admits(self, origin: Origin) -> bool:
        """Tell whether any entry of the allowlist admits an origin."""
        return any(entry.matches(origin) for entry in self.domain_allowlist)

    def is_live(self, now: datetime) -> bool:
        """Tell whether the key is switched on and not past its `not_after`."""
        return self.enabled and (self.not_after is None or now < self.not_after)


class Tenant(_Model):
    """An account: its agents, its keys and its looks."""

    name: Label
    default_agent: AgentId | None = None
    branding: Branding = Branding()
    agents: Annotated[
        Mapping[AgentId, Agent],
        Field(min_length=1),
        AfterValidator(MappingProxyType),
        PlainSerializer(dict),
    ]
    keys: Annotated[tuple[ClientKey, ...], Field(strict=False)] = ()
    tokens: TokenPolicy = TokenPolicy()
    limits: RateLimits = RateLimits()


class Document(_Model):
    """All of `tenants.yaml`."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    issuer: Annotated[WebUrl, AfterValidator(parse_issuer)] | None = None
    audience: Annotated[str, Field(min_length=1, max_length=256)] = "kataven:connect"
    tokens: TokenPolicy = TokenPolicy()
    limits: RateLimits = RateLimits()
    tenants: Annotated[Mapping[TenantId, Tenant], AfterValidator(MappingProxyType)]
