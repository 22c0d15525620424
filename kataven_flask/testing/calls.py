"""The API called over HTTP, as a page in a browser and a tenant's backend call it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from kataven_flask.cors import API

TIMEOUT: Final = 60.0
"""Seconds for an answer; one that a test has slowed down may take long."""


class RefusedError(Exception):
    """The server has refused a call.

    Args:
        status: The answer's status.
        code: Its error code, as in `X-Error-Code`.
        detail: Its text.
    """

    def __init__(self, status: int, code: str | None, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Visitor:
    """A session, as a page is given it.

    Args:
        token: The session token.
        refresh_token: The refresh token.
        session_id: The session's id.
        agent_id: The agent.
        origin: The page's origin; no other may renew the session.
        type: `guest` or `user`.
        id: The user's id, or the guest's.
        expires_at: When the session token ends, in seconds since the epoch.
    """

    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    session_id: str
    agent_id: str
    origin: str
    type: str
    id: str = field(repr=False)
    expires_at: int


def begin_session(url: str, action: str, body: Mapping[str, Any], origin: str) -> Visitor:
    """Call what answers with a session, as a page does.

    Raises:
        RefusedError: It was refused.
        OSError: The connection was closed without an answer.
    """
    answer = post(url, action, body, {"Origin": origin})
    return Visitor(
        token=answer["token"],
        refresh_token=answer["refresh_token"],
        session_id=answer["session_id"],
        agent_id=answer["agent_id"],
        origin=origin,
        type=answer["visitor"]["type"],
        id=answer["visitor"]["id"],
        expires_at=answer["expires_at"],
    )


def post(
    url: str, action: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> dict[str, Any]:
    """Post JSON to an endpoint under `auth/`.

    Args:
        url: The server.
        action: The endpoint.
        body: What is sent; members that are None are left out.
        headers: The headers to send.

    Raises:
        RefusedError: It was refused.
        OSError: The connection was closed without an answer.

    Returns:
        The answer; empty where there is none to read.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
    sent = json.dumps({name: value for name, value in body.items() if value is not None})
    try:
        connection.request(
            "POST", f"{API}/auth/{action}", sent, {"Content-Type": "application/json", **headers}
        )
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status >= http.client.BAD_REQUEST:
        raise RefusedError(response.status, response.headers["X-Error-Code"], text)
    answer: dict[str, Any] = json.loads(text or "{}")
    return answer
