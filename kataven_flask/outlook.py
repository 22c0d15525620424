"""What a token that was minted here meets today: its key, agent, origin and age by the file.

An edit of the tenants' file ends what it covers. Each thing is looked at by itself, so
that an operator reads all of them, and not the first that a request would fail at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from kataven_flask import errors
from kataven_flask.checks import require_auth_mode, resolve_agent
from kataven_flask.origins import Origin
from kataven_flask.recognition import Kind, Unverified
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.tenants import VisitorType
from kataven_flask.times import span

Claims: TypeAlias = Mapping[str, Any]

_LONGEST: Final = 120
"""Characters of a stranger's value that a sentence may have."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is wrong.

    Args:
        code: Its name, for a script.
        text: What it is and what to do, in an operator's words.
    """

    code: str
    text: str


def file_reasons(found: Unverified, registry: Registry, now: float) -> Iterator[Reason]:
    """Find why the tenants' file refuses what a token of ours stands for.

    Args:
        found: A visitor, session or refresh token.
        registry: The tenants.
        now: Seconds since the epoch.

    Yields:
        The reasons why it can't be exchanged, or its session not be refreshed.
    """
    claims = found.claims
    client_key = text_of(claims.get("client_key"))
    if not client_key:
        return
    record = registry.keys.get(client_key)
    if record is None:
        yield Reason("unknown_client_key", f"no tenant has its client key, {shown(client_key)}")
        return
    yield from _key_reasons(record, now)
    yield from _agent_reasons(record, found)
    if found.kind is not Kind.VISITOR:
        yield from _origin_reasons(record, text_of(claims.get("origin")))
        yield from _age_reasons(record, claims, now)


def _key_reasons(record: KeyRecord, now: float) -> Iterator[Reason]:
    key = record.key
    if not key.enabled:
        yield Reason("key_disabled", f"its client key {key.name!r} is switched off (enabled)")
    if key.not_after is not None and key.not_after <= datetime.fromtimestamp(now, UTC):
        yield Reason(
            "key_ended", f"its client key {key.name!r} ended {_utc(key.not_after)} (not_after)"
        )


def _agent_reasons(record: KeyRecord, found: Unverified) -> Iterator[Reason]:
    asked = text_of(found.claims.get("agent_id")) or None
    visits = found.kind is Kind.VISITOR
    try:
        agent_id, agent = resolve_agent(record, asked)
        if not visits and asked and agent_id != asked:
            text = f"its client key serves {agent_id} now, and no longer {shown(asked)}"
            yield Reason("agent_disabled", text)
        require_auth_mode(agent_id, agent, "user" if visits else _visitor_type(found.claims))
    except errors.Refusal as refusal:
        yield Reason(refusal.code, f"agent {shown(asked)}: {refusal.detail}")


def _origin_reasons(record: KeyRecord, text: str) -> Iterator[Reason]:
    origin = Origin.parse(text)
    if text and (origin is None or not record.key.admits(origin)):
        yield Reason(
            "origin_not_allowed",
            f"its origin {shown(text)} is not in the allowlist now; `kataven-flask origins explain`"
            " says why",
        )


def _age_reasons(record: KeyRecord, claims: Claims, now: float) -> Iterator[Reason]:
    began_ms, auth_time = whole(claims.get("began_ms")), whole(claims.get("auth_time"))
    if began_ms is None and auth_time is not None:
        began_ms = auth_time * 1000
    if began_ms is None:
        return
    not_before = record.key.sessions_not_before
    if not_before is not None and began_ms < not_before.timestamp() * 1000:
        text = f"sessions that began before {_utc(not_before)} were ended (sessions_not_before)"
        yield Reason("revoked_session", text)
    who = _visitor_type(claims)
    max_age = record.tokens.max_age(who)
    if began_ms // 1000 + max_age <= now:
        yield Reason("session_ended", f"its session is older than {span(max_age)} ({who}_max_age)")


def _visitor_type(claims: Claims) -> VisitorType:
    return "guest" if claims.get("visitor_type") == "guest" else "user"


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# --- a stranger's values


def text_of(value: object) -> str:
    """Return a value that is text, and no text for any other."""
    return value if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """Return a value that is a whole number, and None for any other."""
    return value if type(value) is int else None


def shown(value: object) -> str:
    """Quote a stranger's value within a sentence, whatever it is."""
    text = repr(value)  # which escapes what a terminal would obey
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
