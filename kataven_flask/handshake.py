"""The use cases: config, guest, user_token, exchange, refresh, logout, revoke; no HTTP in it.

Each reads top to bottom in the order in which its checks are promised: the first one
that fails is the answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from kataven_flask import errors
from kataven_flask.keys import hash_secret_key, same_hash
from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.store import Outcome, Presented, Rotation, Store
from kataven_flask.tenants import MAX_REFRESH_TTL, Agent, VisitorType
from kataven_flask.tokens import (
    CLOCK_SKEW,
    BadTokenError,
    RefreshClaims,
    Session,
    SessionClaims,
    TokenExpiredError,
    Tokens,
    VisitorClaims,
)

Clock = Callable[[], float]
"""Gives the seconds since the epoch."""

_ID_BYTES: Final = 16
"""128 bits: as many as RFC 6749, section 10.10, wants of anything nobody may guess."""
_WRONG_SECRET: Final = "send a live secret key of this tenant as `Authorization: Bearer sk_…`"  # noqa: S105

_security = logging.getLogger("kataven_flask.security")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as its headers tell.

    Args:
        origin: The web origin; None where the request has none, or one that isn't readable.
        address: The client's network address.
        is_browser: Whether only a browser would have sent these headers.
        secret_key: The bearer token of the request, unverified.
    """

    origin: Origin | None
    address: str
    is_browser: bool = False
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UserTokenRequest:
    """What the tenant's backend asks for."""

    client_key: str | None
    user_id: str | None = field(repr=False)
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """A minted visitor token.

    Args:
        token: The JWT.
        expires_in: Its lifetime in seconds.
        expires_at: Its end in seconds since the epoch.
    """

    token: str = field(repr=False)
    expires_in: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """A session's tokens, fresh.

    Args:
        session: The session.
        token: The session token.
        expires_at: Its end in seconds since the epoch.
        refresh_token: The refresh token.
        refresh_expires_at: Its end in seconds since the epoch.
        server_time: The present in seconds since the epoch.
    """

    session: Session
    token: str = field(repr=False)
    expires_at: int
    refresh_token: str = field(repr=False)
    refresh_expires_at: int
    server_time: int


@dataclass(frozen=True, slots=True)
class WidgetConfig:
    """What a widget needs to draw itself.

    Args:
        body: The JSON document, rendered.
        etag: Its entity tag, without quotes (RFC 9110, section 8.8.3).
    """

    body: bytes
    etag: str


class Throttle(Protocol):
    """Counts requests."""

    def admit(self, action: str, key: str, address: str, per_minute: int | None) -> None:
        """Count one request; raise RateLimited where it is one too many."""
        ...


class Handshake:
    """The use cases over one set of tenants, keys and state.

    Args:
        registry: Gives the registry in force.
        tokens: Gives the minter for a registry.
        store: The state store.
        throttle: The rate limits.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        tokens: Callable[[Registry], Tokens],
        store: Store,
        throttle: Throttle,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._store = store
        self._throttle = throttle
        self._clock = clock
        self._configs: tuple[str, dict[tuple[str, str], WidgetConfig]] = ("", {})

    # --- what a browser asks for

    def config(self, client_key: str | None, agent_id: str | None, caller: Caller) -> WidgetConfig:
        """Return what a widget needs to draw itself.

        Raises:
            Refusal: The first check that failed.
        """
        registry = self._registry()
        record = _find_key(registry, client_key)
        self._throttle_browser("config", record, caller, record.limits.config_per_minute)
        self._require_live(record)
        _require_origin(record, caller, words="Origin not in allowlist")
        agent_id, _ = _resolve_agent(record, agent_id)
        return self._rendered(registry, record, agent_id)

    def guest(self, client_key: str | None, agent_id: str | None, caller: Caller) -> SessionGrant:
        """Begin a guest's session.

        Raises:
            Refusal: The first check that failed.

        Returns:
            Its first tokens; nothing is written for them.
        """
        registry = self._registry()
        record = _find_key(registry, client_key)
        self._throttle_browser("guest", record, caller, record.limits.guest_per_minute)
        self._require_live(record)
        origin = _require_origin(record, caller)
        agent_id, agent = _resolve_agent(record, agent_id)
        _require_auth_mode(agent_id, agent, "guest")
        session = Session(
            sid=_new_id("ses"),
            sub=_new_id("guest"),
            tenant=record.tenant_id,
            agent_id=agent_id,
            client_key=record.key.client_key,
            origin=str(origin),
            visitor_type="guest",
            began_ms=self._now_ms(),
        )
        return self._grant(registry, record, session)

    def exchange(
        self,
        token: str | None,
        client_key: str | None,
        guest_token: str | None,
        caller: Caller,
    ) -> SessionGrant:
        """Spend a visitor token for a user's session.

        Args:
            token: The visitor token.
            client_key: The key that the widget runs with; it must be the token's.
            guest_token: The session token of the guest that this user was, if any.
            caller: The caller.

        Raises:
            Refusal: The first check that failed.
            StateUnavailableError: The token can't be spent.

        Returns:
            The session's first tokens.
        """
        registry = self._registry()
        tokens = self._tokens(registry)
        visitor = self._verified_visitor(tokens, token)
        record = _find_key(registry, visitor.client_key)
        self._throttle_browser("exchange", record, caller, record.limits.exchange_per_minute)
        self._require_live(record)
        if client_key is not None and client_key != visitor.client_key:
            raise errors.ClientKeyMismatch("the token was minted for another client_key")
        origin = _require_origin(record, caller)
        agent_id, agent = _resolve_agent(record, visitor.agent_id)
        _require_auth_mode(agent_id, agent, "user")
        self._spend(visitor)
        session = Session(
            sid=_new_id("ses"),
            sub=visitor.sub,
            tenant=record.tenant_id,
            agent_id=agent_id,
            client_key=visitor.client_key,
            origin=str(origin),
            visitor_type="user",
            began_ms=self._now_ms(),
            name=visitor.name,
            email=visitor.email,
            guest_id=self._guest_id(tokens, guest_token, record),
        )
        return self._grant(registry, record, session)

    def refresh(self, refresh_token: str | None, caller: Caller) -> SessionGrant:
        """Renew a session's tokens, never its identity.

        Args:
            refresh_token: The refresh token.
            caller: The caller.

        Raises:
            Refusal: The first check that failed.
            StateUnavailableError: The token can't be rotated.

        Returns:
            The session's next tokens.
        """
        registry = self._registry()
        claims = self._verified_refresh(self._tokens(registry), refresh_token)
        session = claims.session
        if claims.exp <= self._clock():
            raise errors.ExpiredRefreshToken("its time is over; begin a new session")
        record = _find_key(registry, session.client_key)
        self._throttle_browser("refresh", record, caller, record.limits.refresh_per_minute)
        self._require_live(record)
        _require_origin_of(session, caller)
        _require_origin(record, caller)
        agent_id, agent = _resolve_agent(record, session.agent_id)
        if agent_id != session.agent_id:
            raise errors.AgentDisabled(
                f"this client_key serves {agent_id} now, begin a new session"
            )
        _require_auth_mode(agent_id, agent, session.visitor_type)
        self._require_age(record, session)
        rotation = self._rotate(record, claims)
        return self._grant(registry, record, session, rotation)

    def logout(self, refresh_token: str | None, caller: Caller) -> None:
        """End a session; to end it twice is no error, and an expired token still ends it.

        Args:
            refresh_token: Any refresh token of the session.
            caller: The caller.

        Raises:
            Refusal: The token was not signed here, or the origin isn't the session's own.
            StateUnavailableError: The session can't be ended.
        """
        registry = self._registry()
        claims = self._verified_refresh(self._tokens(registry), refresh_token)
        record = registry.keys.get(claims.session.client_key)
        if record is not None:
            self._throttle_browser("logout", record, caller, record.limits.refresh_per_minute)
        _require_origin_of(claims.session, caller)
        now = int(self._clock())
        self._store.revoke_session(claims.session.sid, keep_until=_last_exp(now), now=now)

    # --- what the tenant's backend asks for

    def authenticate(self, caller: Caller) -> KeyRecord:
        """Find whose secret key a request carries.

        Raises:
            BrowserForbidden: A browser sent it.
            InvalidApiKey: It carries none, or one that isn't live.

        Returns:
            The client key's record that the secret key belongs to.
        """
        if caller.is_browser:
            _security.warning("secret key endpoint called by a browser")
            raise errors.BrowserForbidden(
                "call this from your backend; a secret key in a page is a leak: rotate it"
            )
        if not caller.secret_key:
            raise errors.InvalidApiKey(_WRONG_SECRET)
        presented = hash_secret_key(caller.secret_key)
        found = self._registry().secrets.get(presented)
        if found is None or not same_hash(found[1].hash, presented):
            _security.warning("unknown secret key")
            raise errors.InvalidApiKey(_WRONG_SECRET)
        record, secret = found
        if secret.not_after is not None and self._now() >= secret.not_after:
            _security.warning("secret key past its not_after: %s", record.key.client_key)
            raise errors.InvalidApiKey("this secret key is past its not_after; use the new one")
        self._throttle.admit(
            "user_token", record.key.client_key, "", record.limits.user_token_per_minute
        )
        return record

    def user_token(self, record: KeyRecord, request: UserTokenRequest) -> VisitorToken:
        """Mint a visitor token for a user of the tenant.

        Args:
            record: What `authenticate` returned.
            request: Who the user is.

        Raises:
            Refusal: The first check that failed.

        Returns:
            The visitor token.
        """
        if not request.client_key or not request.user_id:
            missing = "user_id" if request.client_key else "client_key"
            raise errors.MissingField(f"add {missing} to the body")
        if request.client_key != record.key.client_key:
            raise errors.ClientKeyMismatch("this secret key belongs to another client_key")
        self._require_live(record)
        agent_id, agent = _resolve_agent(record, request.agent_id)
        _require_auth_mode(agent_id, agent, "user")
        now = int(self._clock())
        ttl = record.tokens.visitor_ttl
        claims = VisitorClaims(
            sub=request.user_id,
            tenant=record.tenant_id,
            client_key=request.client_key,
            jti=_new_id("vis"),
            iat=now,
            exp=now + ttl,
            agent_id=request.agent_id,
            name=request.name,
            email=request.email,
        )
        token = self._tokens(self._registry()).mint_visitor(claims)
        return VisitorToken(token, expires_in=ttl, expires_at=claims.exp)

    def revoke(self, record: KeyRecord, user_id: str | None) -> None:
        """End every session that a user of the tenant began before now.

        Args:
            record: What `authenticate` returned.
            user_id: The user's id in the tenant's own terms.

        Raises:
            MissingField: There is no user id.
            StateUnavailableError: The sessions can't be ended.
        """
        if not user_id:
            raise errors.MissingField("add user_id to the body", words="Missing user_id")
        now_ms = self._now_ms()
        self._store.revoke_user(
            _user_digest(record.tenant_id, user_id),
            at_ms=now_ms,
            keep_until=_last_exp(now_ms // 1000),
        )

    # --- steps

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _throttle_browser(
        self, action: str, record: KeyRecord, caller: Caller, per_minute: int | None
    ) -> None:
        self._throttle.admit(action, record.key.client_key, caller.address, per_minute)

    def _require_live(self, record: KeyRecord) -> None:
        if not record.key.is_live(self._now()):
            raise errors.ClientKeyDisabled(
                "the site's operator has switched it off, or it is past its time"
            )

    def _verified_visitor(self, tokens: Tokens, token: str | None) -> VisitorClaims:
        if not token:
            raise errors.MissingToken("send the visitor token of your backend as `token`")
        try:
            return tokens.verify_visitor(token, self._clock())
        except TokenExpiredError as error:
            raise errors.ExpiredToken("mint a new one with user-token") from error
        except BadTokenError as error:
            raise errors.InvalidToken(f"{error}; mint one with user-token") from error

    def _verified_refresh(self, tokens: Tokens, refresh_token: str | None) -> RefreshClaims:
        if not refresh_token:
            raise errors.MissingRefreshToken("send the last refresh_token you were given")
        try:
            return tokens.verify_refresh(refresh_token)
        except BadTokenError as error:
            raise errors.InvalidRefreshToken(f"{error}; begin a new session") from error

    def _spend(self, visitor: VisitorClaims) -> None:
        """Spend a visitor token, unless its user was revoked after it was minted."""
        revoked_ms = self._store.user_revoked_ms(_user_digest(visitor.tenant, visitor.sub))
        if revoked_ms is not None and visitor.iat < revoked_ms // 1000:
            raise errors.InvalidToken("its user was revoked since; mint a new one with user-token")
        now = int(self._clock())
        if not self._store.spend(visitor.jti, keep_until=visitor.exp + CLOCK_SKEW, now=now):
            _security.warning("visitor token replayed: %s of %s", visitor.jti, visitor.client_key)
            raise errors.UsedToken("a visitor token is good for one exchange; mint a new one")

    def _guest_id(self, tokens: Tokens, guest_token: str | None, record: KeyRecord) -> str | None:
        """Return the guest that a live session token of the same key speaks for, if any."""
        if not guest_token:
            return None
        try:
            guest = tokens.verify_session(guest_token, self._clock()).session
        except BadTokenError:
            return None
        same_key = guest.client_key == record.key.client_key
        return guest.sub if same_key and guest.visitor_type == "guest" else None

    def _require_age(self, record: KeyRecord, session: Session) -> None:
        """Hold a session against the oldest it may grow, and the key's cut-off."""
        end = session.auth_time + record.tokens.max_age(session.visitor_type)
        if end <= self._clock():
            raise errors.ExpiredRefreshToken("the session has reached its end; begin a new one")
        not_before = record.key.sessions_not_before
        if not_before is not None and session.began_ms < not_before.timestamp() * 1000:
            raise errors.RevokedSession("the operator has ended it; begin a new session")

    def _rotate(self, record: KeyRecord, claims: RefreshClaims) -> Rotation:
        session = claims.session
        now_ms = self._now_ms()
        is_user = session.visitor_type == "user"
        presented = Presented(
            sid=session.sid,
            generation=claims.generation,
            began_ms=session.began_ms,
            user=_user_digest(session.tenant, session.sub) if is_user else None,
            now_ms=now_ms,
            grace_ms=record.tokens.refresh_grace * 1000,
            # Kept as long as the older token and its successor, so that neither outlives it.
            keep_until=CLOCK_SKEW + max(claims.exp, now_ms // 1000 + record.tokens.refresh_ttl),
        )
        rotation = self._store.rotate(presented)
        match rotation.outcome:
            case Outcome.REUSED:
                _security.warning("refresh token reused, session revoked: %s", session.sid)
                raise errors.ReusedRefreshToken("it was rotated before, so its session is over")
            case Outcome.REVOKED:
                raise errors.RevokedSession("it was ended; begin a new session")
            case Outcome.UNKNOWN:
                _security.warning("rotated session without a record: %s", session.sid)
                raise errors.RevokedSession("no record of it is left; begin a new session")
            case Outcome.ROTATED | Outcome.REPEATED:
                return rotation

    def _grant(
        self,
        registry: Registry,
        record: KeyRecord,
        session: Session,
        rotation: Rotation | None = None,
    ) -> SessionGrant:
        """Mint a session's tokens; a repeated rotation gives its successor again."""
        now = int(self._clock())
        generation = rotation.generation if rotation else 0
        issued = rotation.rotated_ms // 1000 if rotation else now
        end = session.auth_time + record.tokens.max_age(session.visitor_type)
        expires_at = min(now + record.tokens.session_ttl, end)
        refresh_expires_at = min(issued + record.tokens.refresh_ttl, end)
        tokens = self._tokens(registry)
        return SessionGrant(
            session=session,
            token=tokens.mint_session(SessionClaims(session, _new_id("tok"), now, expires_at)),
            expires_at=expires_at,
            refresh_token=tokens.mint_refresh(
                RefreshClaims(session, generation, issued, refresh_expires_at)
            ),
            refresh_expires_at=refresh_expires_at,
            server_time=now,
        )

    def _rendered(self, registry: Registry, record: KeyRecord, agent_id: str) -> WidgetConfig:
        """Render a config once a revision."""
        revision, configs = self._configs
        if revision != registry.revision:
            configs = {}
            self._configs = (registry.revision, configs)
        name = (record.key.client_key, agent_id)
        if name not in configs:
            configs[name] = _render_config(record, agent_id)
        return configs[name]


def _find_key(registry: Registry, client_key: str | None) -> KeyRecord:
    if not client_key:
        raise errors.MissingClientKey("send the pk_… key of the page's snippet as client_key")
    record = registry.keys.get(client_key)
    if record is None:
        raise errors.UnknownClientKey("no tenant has it; copy the key from the snippet again")
    return record


def _require_origin(record: KeyRecord, caller: Caller, words: str | None = None) -> Origin:
    if caller.origin is None:
        raise errors.OriginNotAllowed("the request has no readable Origin or Referer", words=words)
    if not record.key.admits(caller.origin):
        _security.warning(
            "origin refused: %s is not admitted by %s [%s]; to admit it add %s to the"
            " domain_allowlist of key %r of tenant %s",
            caller.origin,
            record.key.client_key,
            ", ".join(entry.text for entry in record.key.domain_allowlist) or "empty",
            caller.origin,
            record.key.name,
            record.tenant_id,
        )
        raise errors.OriginNotAllowed(f"{caller.origin} is not one of its origins", words=words)
    return caller.origin


def _require_origin_of(session: Session, caller: Caller) -> None:
    if caller.origin is None:
        raise errors.OriginNotAllowed("the request has no readable Origin or Referer")
    if str(caller.origin) != session.origin:
        _security.warning("session %s used from another origin: %s", session.sid, caller.origin)
        raise errors.OriginNotAllowed(
            f"the session was begun on another origin than {caller.origin}"
        )


def _resolve_agent(record: KeyRecord, asked: str | None) -> tuple[str, Agent]:
    """Choose the agent: the key's own, the one asked for, the default, or the only one."""
    agents = record.tenant.agents
    only = next(iter(agents)) if len(agents) == 1 else None
    agent_id = record.key.agent_id or asked or record.tenant.default_agent or only
    if agent_id is None:
        raise errors.MissingAgentId("this tenant has several agents and no default; name one")
    agent = agents.get(agent_id)
    if agent is None:
        raise errors.UnknownAgentId("this tenant has no such agent")
    if not agent.widget_enabled:
        raise errors.AgentDisabled(f"the widget of {agent_id} is switched off")
    return agent_id, agent


def _require_auth_mode(agent_id: str, agent: Agent, visitor_type: VisitorType) -> None:
    if not agent.admits(visitor_type):
        who = "guests" if visitor_type == "guest" else "signed-in users"
        raise errors.AuthModeForbidden(f"{agent_id} doesn't admit {who}")


def _render_config(record: KeyRecord, agent_id: str) -> WidgetConfig:
    agent = record.tenant.agents[agent_id]
    document = {
        "client_key": record.key.client_key,
        "tenant": {"id": record.tenant_id, "name": record.tenant.name},
        "agent": {
            "id": agent_id,
            "display_name": agent.display_name,
            "greeting": agent.greeting,
            "avatar_url": agent.avatar_url,
            "auth_mode": agent.auth_mode,
        },
        "branding": record.tenant.branding.model_dump(mode="json"),
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return WidgetConfig(body, hashlib.sha256(body).hexdigest()[:32])


def _last_exp(now: int) -> int:
    """Return when the last refresh token that may be out by now has ended."""
    return now + MAX_REFRESH_TTL + CLOCK_SKEW


def _user_digest(tenant_id: str, user_id: str) -> str:
    """Name a user in the store without keeping who it is."""
    return hashlib.sha256(f"{tenant_id}\0{user_id}".encode()).hexdigest()


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_urlsafe(_ID_BYTES)}"
