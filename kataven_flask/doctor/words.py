"""What a failed step means and what to do next, in a person's words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kataven_flask.doctor.target import Target
from kataven_flask.doctor.wire import MAX_ANSWER, Reason

_LIMIT: Final = 100
"""Characters of a stranger's text that are shown."""
_SECRET_LIKE: Final = re.compile(r"[\w-]{40,}|sk_[\w-]+|eyJ[\w.-]+", re.ASCII)
"""What may be a token or a key: a server may send back what it was sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know.

    Args:
        meaning: What it means.
        advice: What to do next; empty for nothing.
        command: A command to copy; empty for none.
    """

    meaning: str
    advice: str = ""
    command: str = ""


def harmless(text: object, limit: int = _LIMIT) -> str:
    """Make a stranger's text fit for a terminal.

    Args:
        text: Anything that the server sent.
        limit: The most characters to keep.

    Returns:
        One line without control characters, terminal codes, marks of direction, or anything
        that may be a token.
    """
    line = "".join(c if c.isprintable() else " " for c in str(text)[: 8 * limit])
    line = _SECRET_LIKE.sub("(hidden)", " ".join(line.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


# --- no answer

_NO_ANSWER: Final[Mapping[Reason, tuple[str, str]]] = {
    "dns": (
        "There is no host named {host}.",
        "Look for a typo in --url; a new name may take a while until it is known.",
    ),
    "refused": (
        "Nothing listens at {server}.",
        "Is the server up (kataven-flask serve), and is this its port?",
    ),
    "timeout": (
        "No whole answer came within {seconds:g} s.",
        "A firewall, a wrong port, or a server that hangs; its log tells.",
    ),
    "unreachable": (
        "There is no way from this machine to {host}.",
        "Are you on its network? Look at your connection, and at the host in --url.",
    ),
    "broken": (
        "The connection was closed before an answer was whole.",
        "Does this port speak TLS? Then write https://. Or the server fell over; its log tells.",
    ),
    "not_http": (
        "What answered doesn't speak HTTP.",
        "Look at the port in --url; a TLS port needs https://.",
    ),
    "too_large": (
        f"The answer has over {MAX_ANSWER // 1024} KiB; none of this service's has.",
        "Another site answers at this address; look at --url.",
    ),
    "not_tls": (
        "This port doesn't speak TLS.",
        "Use http:// for it, or the port that has the certificate.",
    ),
    "no_tls": (
        "The connection was taken, and no TLS came within {seconds:g} s.",
        "Use http:// for this port, if it has no certificate; or the server hangs.",
    ),
    "tls": (
        "No TLS connection could be made; a browser can't make one either.",
        "Look at the certificate and the TLS versions that the server offers.",
    ),
    "tls_expired": (
        "The certificate has expired, or isn't valid yet.",
        "Renew it, and have the proxy load it; or is this machine's clock wrong?",
    ),
    "tls_host": (
        "The certificate is for other names than {host}.",
        "Get one for this name, or use the name that it is for.",
    ),
    "tls_untrusted": (
        "The certificate is self-signed, of an unknown authority, or lacks the one between.",
        "Have the proxy send the full chain; for an authority of your own, set SSL_CERT_FILE.",
    ),
}


def no_answer(reason: Reason, target: Target, timeout: float) -> Finding:
    """Say why no answer came.

    Args:
        reason: Why.
        target: What was examined.
        timeout: Seconds that were waited at most.

    Returns:
        What to print.
    """
    meaning, advice = _NO_ANSWER[reason]
    values = {"host": target.server.host, "server": target.server, "seconds": timeout}
    return Finding(meaning.format(**values), advice)


# --- refusals

_LOG: Final = "Have the operator look at the server's log"
_KEYS_DIFFER: Final = (
    "Servers behind one address need the same signing keys, issuer and state;"
    " or a proxy changes what passes."
)
_OF_CODE: Final[Mapping[str, tuple[str, str]]] = {
    "origin_not_allowed": (
        "The key's domain_allowlist doesn't admit {origin}.",
        "Its operator sees why, and what to add, on the server's machine:",
    ),
    "unknown_client_key": (
        "This server has no such client key.",
        "Copy it from the snippet again; is this the server that it was made for?",
    ),
    "client_key_disabled": (
        "The client key is switched off, or past its not_after.",
        "Its operator can change that in the tenants' file, or give you another key.",
    ),
    "agent_disabled": (
        "The agent's widget is switched off.",
        "Set widget_enabled: true, or name another: --agent here, data-agent in the snippet.",
    ),
    "missing_agent_id": (
        "The tenant has several agents, and neither key nor page says which.",
        "Name one: --agent here, data-agent in the snippet; or set default_agent.",
    ),
    "unknown_agent_id": (
        "The tenant has no agent of this name.",
        "Look at --agent here, at data-agent in the snippet.",
    ),
    "auth_mode_forbidden": (
        "The agent doesn't admit this kind of visitor.",
        "Its auth_mode in the tenants' file says whom it admits.",
    ),
    "invalid_api_key": (
        "The server knows no such secret key, or it is past its not_after.",
        "Is it whole, and of this server? `keys rotate` makes a new one.",
    ),
    "client_key_mismatch": (
        "The secret key belongs to another client key.",
        "Use the pair that was made together.",
    ),
    "browser_forbidden": (
        "The server takes this call for a browser's, and it isn't one.",
        "A proxy adds an Origin or Sec-Fetch-Site header; have it leave them alone.",
    ),
    "rate_limited": (
        "Too many requests from this address within a minute.",
        "Try again {later}. Behind a proxy, all count as one without --trusted-proxies.",
    ),
    "state_unavailable": (
        "The state store can't be reached: nobody can renew or sign in.",
        "Look at the server's log, its Redis or its disk; then try again {later}.",
    ),
    "too_many_connections": (
        "The server has no place for another connection.",
        "Its log says more; try again {later}.",
    ),
    "request_timeout": (
        "The server waited for the rest of the request, and it didn't come.",
        "Does a proxy hold requests back, or is the network slow?",
    ),
    "internal_error": (
        "The server has a fault of its own.",
        f"{_LOG}; it has the traceback.",
    ),
    "invalid_token": ("The server refuses the visitor token that it has just made.", _KEYS_DIFFER),
    "expired_token": (
        "The visitor token is over before it was used.",
        "The clocks of the servers differ; set them by NTP.",
    ),
    "used_token": (
        "The visitor token was spent before its first answer came.",
        "A proxy sends requests twice: it must not repeat a POST.",
    ),
    "invalid_refresh_token": (
        "The server refuses the refresh token that it has just made.",
        _KEYS_DIFFER,
    ),
    "expired_refresh_token": (
        "The refresh token is over before it was used.",
        "The clocks of the servers differ; set them by NTP.",
    ),
    "reused_refresh_token": (
        "The server takes the refresh token for one that was stolen.",
        "Servers behind one address need one state store (--state).",
    ),
    "revoked_session": (
        "The server has no record of the session that it has just begun.",
        "Has its store just begun? Try again in a minute; else servers don't share one (--state).",
    ),
    "not_found": (
        "The server has no such path.",
        "Does the proxy change paths? Or the server is older than this command.",
    ),
    "method_not_allowed": (
        "The server doesn't take this method here.",
        "Does the proxy change paths or methods? Or the server is older than this.",
    ),
    "bad_gateway": (
        "A proxy answers, but reaches no server behind it.",
        "Is kataven-flask up, and is the proxy's address of it right?",
    ),
}
_COMMANDS: Final = {
    "origin_not_allowed": "kataven-flask origins explain {key} {origin}",
}
NO_SERVER: Final = {502: "bad_gateway", 503: "bad_gateway", 504: "bad_gateway"}
"""What a proxy means where it answers in the server's place."""
_OF_STATUS: Final = {**NO_SERVER, 429: "rate_limited"}


def refused(code: str | None, status: int, target: Target, retry_after: int | None) -> Finding:
    """Say what a refusal means.

    Args:
        code: The error code, if the answer has one.
        status: The status.
        target: What was examined.
        retry_after: Seconds after which to try again, if the answer says so.

    Returns:
        What to print.
    """
    known = code if code is not None else _OF_STATUS.get(status, "")
    if known not in _OF_CODE:
        return Finding(*_without_words(code, status))
    meaning, advice = _OF_CODE[known]
    later = "in a minute" if retry_after is None else f"in {retry_after} s"
    command = _COMMANDS.get(known, "").format(
        key=target.client_key, origin=shlex.quote(str(target.page))
    )
    return Finding(meaning.format(origin=target.page), advice.format(later=later), command)


def _without_words(code: str | None, status: int) -> tuple[str, str]:
    if code is None:
        return (
            f"Status {status}, and no reason as kataven-flask gives one.",
            "A proxy, a firewall or another server answers in its place; look at --url.",
        )
    return f"The server refuses it: {code}.", f"{_LOG}."


# --- answers that are none of this service's

WEB_PAGE: Final = Finding(
    "A web page came instead: a proxy or another site answers at this address.",
    "Look at --url, and at what the proxy passes on to kataven-flask.",
)
TLS_PORT: Final = Finding(
    "The server takes the request itself for a wrong one.",
    "Is it a TLS port? Then --url begins with https://.",
)
NOT_OURS: Final = Finding(
    "This is not what kataven-flask answers.",
    "Another service answers at this address, or a proxy changes the answer.",
)


def redirected(location: str | None) -> Finding:
    """Say what a redirect means; none is followed."""
    to = f" to {harmless(location)}" if location else ""
    return Finding(
        f"The server sends callers elsewhere{to}. No preflight may be redirected,"
        " and a POST loses its body.",
        "Give the final address as --url, and in the page's snippet.",
    )
