"""Secret keys: whose one is, and those that turn up where they must never be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from kataven_flask import errors
from kataven_flask.checks import Throttle
from kataven_flask.event_log import EventLog
from kataven_flask.keys import hash_secret_key, same_hash
from kataven_flask.messages import Caller
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.security_events import Event
from kataven_flask.sessions import Clock
from kataven_flask.tenants import Secret

_NO_SECRET: Final = "send the tenant's secret key as `Authorization: Bearer sk_…`"  # noqa: S105 - words
_NOT_SECRET: Final = "this is no secret key; send the tenant's, which begins with sk_"  # noqa: S105 - words
_WRONG_SECRET: Final = "it is nobody's secret key; is it whole, and of this server?"  # noqa: S105 - words


class SecretKeys:
    """Tells backends by their secret keys, and the operator of those that are misused.

    Args:
        throttle: The rate limits.
        events: Tells security events.
        clock: Gives the seconds since the epoch.
    """

    def __init__(self, throttle: Throttle, events: EventLog, clock: Clock) -> None:
        self._throttle = throttle
        self._events = events
        self._clock = clock

    def authenticate(self, registry: Registry, caller: Caller) -> KeyRecord:
        """Find whose secret key a backend's request carries.

        Raises:
            BrowserForbidden: A browser sent it.
            InvalidApiKey: It carries none, or one that isn't live.
            RateLimited: The secret key is used too often, or too many wrong ones came.

        Returns:
            The client key that it belongs to.
        """
        if caller.is_browser:
            self._tell_of_browser(registry, caller)
            raise errors.BrowserForbidden(
                "call this from your backend; a secret key in a page is a leak: rotate it"
            )
        record, secret = self._require_live(registry, caller)
        # By the secret key: who floods with one that leaked doesn't lock its replacement out.
        limit = record.limits.user_token_per_minute
        self._throttle.admit("user-token", secret.hash, "", limit)
        return record

    def tell_of_client_key(self, registry: Registry, secret_key: str, caller: Caller) -> None:
        """Tell that a secret key was sent as `client_key`, and whose, if it is one of ours."""
        found = _find(registry, secret_key)
        if found is None or not self._is_live(found[1]):
            self._events.tell(Event.SECRET_KEY_WRONG)
            return
        client_key = found[0].key.client_key
        self._events.tell(
            Event.SECRET_KEY_AS_CLIENT_KEY, client_key=client_key, origin=caller.origin
        )

    def _require_live(self, registry: Registry, caller: Caller) -> tuple[KeyRecord, Secret]:
        if not caller.secret_key:
            raise errors.InvalidApiKey(_NO_SECRET)
        found = _find(registry, caller.secret_key)
        if found is None:
            self._events.tell(Event.SECRET_KEY_WRONG)
            # Only wrong ones count, or a stranger who shares an address with a tenant's backend
            # would lock that out; and nobody guesses 256 bits, however many are answered.
            limit = registry.limits.wrong_secret_per_minute
            self._throttle.admit("wrong-secret", "", caller.address, limit)
            is_secret = caller.secret_key.startswith("sk_")
            raise errors.InvalidApiKey(_WRONG_SECRET if is_secret else _NOT_SECRET)
        record, secret = found
        if not self._is_live(secret):
            self._events.tell(Event.SECRET_KEY_EXPIRED, client_key=record.key.client_key)
            raise errors.InvalidApiKey("this secret key is past its not_after; use the new one")
        return found

    def _tell_of_browser(self, registry: Registry, caller: Caller) -> None:
        """Tell that a browser called what is for backends, and whose key it had, if it had one."""
        found = _find(registry, caller.secret_key) if caller.secret_key else None
        leaked = found is not None and self._is_live(found[1])
        self._events.tell(
            Event.SECRET_KEY_FROM_BROWSER if leaked else Event.BACKEND_CALLED_BY_BROWSER,
            client_key="" if found is None else found[0].key.client_key,
            origin=caller.origin,
        )

    def _is_live(self, secret: Secret) -> bool:
        return secret.is_live(datetime.fromtimestamp(self._clock(), UTC))


def _find(registry: Registry, secret_key: str) -> tuple[KeyRecord, Secret] | None:
    """Find whose a secret key is, live or past its time; None where it is nobody's."""
    presented = hash_secret_key(secret_key)
    found = registry.secrets.get(presented)
    return found if found is not None and same_hash(found[1].hash, presented) else None
