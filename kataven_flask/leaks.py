"""Secret keys where they must never be: in a page, or in the place of a client key."""

from __future__ import annotations

from datetime import UTC, datetime

from kataven_flask.event_log import EventLog
from kataven_flask.keys import hash_secret_key, same_hash
from kataven_flask.messages import Caller
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.security_events import Event
from kataven_flask.tenants import Secret


def find_secret(registry: Registry, secret_key: str) -> tuple[KeyRecord, Secret] | None:
    """Find whose a secret key is, live or past its time; None where it is nobody's."""
    presented = hash_secret_key(secret_key)
    found = registry.secrets.get(presented)
    return found if found is not None and same_hash(found[1].hash, presented) else None


def is_live(secret: Secret, now: float) -> bool:
    """Tell whether a secret key is taken at a time, in seconds since the epoch."""
    return secret.is_live(datetime.fromtimestamp(now, UTC))


def tell_of_browser(registry: Registry, caller: Caller, events: EventLog, now: float) -> None:
    """Tell that a browser called what is for backends, and whose key it had, if it had one."""
    found = find_secret(registry, caller.secret_key) if caller.secret_key else None
    leaked = found is not None and is_live(found[1], now)
    events.tell(
        Event.SECRET_KEY_FROM_BROWSER if leaked else Event.BACKEND_CALLED_BY_BROWSER,
        client_key="" if found is None else found[0].key.client_key,
        origin=caller.origin,
    )


def tell_of_client_key(
    registry: Registry, secret_key: str, caller: Caller, events: EventLog, now: float
) -> None:
    """Tell that a secret key was sent as `client_key`, and whose it is, if it is one of ours."""
    found = find_secret(registry, secret_key)
    if found is None or not is_live(found[1], now):
        events.tell(Event.SECRET_KEY_WRONG)
        return
    events.tell(
        Event.SECRET_KEY_AS_CLIENT_KEY,
        client_key=found[0].key.client_key,
        origin=caller.origin,
    )
