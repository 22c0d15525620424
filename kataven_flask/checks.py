"""The checks that use cases share: each returns what it found, or raises the refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Protocol

from kataven_flask import errors
from kataven_flask.event_log import EventLog, Person
from kataven_flask.messages import Caller
from kataven_flask.origins import Origin
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.security_events import Event
from kataven_flask.tenants import Agent, VisitorType
from kataven_flask.tokens import Session

_NO_ORIGIN: Final = "the request has no readable Origin or Referer; a browser sends one by itself"


class Throttle(Protocol):
    """Counts requests."""

    def admit(self, policy: str, key: str, address: str, per_minute: int | None) -> None:
        """Count one request; raise RateLimited where it is one too many."""
        ...

    def has_room(self, policy: str, address: str, per_minute: int | None) -> bool:
        """Tell whether something is left of a limit that only some requests count against."""
        ...

    def charge(self, policy: str, address: str, per_minute: int | None) -> None:
        """Count one request against such a limit; raise RateLimited where it is one too many."""
        ...


def find_key(registry: Registry, client_key: str | None) -> KeyRecord:
    """Find a client key's record, or raise MissingClientKey or UnknownClientKey."""
    if not client_key:
        raise errors.MissingClientKey("send the pk_… key of the page's snippet as client_key")
    record = registry.keys.get(client_key)
    if record is None:
        leaked = client_key.startswith("sk_")
        raise errors.UnknownClientKey(
            "this is a secret key, and now it has been seen: rotate it, and use the pk_… key"
            if leaked
            else "no tenant has it; copy the key from the snippet again"
        )
    return record


def require_live(record: KeyRecord, now: float) -> None:
    """Raise ClientKeyDisabled where a key is switched off or past its `not_after`."""
    if not record.key.is_live(datetime.fromtimestamp(now, UTC)):
        raise errors.ClientKeyDisabled("it is switched off, or past its time; ask its operator")


def require_origin(
    record: KeyRecord, caller: Caller, events: EventLog, words: str | None = None
) -> Origin:
    """Return the caller's origin, or raise OriginNotAllowed where the allowlist doesn't admit it.

    What would have admitted it goes to the log, for the operator, and not to the stranger.
    """
    if caller.origin is not None and record.key.admits(caller.origin):
        return caller.origin
    events.tell(Event.ORIGIN_REFUSED, client_key=record.key.client_key, origin=caller.origin)
    if caller.origin is None:
        raise errors.OriginNotAllowed(_NO_ORIGIN, words=words)
    raise errors.OriginNotAllowed(f"{caller.origin} is not one of its origins", words=words)


def require_origin_of(session: Session, caller: Caller, events: EventLog) -> None:
    """Raise OriginNotAllowed where a session is used from another origin than its own."""
    if caller.origin is None:
        events.tell(Event.ORIGIN_REFUSED, client_key=session.client_key)
        raise errors.OriginNotAllowed(_NO_ORIGIN)
    if str(caller.origin) != session.origin:
        events.tell(
            Event.SESSION_FROM_ANOTHER_ORIGIN,
            client_key=session.client_key,
            session=session.sid,
            person=Person.of(session),
            origin=caller.origin,
        )
        raise errors.OriginNotAllowed(
            f"the session was begun on another origin than {caller.origin}"
        )


def resolve_agent(record: KeyRecord, asked: str | None) -> tuple[str, Agent]:
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


def require_auth_mode(agent_id: str, agent: Agent, visitor_type: VisitorType) -> None:
    """Raise AuthModeForbidden where an agent doesn't talk to this type of visitor."""
    if not agent.admits(visitor_type):
        who = "guests" if visitor_type == "guest" else "signed-in users"
        raise errors.AuthModeForbidden(f"{agent_id} doesn't admit {who}")


def require_age(record: KeyRecord, session: Session, now: float) -> None:
    """Hold a session against the oldest it may grow, and against the key's cut-off."""
    if session.auth_time + record.tokens.max_age(session.visitor_type) <= now:
        raise errors.ExpiredRefreshToken("the session has reached its end; begin a new one")
    not_before = record.key.sessions_not_before
    if not_before is not None and session.began_ms < not_before.timestamp() * 1000:
        raise errors.RevokedSession("the operator has ended it; begin a new session")
