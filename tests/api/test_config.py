"""`GET /api/v1/widget/config`: what a widget draws itself from, and what a cache may keep."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.api.wire import LONG_AGO, STRANGER, SUBDOMAIN, agent, entry, moment, tenant
from tests.support import (
    API,
    KEY,
    NOON,
    ORIGIN,
    OTHER_KEY,
    PINNED_KEY,
    Service,
    refused,
)

CACHE: Final = "public, max-age=60, stale-while-revalidate=300"
PATH: Final = f"{API}/config"

OK: Final = (200, None)
REFUSED: Final[list[Any]] = [
    pytest.param({"client_key": None}, ORIGIN, 400, "missing_client_key", id="no-key"),
    pytest.param({"client_key": ""}, ORIGIN, 400, "missing_client_key", id="empty-key"),
    pytest.param({"client_key": "pk_live_acme_0"}, ORIGIN, 403, "unknown_client_key", id="unknown"),
    pytest.param({"client_key": KEY.lower()}, ORIGIN, 403, "unknown_client_key", id="lower-case"),
    pytest.param({"client_key": f" {KEY}"}, ORIGIN, 403, "unknown_client_key", id="blank-before"),
    pytest.param({"client_key": f"{KEY}\n"}, ORIGIN, 400, "invalid_field", id="line-break-after"),
    pytest.param({"client_key": f"{KEY}\0"}, ORIGIN, 400, "invalid_field", id="null-byte-after"),
    pytest.param({"client_key": "k" * 5000}, ORIGIN, 400, "invalid_field", id="long-key"),
    pytest.param({"agent_id": "nobody"}, ORIGIN, 400, "unknown_agent_id", id="unknown-agent"),
    pytest.param({"agent_id": "Support"}, ORIGIN, 400, "unknown_agent_id", id="agents-case"),
    pytest.param({"agent_id": "only"}, ORIGIN, 400, "unknown_agent_id", id="other-tenants-agent"),
    pytest.param({"agent_id": "night"}, ORIGIN, 403, "agent_disabled", id="agent-off"),
    pytest.param({"agent_id": "a\0b"}, ORIGIN, 400, "invalid_field", id="null-byte-in-agent"),
    pytest.param({"agent_id": "a" * 5000}, ORIGIN, 400, "invalid_field", id="long-agent"),
    pytest.param({}, None, 403, "origin_not_allowed", id="no-origin"),
    pytest.param({}, STRANGER, 403, "origin_not_allowed", id="stranger"),
    pytest.param({}, "null", 403, "origin_not_allowed", id="null-origin"),
    pytest.param({"client_key": PINNED_KEY}, SUBDOMAIN, 403, "origin_not_allowed", id="other-list"),
]


@pytest.mark.parametrize(("query", "origin", "status", "code"), REFUSED)
def test_a_config_is_refused(
    service: Service, query: dict[str, Any], origin: str | None, status: int, code: str
) -> None:
    """Each thing wrong with the query or the origin has its answer."""
    assert refused(service.config(origin, **query)) == (status, code)


def test_a_whole_config(service: Service) -> None:
    """The widget gets exactly the promised members, with the file's own values."""
    tenant(service)["branding"] = {
        "primary_color": "#111111",
        "accent_color": "#abc",
        "logo_url": "https://acme.com/logo.svg",
        "launcher_position": "tl",
        "launcher_label": "Grüß Gott",
        "privacy_notice": "Calls may be recorded.",
    }
    agent(service)["greeting"] = "Moin! 👋"
    agent(service)["avatar_url"] = "https://acme.com/a.png"
    service.edit()
    answer = service.config()
    assert refused(answer) == OK
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.get_json() == {
        "client_key": KEY,
        "tenant": {"id": "acme", "name": "Acme Inc."},
        "agent": {
            "id": "support",
            "display_name": "Acme Support",
            "greeting": "Moin! 👋",
            "avatar_url": "https://acme.com/a.png",
            "auth_mode": "both",
        },
        "branding": {
            "primary_color": "#111111",
            "accent_color": "#abc",
            "logo_url": "https://acme.com/logo.svg",
            "launcher_position": "tl",
            "launcher_label": "Grüß Gott",
            "privacy_notice": "Calls may be recorded.",
        },
    }


def test_a_config_without_branding(service: Service) -> None:
    """What the file leaves out still stands in the answer, with its default or null."""
    answer = service.config()
    assert answer.get_json()["branding"] == {
        "primary_color": "#2563eb",
        "accent_color": "#7c3aed",
        "logo_url": None,
        "launcher_position": "br",
        "launcher_label": "Talk to us",
        "privacy_notice": None,
    }
    assert set(answer.get_json()["agent"]) == {
        "id",
        "display_name",
        "greeting",
        "avatar_url",
        "auth_mode",
    }


def test_a_config_tells_no_secret(service: Service) -> None:
    """Neither hashes, nor the allowlist, nor another agent is told to a page."""
    text = service.config().text
    assert not any(word in text for word in ("sha256", "allowlist", "acme.com", "night", "sales"))


def test_a_config_may_be_kept(service: Service) -> None:
    """The answer carries an entity tag and how long a cache may keep it."""
    answer = service.config()
    assert answer.headers["Cache-Control"] == CACHE
    assert answer.headers["ETag"].startswith('"')
    assert "origin" in answer.headers["Vary"].lower()
    assert service.config().headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param("{tag}", 304, id="the-tag"),
        pytest.param("W/{tag}", 304, id="weak"),
        pytest.param('"other", {tag}', 304, id="in-a-list"),
        pytest.param("*", 304, id="any"),
        pytest.param('"other"', 200, id="another"),
        pytest.param("garbage", 200, id="garbage"),
        pytest.param("", 200, id="empty"),
    ],
)
def test_a_kept_config_is_not_sent_again(service: Service, form: str, status: int) -> None:
    """`If-None-Match` with the present tag gets 304 with no body (RFC 9110, section 13.1.2)."""
    tag = service.config().headers["ETag"]
    answer = service.client.get(
        PATH,
        query_string={"client_key": KEY},
        headers={"Origin": ORIGIN, "If-None-Match": form.format(tag=tag)},
    )
    assert answer.status_code == status
    assert answer.headers["ETag"] == tag
    assert answer.headers["Cache-Control"] == CACHE
    assert (answer.data == b"") is (status == 304)


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-9"},
        {"Range": "bytes=999999-"},
        {"Range": "lines=1-2"},
        {"If-Modified-Since": "Wed, 21 Oct 2065 07:28:00 GMT"},
        {"If-Modified-Since": "garbage"},
        {"If-Range": '"x"', "Range": "bytes=0-1"},
    ],
    ids=str,
)
def test_other_conditions_get_the_whole_config(service: Service, headers: dict[str, str]) -> None:
    """Only the entity tag spares the body; a range or a date never cuts it."""
    answer = service.client.get(
        PATH, query_string={"client_key": KEY}, headers={"Origin": ORIGIN, **headers}
    )
    assert refused(answer) == OK
    assert answer.data == service.config().data


def test_an_unmet_condition_is_an_error_like_any_other(service: Service) -> None:
    """A 412 of `If-Match`, where it is read at all, has a code and a request id."""
    answer = service.client.get(
        PATH,
        query_string={"client_key": KEY},
        headers={"Origin": ORIGIN, "If-Match": '"other"'},
    )
    if answer.status_code != 200:
        assert answer.headers.get("X-Error-Code")
        assert answer.headers.get("X-Request-Id")


def test_a_kept_config_is_no_way_around_the_allowlist(service: Service) -> None:
    """A stranger with the right tag is refused, and the refusal may not be kept."""
    tag = service.config().headers["ETag"]
    answer = service.client.get(
        PATH,
        query_string={"client_key": KEY},
        headers={"Origin": STRANGER, "If-None-Match": tag},
    )
    assert refused(answer) == (403, "origin_not_allowed")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


def test_an_edit_changes_the_tag(service: Service) -> None:
    """After an edit of what is shown a kept config is sent anew."""
    before = service.config()
    agent(service)["greeting"] = "Another greeting"
    service.edit()
    after = service.config()
    assert after.get_json()["agent"]["greeting"] == "Another greeting"
    assert after.headers["ETag"] != before.headers["ETag"]


def test_each_agent_has_a_tag_of_its_own(service: Service) -> None:
    """Two agents of a key are two documents."""
    tags = {service.config(agent_id=each).headers["ETag"] for each in ("support", "sales")}
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("client_key", "asked", "chosen"),
    [
        pytest.param(PINNED_KEY, None, "account", id="pinned"),
        pytest.param(PINNED_KEY, "sales", "account", id="pinned-and-asked"),
        pytest.param(PINNED_KEY, "nobody", "account", id="pinned-and-unknown"),
        pytest.param(PINNED_KEY, "night", "account", id="pinned-and-off"),
        pytest.param(KEY, "sales", "sales", id="asked"),
        pytest.param(KEY, "account", "account", id="asked-for-users"),
        pytest.param(KEY, None, "support", id="default"),
        pytest.param(KEY, "", "support", id="asked-for-none"),
        pytest.param(OTHER_KEY, None, "only", id="only-one"),
        pytest.param(OTHER_KEY, "only", "only", id="only-one-asked"),
    ],
)
def test_the_agent_is_resolved(
    service: Service, client_key: str, asked: str | None, chosen: str
) -> None:
    """The key's pin wins, then what is asked, then the default, then the only one."""
    answer = service.config(client_key=client_key, agent_id=asked)
    assert answer.get_json()["agent"]["id"] == chosen


@pytest.mark.parametrize("asked", [None, ""])
def test_of_several_agents_one_must_be_named(service: Service, asked: str | None) -> None:
    """Without a pin and a default a tenant of several agents needs to be told which."""
    del tenant(service)["default_agent"]
    service.edit()
    assert refused(service.config(agent_id=asked)) == (400, "missing_agent_id")
    assert service.config(agent_id="sales").get_json()["agent"]["id"] == "sales"


def test_a_default_that_is_off_is_not_skipped(service: Service) -> None:
    """A default agent whose widget is off is off; no other takes its place."""
    agent(service)["widget_enabled"] = False
    service.edit()
    assert refused(service.config()) == (403, "agent_disabled")


@pytest.mark.parametrize("auth_mode", ["guest", "user", "both"])
def test_every_auth_mode_may_be_drawn(service: Service, auth_mode: str) -> None:
    """The config says whom the agent admits; it refuses nobody for it."""
    agent(service)["auth_mode"] = auth_mode
    service.edit()
    assert service.config().get_json()["agent"]["auth_mode"] == auth_mode


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"enabled": False}, (403, "client_key_disabled"), id="disabled"),
        pytest.param({"not_after": LONG_AGO}, (403, "client_key_disabled"), id="ended"),
        pytest.param({"not_after": moment(NOON)}, (403, "client_key_disabled"), id="ends-now"),
        pytest.param({"not_after": moment(NOON + 1)}, OK, id="ends-soon"),
        pytest.param({"domain_allowlist": []}, (403, "origin_not_allowed"), id="empty-allowlist"),
    ],
)
def test_the_keys_entry_decides(
    service: Service, members: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    """A key that is off, past its time or without origins serves no page."""
    entry(service).update(members)
    service.edit()
    assert refused(service.config()) == expected


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER])
def test_the_words_are_the_references_own(service: Service, origin: str) -> None:
    """`config` says `Origin not in allowlist`, without the words that the others add."""
    entry(service)["domain_allowlist"] = []
    service.edit()
    assert service.config(origin).text.startswith("Origin not in allowlist: ")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param(f"client_key={KEY}&client_key={OTHER_KEY}", "invalid_field", id="two-keys"),
        pytest.param(f"client_key={KEY}&client_key=", "invalid_field", id="one-is-empty"),
        pytest.param(
            f"client_key={KEY}&agent_id=support&agent_id=sales", "invalid_field", id="two-agents"
        ),
    ],
)
def test_a_repeated_parameter_is_refused(service: Service, query: str, code: str) -> None:
    """Like a member that stands twice in a body, a parameter that stands twice is a 400."""
    answer = service.client.get(f"{PATH}?{query}", headers={"Origin": ORIGIN})
    assert refused(answer) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        "client_key=%00",
        "client_key=%ff%fe",
        "client_key=%ED%A0%80",
        "client_key=%",
        "client_key=%zz",
        "client_key",
        "=&=&==",
        "client_key[]=x",
        "client_key=%0d%0aX-Injected:%20yes",
        "client_key=" + "%25" * 3000,
        "&" * 5000,
        f"client_key={KEY};agent_id=support",
        "client_key=\u00fc",
    ],
)
def test_a_hostile_query_is_refused(service: Service, query: str) -> None:
    """No spelling of the query is a fault of ours or reaches a header."""
    answer = service.client.get(f"{PATH}?{query}", headers={"Origin": ORIGIN})
    assert answer.status_code in {400, 403}
    assert answer.headers["X-Error-Code"] in {
        "missing_client_key",
        "invalid_field",
        "unknown_client_key",
    }
    assert "X-Injected" not in answer.headers


def test_unknown_parameters_are_ignored(service: Service) -> None:
    """A cache buster or a tracking parameter changes nothing."""
    assert refused(service.config(utm_source="x", _="1")) == OK


@pytest.mark.parametrize("headers", [{}, {"Origin": STRANGER}], ids=["no-header", "stranger"])
def test_a_query_supplies_no_origin(service: Service, headers: dict[str, str]) -> None:
    """The caller's origin is in the headers, whatever the query says."""
    query = {"client_key": KEY, "origin": ORIGIN, "referer": ORIGIN}
    answer = service.client.get(PATH, query_string=query, headers=headers)
    assert refused(answer) == (403, "origin_not_allowed")


def test_a_head_request_has_the_headers_alone(service: Service) -> None:
    """HEAD answers as GET does, without the body."""
    answer = service.client.head(PATH, query_string={"client_key": KEY}, headers={"Origin": ORIGIN})
    assert refused(answer) == OK
    assert answer.headers["ETag"] == service.config().headers["ETag"]
    assert answer.data == b""


def test_a_body_says_nothing(service: Service) -> None:
    """A key in the body of a GET isn't read."""
    answer = service.client.get(PATH, json={"client_key": KEY}, headers={"Origin": ORIGIN})
    assert refused(answer) == (400, "missing_client_key")
