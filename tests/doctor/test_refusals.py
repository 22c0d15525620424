"""What the service itself refuses, and what is said about it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from kataven_flask.doctor import Step, examine
from tests.doctor.proxy import Proxy, proxy
from tests.support import KEY, ORIGIN, OTHER_KEY, OTHER_SECRET, PINNED_KEY, PINNED_SECRET, SECRET


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Proxy]:
    """Return a server behind a proxy that does nothing wrong."""
    with proxy(tmp_path) as through:
        yield through


def words(step: Step) -> str:
    """Return all that is said about a step."""
    return " ".join(f"{each.meaning} {each.advice} {each.command}" for each in step.findings)


def edit(behind: Proxy, *path: str | int, **members: Any) -> None:
    """Change members of the tenants' file, somewhere under its tenants."""
    place: Any = behind.service.document["tenants"]
    for part in path:
        place = place[part]
    place.update(members)
    behind.service.edit()


REFUSALS: Final[dict[str, tuple[Callable[[Proxy], None], dict[str, Any], str, str]]] = {
    "origin": (
        lambda _: None,
        {"origin": "https://www.acme.net"},
        "origin_not_allowed",
        f"kataven-flask origins explain {KEY} https://www.acme.net",
    ),
    "key": (
        lambda _: None,
        {"key": "pk_live_acme_" + "X" * 22},
        "unknown_client_key",
        "Copy it from the snippet again",
    ),
    "switched off": (
        lambda behind: edit(behind, "acme", "keys", 0, enabled=False),
        {},
        "client_key_disabled",
        "past its not_after",
    ),
    "agent off": (lambda _: None, {"agent": "night"}, "agent_disabled", "widget_enabled: true"),
    "no such agent": (lambda _: None, {"agent": "nigth"}, "unknown_agent_id", "--agent here"),
    "no agent named": (
        lambda behind: edit(behind, "acme", default_agent=None),
        {},
        "missing_agent_id",
        "set default_agent",
    ),
}


@pytest.mark.parametrize(("change", "asked", "code", "told"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_what_to_do(
    behind: Proxy, change: Callable[[Proxy], None], asked: dict[str, Any], code: str, told: str
) -> None:
    """The first step that it meets fails with the code, and what builds on it is skipped."""
    change(behind)
    steps = behind.examined(**asked)
    assert [step.name for step in steps.values() if step.state == "failed"] == ["config"]
    assert (steps["config"].status, steps["config"].code) in {(403, code), (400, code)}
    assert told in words(steps["config"])
    assert {steps[name].state for name in ("guest", "refresh", "logout")} == {"skipped"}


@pytest.mark.parametrize(
    ("name", "state"), [("origin", "ok"), ("agent off", "ok"), ("key", "skipped")]
)
def test_the_stranger_is_tried_where_the_key_is_known(behind: Proxy, name: str, state: str) -> None:
    """That strangers are refused is worth knowing, unless the key itself is unknown."""
    assert behind.examined(**REFUSALS[name][1])["stranger"].state == state


def test_an_agent_for_users_alone(behind: Proxy) -> None:
    """That guests are refused there is no fault: their steps are skipped, and it is explained."""
    steps = behind.examined(key=PINNED_KEY)
    assert not [step for step in steps.values() if step.state == "failed"]
    assert steps["guest"].state == "skipped"
    assert "--sign-in" in words(steps["guest"])
    assert steps["refresh"].summary == "needs guest"


def test_an_agent_for_users_alone_signed_in(behind: Proxy) -> None:
    """Its other half is examined with a secret key: the token is verified there."""
    steps = behind.examined(key=PINNED_KEY, secret=PINNED_SECRET)
    assert steps["guest"].state == "skipped"
    for name in ("user token", "exchange", "used twice", "user: token", "user: refresh"):
        assert steps[name].state == "ok", steps[name]


def test_an_agent_for_guests_alone(behind: Proxy) -> None:
    """That users are refused there is no fault either."""
    steps = behind.examined(agent="sales", secret=SECRET)
    assert not [step for step in steps.values() if step.state == "failed"]
    assert steps["user token"].state == "skipped"
    assert steps["exchange"].summary == "needs user token"


@pytest.mark.parametrize(
    ("secret", "code"),
    [("sk_live_acme_" + "x" * 43, "invalid_api_key"), (OTHER_SECRET, "client_key_mismatch")],
)
def test_a_wrong_secret_key(behind: Proxy, secret: str, code: str) -> None:
    """An unknown secret key, and one of another client key, are told apart."""
    step = behind.examined(secret=secret)["user token"]
    assert (step.state, step.code) == ("failed", code)
    assert secret not in repr(step)


def test_no_real_user_is_touched(behind: Proxy) -> None:
    """The user who is signed in is made up, and nothing asks to revoke anybody."""
    behind.examined(secret=SECRET)
    minted = next(seen for seen in behind.seen if seen.path.endswith("/user-token"))
    assert b'"user_id": "kataven-flask-doctor"' in minted.body
    assert not [seen for seen in behind.seen if "revoke" in seen.path]


def test_the_secret_key_goes_where_it_belongs(behind: Proxy) -> None:
    """It is sent to `user-token`, as a backend sends it, and nowhere else."""
    behind.examined(secret=SECRET)
    with_secret = [s for s in behind.seen if SECRET in f"{s.headers}{s.body!r}{s.path}"]
    assert [seen.path.rpartition("/")[2] for seen in with_secret] == ["user-token"]
    assert not {"Origin", "Referer", "Sec-Fetch-Site"} & with_secret[0].headers.keys()


def test_a_rate_limit_says_when_to_try_again(behind: Proxy) -> None:
    """The second request in a minute is over the limit of one."""
    behind.service.document["limits"] = {"guest_per_minute": 1}
    behind.service.edit()
    step = behind.examined()["guest, JSON"]
    assert (step.state, step.status, step.code) == ("failed", 429, "rate_limited")
    assert "Try again in " in words(step)
    assert " s. Behind a proxy" in words(step)


def test_no_grace_is_a_warning(behind: Proxy) -> None:
    """Where a second tab ends the session, that is the operator's choice, and is told."""
    edit(behind, "acme", tokens={"refresh_grace": 0})
    steps = behind.examined()
    assert steps["second tab"].state == "warning"
    assert "refresh_grace" in words(steps["second tab"])
    assert steps["logout"].state == "ok"


def test_a_state_store_out_of_reach(tmp_path: Path) -> None:
    """Not ready, guests go on, and nothing can be renewed."""
    with proxy(tmp_path, state="redis://127.0.0.1:1") as behind:
        steps = behind.examined()
    for name in ("ready", "refresh"):
        assert (steps[name].state, steps[name].status) == ("failed", 503)
        assert steps[name].code == "state_unavailable"
        assert "try again in 2 s" in words(steps[name])
    assert steps["guest"].state == "ok"
    assert steps["second tab"].state == "skipped"


def test_a_refused_edit_is_a_warning(behind: Proxy) -> None:
    """The last good file goes on, so nothing fails; the operator is told to check it."""
    live = behind.service.app.extensions["kataven"].live
    behind.service.settings.config.write_text("version: 2\n")
    live.reload()
    step = behind.examined()["ready"]
    assert step.state == "warning"
    assert "kataven-flask check" in words(step)


def test_readyz_may_be_kept_private(behind: Proxy) -> None:
    """A proxy that doesn't publish `/readyz` and `/healthz` is no fault."""
    behind.receive = lambda request: (
        type(request)(request.method, "/nothing", request.headers, b"")
        if request.path in {"/readyz", "/healthz"}
        else request
    )
    steps = behind.examined()
    assert steps["ready"].state == "skipped"
    assert not [step for step in steps.values() if step.state == "failed"]


# --- clocks


@pytest.mark.parametrize(("ahead", "side"), [(30, "ahead of"), (-30, "behind")])
def test_clocks_that_differ(behind: Proxy, ahead: int, side: str) -> None:
    """Over ten seconds are a warning, and no step fails for them."""
    clock = time.time
    steps = {s.name: s for s in examine(behind.target(), clock=lambda: clock() - ahead)}
    assert steps["clock"].state == "warning"
    assert re.fullmatch(rf"(29|30|31) s {side} this one", steps["clock"].summary)
    assert not [step for step in steps.values() if step.state == "failed"]


def test_a_server_ahead_in_time(tmp_path: Path) -> None:
    """A token from the future isn't verified here, which is put down to the clocks."""
    with proxy(tmp_path, clock=lambda: time.time() + 60) as behind:
        steps = behind.examined()
    assert steps["clock"].state == "warning"
    assert (steps["token"].state, steps["token"].summary) == ("warning", "not verified")
    assert "clocks differ" in words(steps["token"])


def test_the_date_header_tells_the_time_too(behind: Proxy) -> None:
    """Where no guest is admitted, the answers' own date is what there is."""
    behind.of_all(lambda reply: reply.having("Date", "Tue, 01 Jan 2030 00:00:00 GMT"))
    assert behind.examined(key=PINNED_KEY)["clock"].state == "warning"


# --- who issues


def test_what_connect_has_to_expect(behind: Proxy) -> None:
    """The issuer and the audience that stand in the token are told."""
    told = words(behind.examined()["token"])
    assert "iss https://widget.example.com, aud kataven:connect" in told


def test_another_tenants_key(behind: Proxy) -> None:
    """The token is held against the tenant that the config named."""
    assert behind.examined(key=OTHER_KEY, origin=ORIGIN)["token"].state == "ok"
