"""The use cases: config, guest, user_token, exchange, refresh, logout, revoke; no HTTP in it.

Each reads top to bottom in the order in which its checks are promised: the first one
that fails is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from kataven_flask import errors
from kataven_flask.checks import (
    Throttle,
    find_key,
    require_age,
    require_auth_mode,
    require_live,
    require_origin,
    require_origin_of,
    resolve_agent,
)
from kataven_flask.event_log import EventLog
from kataven_flask.messages import (
    Backend,
    Caller,
    SessionGrant,
    UserTokenRequest,
    VisitorToken,
    WidgetConfig,
)
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.secret_keys import SecretKeys
from kataven_flask.sessions import Clock, Sessions, new_id, new_session_id, user_digest
from kataven_flask.store import Store
from kataven_flask.tokens import Session, Tokens, VisitorClaims


class Handshake:
    """The use cases over one set of tenants, keys and state.

    Args:
        registry: Gives the registry in force; asked once a request, so that no answer is half
            of two files.
        tokens: Gives the minter for a registry.
        store: The state store.
        throttle: The rate limits.
        events: Tells security events.
        clock: Gives the seconds since the epoch.
        observer: Is told what is done; it decides nothing.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a part each
        self,
        registry: Callable[[], Registry],
        tokens: Callable[[Registry], Tokens],
        store: Store,
        throttle: Throttle,
        events: EventLog,
        clock: Clock,
        observer: Observer = NOBODY,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._sessions = Sessions(store, clock, events.tell, observer)
        self._throttle = throttle
        self._events = events
        self._secret_keys = SecretKeys(throttle, events, clock)
        self._clock = clock
        self._observer = observer
        self._configs: tuple[str, dict[tuple[str, str], WidgetConfig]] = ("", {})

    # --- what a browser asks for

    def config(self, client_key: str | None, agent_id: str | None, caller: Caller) -> WidgetConfig:
        """Return what a widget needs to draw itself.

        Raises:
            Refusal: The first check that failed.
        """
        registry = self._registry()
        record = self._find_key(registry, client_key, caller)
        self._throttle_page("config", record, caller, record.limits.config_per_minute)
        require_live(record, self._clock())
        require_origin(record, caller, self._events, words="Origin not in allowlist")
        agent_id, _ = resolve_agent(record, agent_id)
        return self._rendered(registry, record, agent_id)

    def guest(self, client_key: str | None, agent_id: str | None, caller: Caller) -> SessionGrant:
        """Begin a guest's session.

        Raises:
            Refusal: The first check that failed.

        Returns:
            Its first tokens; nothing is written for them.
        """
        registry = self._registry()
        record = self._find_key(registry, client_key, caller)
        self._throttle_page("guest", record, caller, record.limits.guest_per_minute)
        require_live(record, self._clock())
        origin = require_origin(record, caller, self._events)
        agent_id, agent = resolve_agent(record, agent_id)
        require_auth_mode(agent_id, agent, "guest")
        session = Session(
            sid=new_session_id(user=None),
            sub=new_id("guest"),
            tenant=record.tenant_id,
            agent_id=agent_id,
            client_key=record.key.client_key,
            origin=str(origin),
            visitor_type="guest",
            began_ms=self._sessions.now_ms(),
        )
        return self._sessions.grant(self._tokens(registry), record, session)

    def exchange(
        self, token: str | None, client_key: str | None, guest_token: str | None, caller: Caller
    ) -> SessionGrant:
        """Spend a visitor token for a user's session.

        Args:
            token: The visitor token.
            client_key: The key that the widget runs with; it must be the token's.
            guest_token: The session token of the guest that this user was, if any.
            caller: The caller.

        Raises:
            Refusal: The first check that failed.
            StoreError: The token can't be spent.

        Returns:
            The session's first tokens.
        """
        registry = self._registry()
        with self._verifying(registry, caller) as tokens:
            visitor = self._sessions.verified_visitor(tokens, token)
        record = find_key(registry, visitor.client_key)
        self._throttle_page("exchange", record, caller, record.limits.exchange_per_minute)
        require_live(record, self._clock())
        if client_key is not None and client_key != visitor.client_key:
            raise errors.ClientKeyMismatch("the token was minted for another client_key")
        origin = require_origin(record, caller, self._events)
        agent_id, agent = resolve_agent(record, visitor.agent_id)
        require_auth_mode(agent_id, agent, "user")
        # Before the token is spent, so that a revocation in between ends this session too.
        began_ms = self._sessions.now_ms()
        self._sessions.spend(visitor)
        session = Session(
            sid=new_session_id(user_digest(visitor.tenant, visitor.sub)),
            sub=visitor.sub,
            tenant=record.tenant_id,
            agent_id=agent_id,
            client_key=visitor.client_key,
            origin=str(origin),
            visitor_type="user",
            began_ms=began_ms,
            name=visitor.name,
            email=visitor.email,
            guest_id=self._sessions.guest_id(tokens, guest_token, visitor.client_key),
        )
        return self._sessions.grant(tokens, record, session)

    def refresh(self, refresh_token: str | None, caller: Caller) -> SessionGrant:
        """Renew a session's tokens, never its identity.

        Args:
            refresh_token: The refresh token.
            caller: The caller.

        Raises:
            Refusal: The first check that failed.
            StoreError: The token can't be rotated.

        Returns:
            The session's next tokens.
        """
        registry = self._registry()
        with self._verifying(registry, caller) as tokens:
            claims = self._sessions.verified_refresh(tokens, refresh_token)
        session = claims.session
        if claims.exp <= self._clock():
            raise errors.ExpiredRefreshToken("its time is over; begin a new session")
        record = find_key(registry, session.client_key)
        self._throttle_page("refresh", record, caller, record.limits.refresh_per_minute)
        require_live(record, self._clock())
        require_origin_of(session, caller, self._events)
        require_origin(record, caller, self._events)
        agent_id, agent = resolve_agent(record, session.agent_id)
        if agent_id != session.agent_id:
            raise errors.AgentDisabled(f"this client_key serves {agent_id} now; begin anew")
        require_auth_mode(agent_id, agent, session.visitor_type)
        require_age(record, session, self._clock())
        rotation = self._sessions.rotate(record, claims)
        return self._sessions.grant(tokens, record, session, rotation)

    def logout(self, refresh_token: str | None, caller: Caller) -> None:
        """End a session; to end it twice is no error, and an expired token still ends it.

        Args:
            refresh_token: Any refresh token of the session.
            caller: The caller.

        Raises:
            Refusal: The token was not signed here, or the origin isn't the session's own.
            StoreError: The session can't be ended.
        """
        registry = self._registry()
        with self._verifying(registry, caller) as tokens:
            claims = self._sessions.verified_refresh(tokens, refresh_token)
        session = claims.session
        record = registry.keys.get(session.client_key)
        if record is not None:
            self._throttle_page("logout", record, caller, record.limits.refresh_per_minute)
        require_origin_of(session, caller, self._events)
        self._sessions.end(claims)

    # --- what the tenant's backend asks for

    def authenticate(self, caller: Caller) -> Backend:
        """Find whose secret key a request carries.

        Raises:
            BrowserForbidden: A browser sent it.
            InvalidApiKey: It carries none, or one that isn't live.
            RateLimited: The secret key is used too often.

        Returns:
            Whose it is, and the registry that says so.
        """
        registry = self._registry()
        record = self._secret_keys.authenticate(registry, caller)
        self._observer.whose(record.tenant_id)
        return Backend(registry, record)

    def user_token(self, backend: Backend, request: UserTokenRequest) -> VisitorToken:
        """Mint a visitor token for a user of the tenant.

        Args:
            backend: What `authenticate` returned.
            request: Who the user is.

        Raises:
            Refusal: The first check that failed.

        Returns:
            The visitor token.
        """
        record = backend.record
        if not request.client_key or not request.user_id:
            missing = "user_id" if request.client_key else "client_key"
            raise errors.MissingField(f"add {missing} to the body")
        if request.client_key != record.key.client_key:
            raise errors.ClientKeyMismatch("this secret key belongs to another client_key")
        require_live(record, self._clock())
        agent_id, agent = resolve_agent(record, request.agent_id)
        require_auth_mode(agent_id, agent, "user")
        now, ttl = int(self._clock()), record.tokens.visitor_ttl
        claims = VisitorClaims(
            sub=request.user_id,
            tenant=record.tenant_id,
            client_key=request.client_key,
            jti=new_id("vis"),
            iat=now,
            exp=now + ttl,
            agent_id=request.agent_id,
            name=request.name,
            email=request.email,
        )
        token = self._tokens(backend.registry).mint_visitor(claims)
        self._observer.minted("visitor")
        return VisitorToken(token, expires_in=ttl, expires_at=claims.exp)

    def revoke(self, backend: Backend, user_id: str | None) -> None:
        """End every session that a user of the tenant began before now.

        Args:
            backend: What `authenticate` returned.
            user_id: The user's id in the tenant's own terms.

        Raises:
            MissingField: There is no user id.
            StoreError: The sessions can't be ended.
        """
        if not user_id:
            raise errors.MissingField("add user_id to the body", words="Missing user_id")
        self._sessions.end_user(backend.record.tenant_id, user_id)

    # --- steps

    def _find_key(self, registry: Registry, client_key: str | None, caller: Caller) -> KeyRecord:
        """Find the key that a page names, and tell where that is a secret one."""
        try:
            return find_key(registry, client_key)
        except errors.UnknownClientKey:
            if client_key is not None and client_key.startswith("sk_"):
                self._secret_keys.tell_of_client_key(registry, client_key, caller)
            raise

    @contextmanager
    def _verifying(self, registry: Registry, caller: Caller) -> Iterator[Tokens]:
        """Give what verifies a token; for who sent too many bad ones, with the keys at hand alone.

        For a token that none of these signed, the key ring's file is looked at, which costs more
        than all else. A good token passes, as a right secret does: strangers share addresses.
        """
        limit = registry.limits.bad_token_per_minute
        tokens = self._tokens(registry)
        if not self._throttle.has_room("bad-token", caller.address, limit):
            tokens = replace(tokens, look_again=None)
        try:
            yield tokens
        except (errors.InvalidToken, errors.InvalidRefreshToken):
            self._throttle.charge("bad-token", caller.address, limit)
            raise

    def _throttle_page(
        self, policy: str, record: KeyRecord, caller: Caller, per_minute: int | None
    ) -> None:
        self._observer.whose(record.tenant_id)
        self._throttle.admit(policy, record.key.client_key, caller.address, per_minute)

    def _rendered(self, registry: Registry, record: KeyRecord, agent_id: str) -> WidgetConfig:
        """Render a config once a revision."""
        revision, configs = self._configs
        if revision != registry.revision:
            configs = {}
            self._configs = (registry.revision, configs)
        name = (record.key.client_key, agent_id)
        if name not in configs:
            configs[name] = WidgetConfig.render(record, agent_id)
        return configs[name]
