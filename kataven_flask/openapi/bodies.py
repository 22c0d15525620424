"""The bodies of requests: one JSON object each, whatever its `Content-Type`."""

from __future__ import annotations

from typing import Final

from kataven_flask.api import MAX_AGENT_ID, MAX_EMAIL, MAX_KEY, MAX_NAME
from kataven_flask.messages import MAX_USER_ID
from kataven_flask.openapi.shapes import either, needed, request, sent
from kataven_flask.tokens import MAX_TOKEN_LENGTH

CLIENT_KEY_SENT: Final = "The `pk_…` key of the page's snippet."
AGENT_SENT: Final = "Which agent; a key that is bound to one ignores it, and may leave it out."

GUEST_REQUEST: Final = request(
    "Which key and which agent.",
    {
        "client_key": needed(CLIENT_KEY_SENT, MAX_KEY),
        "agent_id": sent(AGENT_SENT, MAX_AGENT_ID),
    },
    "client_key",
)
USER_TOKEN_REQUEST: Final = request(
    "Who the user is, by `user_id` or its other name.",
    {
        "client_key": needed(f"{CLIENT_KEY_SENT} The secret key has to be its own.", MAX_KEY),
        "user_id": sent("The user's id in your own terms; it is never guessed at.", MAX_USER_ID),
        "external_user_id": sent("Another name of `user_id`.", MAX_USER_ID),
        "name": sent("The user's name.", MAX_NAME),
        "display_name": sent("Another name of `name`.", MAX_NAME),
        "email": sent("The user's e-mail address; it isn't checked.", MAX_EMAIL),
        "agent_id": sent(AGENT_SENT, MAX_AGENT_ID),
    },
    "client_key",
) | either("user_id", "external_user_id")
EXCHANGE_REQUEST: Final = request(
    "The visitor token, by `token` or its other name.",
    {
        "token": sent("The visitor token that your backend minted.", MAX_TOKEN_LENGTH),
        "user_token": sent("Another name of `token`.", MAX_TOKEN_LENGTH),
        "client_key": sent("The page's `pk_…` key: refused where it isn't the token's.", MAX_KEY),
        "guest_token": sent(
            "The session token of the guest that this user was a moment ago. If it is live, and of"
            " the same key, the new session token names that guest in `guest_id`.",
            MAX_TOKEN_LENGTH,
        ),
    },
) | either("token", "user_token")
REFRESH_REQUEST: Final = request(
    "The last refresh token.",
    {"refresh_token": needed("The last `refresh_token` of the session.", MAX_TOKEN_LENGTH)},
    "refresh_token",
)
REVOKE_REQUEST: Final = request(
    "Whose sessions end, by `user_id` or its other name.",
    {
        "user_id": sent("The user's id in your own terms.", MAX_USER_ID),
        "external_user_id": sent("Another name of `user_id`.", MAX_USER_ID),
    },
) | either("user_id", "external_user_id")

REQUESTS: Final = {
    "GuestRequest": GUEST_REQUEST,
    "UserTokenRequest": USER_TOKEN_REQUEST,
    "ExchangeRequest": EXCHANGE_REQUEST,
    "RefreshRequest": REFRESH_REQUEST,
    "RevokeRequest": REVOKE_REQUEST,
}
