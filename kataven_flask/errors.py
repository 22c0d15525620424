"""Every refusal the service can give: one class each, with its code, status and first words.

The codes and statuses are part of the wire contract. A caller sees them in
`X-Error-Code` and in the answer's body; nothing else in the package picks a status.
"""

from __future__ import annotations

from typing import ClassVar


class KatavenError(Exception):
    """The root of every error this package raises on purpose."""


class ConfigurationError(KatavenError):
    """The operator's set-up can't be used; the message says what to change."""


class StoreError(KatavenError):
    """The state store can't be reached or can't be written."""


class Refusal(KatavenError):
    """A request was understood and refused.

    Args:
        detail: What exactly was wrong and what to do, safe to show to a stranger.
        words: The first words of the answer, where they depend on the endpoint.
        retry_after: Seconds after which the same request may succeed.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    default_words: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str = "", *, words: str | None = None, retry_after: int | None = None
    ) -> None:
        self.detail = detail
        self.words = words or self.default_words
        self.retry_after = retry_after
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """The answer's body as a plain string: the words, then the detail."""
        return f"{self.words}: {self.detail}" if self.detail else self.words


# --- 400: the request's body, and the agent it names


class InvalidBody(Refusal):
    """The body is not one JSON object in UTF-8."""

    code, status, default_words = "invalid_body", 400, "Invalid body"


class InvalidRequest(Refusal):
    """The request is not HTTP as this server reads it."""

    code, status, default_words = "invalid_request", 400, "Invalid request"


class InvalidField(Refusal):
    """A member of the body has the wrong type, length or characters."""

    code, status, default_words = "invalid_field", 400, "Invalid field"


class MissingClientKey(Refusal):
    """`config` or `guest` came without a client key."""

    code, status, default_words = "missing_client_key", 400, "Missing client_key"


class MissingField(Refusal):
    """`user-token` or `revoke` came without a member it needs."""

    code, status, default_words = "missing_field", 400, "Missing client_key or user_id"


class MissingAgentId(Refusal):
    """The tenant has several agents, no default, and the request names none."""

    code, status, default_words = "missing_agent_id", 400, "Missing agent_id"


class UnknownAgentId(Refusal):
    """The request names an agent that the tenant doesn't have."""

    code, status, default_words = "unknown_agent_id", 400, "Unknown agent_id"


# --- 400: visitor tokens


class TokenRefusal(Refusal):
    """A visitor token was not accepted by `exchange`."""

    status, default_words = 400, "Missing or expired token"


class MissingToken(TokenRefusal):
    """`exchange` came without a visitor token."""

    code = "missing_token"


class InvalidToken(TokenRefusal):
    """The visitor token was not minted here for this use."""

    code = "invalid_token"


class ExpiredToken(TokenRefusal):
    """The visitor token's time is over."""

    code = "expired_token"


class UsedToken(TokenRefusal):
    """The visitor token was spent before."""

    code = "used_token"


# --- 400: refresh tokens


class RefreshTokenRefusal(Refusal):
    """A refresh token was not accepted by `refresh` or `logout`."""

    status, default_words = 400, "Missing or expired refresh_token"


class MissingRefreshToken(RefreshTokenRefusal):
    """The request came without a refresh token."""

    code = "missing_refresh_token"


class InvalidRefreshToken(RefreshTokenRefusal):
    """The refresh token was not signed here."""

    code = "invalid_refresh_token"


class ExpiredRefreshToken(RefreshTokenRefusal):
    """The refresh token, or its session, has reached its end."""

    code = "expired_refresh_token"


class ReusedRefreshToken(RefreshTokenRefusal):
    """An already rotated refresh token came back; its session is revoked."""

    code = "reused_refresh_token"


class RevokedSession(RefreshTokenRefusal):
    """The session was ended by a logout, by the tenant's backend or by the operator."""

    code = "revoked_session"


# --- 401 and 403


class InvalidApiKey(Refusal):
    """The secret key is absent, unknown or past its `not_after`."""

    code, status, default_words = "invalid_api_key", 401, "Missing or invalid API key"


class OriginNotAllowed(Refusal):
    """The caller's origin is not one that the client key, or the session, admits."""

    code, status = "origin_not_allowed", 403
    default_words = "Origin not in allowlist for this client_key"


class UnknownClientKey(Refusal):
    """No tenant has this client key."""

    code, status, default_words = "unknown_client_key", 403, "Unknown client_key"


class ClientKeyDisabled(Refusal):
    """The client key is switched off or past its `not_after`."""

    code, status, default_words = "client_key_disabled", 403, "client_key is disabled"


class AgentDisabled(Refusal):
    """The agent's widget is switched off."""

    code, status, default_words = "agent_disabled", 403, "Agent is disabled"


class AuthModeForbidden(Refusal):
    """The agent doesn't admit this type of visitor."""

    code, status, default_words = "auth_mode_forbidden", 403, "Not allowed by the agent's auth_mode"


class ClientKeyMismatch(Refusal):
    """The client key sent is not the one that the token or the secret key belongs to."""

    code, status, default_words = "client_key_mismatch", 403, "client_key mismatch"


class BrowserForbidden(Refusal):
    """A server-to-server endpoint was called by a browser."""

    code, status, default_words = "browser_forbidden", 403, "Not for browsers"


# --- the rest


class NotFound(Refusal):
    """No such path."""

    code, status, default_words = "not_found", 404, "Not found"


class MethodNotAllowed(Refusal):
    """The path doesn't answer this method."""

    code, status, default_words = "method_not_allowed", 405, "Method not allowed"


class RequestTimeout(Refusal):
    """The request didn't come whole in time."""

    code, status, default_words, retryable = "request_timeout", 408, "Request timed out", True


class UriTooLong(Refusal):
    """The request's first line is over what the server reads."""

    code, status, default_words = "uri_too_long", 414, "URI too long"


class HeadersTooLarge(Refusal):
    """The request's header is over what the server reads."""

    code, status, default_words = "headers_too_large", 431, "Headers too large"


class BodyTooLarge(Refusal):
    """The body is over its limit."""

    code, status, default_words = "body_too_large", 413, "Body too large"


class RateLimited(Refusal):
    """The caller sent too many requests."""

    code, status, default_words, retryable = "rate_limited", 429, "Too many requests", True


class StateUnavailable(Refusal):
    """The state store is out of reach, so that nothing can be spent or rotated."""

    code, status, retryable = "state_unavailable", 503, True
    default_words = "State store unavailable"


class TooManyConnections(Refusal):
    """The server has as many connections as it can keep."""

    code, status, retryable = "too_many_connections", 503, True
    default_words = "Too many connections"


class InternalError(Refusal):
    """A fault of ours; the log has it under the same request id."""

    code, status, default_words = "internal_error", 500, "Internal error"
