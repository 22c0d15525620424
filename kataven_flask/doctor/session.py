"""The steps of a session: begun as a guest or as a user, verified, renewed, ended, refused."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from kataven_flask.body import parse_object
from kataven_flask.doctor import words
from kataven_flask.doctor.browser import JSON, TEXT
from kataven_flask.doctor.service import JWKS, OK, PLAIN
from kataven_flask.doctor.steps import (
    Grant,
    Result,
    Stop,
    Visit,
    as_json,
    code_of,
    failure,
    grant_of,
    members_of,
    refusal,
    require_status,
)
from kataven_flask.doctor.target import API
from kataven_flask.doctor.wire import Answer
from kataven_flask.doctor.words import Finding, harmless
from kataven_flask.errors import InvalidBody
from kataven_flask.origins import Origin
from kataven_flask.verify import (
    CLOCK_SKEW,
    InvalidSession,
    KeysUnavailableError,
    Session,
    SessionVerifier,
)

USER: Final = "kataven-flask-doctor"
"""The user who is signed in: nobody's, so that no real one is touched."""
STRANGER: Final = Origin("https", "doctor.invalid", 443)
"""Nobody can have this name (RFC 6761, section 6.4)."""
_NO_CONTENT: Final = 204


# --- begun


def guest(visit: Visit) -> Result:
    """Begin a guest's session as our widget does, without a preflight."""
    answer = visit.post("guest", _guest_body(visit), TEXT)
    if code_of(answer) == "auth_mode_forbidden":
        return _not_for(answer, "guests", "Examine the signed-in half with --sign-in.")
    visit.grant = grant_of(answer, visit.target)
    return _begun("a session, as this widget asks", answer)


def guest_json(visit: Visit) -> Result:
    """Begin one as other widgets do; it is left to itself, for the server keeps no record of it."""
    answer = visit.post("guest", _guest_body(visit), JSON)
    grant_of(answer, visit.target)
    return Result("a session, as other widgets ask", answer)


def _guest_body(visit: Visit) -> dict[str, str | None]:
    return {"client_key": visit.target.client_key, "agent_id": visit.target.agent_id}


def user_token(visit: Visit) -> Result:
    """Have a visitor token made, as the tenant's backend does."""
    target = visit.target
    if target.server.scheme == "http" and not target.server.is_loopback:
        finding = Finding(
            "Over http anybody on the way could read the secret key, so it wasn't sent.",
            "Give the server's https address as --url.",
        )
        raise Stop(Result("not sent", None, "failed", (finding,)))
    headers = {**PLAIN, "Content-Type": JSON, "Authorization": f"Bearer {visit.secret_key}"}
    body = {"client_key": target.client_key, "user_id": USER, "agent_id": target.agent_id}
    answer = visit.ask("POST", f"{API}/auth/user-token", headers, as_json(body))
    if code_of(answer) == "auth_mode_forbidden":
        return _not_for(answer, "signed-in users", "Nothing is wrong, if that is what you want.")
    require_status(answer, target, of_page=False)
    token = members_of(answer).get("user_token")
    if not isinstance(token, str) or not token:
        raise failure(answer, "lacks user_token", words.NOT_OURS)
    visit.visitor_token = token
    return _begun(f"for {USER}", answer)


def exchange(visit: Visit) -> Result:
    """Exchange the visitor token for a session, as the page does."""
    answer = visit.post("exchange", _exchange_body(visit), TEXT)
    visit.grant = grant_of(answer, visit.target)
    if (visit.grant.visitor_type, visit.grant.visitor_id) != ("user", USER):
        raise failure(answer, "the session is somebody else's", words.NOT_OURS)
    return _begun("a session of this user", answer)


def exchange_again(visit: Visit) -> Result:
    """Present the same visitor token once more: it must be refused."""
    answer = visit.post("exchange", _exchange_body(visit), TEXT)
    if answer.status == OK:
        finding = Finding(
            "One visitor token began two sessions, so a stolen one would work.",
            "Servers behind one address need one state store (--state).",
        )
        raise failure(answer, "taken twice", finding)
    if code_of(answer) != "used_token":
        raise refusal(answer, visit.target)
    return Result("refused, as it must be", answer, code="used_token")


def _exchange_body(visit: Visit) -> dict[str, str | None]:
    return {"token": visit.visitor_token, "client_key": visit.target.client_key}


def _not_for(answer: Answer, whom: str, advice: str) -> Result:
    finding = Finding(f"This agent doesn't admit {whom} (its auth_mode).", advice)
    return Result(f"not for {whom}", answer, "skipped", (finding,), code="auth_mode_forbidden")


def _begun(summary: str, answer: Answer) -> Result:
    if "no-store" in (answer.header("Cache-Control") or "").lower():
        return Result(summary, answer)
    finding = Finding(
        "An answer with a token lacks Cache-Control: no-store, so a cache may keep it.",
        "A proxy changes it; have it pass on the server's.",
    )
    return Result(summary, answer, "warning", (finding,))


# --- verified


def token(visit: Visit) -> Result:
    """Verify the session token by the public keys, as a `/connect` service does."""
    grant = visit.session
    claims = _unverified(grant.token)
    issuer, audience = claims.get("iss"), claims.get("aud")
    if not isinstance(issuer, str) or not isinstance(audience, str):
        raise Stop(Result("not a session token", None, "failed", (words.NOT_OURS,)))
    try:
        verifier = SessionVerifier(f"{visit.target.url}{JWKS}", issuer, audience, keys=visit.keys)
        session = verifier.verify(grant.token)
    except (InvalidSession, KeysUnavailableError) as error:
        return _not_verified(visit, error)
    differing = _differing(visit, grant, session)
    if differing:
        finding = Finding(
            f"The token is for another {differing[0]} than was asked for.",
            "A proxy or a cache on the way gives one caller's answer to another.",
        )
        raise Stop(Result(f"another {', '.join(differing)}", None, "failed", (finding,)))
    return _verified(visit, issuer, audience)


def _verified(visit: Visit, issuer: str, audience: str) -> Result:
    expected = Finding(f"/connect has to expect iss {harmless(issuer)}, aud {harmless(audience)}")
    origin = Origin.of_url(issuer)
    if origin is not None and origin.is_loopback and not visit.target.server.is_loopback:
        local = Finding(
            "The issuer is the server's own address on its machine.",
            "Write `issuer:` in the tenants' file before others rely on it.",
        )
        return Result("verifies by the keys", None, "warning", (expected, local))
    return Result("verifies by the keys", findings=(expected,))


def _not_verified(visit: Visit, error: Exception) -> Result:
    if visit.ahead is not None and abs(visit.ahead) > CLOCK_SKEW:
        finding = Finding("It can't be judged while the clocks differ that much.")
        return Result("not verified", None, "warning", (finding,))
    finding = Finding(
        f"The public keys don't verify it: {harmless(error)}.",
        "Servers behind one address need the same signing keys (--instance).",
    )
    return Result("not verified", None, "failed", (finding,))


def _differing(visit: Visit, grant: Grant, session: Session) -> list[str]:
    pairs = {
        "client key": (session.client_key, visit.target.client_key),
        "origin": (session.origin, str(visit.target.page)),
        "tenant": (session.tenant, visit.tenant_id),
        "agent": (session.agent_id, grant.agent_id),
        "session": (session.session_id, grant.session_id),
        "visitor": (session.visitor_id, grant.visitor_id),
    }
    return [name for name, (said, asked) in pairs.items() if said != asked]


def _unverified(jwt: str) -> Mapping[str, Any]:
    """Read a token's claims as they stand there: to know what to verify, and for no more."""
    segment = jwt.split(".")[1] if jwt.count(".") == 2 else ""  # noqa: PLR2004 - RFC 7515, 3.1
    try:
        return parse_object(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (InvalidBody, ValueError):
        return {}


# --- renewed and ended


def refresh(visit: Visit) -> Result:
    """Renew the session: it stays the same, its tokens don't."""
    before = visit.session
    answer = visit.post("refresh", {"refresh_token": before.refresh_token}, TEXT)
    after = grant_of(answer, visit.target)
    visit.grant, visit.spare = after, before.refresh_token
    if (after.session_id, after.visitor_id) != (before.session_id, before.visitor_id):
        raise failure(answer, "another session", words.NOT_OURS)
    if after.refresh_token == before.refresh_token or after.token == before.token:
        raise failure(answer, "the same tokens again", words.NOT_OURS)
    return _begun("the same session, new tokens", answer)


def refresh_again(visit: Visit) -> Result:
    """Present the same refresh token again, as a second tab does that was a moment too late."""
    answer = visit.post("refresh", {"refresh_token": visit.spare}, JSON)
    if code_of(answer) == "reused_refresh_token":
        finding = Finding(
            "Two tabs that renew at once would end their session.",
            "Set tokens.refresh_grace to 30s. If it is, the servers behind this address"
            " don't share a state store (--state).",
        )
        return Result("ends the session", answer, "warning", (finding,), "reused_refresh_token")
    again = grant_of(answer, visit.target)
    if again.refresh_token != visit.session.refresh_token:
        finding = Finding(
            "One refresh token had two successors, so a stolen one would go unnoticed.",
            "Servers behind one address need one state store (--state).",
        )
        raise failure(answer, "another successor", finding)
    return Result("the same successor again", answer)


def logout(visit: Visit) -> Result:
    """End the session, so that nothing of this visit is left."""
    answer = visit.post("logout", {"refresh_token": visit.session.refresh_token}, TEXT)
    require_status(answer, visit.target, status=_NO_CONTENT)
    return Result("the session is over", answer)


def stranger(visit: Visit) -> Result:
    """Ask from an origin that nobody can have: it must be refused."""
    target = dataclasses.replace(visit.target, page=STRANGER)
    answer = visit.post("guest", _guest_body(visit), TEXT, target)
    if answer.status == OK:
        finding = Finding(
            f"A page of {STRANGER} got a session: the allowlist protects nobody.",
            "A proxy writes an Origin of its own; have it pass on the browser's.",
        )
        raise failure(answer, "admitted", finding)
    if code_of(answer) != "origin_not_allowed":
        raise refusal(answer, target)
    return Result("refused, as it must be", answer, code="origin_not_allowed")
