"""Origins and allowlist entries: who is admitted, who isn't, and what the operator is told."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kataven_flask.origins import (
    MAX_ORIGIN_LENGTH,
    Origin,
    OriginPattern,
    OriginPatternError,
)

EXTENSION = "abcdefghijklmnopabcdefghijklmnop"
"""The shape of a Chrome extension's id."""


def parsed(text: str) -> Origin:
    """Read an origin that is one."""
    origin = Origin.parse(text)
    assert origin is not None, text
    return origin


def admits(entry: str, origin: str) -> bool:
    """Tell whether an entry admits an origin, as it stands in a header."""
    return OriginPattern.parse(entry).matches(parsed(origin))


ADMISSIONS = [
    # that scheme, host and port
    ("https://acme.com", "https://acme.com", True),
    ("https://acme.com", "https://acme.com:443", True),
    ("https://acme.com", "http://acme.com", False),
    ("https://acme.com", "https://www.acme.com", False),
    ("https://acme.com", "https://acme.com:8443", False),
    ("https://acme.com", "https://acme.com:80", False),
    ("https://acme.com", "http://acme.com:443", False),
    ("https://acme.com", "https://acme.co", False),
    ("https://acme.com", "https://acme.com.evil.net", False),
    ("https://acme.com", "https://evil-acme.com", False),
    ("https://acme.com", "https://evilacme.com", False),
    ("https://acme.com", "https://acme.com-evil.net", False),
    ("https://acme.com", "https://acmexcom.net", False),
    ("https://www.acme.com", "https://acme.com", False),
    ("http://acme.com", "http://acme.com", True),
    ("http://acme.com", "http://acme.com:80", True),
    ("http://acme.com", "https://acme.com", False),
    ("https://acme.com:443", "https://acme.com", True),
    ("http://acme.com:443", "https://acme.com", False),
    # a bare host means https
    ("acme.com", "https://acme.com", True),
    ("acme.com", "https://acme.com:443", True),
    ("acme.com", "http://acme.com", False),
    ("acme.com", "https://www.acme.com", False),
    ("acme.com", "https://acme.com:8443", False),
    ("acme.com:443", "https://acme.com", True),
    # a port, or any
    ("https://acme.com:8443", "https://acme.com:8443", True),
    ("https://acme.com:8443", "https://acme.com", False),
    ("https://acme.com:8443", "http://acme.com:8443", False),
    ("acme.com:*", "https://acme.com", True),
    ("acme.com:*", "https://acme.com:1", True),
    ("acme.com:*", "https://acme.com:65535", True),
    ("acme.com:*", "http://acme.com", False),
    ("acme.com:*", "https://www.acme.com", False),
    ("http://acme.com:*", "http://acme.com:8080", True),
    ("http://acme.com:*", "https://acme.com", False),
    # any host under a domain
    ("*.acme.com", "https://www.acme.com", True),
    ("*.acme.com", "https://a.b.c.acme.com", True),
    ("*.acme.com", "https://www.acme.com:443", True),
    ("*.acme.com", "https://acme.com", False),
    ("*.acme.com", "https://evilacme.com", False),
    ("*.acme.com", "https://a.acme.com.evil.net", False),
    ("*.acme.com", "https://acme.com.evil.net", False),
    ("*.acme.com", "https://a.evilacme.com", False),
    ("*.acme.com", "https://aXacme.com", False),
    ("*.acme.com", "http://www.acme.com", False),
    ("*.acme.com", "https://www.acme.com:8443", False),
    ("*.acme.com:*", "https://www.acme.com:8443", True),
    ("*.acme.com:8443", "https://www.acme.com:8443", True),
    ("*.acme.com:8443", "https://www.acme.com", False),
    ("http://*.acme.com", "http://www.acme.com", True),
    ("http://*.acme.com", "https://www.acme.com", False),
    ("*.shop.acme.com", "https://eu.shop.acme.com", True),
    ("*.shop.acme.com", "https://shop.acme.com", False),
    ("*.user.github.io", "https://blog.user.github.io", True),
    ("user.github.io", "https://user.github.io", True),
    ("user.github.io", "https://other.github.io", False),
    # loopback
    ("localhost", "http://localhost", True),
    ("localhost", "https://localhost", True),
    ("localhost", "http://localhost:3000", False),
    ("localhost:*", "http://localhost:3000", True),
    ("localhost:*", "https://localhost:8443", True),
    ("localhost:*", "http://localhost", True),
    ("localhost:*", "http://shop.localhost:3000", False),
    ("localhost:*", "http://localhost.evil.net:3000", False),
    ("localhost:*", "http://notlocalhost:3000", False),
    ("localhost:*", "capacitor://localhost", False),
    ("http://localhost:*", "https://localhost:3000", False),
    ("localhost:3000", "http://localhost:3000", True),
    ("localhost:3000", "https://localhost:3000", True),
    ("localhost:3000", "http://localhost:3001", False),
    ("http://127.0.0.1:8001", "http://127.0.0.1:8001", True),
    ("http://127.0.0.1:8001", "http://127.0.0.1:8002", False),
    ("http://127.0.0.1:8001", "http://localhost:8001", False),
    ("127.0.0.1:*", "http://127.0.0.1:8001", True),
    ("127.0.0.1:*", "http://127.0.0.2:8001", False),
    ("http://[::1]:*", "http://[::1]:8001", True),
    ("http://[::1]:*", "http://[0:0:0:0:0:0:0:1]:8001", True),
    ("http://[::1]:*", "https://[::1]:8001", False),
    ("[::1]:*", "https://[::1]:8001", True),
    ("[0:0::1]:*", "http://[::1]:8001", True),
    ("[::1]", "http://[::2]", False),
    ("*.localhost:*", "http://shop.acme.localhost:5000", True),
    ("*.localhost:*", "https://a.localhost", True),
    ("*.localhost:*", "http://localhost:5000", False),
    ("*.localhost:*", "http://a.localhost.evil.net:5000", False),
    # exactly that
    ("capacitor://localhost", "capacitor://localhost", True),
    ("capacitor://localhost", "capacitor://localhost:80", False),
    ("capacitor://localhost", "http://localhost", False),
    ("capacitor://localhost", "ionic://localhost", False),
    ("capacitor://localhost", "capacitor://a.localhost", False),
    (f"chrome-extension://{EXTENSION}", f"chrome-extension://{EXTENSION}", True),
    (f"chrome-extension://{EXTENSION}", f"chrome-extension://{EXTENSION[::-1]}", False),
    (f"chrome-extension://{EXTENSION}", f"moz-extension://{EXTENSION}", False),
    (f"chrome-extension://{EXTENSION}", f"https://{EXTENSION}", False),
    # without case, after IDNA
    ("https://ACME.com", "https://acme.COM", True),
    ("HTTPS://acme.com", "https://acme.com", True),
    ("*.ACME.com", "https://www.acme.com", True),
    ("LocalHost:*", "http://localhost:3000", True),
    ("münchen.de", "https://xn--mnchen-3ya.de", True),
    ("MÜNCHEN.de", "https://xn--mnchen-3ya.de", True),
    ("https://münchen.de:8443", "https://xn--mnchen-3ya.de:8443", True),
    ("xn--mnchen-3ya.de", "https://xn--mnchen-3ya.de", True),
    ("XN--MNCHEN-3YA.de", "https://xn--mnchen-3ya.de", True),
    ("*.münchen.de", "https://shop.xn--mnchen-3ya.de", True),
    ("*.münchen.de", "https://xn--mnchen-3ya.de", False),
    ("münchen.de", "https://munchen.de", False),
    ("faß.de", "https://xn--fa-hia.de", True),
    ("faß.de", "https://fass.de", False),
    ("例え.テスト", "https://xn--r8jz45g.xn--zckzah", True),
    ("acme。com", "https://acme.com", True),
    # addresses
    ("http://192.0.2.7", "http://192.0.2.7", True),
    ("192.0.2.7", "http://192.0.2.7", False),
    ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443", True),
    ("https://[2001:db8:0::1]", "https://[2001:db8::1]", True),
    # names that only private networks know
    ("http://intranet", "http://intranet", True),
    ("https://a_b.acme.com", "https://a_b.acme.com", True),
]


@pytest.mark.parametrize(
    ("entry", "origin", "admitted"),
    ADMISSIONS,
    ids=[f"{e} {'admits' if yes else 'not'} {o}" for e, o, yes in ADMISSIONS],
)
def test_an_entry_admits(entry: str, origin: str, *, admitted: bool) -> None:
    """An entry of the allowlist admits just what it says."""
    assert admits(entry, origin) is admitted


REFUSALS = [
    ("", "empty"),
    (" ", "white space"),
    (" acme.com", "white space"),
    ("acme.com\n", "white space"),
    ("https://acme.com https://b.com", "one origin an entry"),
    ("acme.com\tb.com", "white space"),
    ("acme.com\u00a0", "white space"),
    ("null", "anybody can send it"),
    ("*", "admits everybody"),
    ("*:*", "admits everybody"),
    ("https://*", "admits everybody"),
    ("http://*:*", "admits everybody"),
    ("*.com", "public suffix"),
    ("*.COM", "public suffix"),
    ("https://*.com", "public suffix"),
    ("*.com:8443", "public suffix"),
    ("*.co.uk", "public suffix"),
    ("*.vercel.app", "public suffix"),
    ("*.Vercel.App", "public suffix"),
    ("*.github.io", "public suffix"),
    ("*.herokuapp.com", "public suffix"),
    ("*.s3.amazonaws.com", "public suffix"),
    ("*.pages.dev", "public suffix"),
    ("*.ck", "public suffix"),
    ("*.anything.ck", "public suffix"),
    ("*.рф", "public suffix"),
    ("*.xn--p1ai", "public suffix"),
    ("*.公司.cn", "public suffix"),
    ("*.internal", "public suffix"),
    ("https://acme.com/", "path or a query"),
    ("https://acme.com/widget", "path or a query"),
    ("acme.com/widget", "path or a query"),
    ("https://acme.com?a=1", "path or a query"),
    ("https://acme.com#top", "path or a query"),
    ("*.acme.com/*", "path or a query"),
    ("https://ada@acme.com", "user information"),
    ("https://ada:pw@acme.com", "user information"),
    ("acme.com@evil.net", "user information"),
    ("acme.com:0", "not a number from 1 to 65535"),
    ("acme.com:65536", "not a number from 1 to 65535"),
    ("acme.com:99999999999999999999", "not a number from 1 to 65535"),
    ("acme.com:-1", "not a number from 1 to 65535"),
    ("acme.com:http", "not a number from 1 to 65535"),
    ("acme.com:", "not a number from 1 to 65535"),
    ("acme.com:\uff18\uff10", "not a number from 1 to 65535"),
    ("https:acme.com", "write https://acme.com"),
    ("acme.com:80:80", "scheme://host"),
    ("acme.com.", "trailing dot"),
    ("https://acme.com.:443", "trailing dot"),
    ("localhost.", "trailing dot"),
    ("*.acme.com.", "trailing dot"),
    ("*.", "trailing dot"),
    ("^https://acme.com$", "not regular expressions"),
    (r"https://.*\.acme\.com", "not regular expressions"),
    (r"acme\.com", "not regular expressions"),
    ("(www|shop).acme.com", "not regular expressions"),
    ("https://.*.acme.com", "not regular expressions"),
    ("acme.{com,net}", "not regular expressions"),
    ("https?://acme.com", "write https://acme.com"),
    ("www+.acme.com", "not regular expressions"),
    ("acme.*", "*.acme.com"),
    ("w*.acme.com", "first and alone"),
    ("*acme.com", "first and alone"),
    ("*-eu.acme.com", "first and alone"),
    ("www.*.acme.com", "*.acme.com"),
    ("*.*.acme.com", "*.acme.com"),
    ("*.*", "*.acme.com"),
    ("*://acme.com", ""),
    ("*.127.0.0.1", "no subdomains"),
    ("*.[::1]", ""),
    ("[::1", ""),
    ("::1", ""),
    ("[::g]", "no valid host name"),
    ("[127.0.0.1]", "no valid host name"),
    ("acme..com", "no valid host name"),
    (".acme.com", "no valid host name"),
    ("-acme.com", "no valid host name"),
    ("acme-.com", "no valid host name"),
    ("acme.com,b.com", "no valid host name"),
    ("acme%2ecom", "no valid host name"),
    ("ac\0me.com", "no valid host name"),
    ("a" * 64 + ".com", "no valid host name"),
    ("https://", ""),
    ("://acme.com", ""),
    ("//acme.com", ""),
    ("☃.net", "international host name"),
    ("\u202eacme.com", "international host name"),
    ("file://localhost", "no origin of its own"),
    ("data://acme.com", "no origin of its own"),
    ("blob://acme.com", "no origin of its own"),
    ("javascript://acme.com", "no origin of its own"),
    ("ws://acme.com", "http or https"),
    ("wss://acme.com", "http or https"),
    ("capacitor://*.acme.com", "exact"),
    ("chrome-extension://*", "admits everybody"),
]


@pytest.mark.parametrize(
    ("entry", "words"), REFUSALS, ids=[repr(entry)[:40] for entry, _ in REFUSALS]
)
def test_an_entry_is_refused(entry: str, words: str) -> None:
    """An entry that can't be meant is refused, and the operator reads why."""
    with pytest.raises(OriginPatternError) as refusal:
        OriginPattern.parse(entry)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        ("https://acme.com/", "write https://acme.com"),
        ("https://acme.com:8443/shop?a=1#b", "write https://acme.com:8443"),
        ("acme.com/shop", "write acme.com"),
        ("*.acme.com/shop", "write *.acme.com"),
        ("https//acme.com", "write https://acme.com"),
        ("https:/acme.com:8443/x", "write https://acme.com:8443"),
        ("https:///acme.com", "write https://acme.com"),
        ("HTTP//:localhost", "write http://localhost"),
    ],
)
def test_a_path_is_refused_with_what_to_write(entry: str, instead: str) -> None:
    """An entry with a slash too many is refused with the one that was meant, which is taken."""
    with pytest.raises(OriginPatternError) as refusal:
        OriginPattern.parse(entry)
    assert str(refusal.value).endswith(instead)
    assert OriginPattern.parse(instead.removeprefix("write "))


@pytest.mark.parametrize(
    ("entry", "instead"),
    [
        ("https//acme.com", "https://acme.com"),
        ("https:/acme.com/shop", "https://acme.com"),
        ("https:///acme.com", "https://acme.com"),
        ("https:acme.com:8443", "https://acme.com:8443"),
        ("http;//*.acme.com", "http://*.acme.com"),
        ("htps://acme.com", "https://acme.com"),
        ("hhtps://acme.com:8443/shop", "https://acme.com:8443"),
        ("httpss://*.acme.com", "https://*.acme.com"),
        ("htpts://acme.com", "https://acme.com"),
        ("ttps://acme.com", "https://acme.com"),
        ("http.://acme.com", "https://acme.com"),
        ("htp://localhost:*", "http://localhost:*"),
    ],
)
def test_a_slip_before_the_host(entry: str, instead: str) -> None:
    """A slip in http, https or :// is refused with the entry that was meant, which is taken."""
    with pytest.raises(OriginPatternError) as refusal:
        OriginPattern.parse(entry)
    assert str(refusal.value).endswith(f"; write {instead}")
    assert OriginPattern.parse(instead)


@pytest.mark.parametrize(
    "entry",
    [
        *["capacitor://localhost", "ionic://localhost", "tauri://localhost", "app://acme"],
        *["chrome-extension://abc", "moz-extension://abc", "http-app://acme", "shop://acme.com"],
        *["https", "https:8443", "https:*", "http.acme.com", "httpbin.org", "https://https"],
    ],
)
def test_no_slip(entry: str) -> None:
    """An app's own scheme is taken, and so is a host that is called like a scheme."""
    assert OriginPattern.parse(entry)


@pytest.mark.parametrize("entry", ["//acme.com", "/", "?", "https:///", "file://"])
def test_no_advice_is_empty(entry: str) -> None:
    """An entry without a host isn't answered with an entry without a host."""
    with pytest.raises(OriginPatternError) as refusal:
        OriginPattern.parse(entry)
    assert not str(refusal.value).endswith(("write ", ":"))


@pytest.mark.parametrize(
    "entry",
    ["http://[fe80::1%eth0]", "http://[fe80::1%25eth0]", "127.1", "0x7f.0.0.1", "192.0.2.999"],
)
def test_an_entry_that_no_browser_can_match_is_refused(entry: str) -> None:
    """A host that no browser writes so in an `Origin` is refused, not left to admit nobody."""
    with pytest.raises(OriginPatternError):
        OriginPattern.parse(entry)


@pytest.mark.parametrize(
    ("entry", "stranger"),
    [
        ("*.amazonaws.com", "https://anybody.s3.amazonaws.com"),
        ("*.windows.net", "https://anybody.blob.core.windows.net"),
    ],
)
def test_a_wildcard_over_a_public_suffix_is_refused(entry: str, stranger: str) -> None:
    """A domain that has public suffixes under it is anybody's too."""
    with pytest.raises(OriginPatternError, match="public suffix"):
        admits(entry, stranger)


@pytest.mark.parametrize(
    "entry",
    [
        "localhost",
        "localhost:*",
        "*.localhost:*",
        "a.localhost",
        "http://127.0.0.1:8001",
        "http://127.9.9.9",
        "http://[::1]:*",
    ],
)
def test_loopback_entries(entry: str) -> None:
    """An entry that this machine alone can serve is told as such: test keys take it."""
    assert OriginPattern.parse(entry).is_loopback


@pytest.mark.parametrize(
    "entry",
    [
        "acme.com",
        "*.acme.com",
        "localhost.acme.com",
        "*.localhost.com",
        "notlocalhost",
        "http://10.0.0.1",
        "http://192.168.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "127.0.0.1.acme.com",
        "capacitor://localhost",
    ],
)
def test_entries_of_other_machines(entry: str) -> None:
    """An entry that another machine can serve isn't loopback, however it is spelled."""
    assert not OriginPattern.parse(entry).is_loopback


def test_an_entry_is_kept_as_it_was_written() -> None:
    """The operator reads an entry back as it stands in the file."""
    assert OriginPattern.parse("*.München.de").text == "*.München.de"


# --- origins


SERIALIZED = [
    ("https://acme.com", "https://acme.com"),
    ("https://acme.com:443", "https://acme.com"),
    ("http://acme.com:80", "http://acme.com"),
    ("https://acme.com:80", "https://acme.com:80"),
    ("http://acme.com:443", "http://acme.com:443"),
    ("https://acme.com:8443", "https://acme.com:8443"),
    ("https://acme.com:1", "https://acme.com:1"),
    ("https://acme.com:65535", "https://acme.com:65535"),
    ("HTTPS://ACME.COM", "https://acme.com"),
    ("https://xn--mnchen-3ya.de", "https://xn--mnchen-3ya.de"),
    ("http://[::1]:8001", "http://[::1]:8001"),
    ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ("http://[2001:DB8::0:1]", "http://[2001:db8::1]"),
    ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
    ("http://localhost:3000", "http://localhost:3000"),
    ("capacitor://localhost", "capacitor://localhost"),
    ("tauri://localhost:80", "tauri://localhost:80"),
    (f"chrome-extension://{EXTENSION}", f"chrome-extension://{EXTENSION}"),
]


@pytest.mark.parametrize(("text", "serialized"), SERIALIZED, ids=[t for t, _ in SERIALIZED])
def test_an_origin_is_written_in_one_way(text: str, serialized: str) -> None:
    """An origin is written in lower case and without the port of its scheme."""
    assert str(parsed(text)) == serialized


NO_ORIGINS = [
    "",
    " ",
    "null",
    "NULL",
    "*",
    "acme.com",
    "acme.com:443",
    "//acme.com",
    "://acme.com",
    "https:",
    "https://",
    "https:acme.com",
    "https:/acme.com",
    "https://acme.com/",
    "https://acme.com/path",
    "https://acme.com?a",
    "https://acme.com#a",
    "https://acme.com\\",
    "https://ada@acme.com",
    "https://ada:pw@acme.com",
    "https://@acme.com",
    "https://acme.com https://b.com",
    "https://acme.com, https://b.com",
    "https://acme.com,https://b.com",
    "https://acme.com;https://b.com",
    " https://acme.com",
    "https://acme.com ",
    "https://acme.com\n",
    "https://acme.com\r\nX: y",
    "https://acme.com\0",
    "https://ac\tme.com",
    "https://acme.com:",
    "https://acme.com:0",
    "https://acme.com:00",
    "https://acme.com:65536",
    "https://acme.com:99999",
    "https://acme.com:443443",
    "https://acme.com:-1",
    "https://acme.com:+1",
    "https://acme.com:1.5",
    "https://acme.com:0x1bb",
    "https://acme.com:٤٤٣",
    "https://acme.com:443:443",
    "https://acme.com.",
    "https://.acme.com",
    "https://acme..com",
    "https://-acme.com",
    "https://acme-.com",
    "https://*.acme.com",
    "https://acme.com%00.evil.net",
    "https://acme%2ecom",
    "https://münchen.de",
    "https://acme。com",
    "https://\u212aacme.com",
    "https://acme.com\u202e",
    "https://\ud800.com",
    "http://[::1",
    "http://::1",
    "http://[]",
    "http://[::g]",
    "http://[::1]]",
    "http://[::1%eth0]",
    "http://[::1%25eth0]",
    "http://[1:2:3:4:5:6:7:8:9]",
    "http://[127.0.0.1]",
    "http://[v1.a]",
    "1https://acme.com",
    "ht!tps://acme.com",
    "https://" + "a" * 64 + ".com",
    "https://" + "a." * (MAX_ORIGIN_LENGTH // 2) + "com",
    "https://acme.com:" + "4" * MAX_ORIGIN_LENGTH,
]


@pytest.mark.parametrize("text", NO_ORIGINS, ids=[repr(text)[:48] for text in NO_ORIGINS])
def test_what_is_no_origin(text: str) -> None:
    """A header that isn't one serialized origin and nothing else counts as none."""
    assert Origin.parse(text) is None


REFERERS = [
    ("https://acme.com", "https://acme.com"),
    ("https://acme.com/", "https://acme.com"),
    ("https://acme.com/shop?a=https://evil.net#b", "https://acme.com"),
    ("https://acme.com?a", "https://acme.com"),
    ("https://acme.com#a", "https://acme.com"),
    ("https://acme.com:8443/shop", "https://acme.com:8443"),
    ("HTTPS://Acme.com/Shop", "https://acme.com"),
    ("https://acme.com/ümlaut path", "https://acme.com"),
    ("https://evil.net/@acme.com", "https://evil.net"),
    ("https://evil.net/https://acme.com", "https://evil.net"),
    ("https://evil.net?https://acme.com", "https://evil.net"),
    ("https://evil.net#@acme.com", "https://evil.net"),
    ("http://[::1]:8001/shop", "http://[::1]:8001"),
    ("https://acme.com/" + "a" * 10_000, "https://acme.com"),
    ("https://ada@acme.com/", None),
    ("https://ada:pw@acme.com/", None),
    ("https://acme.com@evil.net/", None),
    ("https://acme.com\\@evil.net/", None),
    ("https://acme.com\\.evil.net/", None),
    ("https://acme.com /", None),
    ("https://acme.com\n.evil.net/", None),
    ("https://acme.com:65536/", None),
    ("https://acme.com:/", None),
    ("https://acme.com./", None),
    ("https:///acme.com/", None),
    ("https:/acme.com/", None),
    ("//acme.com/", None),
    ("/shop", None),
    ("shop.html", None),
    ("acme.com/", None),
    ("about:blank", None),
    ("about:client", None),
    ("data:text/html,https://acme.com/", None),
    ("javascript:alert(1)//https://acme.com/", None),
    ("blob:https://acme.com/1", None),
    ("null", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "origin"), REFERERS, ids=[repr(url)[:48] for url, _ in REFERERS])
def test_the_origin_of_a_url(url: str, origin: str | None) -> None:
    """A page's address gives the origin that its browser sees, or none."""
    found = Origin.of_url(url)
    assert (None if found is None else str(found)) == origin


@pytest.mark.parametrize(
    ("origin", "referer", "expected"),
    [
        ("https://acme.com", None, "https://acme.com"),
        ("https://acme.com", "https://evil.net/", "https://acme.com"),
        (None, "https://acme.com/shop", "https://acme.com"),
        (None, None, None),
        ("null", None, None),
        ("null", "https://acme.com/", None),
        ("", "https://acme.com/", None),
        ("https://a.com, https://acme.com", "https://acme.com/", None),
        ("https://acme.com/", "https://acme.com/", None),
        (None, "about:blank", None),
        (None, "", None),
    ],
    ids=[
        "origin",
        "both",
        "referer",
        "neither",
        "null",
        "null and referer",
        "empty and referer",
        "list and referer",
        "unreadable and referer",
        "unreadable referer",
        "empty referer",
    ],
)
def test_the_origin_of_a_request(
    origin: str | None, referer: str | None, expected: str | None
) -> None:
    """`Origin` alone counts where it stands, even if it can't be read; `Referer` only without."""
    found = Origin.of_request(origin, referer)
    assert (None if found is None else str(found)) == expected


# --- properties

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
tops = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
"""Last labels; one that begins with a digit would make the host an address (URL, section 3.5)."""
hosts = st.tuples(st.lists(labels, max_size=3), tops).map(
    lambda parts: ".".join([*parts[0], parts[1]])
)
addresses = st.ip_addresses(v=6).map(lambda address: f"[{address}]") | st.ip_addresses(v=4).map(str)
ports = st.none() | st.integers(1, 65535)
schemes = st.sampled_from(["http", "https", "capacitor", "chrome-extension", "tauri"])


@st.composite
def origins(draw: st.DrawFn) -> Origin:
    """Draw an origin."""
    port = draw(ports)
    suffix = "" if port is None else f":{port}"
    return parsed(f"{draw(schemes)}://{draw(hosts | addresses)}{suffix}")


domains = labels.map(lambda label: f"zz-{label}.com")
"""Registrable domains: no public suffix is spelled like that."""

quickly = hypothesis_settings(deadline=None)
"""The list of public suffixes is read at the first use."""


@given(origin=origins())
@quickly
def test_writing_and_reading_an_origin_changes_nothing(origin: Origin) -> None:
    """An origin that was written down, in a token say, is the same when it is read again."""
    assert Origin.parse(str(origin)) == origin


@given(origin=origins(), other=origins())
@quickly
def test_an_exact_entry_admits_exactly_its_own_origin(origin: Origin, other: Origin) -> None:
    """An entry written as an origin admits that origin and no other."""
    pattern = OriginPattern.parse(str(origin))
    assert pattern.matches(origin)
    assert pattern.matches(other) is (other == origin)


@given(domain=domains, origin=origins())
@quickly
def test_a_wildcard_admits_nothing_outside_its_domain(domain: str, origin: Origin) -> None:
    """A wildcard admits no host that doesn't end in a dot and its domain."""
    if OriginPattern.parse(f"*.{domain}:*").matches(origin):
        assert origin.host.endswith(f".{domain}")


@given(domain=domains, host=hosts)
@quickly
def test_a_wildcard_admits_every_host_under_its_domain(domain: str, host: str) -> None:
    """A wildcard admits any host under its domain, at any depth, on https alone."""
    pattern = OriginPattern.parse(f"*.{domain}")
    assert pattern.matches(parsed(f"https://{host}.{domain}"))
    assert not pattern.matches(parsed(f"http://{host}.{domain}"))


@given(domain=domains, label=labels, stranger=domains)
@quickly
def test_no_lookalike_passes(domain: str, label: str, stranger: str) -> None:
    """A host that only begins, ends or reads like the domain is a stranger's."""
    assume(stranger != domain)
    lookalikes = [
        domain,
        f"{label}{domain}",
        f"{label}-{domain}",
        f"{domain}.{stranger}",
        f"{label}.{domain}.{stranger}",
        f"{label}.{label}{domain}",
        f"{label}.{domain.replace('.', '-')}.{stranger}",
        f"{label}.{domain}x",
    ]
    pattern = OriginPattern.parse(f"*.{domain}:*")
    for host in lookalikes:
        assert not pattern.matches(parsed(f"https://{host}")), host


@given(text=st.text(max_size=80) | st.from_regex(r"(https?://)?[*.\[\]:a-z0-9@/]{0,30}"))
@hypothesis_settings(deadline=None, max_examples=500)
def test_any_text_is_an_entry_or_refused_in_words(text: str) -> None:
    """Whatever an operator writes is an entry or is refused in words."""
    try:
        assert OriginPattern.parse(text).text == text
    except OriginPatternError as refusal:
        assert str(refusal)  # noqa: PT017 - either outcome is right


@given(text=st.text(max_size=80) | st.from_regex(r"https?://[\[\]:a-z0-9@/.]{0,30}"))
@hypothesis_settings(deadline=None, max_examples=500)
def test_any_header_is_an_origin_or_none(text: str) -> None:
    """Whatever a stranger sends as `Origin` or `Referer` is an origin or none."""
    for found in (Origin.parse(text), Origin.of_url(text), Origin.of_request(text, text)):
        assert found is None or Origin.parse(str(found)) == found


@given(
    entry=st.sampled_from(["https://acme.com", "*.acme.com", "localhost:*", "acme.com:*"]),
    text=st.text(max_size=80),
)
@quickly
def test_no_arbitrary_header_is_admitted(entry: str, text: str) -> None:
    """A header that isn't a host of the entry is never admitted."""
    origin = Origin.parse(text)
    if origin is not None and OriginPattern.parse(entry).matches(origin):
        assert origin.host.endswith(("acme.com", "localhost"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://acme.com", "https://widget.acme.com", True),
        ("https://shop.acme.co.uk", "https://acme.co.uk:8443", True),
        ("https://acme.com", "http://acme.com", False),
        ("https://acme.co.uk", "https://evil.co.uk", False),
        ("https://one.vercel.app", "https://two.vercel.app", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001", True),
        ("http://127.0.0.1", "http://127.0.0.2", False),
        ("http://localhost:8000", "http://localhost:8001", True),
        ("http://shop.acme.localhost", "http://localhost", False),
    ],
)
def test_same_site(one: str, other: str, same: object) -> None:
    """Two origins are of one site where scheme and registrable domain are the same."""
    first, second = Origin.parse(one), Origin.parse(other)
    assert first is not None
    assert second is not None
    assert first.is_same_site(second) is same
    assert second.is_same_site(first) is same
