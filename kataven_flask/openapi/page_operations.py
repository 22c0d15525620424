"""The endpoints that pages call."""

from __future__ import annotations

from typing import Any, Final

from kataven_flask import errors
from kataven_flask.api import CONFIG_CACHE, MAX_AGENT_ID, MAX_KEY
from kataven_flask.cors import API
from kataven_flask.openapi import headers
from kataven_flask.openapi.bodies import AGENT_SENT, CLIENT_KEY_SENT
from kataven_flask.openapi.operations import (
    IF_NONE_MATCH,
    ORIGIN,
    PAGES,
    REFERER,
    Operation,
    answer,
    json_content,
    parameter,
)
from kataven_flask.openapi.shapes import limited

JsonObject = dict[str, Any]

OF_A_KEY: Final = (errors.ClientKeyDisabled, errors.RateLimited)
OF_AN_AGENT: Final = (errors.MissingAgentId, errors.UnknownAgentId, errors.AgentDisabled)
_OF_A_PAGE: Final = (errors.OriginNotAllowed, errors.UnknownClientKey)
OF_A_BODY: Final = (errors.InvalidBody, errors.InvalidField)
NEVER_KEPT: Final = {"Cache-Control": headers.cache("no-store")}
_SAME_ORIGIN: Final = {"header.Origin": "$request.header.Origin"}


def _with_the_session(operation: str, description: str) -> JsonObject:
    return {
        "operationId": operation,
        "description": description,
        "parameters": _SAME_ORIGIN,
        "requestBody": {"refresh_token": "$response.body#/refresh_token"},
    }


_OF_A_SESSION: Final = {
    "Refresh": _with_the_session("refresh", "Shortly before the session token ends, renew it."),
    "Logout": _with_the_session("logout", "End the session."),
}
_BEGIN: Final = {
    "Guest": {
        "operationId": "guest",
        "description": "Begin a guest's session with the same agent.",
        "parameters": _SAME_ORIGIN,
        "requestBody": {
            "client_key": "$response.body#/client_key",
            "agent_id": "$response.body#/agent/id",
        },
    }
}


def _session(name: str, description: str) -> dict[int, JsonObject]:
    return {200: answer(description, NEVER_KEPT, json_content(name, "Session"), _OF_A_SESSION)}


def page_operations() -> tuple[Operation, ...]:
    """Return what a page calls, in the order in which it does."""
    return (_config(), _guest(), _exchange(), _refresh(), _logout())


def _config() -> Operation:
    kept = {
        "Cache-Control": headers.cache(CONFIG_CACHE),
        "ETag": headers.ETAG,
        "Vary": headers.header(
            "What else the answer depends on.", headers.text("Origin(, Referer)?", "Origin")
        ),
    }
    return Operation(
        name="config",
        method="GET",
        path=f"{API}/config",
        tag=PAGES,
        summary="What the widget looks like",
        description="Branding, and the agent's name and greeting. It may be kept for a minute, and"
        " shown for five more while it is fetched anew.",
        parameters=(
            parameter(
                "query",
                "client_key",
                CLIENT_KEY_SENT,
                limited(MAX_KEY) | {"minLength": 1},
                required=True,
            ),
            parameter("query", "agent_id", AGENT_SENT, limited(MAX_AGENT_ID)),
            ORIGIN,
            REFERER,
            IF_NONE_MATCH,
        ),
        answers={
            200: answer("The widget's looks.", kept, json_content("config", "Config"), _BEGIN),
            304: answer("What you have is what there is.", kept),
        },
        refusals=(
            errors.MissingClientKey,
            errors.InvalidField,
            *_OF_A_PAGE,
            *OF_A_KEY,
            *OF_AN_AGENT,
        ),
        also=headers.LIMITS,
    )


def _guest() -> Operation:
    return Operation(
        name="guest",
        method="POST",
        path=f"{API}/auth/guest",
        tag=PAGES,
        summary="A session for a guest",
        description="For a visitor of whom nothing is known. Nothing is stored for it.",
        body="GuestRequest",
        parameters=(ORIGIN, REFERER),
        answers=_session("guest", "The guest's session."),
        refusals=(
            *OF_A_BODY,
            errors.MissingClientKey,
            errors.AuthModeForbidden,
            *_OF_A_PAGE,
            *OF_A_KEY,
            *OF_AN_AGENT,
        ),
        also=headers.LIMITS,
    )


def _exchange() -> Operation:
    return Operation(
        name="exchange",
        method="POST",
        path=f"{API}/auth/exchange",
        tag=PAGES,
        summary="A session for a signed-in user",
        description="Spends a visitor token that your backend minted. It works once: of two"
        " requests with the same token, one gets a session.",
        body="ExchangeRequest",
        parameters=(ORIGIN, REFERER),
        answers=_session("exchange", "The user's session."),
        refusals=(
            *OF_A_BODY,
            errors.MissingToken,
            errors.InvalidToken,
            errors.ExpiredToken,
            errors.UsedToken,
            errors.ClientKeyMismatch,
            errors.AuthModeForbidden,
            *_OF_A_PAGE,
            *OF_A_KEY,
            *OF_AN_AGENT,
            errors.StateUnavailable,
        ),
        also=headers.LIMITS,
    )


def _refresh() -> Operation:
    return Operation(
        name="refresh",
        method="POST",
        path=f"{API}/auth/refresh",
        tag=PAGES,
        summary="New tokens for a session",
        description="Only on the origin that the session was begun on. The refresh token is"
        " replaced: keep the newest. The one before works for another half a minute and gives the"
        " same successor; an older one ends the session, as a thief may have sent it.",
        body="RefreshRequest",
        parameters=(ORIGIN, REFERER),
        answers=_session("refresh", "The same session, and new tokens."),
        refusals=(
            *OF_A_BODY,
            errors.MissingRefreshToken,
            errors.InvalidRefreshToken,
            errors.ExpiredRefreshToken,
            errors.ReusedRefreshToken,
            errors.RevokedSession,
            errors.AuthModeForbidden,
            *_OF_A_PAGE,
            *OF_A_KEY,
            *OF_AN_AGENT,
            errors.StateUnavailable,
        ),
        also=headers.LIMITS,
    )


def _logout() -> Operation:
    return Operation(
        name="logout",
        method="POST",
        path=f"{API}/auth/logout",
        tag=PAGES,
        summary="The end of a session",
        description="It can't be refreshed again. To say so twice is no error. A session token that"
        " is out already is good until its `exp`.",
        body="RefreshRequest",
        parameters=(ORIGIN, REFERER),
        answers={204: answer("It is over.", NEVER_KEPT)},
        refusals=(
            *OF_A_BODY,
            errors.MissingRefreshToken,
            errors.InvalidRefreshToken,
            errors.OriginNotAllowed,
            errors.RateLimited,
            errors.StateUnavailable,
        ),
        also=headers.LIMITS,
    )
