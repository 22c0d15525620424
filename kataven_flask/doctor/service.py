"""The steps about the server itself: reached, ready, its script, config, keys and clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

from kataven_flask.doctor import words
from kataven_flask.doctor.browser import (
    AGENT,
    JSON,
    api_headers,
    blocked_script,
    hidden_headers,
    preflight_headers,
    refused_preflight,
    script_headers,
)
from kataven_flask.doctor.steps import (
    Result,
    Visit,
    code_of,
    failure,
    members_of,
    refusal,
    require_status,
)
from kataven_flask.doctor.target import API
from kataven_flask.doctor.wire import Answer
from kataven_flask.doctor.words import Finding, harmless
from kataven_flask.times import duration
from kataven_flask.verify import CLOCK_SKEW

OK: Final = 200
JWKS: Final = "/.well-known/jwks.json"
PLAIN: Final = {"User-Agent": AGENT, "Accept": JSON}
"""The headers of a caller that is no browser."""
_BAD_REQUEST: Final = 400
"""What a TLS port of a proxy says to plain HTTP; `/healthz` never does."""
_NOT_PUBLIC: Final = {401, 403, 404}
_ADMITS: Final = {"guest": "guests alone", "user": "users alone", "both": "guests and users"}


def reach(visit: Visit) -> Result:
    """Find out whether anything answers at the address."""
    answer = visit.ask("GET", "/healthz", PLAIN)
    visit.ahead = _ahead_by_date(visit, answer)
    if answer.status in words.NO_SERVER and code_of(answer) is None:
        raise refusal(answer, visit.target, of_page=False)
    if answer.status == _BAD_REQUEST and visit.target.server.scheme == "http":
        raise failure(answer, "a bad request", words.TLS_PORT)
    at = f"at {harmless(answer.peer)}" + (f", {answer.tls}" if answer.tls else "")
    is_ours = answer.status == OK and b'"alive"' in answer.body
    result = Result(f"{'alive' if is_ours else 'something answers'} {at}", answer)
    if visit.target.is_mixed_content:
        blocked = Finding(
            "A browser blocks http answers in an https page (mixed content).",
            "Serve this address over https, and write that in the page's snippet.",
        )
        return dataclasses.replace(result, state="warning", findings=(blocked,))
    if visit.target.server.is_loopback and not visit.target.page.is_loopback:
        near = Finding("This is the machine's own address; examine the public one, too.")
        return dataclasses.replace(result, findings=(near,))
    return result


def ready(visit: Visit) -> Result:
    """Ask the server how its parts are."""
    answer = visit.ask("GET", "/readyz", PLAIN)
    if answer.status in _NOT_PUBLIC:
        return Result("kept private here", answer, "skipped")
    if answer.status != OK:
        raise refusal(answer, visit.target, of_page=False)
    report = members_of(answer)
    findings = []
    if not _is_sound(report, "config"):
        findings.append(
            Finding(
                "The tenants' file was edited and refused; the server goes on with the one before.",
                "On the server's machine, see every fault:",
                "kataven-flask check",
            )
        )
    if not _is_sound(report, "signing_key"):
        findings.append(
            Finding(
                "The keys' file can't be read; the server goes on with the keys it had.",
                "Have the operator look at the instance folder, and at the server's log.",
            )
        )
    if findings:
        return Result("ready, but an edit was refused", answer, "warning", tuple(findings))
    return Result("ready, its tenants' file is sound", answer)


def _is_sound(report: Mapping[str, Any], part: str) -> bool:
    state = report.get(part)
    return isinstance(state, dict) and state.get("ok") is True


def widget(visit: Visit) -> Result:
    """Load the widget's script as the snippet does."""
    answer = visit.ask("GET", "/widget/v1.js", script_headers(visit.target))
    require_status(answer, visit.target, of_page=False)
    if answer.is_web_page:
        raise failure(answer, "a web page", words.WEB_PAGE)
    blocked = blocked_script(answer, visit.target)
    if blocked is not None:
        raise failure(answer, "a browser won't run it", blocked)
    if not answer.body.strip():
        raise failure(answer, "empty", words.NOT_OURS)
    return Result(f"{-(-len(answer.body) // 1000)} kB of script", answer)


def config(visit: Visit) -> Result:
    """Ask for the branding and the agent, which is what the widget does first."""
    target = visit.target
    query = {"client_key": target.client_key}
    if target.agent_id:
        query["agent_id"] = target.agent_id
    answer = visit.ask("GET", f"{API}/config?{urlencode(query)}", api_headers(target, "GET"))
    require_status(answer, target)
    members = members_of(answer)
    agent, tenant = (_object(members, name) for name in ("agent", "tenant"))
    visit.agent_id, visit.tenant_id = str(agent.get("id", "")), str(tenant.get("id", ""))
    if not visit.agent_id or not visit.tenant_id:
        raise failure(answer, "lacks the agent or the tenant", words.NOT_OURS)
    if members.get("client_key") != target.client_key:
        stale = Finding(
            "It is the config of another client key.",
            "A cache on the way leaves the query out; have it keep one answer for each query.",
        )
        raise failure(answer, "another key's", stale)
    name = harmless(agent.get("display_name", visit.agent_id), 40)
    admits = _ADMITS.get(str(agent.get("auth_mode")), "")
    hidden = hidden_headers(answer, target)
    summary = f"{name}, for {admits}" if admits else name
    if hidden is not None:
        return Result(summary, answer, "warning", (hidden,))
    return Result(summary, answer)


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def preflight(visit: Visit) -> Result:
    """Ask for leave to post JSON, as a browser does for other widgets than ours."""
    if visit.target.is_same_origin:
        return Result("none is sent to the page's own origin", state="skipped")
    answer = visit.ask("OPTIONS", f"{API}/auth/guest", preflight_headers(visit.target))
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - an ok status (Fetch, section 2.2.3)
        refused = Finding(
            f"OPTIONS is refused with {answer.status}, so a browser sends no JSON.",
            "A proxy or a firewall answers in the server's place; have it pass OPTIONS on.",
        )
        raise failure(answer, "refused", refused)
    finding = refused_preflight(answer, visit.target)
    if finding is not None:
        raise failure(answer, "a browser stops here", finding)
    return Result("a page may post JSON", answer)


def keys(visit: Visit) -> Result:
    """Fetch the public keys, as a `/connect` service does."""
    answer = visit.ask("GET", JWKS, PLAIN)
    require_status(answer, visit.target, of_page=False)
    members = members_of(answer)
    found = members.get("keys")
    if not isinstance(found, list) or not found:
        raise failure(answer, "no keys in it", words.NOT_OURS)
    visit.keys = members
    return Result(f"{len(found)} public key{'s' * (len(found) > 1)}", answer)


def clock(visit: Visit) -> Result:
    """Compare the server's clock with this machine's."""
    if visit.grant is not None and visit.grant.server_time is not None:
        visit.ahead = visit.grant.server_time - visit.clock()
    if visit.ahead is None:
        return Result("the server tells no time", state="skipped")
    if abs(visit.ahead) <= CLOCK_SKEW:
        return Result(f"within {CLOCK_SKEW} s of this machine's")
    side = "ahead of" if visit.ahead > 0 else "behind"
    wrong = Finding(
        f"Tokens are refused where clocks differ by over {CLOCK_SKEW} s.",
        "Set both by NTP; find out first which of them is wrong.",
    )
    return Result(f"{duration(abs(visit.ahead))} {side} this one", None, "warning", (wrong,))


def _ahead_by_date(visit: Visit, answer: Answer) -> float | None:
    try:
        return parsedate_to_datetime(answer.header("Date") or "").timestamp() - visit.clock()
    except (ValueError, TypeError, OverflowError):
        return None
