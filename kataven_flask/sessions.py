"""A session's life: tokens verified, spent, rotated and granted; what touches state is here."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Final

from kataven_flask import errors
from kataven_flask.durations import HOUR
from kataven_flask.event_log import Person
from kataven_flask.log import Log
from kataven_flask.messages import SessionGrant
from kataven_flask.observer import NOBODY, Observer
from kataven_flask.registry import KeyRecord
from kataven_flask.security_events import Event
from kataven_flask.store import (
    Outcome,
    PresentedRefresh,
    PresentedVisitor,
    Rotation,
    Spending,
    Store,
)
from kataven_flask.store.base import shard_of
from kataven_flask.tenants import MAX_REFRESH_TTL
from kataven_flask.tokens import (
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
_SESSION_ID: Final = re.compile(r"ses_[0-9a-f]{2}[A-Za-z0-9_-]{22}")

CLOCK_FAULT: Final = 2 * HOUR
"""Seconds that an entry of the store outlives what it stands for: a clock that is wrong by
no more forgets nothing that it, or another host's, may be asked for again."""

_MINT: Final = "mint a new one with user-token"

_log = Log(__name__)


def _tell_nobody(*_: object, **__: object) -> None:
    """Tell nobody: it is the operator who ends something."""


class Sessions:
    """The steps of the use cases that verify, remember or mint.

    Args:
        store: The state store.
        clock: Gives the seconds since the epoch.
        tell: Tells a security event, as `EventLog.tell` does.
        observer: Is told what is done.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tell: Callable[..., None] = _tell_nobody,
        observer: Observer = NOBODY,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._observer = observer

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
            raise errors.ExpiredToken(_MINT) from error
        except BadTokenError as error:
            self._tell(Event.TOKEN_INVALID, why=str(error))
            raise errors.InvalidToken(f"{error}; mint one with user-token") from error

    def verified_refresh(self, tokens: Tokens, refresh_token: str | None) -> RefreshClaims:
        """Return what a refresh token carries, or raise the refusal that fits."""
        if not refresh_token:
            raise errors.MissingRefreshToken("send the last refresh_token you were given")
        try:
            return tokens.verify_refresh(refresh_token)
        except BadTokenError as error:
            self._tell(Event.TOKEN_INVALID, why=str(error))
            raise errors.InvalidRefreshToken(f"{error}; begin a new session") from error

    def spend(self, visitor: VisitorClaims) -> None:
        """Spend a visitor token, or raise InvalidToken or UsedToken."""
        spending = self._store.spend(
            PresentedVisitor(
                jti=visitor.jti,
                user=user_digest(visitor.tenant, visitor.sub),
                client_key=visitor.client_key,
                minted=visitor.iat,
                now_ms=self.now_ms(),
                keep_until=visitor.exp + CLOCK_FAULT,
            )
        )
        match spending:
            case Spending.SPENT:
                return
            case Spending.USED:
                self._tell(
                    Event.VISITOR_TOKEN_REPLAYED,
                    client_key=visitor.client_key,
                    token=visitor.jti,
                    person=Person(visitor.tenant, visitor.sub),
                )
                raise errors.UsedToken("a visitor token is good for one exchange; mint a new one")
            case Spending.REVOKED:
                raise errors.InvalidToken(f"its user or its client_key was revoked since; {_MINT}")
            case Spending.UNKNOWN:
                raise errors.InvalidToken(f"the state store is younger than it; {_MINT}")

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
        presented = PresentedRefresh(
            sid=session.sid,
            user=user_digest(session.tenant, session.sub) if is_user else None,
            client_key=session.client_key,
            generation=claims.generation,
            began_ms=session.began_ms,
            now_ms=now_ms,
            grace_ms=record.tokens.refresh_grace * 1000,
            # Kept as long as the older token and its successor, so that neither outlives it.
            keep_until=CLOCK_FAULT + max(claims.exp, now_ms // 1000 + record.tokens.refresh_ttl),
        )
        rotation = self._store.rotate(presented)
        self._observer.presented(rotation.outcome.name)
        match rotation.outcome:
            case Outcome.REUSED:
                self._tell_of(Event.REFRESH_TOKEN_REUSED, session)
                raise errors.ReusedRefreshToken("it was rotated before, so its session is over")
            case Outcome.UNTIMELY:
                _log.error(
                    "this host's clock is behind the one that rotated it", session=session.sid
                )
                raise errors.ReusedRefreshToken("it was rotated before; use its successor")
            case Outcome.REVOKED:
                raise errors.RevokedSession("it was ended; begin a new session")
            case Outcome.UNKNOWN:
                self._tell_of(Event.SESSION_WITHOUT_RECORD, session)
                raise errors.RevokedSession("no record of it is left; begin a new session")
            case Outcome.ROTATED | Outcome.REPEATED:
                return rotation

    def end(self, claims: RefreshClaims) -> None:
        """End the session of a refresh token for good.

        A token of it that outlives this one has left a record, which is kept as long.
        """
        self._store.revoke_session(
            claims.session.sid, keep_until=claims.exp + CLOCK_FAULT, now=int(self._clock())
        )
        self._observer.ended("session")

    def end_session(self, sid: str) -> None:
        """End a session for good, of which its id alone is known."""
        now = int(self._clock())
        self._store.revoke_session(sid, keep_until=_last_exp(now), now=now)

    def end_user(self, tenant_id: str, user_id: str) -> None:
        """End every session that a user began before now."""
        now_ms = self.now_ms()
        user = user_digest(tenant_id, user_id)
        self._store.revoke_user(user, at_ms=now_ms, keep_until=_last_exp(now_ms // 1000))
        self._observer.ended("user")

    def end_key(self, client_key: str) -> None:
        """End every session that was begun with a client key before now."""
        now_ms = self.now_ms()
        self._store.revoke_key(client_key, at_ms=now_ms, keep_until=_last_exp(now_ms // 1000))

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
        granted = SessionGrant(
            session=session,
            token=tokens.mint_session(SessionClaims(session, new_id("tok"), now, expires_at)),
            expires_at=expires_at,
            refresh_token=tokens.mint_refresh(
                RefreshClaims(session, generation, issued, refresh_expires_at)
            ),
            refresh_expires_at=refresh_expires_at,
            server_time=now,
        )
        self._observer.minted("refresh" if rotation else session.visitor_type)
        return granted

    def _tell_of(self, event: Event, session: Session) -> None:
        self._tell(
            event,
            client_key=session.client_key,
            session=session.sid,
            person=Person.of(session),
        )


def _last_exp(now: int) -> int:
    """Return when the last refresh token that may be out by now has ended."""
    return now + MAX_REFRESH_TTL + CLOCK_FAULT


def user_digest(tenant_id: str, user_id: str) -> str:
    """Name a user in the store without keeping who it is."""
    return hashlib.sha256(f"{tenant_id}\0{user_id}".encode()).hexdigest()


def is_session_id(text: str) -> bool:
    """Tell whether a text looks like a session's id."""
    return _SESSION_ID.fullmatch(text) is not None


def new_session_id(user: str | None) -> str:
    """Return a fresh session id; of a user's session, given their digest, with their shard."""
    shard = shard_of(user) if user else secrets.token_hex(1)
    return f"ses_{shard}{secrets.token_urlsafe(_ID_BYTES)}"


def new_id(prefix: str) -> str:
    """Return a fresh id that nobody can guess, for example `tok_…`."""
    return f"{prefix}_{secrets.token_urlsafe(_ID_BYTES)}"
