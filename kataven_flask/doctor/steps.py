"""What a step is, what it comes to, and the visit that steps share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from kataven_flask.body import parse_object
from kataven_flask.doctor import words
from kataven_flask.doctor.browser import JSON, PROBLEM, api_headers, unreadable
from kataven_flask.doctor.target import API, Target
from kataven_flask.doctor.wire import Answer, Client, Unreachable
from kataven_flask.doctor.words import Finding
from kataven_flask.errors import InvalidBody

State = Literal["ok", "warning", "failed", "skipped"]

_CODE: Final = re.compile(r"[a-z][a-z_]{1,39}")
_SECONDS: Final = re.compile(r"[0-9]{1,5}")
_LATE: Final = 2**33
"""Seconds since the epoch: no clock shows a time after this one (2242)."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step came to.

    Args:
        summary: A few words for its line.
        answer: The answer, if it had one.
        state: How it went.
        findings: What to know, and what to do next.
        code: The error code, if it was refused with one.
        ms: How long it took in milliseconds, where there was no answer.
    """

    summary: str
    answer: Answer | None = field(default=None, repr=False)
    state: State = "ok"
    findings: tuple[Finding, ...] = ()
    code: str | None = None
    ms: int | None = None


class Stop(Exception):
    """A step can't go on.

    Args:
        result: What it came to.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(result.summary)
        self.result = result


@dataclass(frozen=True, slots=True)
class Step:
    """A step and what it came to; nothing in it is a token or a secret.

    Args:
        name: Its name.
        state: How it went.
        summary: A few words.
        status: The answer's status, if there was one.
        ms: How long it took, in milliseconds.
        code: The error code, if it was refused with one.
        findings: What to know, and what to do next.
    """

    name: str
    state: State
    summary: str
    status: int | None = None
    ms: int | None = None
    code: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """A session as the server gave it.

    Args:
        token: The session token.
        refresh_token: The refresh token.
        session_id: The session's id.
        agent_id: The agent.
        visitor_id: The visitor's id.
        visitor_type: `guest` or `user`.
        server_time: The server's clock, in seconds since the epoch; None where it doesn't say.
    """

    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    session_id: str
    agent_id: str
    visitor_id: str = field(repr=False)
    visitor_type: str
    server_time: float | None


@dataclass(slots=True)
class Visit:
    """What the steps learn on their way.

    Args:
        target: What is examined.
        client: Sends the requests.
        clock: Gives the seconds since the epoch.
        secret_key: The secret key, where the signed-in half is examined too.
        tenant_id: The tenant's id, once `config` has said it.
        agent_id: The agent's id, once `config` has said it.
        keys: The server's public keys, once they have been fetched.
        grant: The session, as its last answer gave it.
        spare: The refresh token that was rotated away last.
        visitor_token: The visitor token.
        ahead: Seconds that the server's clock is ahead of this one, once that is known.
    """

    target: Target
    client: Client
    clock: Callable[[], float]
    secret_key: str | None = field(default=None, repr=False)
    tenant_id: str = ""
    agent_id: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    grant: Grant | None = field(default=None, repr=False)
    spare: str = field(default="", repr=False)
    visitor_token: str = field(default="", repr=False)
    ahead: float | None = None

    @property
    def session(self) -> Grant:
        """The session that an earlier step began."""
        if self.grant is None:
            raise RuntimeError("a step that needs a session runs after the one that begins it")
        return self.grant

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send a request, or stop where no answer came or it is a redirect."""
        try:
            answer = self.client.send(method, f"{self.target.path}{path}", headers, body)
        except Unreachable as error:
            finding = words.no_answer(error.reason, self.target, self.client.timeout)
            raise Stop(Result("no answer", None, "failed", (finding,), ms=error.ms)) from error
        if 300 <= answer.status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
            finding = words.redirected(answer.header("Location"))
            raise Stop(Result("a redirect", answer, "failed", (finding,)))
        return answer

    def post(
        self,
        action: str,
        body: Mapping[str, str | None],
        content_type: str = JSON,
        target: Target | None = None,
    ) -> Answer:
        """Post as the page does; members without a value are left out."""
        headers = api_headers(target or self.target, "POST", content_type)
        return self.ask("POST", f"{API}/auth/{action}", headers, as_json(body))


def as_json(body: Mapping[str, str | None]) -> bytes:
    """Write a body; members without a value are left out."""
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


# --- reading an answer


def failure(answer: Answer, summary: str, *findings: Finding) -> Stop:
    """Return what stops a step whose answer isn't what it should be."""
    return Stop(Result(summary, answer, "failed", findings))


def code_of(answer: Answer) -> str | None:
    """Return the error code of a refusal, or None where it isn't one of this service's."""
    code = answer.header("X-Error-Code")
    if code is None and answer.content_type in {JSON, PROBLEM}:
        with suppress(InvalidBody):
            code = parse_object(answer.body).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def refusal(answer: Answer, target: Target, *, of_page: bool = True) -> Stop:
    """Return what stops a step that was refused.

    Args:
        answer: The answer.
        target: What was examined.
        of_page: Whether a page has to be able to read it.

    Returns:
        What to raise.
    """
    code = code_of(answer)
    if code is None and answer.is_web_page and answer.status not in words.NO_SERVER:
        return failure(answer, "a web page", words.WEB_PAGE)
    seconds = answer.header("Retry-After") or ""
    retry_after = int(seconds) if _SECONDS.fullmatch(seconds) else None
    finding = words.refused(code, answer.status, target, retry_after)
    unread = unreadable(answer, target) if of_page else None
    findings = (finding,) if unread is None else (finding, unread)
    return Stop(Result(code or "refused", answer, "failed", findings, code=code))


def require_status(
    answer: Answer, target: Target, *, status: int = 200, of_page: bool = True
) -> None:
    """Stop where an answer has another status, or where a page couldn't read it."""
    if answer.status != status:
        raise refusal(answer, target, of_page=of_page)
    unread = unreadable(answer, target) if of_page else None
    if unread is not None:
        raise failure(answer, "the page can't read it", unread)


def members_of(answer: Answer) -> dict[str, Any]:
    """Read a JSON object, or stop."""
    try:
        return parse_object(answer.body)
    except InvalidBody as error:
        if answer.is_web_page:
            raise failure(answer, "a web page", words.WEB_PAGE) from error
        raise failure(answer, "no JSON object", words.NOT_OURS) from error


def grant_of(answer: Answer, target: Target) -> Grant:
    """Read a session, or stop."""
    require_status(answer, target)
    members = members_of(answer)
    visitor = members.get("visitor")
    if not isinstance(visitor, dict):
        visitor = {}
    texts = {
        "token": members.get("token"),
        "refresh_token": members.get("refresh_token"),
        "session_id": members.get("session_id"),
        "agent_id": members.get("agent_id"),
        "visitor_id": visitor.get("id"),
        "visitor_type": visitor.get("type"),
    }
    missing = [name for name, value in texts.items() if not (isinstance(value, str) and value)]
    if missing:
        raise failure(answer, f"lacks {', '.join(missing)}", words.NOT_OURS)
    return Grant(**texts, server_time=_time(members.get("server_time")))  # type: ignore[arg-type]  # checked above


def _time(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LATE
    return float(value) if is_one else None
