"""Why an allowlist admits an origin, or doesn't, and what would."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kataven_flask.explain import ALARMING, Explanation, Kind, add_command, explain
from kataven_flask.origins import Origin, OriginPattern, OriginPatternError


def explained(entries: list[str], origin: str, *, loopback_only: bool = False) -> Explanation:
    """Hold an origin against entries as they are written."""
    parsed = Origin.parse(origin)
    assert parsed is not None, origin
    patterns = [OriginPattern.parse(entry) for entry in entries]
    return explain(patterns, parsed, loopback_only=loopback_only)


MISSES = [
    # entry, origin, what differs
    ("https://acme.com", "http://acme.com", [Kind.SCHEME]),
    ("http://acme.com", "https://acme.com", [Kind.SCHEME]),
    ("localhost:*", "capacitor://localhost", [Kind.SCHEME]),
    ("https://acme.com", "https://acme.com:8443", [Kind.PORT]),
    ("https://acme.com:8443", "https://acme.com", [Kind.PORT]),
    ("localhost", "http://localhost:3000", [Kind.PORT]),
    ("https://acme.com", "http://acme.com:8080", [Kind.SCHEME, Kind.PORT]),
    ("https://acme.com", "http://acme.com:443", [Kind.SCHEME]),
    ("acme.com", "https://www.acme.com", [Kind.WWW]),
    ("www.acme.com", "https://acme.com", [Kind.WWW]),
    ("acme.com", "http://www.acme.com:8080", [Kind.WWW, Kind.SCHEME, Kind.PORT]),
    ("*.acme.com", "https://acme.com", [Kind.APEX]),
    ("*.www.acme.com", "https://acme.com", [Kind.PARENT]),
    ("acme.com", "https://shop.acme.com", [Kind.SUBDOMAIN]),
    ("acme.com", "https://www.www.acme.com", [Kind.SUBDOMAIN]),
    ("localhost:*", "http://shop.localhost:3000", [Kind.SUBDOMAIN]),
    ("shop.acme.com", "https://acme.com", [Kind.PARENT]),
    ("*.shop.acme.com", "https://acme.com", [Kind.PARENT]),
    ("shop.acme.com", "https://help.acme.com", [Kind.SIBLING]),
    ("*.shop.acme.co.uk", "https://help.acme.co.uk", [Kind.SIBLING]),
    ("localhost:*", "http://127.0.0.1:3000", [Kind.LOOPBACK]),
    ("http://127.0.0.1", "http://localhost", [Kind.LOOPBACK]),
    ("http://[::1]:*", "http://127.0.0.1:1", [Kind.LOOPBACK]),
    ("localhost:*", "http://0.0.0.0:3000", [Kind.LOOPBACK]),
    ("localhost", "http://127.0.0.1:3000", [Kind.LOOPBACK, Kind.PORT]),
    ("m\u00fcnchen.de", "https://munchen.de", [Kind.ACCENTS]),
    ("stra\u00dfe.de", "https://strasse.de", [Kind.ACCENTS]),
    ("acme.com", "https://acne.com", [Kind.TYPO]),
    ("acme.com", "https://amce.com", [Kind.TYPO]),
    ("*.acme.com", "https://shop.acmee.com", [Kind.TYPO]),
    ("acme.com", "https://acme.co", [Kind.TYPO]),
    ("examples.com", "https://exmaplse.com", [Kind.TYPO]),
    ("acme.com", "https://acme.net", [Kind.ENDING]),
    ("acme.com", "https://shop.acme.co.uk", [Kind.ENDING]),
    ("acme.co", "https://acme.co.uk", [Kind.ENDING]),
    ("acme.com", "https://xn--cme-5cd.com", [Kind.LOOK_ALIKE]),
    ("*.acme.com", "http://shop.xn--cme-5cd.com:81", [Kind.LOOK_ALIKE]),
    ("acme.com", "https://xn--cme-5cd.net", [Kind.LOOK_ALIKE]),
    ("acme.com", "https://acrne.com", [Kind.LOOK_ALIKE]),
    ("google.com", "https://g00gle.com", [Kind.LOOK_ALIKE]),
    ("xn--cme-5cd.com", "https://acme.com", [Kind.ODD_ENTRY]),
    ("*.\u0430cme.com", "https://shop.acme.com", [Kind.ODD_ENTRY]),
    ("acme.com", "https://acme.com.evil.net", [Kind.EMBEDDED]),
    ("shop.acme.com", "https://login.acme.com.vercel.app", [Kind.EMBEDDED]),
    ("acme.com", "https://evil.example", [Kind.OTHER]),
    ("acme.com", "https://evilacme.com", [Kind.OTHER]),
    ("a.com", "https://b.com", [Kind.OTHER]),
    ("a.com", "https://a.net", [Kind.OTHER]),
    ("m.de", "https://rn.com", [Kind.OTHER]),
    ("acme.com", "http://localhost:3000", [Kind.OTHER]),
    ("acme.localhost", "https://acme.com", [Kind.OTHER]),
    ("http://192.0.2.1", "http://192.0.2.2", [Kind.OTHER]),
]


@pytest.mark.parametrize(("entry", "origin", "kinds"), MISSES)
def test_a_miss_is_named(entry: str, origin: str, kinds: list[Kind]) -> None:
    """For each entry, the operator reads what differs: the host first, then scheme and port."""
    (verdict,) = explained([entry], origin).verdicts
    assert [difference.kind for difference in verdict.differences] == kinds
    assert not verdict.admits
    assert verdict.why_not.isascii()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_miss_is_tried(kind: Kind) -> None:
    """No kind is named that no origin brings about."""
    assert any(kind in kinds for _, _, kinds in MISSES)


WORDS = [
    ("acme.com", "https://www.acme.com", "it has a www., the entry has none"),
    ("www.acme.com", "https://acme.com", "the entry has a www., it has none"),
    ("www.acme.com", "https://www.www.acme.com", "it has a www., the entry has none"),
    ("*.acme.com", "https://acme.com", "it is acme.com itself, the wildcard is for hosts under it"),
    ("acme.com", "http://acme.com:8080",
     "it is http, the entry is for https; its port is 8080, the entry's 443"),
    ("localhost", "http://localhost:81", "its port is 81, the entry's 80"),
    ("localhost", "ionic://localhost", "it is ionic, the entry is for http and https"),
    ("acme.com", "https://xn--cme-5cd.com", "it looks like acme.com, with CYRILLIC SMALL LETTER A"),
    ("\u0430cme.com", "https://acme.com", "the entry looks like it, with CYRILLIC SMALL LETTER A"),
    ("acme.com", "https://acme.com.evil.net", "it has acme.com in it, and belongs to evil.net"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "origin", "words"), WORDS)
def test_a_miss_is_told_in_words(entry: str, origin: str, words: str) -> None:
    """What differs is said so that it needs no looking up."""
    (verdict,) = explained([entry], origin).verdicts
    assert verdict.why_not == words


NEAREST = [
    (["https://acme.com", "*.acme.com"], "https://acme.com:8443", "https://acme.com"),
    (["https://acme.com", "*.acme.com"], "http://shop.acme.com", "*.acme.com"),
    (["*.shop.acme.com", "acme.com"], "https://www.acme.com", "acme.com"),
    (["acne.com", "help.acme.com"], "https://acme.com", "help.acme.com"),
    (["evil.example", "acme.net"], "https://acme.com", "acme.net"),
    (["acme.com", "acme.com:8443"], "http://acme.com:8443", "acme.com:8443"),
    (["evil.example"], "https://acme.com", None),
    (["xn--cme-5cd.com"], "https://acme.com", None),
    (["acme.com", "acme.net"], "https://acme.com", None),
    ([], "https://acme.com", None),
]


@pytest.mark.parametrize(("entries", "origin", "nearest"), NEAREST)
def test_the_nearest_entry_is_named(entries: list[str], origin: str, nearest: str | None) -> None:
    """Of several misses, the one that differs by least; none where nothing is near, or it fits."""
    found = explained(entries, origin).nearest
    assert (found and found.entry.text) == nearest


@pytest.mark.parametrize(
    ("entries", "origin", "alarm"),
    [
        (["evil.example", "acme.com"], "https://xn--cme-5cd.com", "acme.com"),
        (["acme.com"], "https://acme.com.evil.net", "acme.com"),
        (["acme.com", "xn--cme-5cd.com"], "https://acme.com", "xn--cme-5cd.com"),
        (["acme.com", "xn--cme-5cd.com"], "https://xn--cme-5cd.com", "acme.com"),
        (["acme.com", "acme.com.partner.example"], "https://acme.com.partner.example", None),
        (["acme.com"], "https://acne.com", None),
        (["acme.com"], "https://www.acme.com", None),
    ],
)
def test_an_imitation_is_an_alarm(entries: list[str], origin: str, alarm: str | None) -> None:
    """A look-alike is told, even where the list admits it by now; and nothing is offered for it."""
    found = explained(entries, origin)
    assert (found.alarm and found.alarm.entry.text) == alarm
    if alarm is not None:
        assert found.offer is None


def test_what_is_admitted_is_offered_nothing() -> None:
    """The first entry that admits it is named, and none is to be added."""
    found = explained(["*.acme.com", "https://www.acme.com"], "https://www.acme.com")
    assert found.admitted_by is not None
    assert found.admitted_by.entry.text == "*.acme.com"
    assert found.offer is None


@pytest.mark.parametrize(
    ("origin", "entry", "obstacle"),
    [
        ("https://acme.com", None, "use the tenant's pk_live_ key"),
        ("http://0.0.0.0:3000", None, "open the page on localhost"),
        ("capacitor://localhost", None, "use the tenant's pk_live_ key"),
        ("http://localhost:3000", "http://localhost:3000", ""),
    ],
)
def test_a_test_key_takes_loopback_alone(origin: str, entry: str | None, obstacle: str) -> None:
    """What the file would refuse is not offered; the other key is."""
    found = explained(["localhost"], origin, loopback_only=True)
    assert found.entry == entry
    assert obstacle in found.obstacle


def test_what_has_no_entry_is_told() -> None:
    """Where an origin can't stand in a list, the reason is given instead."""
    found = explained(["acme.com"], "ws://acme.com")
    assert found.entry is None
    assert "http or https" in found.obstacle


@pytest.mark.parametrize(
    ("entries", "origin", "summary"),
    [
        (["acme.com"], "https://www.acme.com",
         "the nearest entry is acme.com: it has a www., the entry has none"),
        (["acme.com"], "https://xn--cme-5cd.com",
         ("perhaps a phishing page: it looks like acme.com, with CYRILLIC SMALL LETTER A"
          " (entry acme.com)")),
        (["acme.com"], "https://evil.example", "no entry is near it"),
        ([], "https://evil.example", "the allowlist is empty"),
        (["m\u00fcnchen.de"], "https://www.xn--mnchen-3ya.de",
         ("the nearest entry is m\u00fcnchen.de (xn--mnchen-3ya.de): it has a www.,"
          " the entry has none")),
    ],
)  # fmt: skip
def test_a_log_gets_a_few_words(entries: list[str], origin: str, summary: str) -> None:
    """The short form has the nearest miss, and the alarm before it."""
    assert explained(entries, origin).summary == summary


def test_an_entry_is_shown_without_what_cannot_be_seen() -> None:
    """A soft hyphen or a joiner in the file can't hide in what is printed."""
    (verdict,) = explained(["ac\u00adm\u00e9.com"], "https://acme.com").verdicts
    assert verdict.name == "acm\u00e9.com (xn--acm-dma.com)"


@pytest.mark.parametrize(
    ("entry", "config", "command"),
    [
        ("https://acme.com", None, "kataven-flask origins add pk_live_x https://acme.com"),
        ("*.acme.com", None, "kataven-flask origins add pk_live_x '*.acme.com'"),
        ("http://[::1]", None, "kataven-flask origins add pk_live_x 'http://[::1]'"),
        ("a.de", "my t.yaml", "kataven-flask origins add pk_live_x a.de --config 'my t.yaml'"),
    ],
)  # fmt: skip
def test_the_command_can_be_pasted(entry: str, config: str | None, command: str) -> None:
    """Whatever a shell would take for its own is quoted."""
    assert add_command("pk_live_x", entry, config) == command
    assert entry in shlex.split(command)


HOSTS = st.sampled_from(
    ["acme.com", "www.acme.com", "shop.acme.com", "a.b.acme.com", "acme.net", "acme.com.evil.net",
     "evilacme.com", "xn--cme-5cd.com", "m.de", "rn.de", "localhost", "shop.localhost", "127.0.0.1",
     "[::1]", "192.0.2.1", "xn--mnchen-3ya.de", "munchen.de", "intranet", "com", "a_b.acme.com"]
)  # fmt: skip
ORIGINS = st.builds(
    lambda scheme, host, port: f"{scheme}://{host}{port}",
    st.sampled_from(["http", "https", "capacitor", "chrome-extension"]),
    HOSTS | st.from_regex(r"[a-z0-9_-]{1,8}(\.[a-z0-9-]{1,8}){0,3}", fullmatch=True),
    st.sampled_from(["", ":80", ":443", ":8443", ":3000"]),
)
ENTRIES = st.builds(
    lambda scheme, wild, host, port: f"{scheme}{wild}{host}{port}",
    st.sampled_from(["", "", "http://", "https://", "capacitor://"]),
    st.sampled_from(["", "", "*."]),
    HOSTS,
    st.sampled_from(["", "", ":*", ":80", ":8443"]),
)


def patterns_of(entries: list[str]) -> list[OriginPattern]:
    """Read the entries that are ones."""
    patterns = []
    for entry in entries:
        try:
            patterns.append(OriginPattern.parse(entry))
        except OriginPatternError:
            continue
    return patterns


@given(st.lists(ENTRIES, max_size=5), ORIGINS)
def test_it_says_what_the_server_does(entries: list[str], text: str) -> None:
    """An entry is said to admit an origin exactly where the server lets it in."""
    origin = Origin.parse(text)
    assume(origin is not None)
    assert origin is not None
    patterns = patterns_of(entries)
    found = explain(patterns, origin)
    assert [verdict.entry for verdict in found.verdicts] == patterns
    assert [v.admits for v in found.verdicts] == [p.matches(origin) for p in patterns]
    assert (found.admitted_by is not None) == any(p.matches(origin) for p in patterns)
    if found.alarm is not None:
        assert found.alarm.kind in ALARMING
    if found.nearest is not None:
        assert found.admitted_by is None


@pytest.mark.parametrize("loopback_only", [False, True])
@given(st.lists(ENTRIES, max_size=3), ORIGINS)
def test_the_entry_it_gives_admits_the_origin(
    loopback_only: object, entries: list[str], text: str
) -> None:
    """Added to the list, it loads, and it admits that origin; one for a test key is loopback."""
    origin = Origin.parse(text)
    assume(origin is not None)
    assert origin is not None
    found = explain(patterns_of(entries), origin, loopback_only=bool(loopback_only))
    assert (found.entry is None) == bool(found.obstacle)
    if found.entry is not None:
        added = OriginPattern.parse(found.entry)
        assert added.matches(origin)
        assert added.is_loopback or not loopback_only
        again = explain([*patterns_of(entries), added], origin)
        assert again.admitted_by is not None


@given(
    st.text(max_size=60)
    | ORIGINS
    | st.from_regex(r"https://xn--[a-z0-9-]{1,40}\.com", fullmatch=True)
)
def test_no_origin_writes_a_line_of_its_own(text: str) -> None:
    """Whatever a stranger sends as an origin, what is said of it is one line of plain text."""
    origin = Origin.parse(text)
    assume(origin is not None)
    assert origin is not None
    found = explain(patterns_of(["acme.com", "*.acme.com", "localhost:*"]), origin)
    said = f"{origin} {found.summary} {found.obstacle}"
    assert said.isascii()
    assert said.isprintable()
