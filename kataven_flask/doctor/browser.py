"""What a browser sends, and what it demands of an answer before a page may read it; pure."""

from __future__ import annotations

import re
from typing import Final

from kataven_flask.doctor.target import Target
from kataven_flask.doctor.wire import Answer
from kataven_flask.doctor.words import Finding, harmless

AGENT: Final = "Mozilla/5.0 (compatible; kataven-flask doctor)"
JSON: Final = "application/json"
TEXT: Final = "text/plain;charset=UTF-8"
"""What `fetch` calls a string; it is safelisted, so that no preflight comes before it."""
PROBLEM: Final = "application/problem+json"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_JAVASCRIPT: Final = {
    f"{kind}/{name}"
    for kind in ("text", "application")
    for name in ("javascript", "ecmascript", "x-javascript", "x-ecmascript")
}
"""MIME Sniffing, section 4.6; the versioned ones that nobody sends are left out."""
_EXPOSED: Final = {"x-error-code", "retry-after"}
"""What the widget reads beside the body."""


# --- what it sends


def script_headers(target: Target) -> dict[str, str]:
    """Return the headers of `<script src>`."""
    return {**_of_page(target), **_fetched(target, "no-cors", "script"), "Accept": "*/*"}


def api_headers(target: Target, method: str, content_type: str | None = None) -> dict[str, str]:
    """Return the headers of the widget's `fetch`.

    Args:
        target: Who calls whom.
        method: The method; a GET to the page's own origin has no `Origin`.
        content_type: That of the body, if there is one.

    Returns:
        Names and values.
    """
    headers = {**_of_page(target), **_fetched(target, "cors", "empty"), "Accept": PROBLEM}
    if content_type is not None:
        headers["Content-Type"] = content_type
    if method != "GET" or not target.is_same_origin:
        headers["Origin"] = str(target.page)
    return headers


def preflight_headers(target: Target) -> dict[str, str]:
    """Return the headers of the preflight of a POST of JSON (Fetch, section 4.8)."""
    return {
        **_of_page(target),
        **_fetched(target, "cors", "empty"),
        "Accept": "*/*",
        "Origin": str(target.page),
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }


def _of_page(target: Target) -> dict[str, str]:
    headers = {"User-Agent": AGENT}
    # strict-origin-when-cross-origin: the origin alone, and nothing from https to http.
    if target.page.scheme in {"http", "https"} and not target.is_mixed_content:
        headers["Referer"] = f"{target.page}/"
    return headers


def _fetched(target: Target, mode: str, destination: str) -> dict[str, str]:
    if target.is_same_origin:
        site = "same-origin"
    else:
        site = "same-site" if target.page.is_same_site(target.server) else "cross-site"
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}


# --- what it demands


def unreadable(answer: Answer, target: Target) -> Finding | None:
    """Hold an answer against the CORS check (Fetch, section 4.10).

    Args:
        answer: The answer.
        target: Who called whom.

    Returns:
        Why the page can't read it, or None where it can.
    """
    if target.is_same_origin:
        return None
    allowed = answer.header("Access-Control-Allow-Origin")
    if allowed in {"*", str(target.page)}:
        return None
    if allowed is None:
        meaning = "It lacks Access-Control-Allow-Origin, so the page sees a network error."
        advice = "The server sends it on every answer: a proxy strips it, or answers by itself."
    elif "," in allowed:
        meaning = "Access-Control-Allow-Origin stands twice, so the page sees a network error."
        advice = "A proxy adds it to the server's own; have the proxy add none."
    else:
        shown = harmless(allowed)
        meaning = f"Access-Control-Allow-Origin is {shown}, so this page sees a network error."
        advice = "A proxy writes its own; have it pass on the server's, which is *."
    return Finding(meaning, advice)


def hidden_headers(answer: Answer, target: Target) -> Finding | None:
    """Tell whether the page misses a header that explains a refusal, or None."""
    exposed = {each.lower() for each in _list(answer, "Access-Control-Expose-Headers") or []}
    if target.is_same_origin or "*" in exposed or exposed >= _EXPOSED:
        return None
    return Finding(
        "The page can't read X-Error-Code or Retry-After of an answer.",
        "A proxy changes Access-Control-Expose-Headers; have it pass on the server's.",
    )


def refused_preflight(answer: Answer, target: Target) -> Finding | None:
    """Hold a preflight's answer against what a POST of JSON needs (Fetch, section 4.8).

    POST itself is safelisted and needs no leave; `Content-Type: application/json` does.

    Args:
        answer: The answer.
        target: Who called whom.

    Returns:
        Why a browser would not send the request, or None where it would.
    """
    unread = unreadable(answer, target)
    if unread is not None:
        return unread
    methods = _list(answer, "Access-Control-Allow-Methods")
    headers = _list(answer, "Access-Control-Allow-Headers")
    if methods is None or headers is None:
        meaning = "Its lists of allowed methods and headers can't be read."
    elif not {"content-type", "*"} & {each.lower() for each in headers}:
        meaning = "Access-Control-Allow-Headers doesn't have content-type."
    else:
        return None
    return Finding(meaning, "A proxy answers OPTIONS by itself; have it pass OPTIONS on.")


def blocked_script(answer: Answer, target: Target) -> Finding | None:
    """Tell why a browser wouldn't run the widget's script in the page, or None."""
    policy = (answer.header("Cross-Origin-Resource-Policy") or "").strip()
    near = target.is_same_origin or target.page.is_same_site(target.server)
    if (policy == "same-origin" and not target.is_same_origin) or (
        policy == "same-site" and not near
    ):
        return Finding(
            f"Cross-Origin-Resource-Policy is {policy}, so other sites' pages can't load it.",
            "The server sends cross-origin; have the proxy leave this header alone.",
        )
    if answer.content_type not in _JAVASCRIPT:
        return Finding(
            f"Its type is {harmless(answer.content_type or 'missing', 40)}, not text/javascript.",
            "Another server answers for this path, or a proxy changes the type.",
        )
    return None


def _list(answer: Answer, name: str) -> list[str] | None:
    """Read a list of names; empty where it is absent, None where it can't be read."""
    value = answer.header(name)
    if not value:
        return []
    names = [each.strip() for each in value.split(",") if each.strip()]
    return names if all(_TOKEN.fullmatch(each) for each in names) else None
