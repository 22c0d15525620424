"""The part of `Kataven` that has to do with tokens: minted, verified, and got over HTTP."""

from __future__ import annotations

from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord
from kataven_flask.testing.calls import Visitor, begin_session, post
from kataven_flask.testing.minting import (
    Mint,
    Person,
    RefreshState,
    SessionState,
    VisitorState,
)
from kataven_flask.testing.server import OnServer
from kataven_flask.testing.tenants import Tenant, first_origin
from kataven_flask.tokens import BadTokenError
from kataven_flask.verify import InvalidSession, Session


class TokensAndCalls(OnServer):
    """Mints, verifies and calls."""

    # --- minted here

    def user_token(  # noqa: PLR0913 - a member of the token each
        self,
        tenant: Tenant | str,
        *,
        user_id: str = "42",
        name: str | None = None,
        email: str | None = None,
        agent_id: str | None = None,
        state: VisitorState = "good",
    ) -> str:
        """Mint what `user-token` gives to a tenant's backend, in any state.

        Args:
            tenant: The tenant, or its id.
            user_id: The user's id.
            name: The user's name.
            email: The user's e-mail address.
            agent_id: The agent that is asked for.
            state: `good`, `expired`, `spent`, `revoked` (which ends the user's sessions, as
                `revoke` does), `not_yet` (minted an hour from now), `foreign` (signed by keys
                of another server), `tampered` (signed for another user), `unsigned`.

        Raises:
            LookupError: There is no such tenant.
            ValueError: There is no such state; the message has those that there are.
        """
        person = Person(user_id, name, email)
        return self._mint(tenant, agent_id).visitor(person, state)

    def session_token(  # noqa: PLR0913 - a member of the token each
        self,
        tenant: Tenant | str,
        *,
        user_id: str | None = None,
        name: str | None = None,
        email: str | None = None,
        agent_id: str | None = None,
        origin: str | None = None,
        state: SessionState = "good",
    ) -> str:
        """Mint what a widget shows to `/connect`, in any state.

        Args:
            tenant: The tenant, or its id.
            user_id: The user's id; None for a guest.
            name: The user's name.
            email: The user's e-mail address.
            agent_id: The agent; None for the tenant's default.
            origin: The page's origin; None for the first that the tenant names in full.
            state: `good`, `expired`, `not_yet`, `foreign`, `tampered`, `unsigned`,
                `wrong_audience`, `wrong_issuer`. By the server's clock: as long as that isn't
                moved, everybody's.

        Raises:
            LookupError: There is no such tenant, or it names no origin in full.
            ValueError: There is no such state; the message has those that there are.
        """
        person = Person(user_id, name, email)
        return self._mint(tenant, agent_id).session(person, self._origin(tenant, origin), state)

    def refresh_token(
        self,
        tenant: Tenant | str,
        *,
        user_id: str | None = None,
        origin: str | None = None,
        state: RefreshState = "good",
    ) -> str:
        """Mint what renews a session, in any state.

        Args:
            tenant: The tenant, or its id.
            user_id: The user's id; None for a guest.
            origin: The page's origin, which alone may present it; None for the first that the
                tenant names in full.
            state: `good`, `expired`, `rotated` (twice, so that to present it is reuse),
                `in_grace` (once, this moment, so that its successor is given again), `revoked`,
                `foreign`, `tampered`.

        Raises:
            LookupError: There is no such tenant, or it names no origin in full.
            ValueError: There is no such state; the message has those that there are.
        """
        mint = self._mint(tenant, None)
        return mint.refresh(Person(user_id), self._origin(tenant, origin), state)

    def verify(self, token: str) -> Session:
        """Verify a session token as a `/connect` service does, but at the server's time.

        Args:
            token: The session token.

        Raises:
            InvalidSession: It is anything else than a live session token of this server.

        Returns:
            The session, as `kataven_flask.verify` has it.
        """
        try:
            claims = self._server.tokens.verify_session(token, self._server.clock())
        except BadTokenError as error:
            raise InvalidSession(f"not a live session token: {error}") from None
        session = claims.session
        return Session(
            visitor_id=session.sub,
            visitor_type=session.visitor_type,
            session_id=session.sid,
            tenant=session.tenant,
            agent_id=session.agent_id,
            client_key=session.client_key,
            origin=session.origin,
            auth_time=session.auth_time,
            expires_at=claims.exp,
            name=session.name,
            email=session.email,
            guest_id=session.guest_id,
        )

    # --- over HTTP

    def guest(
        self, tenant: Tenant, *, origin: str | None = None, agent_id: str | None = None
    ) -> Visitor:
        """Begin a guest's session over HTTP, as a page does.

        Args:
            tenant: The tenant.
            origin: The page's origin; None for the first that the tenant names in full.
            agent_id: The agent that is asked for.

        Raises:
            RefusedError: The server has refused it, with this `status` and `code`.
            OSError: The connection was closed without an answer.

        Returns:
            The session.
        """
        body = {"client_key": tenant.client_key, "agent_id": agent_id}
        return begin_session(self._server.url, "guest", body, self._origin(tenant, origin))

    def sign_in(  # noqa: PLR0913 - a member of the token each
        self,
        tenant: Tenant,
        *,
        user_id: str = "42",
        name: str | None = None,
        email: str | None = None,
        agent_id: str | None = None,
        origin: str | None = None,
    ) -> Visitor:
        """Sign a user in over HTTP: `user-token` as the backend does, `exchange` as its page.

        Raises:
            RefusedError: The server has refused one of them, with this `status` and `code`.
            OSError: The connection was closed without an answer.

        Returns:
            The session.
        """
        body = {
            "client_key": tenant.client_key,
            "user_id": user_id,
            "name": name,
            "email": email,
            "agent_id": agent_id,
        }
        secret = {"Authorization": f"Bearer {tenant.secret_key}"}
        minted = post(self._server.url, "user-token", body, secret)
        return self.exchange(tenant, minted["user_token"], origin=origin)

    def exchange(
        self,
        tenant: Tenant,
        token: str,
        *,
        origin: str | None = None,
        guest_token: str | None = None,
    ) -> Visitor:
        """Exchange a visitor token over HTTP, as a page does.

        Args:
            tenant: The tenant.
            token: The visitor token.
            origin: The page's origin; None for the first that the tenant names in full.
            guest_token: The session token of the guest that the user was before.

        Raises:
            RefusedError: The server has refused it, with this `status` and `code`.
            OSError: The connection was closed without an answer.

        Returns:
            The session.
        """
        body = {"token": token, "client_key": tenant.client_key, "guest_token": guest_token}
        return begin_session(self._server.url, "exchange", body, self._origin(tenant, origin))

    def refresh(self, session: Visitor | str, *, origin: str | None = None) -> Visitor:
        """Renew a session over HTTP, as its page does.

        Args:
            session: The session, or a refresh token.
            origin: The page's origin; None for the session's own.

        Raises:
            RefusedError: The server has refused it, with this `status` and `code`.
            OSError: The connection was closed without an answer.
            TypeError: It is a refresh token, and the origin is missing.

        Returns:
            The session with its new tokens.
        """
        token, own = _presented(session, origin)
        return begin_session(self._server.url, "refresh", {"refresh_token": token}, own)

    def logout(self, session: Visitor | str, *, origin: str | None = None) -> None:
        """End a session over HTTP, as its page does.

        Args:
            session: The session, or a refresh token.
            origin: The page's origin; None for the session's own.

        Raises:
            RefusedError: The server has refused it, with this `status` and `code`.
            OSError: The connection was closed without an answer.
            TypeError: It is a refresh token, and the origin is missing.
        """
        token, own = _presented(session, origin)
        post(self._server.url, "logout", {"refresh_token": token}, {"Origin": own})

    def _mint(self, tenant: Tenant | str, agent_id: str | None) -> Mint:
        return Mint(self._server, self._record(tenant), agent_id)

    def _record(self, tenant: Tenant | str) -> KeyRecord:
        registry = self._server.registry
        if isinstance(tenant, Tenant):
            key: str | None = tenant.client_key
        else:
            entry = registry.tenants.get(tenant)
            key = entry.keys[0].client_key if entry and entry.keys else None
        record = registry.keys.get(key or "")
        if record is None:
            name = tenant.id if isinstance(tenant, Tenant) else tenant
            raise LookupError(f"this server has no tenant {name!r} with a client key")
        return record

    def _origin(self, tenant: Tenant | str, given: str | None) -> str:
        """Return the origin that is given, as a browser writes it, or else the tenant's own."""
        if given is not None:
            origin = Origin.parse(given)
            return given if origin is None else str(origin)
        try:  # as it is now, whatever it was when the test was given it
            record = self._record(tenant)
        except LookupError:
            if isinstance(tenant, Tenant):
                return tenant.origin
            raise
        return first_origin(record.tenant_id, record.key.domain_allowlist)


def _presented(session: Visitor | str, origin: str | None) -> tuple[str, str]:
    if isinstance(session, Visitor):
        return session.refresh_token, origin or session.origin
    if origin is None:
        raise TypeError("a refresh token is presented by its session's own page: add origin=…")
    return session, origin
