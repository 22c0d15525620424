"""What the operator's log says of refused origins: once a minute for each key and origin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.app import parts_of
from kataven_flask.event_log import EventLog, Sources
from kataven_flask.event_windows import MAX_APART, PERIOD
from kataven_flask.origins import Origin
from kataven_flask.registry import load_registry
from kataven_flask.security_events import Event
from tests.api.wire import entry
from tests.logfmt import told
from tests.support import KEY, OTHER_KEY, Service, document

WWW: Final = "https://www.acme.net"


def look(service: Service) -> None:
    """Have the server look at what is due, as it does by itself twice a second."""
    parts_of(service.app).watch.look()


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Return what was logged of refused origins since the last time, and forget it."""
    return told(caplog, "origin_refused")


def test_the_first_refusal_is_told_at_once(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One line has the origin, the key, the nearest miss, and the command that adds it."""
    entry(service)["domain_allowlist"] = ["https://acme.com"]
    service.edit()
    answer = service.guest("https://www.acme.com")
    (record,) = [each for each in caplog.records if "origin_refused" in each.getMessage()]
    config = service.settings.config
    assert record.getMessage() == (
        f"origin_refused tenant=acme client_key={KEY} origin=https://www.acme.com"
        f" endpoint=guest count=1 request_id={answer.headers['X-Request-Id']}"
        ' why="the nearest entry is https://acme.com: it has a www., the entry has none;'
        ' if it is theirs, add it"'
        f' add="kataven-flask origins add {KEY} https://www.acme.com --config {config}"'
    )


def test_further_ones_are_counted(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Within the minute nothing more is said; when it is over, how many there were."""
    for _ in range(8):
        answer = service.guest(WWW)
    service.clock.move(PERIOD - 1)
    look(service)
    assert len(said(caplog)) == 1
    service.clock.move(1)
    look(service)
    (fields,) = said(caplog)
    assert (fields["count"], fields["origin"], fields["client_key"]) == ("7", WWW, KEY)
    assert fields["request_id"] == answer.headers["X-Request-Id"]  # the last one's
    assert f"kataven-flask origins add {KEY} {WWW}" in fields["add"]


def test_a_page_that_goes_on_is_told_once_a_minute(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten minutes of a request every ten seconds are ten lines, and no refusal is forgotten."""
    lines = []
    for _ in range(60):
        service.config(WWW)
        look(service)
        service.clock.move(10)
        lines += said(caplog)
    service.close()
    lines += said(caplog)
    assert 10 <= len(lines) <= 11
    assert sum(int(fields["count"]) for fields in lines) == 60


def test_after_a_quiet_minute_it_is_news_again(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute without a refusal says nothing, and the next one is told at once."""
    service.guest(WWW)
    service.clock.move(PERIOD)
    look(service)
    assert len(said(caplog)) == 1
    service.guest(WWW)
    (fields,) = said(caplog)
    assert fields["count"] == "1"


def test_a_clock_that_is_put_back_silences_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute that began in what is the future now is over."""
    service.guest(WWW)
    service.guest(WWW)
    service.clock.move(-86_400)
    look(service)
    assert len(said(caplog)) == 2


def test_an_end_tells_what_was_counted(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that was counted is lost in an orderly end."""
    for _ in range(3):
        service.guest(WWW)
    service.close()
    assert [fields["count"] for fields in said(caplog)] == ["1", "2"]


def test_each_key_and_origin_is_told_by_itself(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One tenant's noise hides nothing of another's."""
    for origin in (WWW, "https://evil.example"):
        for key in (KEY, OTHER_KEY):
            service.guest(origin, client_key=key)
            service.guest(origin, client_key=key)
    assert [fields["tenant"] for fields in said(caplog)] == ["acme", "other"] * 2


@pytest.mark.parametrize("origin", ["null", None, "https://acme.com/", "https://\u0430cme.com"])
def test_no_readable_origin_is_told_too(
    service: Service, caplog: pytest.LogCaptureFixture, origin: str | None
) -> None:
    """A sandboxed frame or a tool gets 403 as well, and the operator finds it under the key."""
    service.guest(origin)
    (fields,) = said(caplog)
    assert (fields["origin"], fields["client_key"]) == ("none", KEY)
    assert "why" not in fields


def test_a_refresh_without_an_origin_is_told(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the 403 comes from; one from another origin is an event of its own."""
    session = service.guest().get_json()
    service.refresh(session["refresh_token"], origin=None)
    assert len(said(caplog)) == 1
    service.refresh(session["refresh_token"], origin=WWW)
    (fields,) = told(caplog)
    assert fields["event"] == "session_from_another_origin"
    assert fields["session"] == session["session_id"]


# --- what it says


@pytest.mark.parametrize(
    ("allowlist", "origin", "words"),
    [
        (["acme.com"], "https://xn--cme-5cd.com", "phishing page: it looks like acme.com"),
        (["acme.com"], "https://acme.com.evil.net", "perhaps a phishing page"),
        ([], "https://acme.com", "the allowlist is empty; if it is theirs, add it"),
        (["acme.com"], "https://evil.example", "no entry is near it; if it is theirs, add it"),
        (["acme.com"], "ws://acme.com", "a page's origin is http or https"),
    ],
)  # fmt: skip
def test_the_line_says_why(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    allowlist: list[str],
    origin: str,
    words: str,
) -> None:
    """The short form of what `origins explain` says; no command for what may be phishing."""
    entry(service)["domain_allowlist"] = allowlist
    service.edit()
    service.guest(origin)
    (fields,) = said(caplog)
    assert words in fields["why"]
    assert ("add" in fields) == ("if it is theirs" in fields["why"])


def test_a_test_key_says_what_it_is_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log offers no entry that the file would refuse."""
    test_key = KEY.replace("live", "test")
    service = Service(tmp_path)
    entry(service).update(client_key=test_key, domain_allowlist=["localhost:*"])
    service.edit()
    service.guest("https://acme.com", client_key=test_key)
    (fields,) = said(caplog)
    assert fields["why"].endswith("use the tenant's pk_live_ key there")


def test_what_was_mended_meanwhile_is_said(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a minute's end is by the file in force then, or by none of it."""
    service.guest(WWW)
    service.guest(WWW)
    entry(service)["domain_allowlist"] = [WWW]
    service.edit()
    service.clock.move(PERIOD)
    look(service)
    assert said(caplog)[1]["why"] == "it is admitted by now"
    service.clock.move(PERIOD)
    service.guest("https://evil.example")
    service.guest("https://evil.example")
    service.document["tenants"]["acme"]["keys"].pop(0)
    service.edit()
    service.clock.move(PERIOD)
    look(service)
    removed = said(caplog)[1]
    assert "why" not in removed
    assert (removed["tenant"], removed["client_key"]) == ("acme", KEY)


def test_the_default_file_needs_no_option(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The command is as short as it can be."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    registry = load_registry(tmp_path / "tenants.yaml")
    default = Path("config/tenants.yaml")
    events = EventLog(Sources(lambda: registry, default, lambda: 0.0, lambda _: ""))
    events.tell(Event.ORIGIN_REFUSED, client_key=KEY, origin=Origin.parse(WWW))
    (fields,) = said(caplog)
    assert fields["add"] == f"kataven-flask origins add {KEY} {WWW}"


# --- strangers choose the origins


def test_beyond_fifty_they_are_counted_together(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A scan of one key fills neither memory nor log, and hides nothing of another key."""
    origins = [f"https://o{number}.example" for number in range(MAX_APART + 30)]
    events = parts_of(service.app).events
    for origin in origins * 2:
        events.tell(Event.ORIGIN_REFUSED, client_key=KEY, origin=Origin.parse(origin))
    lines = said(caplog)
    assert len(lines) == MAX_APART + 1
    assert lines[-1]["origin"] == "others"
    assert lines[-1]["why"] == "too many to be told one by one"
    assert "add" not in lines[-1]
    events.tell(Event.ORIGIN_REFUSED, client_key=OTHER_KEY, origin=Origin.parse(WWW))
    assert said(caplog)[0]["origin"] == WWW
    service.clock.move(PERIOD)
    look(service)
    assert said(caplog)[MAX_APART]["count"] == "59"


@given(st.text() | st.from_regex(r"https?://[^/]{1,40}", fullmatch=True))
def test_an_origin_that_is_one_is_plain_text(text: str) -> None:
    """What gets as far as the log has no character that ends a line or drives a terminal."""
    origin = Origin.parse(text)
    if origin is not None:
        assert re.fullmatch(r"[a-z0-9+.-]+://[a-z0-9._:\[\]-]+", str(origin))
