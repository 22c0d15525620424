"""The endpoints that a tenant's backend calls."""

from __future__ import annotations

from typing import Final

from kataven_flask import errors
from kataven_flask.cors import API
from kataven_flask.openapi import headers
from kataven_flask.openapi.operations import BACKENDS, Operation, answer, json_content
from kataven_flask.openapi.page_operations import NEVER_KEPT, OF_A_BODY, OF_A_KEY, OF_AN_AGENT

_OF_A_BACKEND: Final = (errors.BrowserForbidden, errors.InvalidApiKey, errors.MissingField)

_SPEND: Final = {
    "Exchange": {
        "operationId": "exchange",
        "description": "The page gives the visitor token for a session.",
        "requestBody": {"token": "$response.body#/token"},
    },
    "Revoke": {
        "operationId": "revoke",
        "description": "End what this user began.",
        "requestBody": {"user_id": "$request.body#/user_id"},
    },
}


def backend_operations() -> tuple[Operation, ...]:
    """Return what a tenant's backend calls."""
    return (_user_token(), _revoke())


def _user_token() -> Operation:
    return Operation(
        name="user-token",
        method="POST",
        path=f"{API}/auth/user-token",
        tag=BACKENDS,
        summary="A visitor token for a user of yours",
        description="Your backend vouches for whom it has signed in. Mint one just before the page"
        " needs it: it lives for minutes, and is good for one exchange.",
        body="UserTokenRequest",
        answers={
            200: answer(
                "The visitor token.",
                NEVER_KEPT,
                json_content("user-token", "VisitorToken"),
                _SPEND,
            )
        },
        refusals=(
            *OF_A_BODY,
            *_OF_A_BACKEND,
            errors.ClientKeyMismatch,
            errors.AuthModeForbidden,
            *OF_A_KEY,
            *OF_AN_AGENT,
        ),
        also=headers.LIMITS,
        secured=True,
    )


def _revoke() -> Operation:
    return Operation(
        name="revoke",
        method="POST",
        path=f"{API}/auth/revoke",
        tag=BACKENDS,
        summary="The end of all sessions of a user",
        description="No session that this user began before now can be refreshed, and no visitor"
        " token minted before now (to the second) is taken.",
        body="RevokeRequest",
        answers={204: answer("They are over.", NEVER_KEPT)},
        refusals=(
            *OF_A_BODY,
            *_OF_A_BACKEND,
            errors.RateLimited,
            errors.StateUnavailable,
        ),
        also=headers.LIMITS,
        secured=True,
    )
