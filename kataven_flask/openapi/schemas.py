"""The bodies of answers: what stands here is all that they have."""

from __future__ import annotations

from typing import Final, get_args

from kataven_flask.api import MAX_EMAIL, MAX_NAME
from kataven_flask.document.member_types import MAX_LABEL
from kataven_flask.durations import SECOND
from kataven_flask.messages import MAX_USER_ID
from kataven_flask.openapi.shapes import (
    AGENT_ID,
    CLIENT_KEY,
    GUEST_ID,
    JWT,
    SESSION_ID,
    TENANT_ID,
    JsonObject,
    or_null,
    said,
    sealed,
    shaped,
    shown,
    whole,
)
from kataven_flask.tenants import (
    MAX_REFRESH_TTL,
    MAX_SESSION_TTL,
    MAX_VISITOR_TTL,
    AuthMode,
    Branding,
)
from kataven_flask.tokens import MAX_TOKEN_LENGTH

_COLOR: Final = "^#(?:[0-9a-fA-F]{3}){1,2}$"
_BASE64URL: Final = "^[A-Za-z0-9_-]+$"
_YEAR_2100: Final = 4_102_444_800
_POSITIONS: Final = get_args(Branding.model_fields["launcher_position"].annotation)
_MAX_GREETING: Final = 500
_URL: Final = {"type": ["string", "null"], "pattern": "^https?://"}
_TOKEN_TYPE: Final = {"type": "string", "const": "Bearer", "description": "How it is presented."}


def _epoch(description: str) -> JsonObject:
    return whole(f"{description}, in seconds since 1970.", 0, _YEAR_2100)


CONFIG: Final = sealed(
    "What a widget needs to draw itself.",
    {
        "client_key": shaped(CLIENT_KEY, "The key that was asked for."),
        "tenant": sealed(
            "Whose it is.",
            {
                "id": shaped(TENANT_ID, "The tenant's id."),
                "name": shown("The name that visitors see.", MAX_LABEL),
            },
        ),
        "agent": sealed(
            "Whom a visitor talks to.",
            {
                "id": shaped(AGENT_ID, "The agent's id."),
                "display_name": shown("Its name.", MAX_LABEL),
                "greeting": shown("Its first words.", _MAX_GREETING),
                "avatar_url": said("Its picture, or null.", _URL),
                "auth_mode": {
                    "type": "string",
                    "enum": list(get_args(AuthMode)),
                    "description": "Whom it talks to: guests, signed-in users, or both.",
                },
            },
        ),
        "branding": sealed(
            "What the widget looks like.",
            {
                "primary_color": shaped(_COLOR, "The color of launcher, header and buttons."),
                "accent_color": shaped(_COLOR, "The color of the visitor's own words."),
                "logo_url": said("An image for the header, or null.", _URL),
                "launcher_position": {
                    "type": "string",
                    "enum": list(_POSITIONS),
                    "description": "The corner: bottom right, bottom left, top right, top left.",
                },
                "launcher_label": shown("What the launcher says.", MAX_LABEL),
                "privacy_notice": or_null(
                    shown("What a visitor reads before the first word, or null.", _MAX_GREETING)
                ),
            },
        ),
    },
)

_GUEST: Final = sealed(
    "Somebody who hasn't signed in.",
    {
        "id": shaped(GUEST_ID, "A fresh id, the guest's for as long as the session lives."),
        "type": {"type": "string", "const": "guest"},
        "name": {"type": "null"},
        "email": {"type": "null"},
    },
)
_USER: Final = sealed(
    "Somebody whom the tenant's backend vouched for.",
    {
        "id": shown("The user's id in the tenant's own terms.", MAX_USER_ID),
        "type": {"type": "string", "const": "user"},
        "name": or_null(shown("As the backend gave it.", MAX_NAME)),
        "email": or_null(shown("As the backend gave it.", MAX_EMAIL)),
    },
)

SESSION: Final = sealed(
    "A session's tokens, fresh.",
    {
        "token": shaped(JWT, "The session token (JWT): what your `/connect` service verifies."),
        "token_type": _TOKEN_TYPE,
        "expires_in": whole("Seconds that the session token lives.", 1, MAX_SESSION_TTL),
        "expires_at": _epoch("Its end"),
        "refresh_token": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_TOKEN_LENGTH,
            "description": "What the next tokens are had for. Opaque: hand it back, don't read it.",
        },
        "refresh_expires_in": whole("Seconds that the refresh token lives.", 1, MAX_REFRESH_TTL),
        "session_id": shaped(SESSION_ID, "The session's id; a refresh doesn't change it."),
        "agent_id": shaped(AGENT_ID, "Whom the visitor talks to."),
        "visitor": {"oneOf": [_GUEST, _USER], "description": "Who is here."},
        "server_time": _epoch("The server's clock"),
    },
)

VISITOR_TOKEN: Final = sealed(
    "A visitor token, good for one exchange.",
    {
        "user_token": shaped(JWT, "The visitor token (JWT): give it to the page."),
        "token": shaped(JWT, "The same, by a second name."),
        "token_type": _TOKEN_TYPE,
        "expires_in": whole("Seconds that it lives.", 30 * SECOND, MAX_VISITOR_TTL),
        "expires_at": _epoch("Its end"),
    },
)

_JWK: Final = {
    "kid": shaped(_BASE64URL, "Names the key, as a token's header does."),
    "use": {"type": "string", "const": "sig"},
    "x": shaped(_BASE64URL, "The public key."),
}
JWKS: Final = sealed(
    "The public keys (RFC 7517), those that will sign soon among them.",
    {
        "keys": {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [
                    sealed(
                        "For ES256.",
                        {
                            "kty": {"type": "string", "const": "EC"},
                            "crv": {"type": "string", "const": "P-256"},
                            "alg": {"type": "string", "const": "ES256"},
                            "y": shaped(_BASE64URL, "The rest of the public key."),
                            **_JWK,
                        },
                    ),
                    sealed(
                        "For EdDSA.",
                        {
                            "kty": {"type": "string", "const": "OKP"},
                            "crv": {"type": "string", "const": "Ed25519"},
                            "alg": {"type": "string", "const": "EdDSA"},
                            **_JWK,
                        },
                    ),
                ]
            },
        }
    },
)

ALIVE: Final = sealed("The process answers.", {"status": {"type": "string", "const": "alive"}})


def _part(description: str, properties: JsonObject) -> JsonObject:
    """Return the schema of a part that is sound, or says why it isn't."""
    return {
        "type": "object",
        "description": description,
        "required": ["is", "ok", "since"],
        "properties": {
            "is": shown("What this part is.", 200),
            "ok": {"type": "boolean"},
            "since": {
                "type": "string",
                "format": "date-time",
                "description": "Since when it is so; of the tenants' file that is sound, since when"
                " this revision is in force, and of the key, since when it signs.",
            },
            "error": shown("What is wrong, where `ok` is false.", 200),
            "do": shown("What to do about it.", 300),
            "see": shown("Where the documentation says more.", 100),
            **properties,
        },
        "additionalProperties": False,
    }


def _readiness(status: str, description: str) -> JsonObject:
    return sealed(
        description,
        {
            "status": {"type": "string", "const": status},
            "config": _part(
                "The tenants' file. Where an edit was refused, the last good one is in force.",
                {"revision": shown("Which edit is in force.", 64)},
            ),
            "state": _part(
                "The state store.",
                {
                    "remembers_since": {
                        "type": "string",
                        "format": "date-time",
                        "description": "Since when it has forgotten nothing.",
                    }
                },
            ),
            "signing_key": _part("What signs.", {"kid": shaped(_BASE64URL, "The key's id.")}),
        },
    )


READY: Final = _readiness("ready", "Every part that a token needs is there.")
NOT_READY: Final = _readiness("not ready", "A part is missing.")

SCHEMAS: Final = {
    "Config": CONFIG,
    "Session": SESSION,
    "VisitorToken": VISITOR_TOKEN,
    "Jwks": JWKS,
    "Alive": ALIVE,
    "Ready": READY,
    "NotReady": NOT_READY,
}
