"""A session's life: tokens verified, spent, rotated and granted; what touches state is here."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from typing import Final

from kataven_flask import errors
from kataven_flask.messages import SessionGrant
from kataven_flask.registry import KeyRecord
from kataven_flask.store import Outcome, Presented, Rotation, Store
from kataven_flask.tenants import MAX_REFRESH_TTL
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

_security = logging.getLogger("kataven_flask.security")


class Sessions:
    """The steps of the use cases that verify, remember or mint.

    Args:
        store: The state store.
        clock: Gives the seconds since the epoch.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        return int(self._clock() * 1000)

    def verified_visitor(self, tokens: Tokens, token: str | None) -> VisitorClaims:
        """Return a visitor token's claims, or raise the refusal of `exchange` that fits."""
        if not token:
            raise errors.MissingToken("send the visitor token of your backend as `token`")
        try:
            return tokens.verify_visitor(token, self._clock())
        except TokenExpiredError as error:
            raise errors.ExpiredToken("mint a new one with user-token") from error
        except BadTokenError as error:
            raise errors.InvalidToken(f"{error}; mint one with user-token") from error

    def verified_refresh(self, tokens: Tokens, refresh_token: str | None) -> RefreshClaims:
        """Return what a refresh token carries, or raise the refusal that fits."""
        if not refresh_token:
            raise errors.MissingRefreshToken("send the last refresh_token you were given")
        try:
            return tokens.verify_refresh(refresh_token)
        except BadTokenError as error:
            raise errors.InvalidRefreshToken(f"{error}; begin a new session") from error

    def spend(self, visitor: VisitorClaims) -> None:
        """Spend a visitor token, unless its user was revoked after it was minted."""
        revoked_ms = self._store.user_revoked_ms(_user_digest(visitor.tenant, visitor.sub))
        if revoked_ms is not None and visitor.iat < revoked_ms // 1000:
            raise errors.InvalidToken("its user was revoked since; mint a new one with user-token")
        now = int(self._clock())
        if not self._store.spend(visitor.jti, keep_until=visitor.exp + CLOCK_SKEW, now=now):
            _security.warning("visitor token replayed: %s of %s", visitor.jti, visitor.client_key)
            raise errors.UsedToken("a visitor token is good for one exchange; mint a new one")

    def guest_id(self, tokens: Tokens, guest_token: str | None, client_key: str) -> str | None:
        """Return the guest that a live session token of the same key speaks for, if any."""
        if not guest_token:
            return None
        try:
            guest = tokens.verify_session(guest_token, self._clock()).session
        except BadTokenError:
            return None
        is_guest = guest.client_key == client_key and guest.visitor_type == "guest"
        return guest.sub if is_guest else None

    def rotate(self, record: KeyRecord, claims: RefreshClaims) -> Rotation:
        """Rotate a session, or raise ReusedRefreshToken or RevokedSession."""
        session = claims.session
        now_ms = self.now_ms()
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

    def end(self, session: Session) -> None:
        """End a session for good."""
        now = int(self._clock())
        self._store.revoke_session(session.sid, keep_until=_last_exp(now), now=now)

    def end_user(self, tenant_id: str, user_id: str) -> None:
        """End every session that a user began before now."""
        now_ms = self.now_ms()
        self._store.revoke_user(
            _user_digest(tenant_id, user_id), at_ms=now_ms, keep_until=_last_exp(now_ms // 1000)
        )

    def grant(
        self,
        tokens: Tokens,
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
        return SessionGrant(
            session=session,
            token=tokens.mint_session(SessionClaims(session, new_id("tok"), now, expires_at)),
            expires_at=expires_at,
            refresh_token=tokens.mint_refresh(
                RefreshClaims(session, generation, issued, refresh_expires_at)
            ),
            refresh_expires_at=refresh_expires_at,
            server_time=now,
        )


def _last_exp(now: int) -> int:
    """Return when the last refresh token that may be out by now has ended."""
    return now + MAX_REFRESH_TTL + CLOCK_SKEW


def _user_digest(tenant_id: str, user_id: str) -> str:
    """Name a user in the store without keeping who it is."""
    return hashlib.sha256(f"{tenant_id}\0{user_id}".encode()).hexdigest()


def new_id(prefix: str) -> str:
    """Return a fresh id that nobody can guess, for example `ses_…`."""
    return f"{prefix}_{secrets.token_urlsafe(_ID_BYTES)}"
