"""The caller's origin: which header says it, how it is read, and what an entry admits."""

from __future__ import annotations

from typing import Final

import pytest

from tests.api.wire import claims, entry
from tests.support import API, KEY, ORIGIN, Service, refused

OK: Final = (200, None)
STRANGE: Final = (403, "origin_not_allowed")
ID: Final = "a" * 32

ENTRIES: Final = [
    # entry, origin, admitted
    ("https://acme.com", "https://acme.com", True),
    ("https://acme.com", "https://acme.com:443", True),
    ("https://acme.com", "HTTPS://ACME.COM", True),
    ("https://acme.com", "http://acme.com", False),
    ("https://acme.com", "http://acme.com:443", False),
    ("https://acme.com", "https://www.acme.com", False),
    ("https://acme.com", "https://acme.com:8443", False),
    ("https://acme.com", "https://acme.com:80", False),
    ("https://acme.com", "https://acme.com.evil.net", False),
    ("https://acme.com", "https://evilacme.com", False),
    ("https://acme.com", "https://acme.co", False),
    ("https://acme.com", "https://acmexcom", False),
    ("https://ACME.com", "https://acme.com", True),
    ("acme.com", "https://acme.com", True),
    ("acme.com", "http://acme.com", False),
    ("acme.com", "https://acme.com:8443", False),
    ("http://acme.com", "http://acme.com", True),
    ("http://acme.com", "http://acme.com:80", True),
    ("http://acme.com", "https://acme.com", False),
    ("https://acme.com:8443", "https://acme.com:8443", True),
    ("https://acme.com:8443", "https://acme.com", False),
    ("https://acme.com:8443", "https://acme.com:443", False),
    ("acme.com:*", "https://acme.com:1", True),
    ("acme.com:*", "https://acme.com", True),
    ("acme.com:*", "http://acme.com:8080", False),
    ("acme.com:*", "https://www.acme.com:1", False),
    ("*.acme.com", "https://shop.acme.com", True),
    ("*.acme.com", "https://a.b.c.acme.com", True),
    ("*.acme.com", "https://SHOP.Acme.Com", True),
    ("*.acme.com", "https://acme.com", False),
    ("*.acme.com", "https://.acme.com", False),
    ("*.acme.com", "https://evilacme.com", False),
    ("*.acme.com", "https://a.acme.com.evil.net", False),
    ("*.acme.com", "http://shop.acme.com", False),
    ("*.acme.com", "https://shop.acme.com:8443", False),
    ("*.acme.com", "https://shop.acme.com.", False),
    ("*.acme.com:*", "https://shop.acme.com:8443", True),
    ("http://*.acme.com", "http://shop.acme.com", True),
    ("localhost:*", "http://localhost:3000", True),
    ("localhost:*", "https://localhost:3000", True),
    ("localhost:*", "http://localhost", True),
    ("localhost:*", "http://shop.localhost:3000", False),
    ("localhost:*", "http://localhost.evil.net:3000", False),
    ("localhost", "http://localhost", True),
    ("localhost", "http://localhost:3000", False),
    ("*.localhost:*", "http://shop.acme.localhost:8001", True),
    ("*.localhost:*", "http://localhost:8001", False),
    ("http://127.0.0.1:8001", "http://127.0.0.1:8001", True),
    ("http://127.0.0.1:8001", "https://127.0.0.1:8001", False),
    ("http://127.0.0.1:8001", "http://127.0.0.2:8001", False),
    ("http://127.0.0.1:8001", "http://localhost:8001", False),
    ("http://[::1]:*", "http://[::1]:9", True),
    ("http://[::1]:*", "http://[0:0:0:0:0:0:0:1]:9", True),
    ("http://[::1]:*", "http://[::2]:9", False),
    ("capacitor://localhost", "capacitor://localhost", True),
    ("capacitor://localhost", "http://localhost", False),
    ("capacitor://localhost", "ionic://localhost", False),
    (f"chrome-extension://{ID}", f"chrome-extension://{ID}", True),
    (f"chrome-extension://{ID}", f"chrome-extension://{'b' * 32}", False),
    (f"chrome-extension://{ID}", f"https://{ID}", False),
    ("münchen.de", "https://xn--mnchen-3ya.de", True),
    ("MÜNCHEN.de", "https://xn--mnchen-3ya.de", True),
    ("*.münchen.de", "https://shop.xn--mnchen-3ya.de", True),
    ("münchen.de", "https://munchen.de", False),
]


@pytest.mark.parametrize(("allowed", "origin", "admitted"), ENTRIES)
def test_an_entry_admits_what_it_says(
    service: Service, allowed: str, origin: str, *, admitted: bool
) -> None:
    """Each entry of the allowlist admits exactly the origins it stands for."""
    entry(service)["domain_allowlist"] = [allowed]
    service.edit()
    assert refused(service.guest(origin)) == (OK if admitted else STRANGE)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "NULL",
        "",
        "*",
        "acme.com",
        "//acme.com",
        "https:acme.com",
        "https:/acme.com",
        "https://",
        "https://acme.com/",
        "https://acme.com/path",
        "https://acme.com?x",
        "https://acme.com#x",
        "https://acme.com:",
        "https://acme.com:0",
        "https://acme.com:443x",
        "https://acme.com:-443",
        "https://acme.com:+443",
        "https://acme.com:0443000",
        "https://acme.com:65979",
        "https://acme.com:443:443",
        "https://user@acme.com",
        "https://acme.com@evil.example",
        "https://evil.example#@acme.com",
        "https://evil.example\\.acme.com",
        "https://acme.com, https://evil.example",
        "https://evil.example, https://acme.com",
        "https://acme.com https://evil.example",
        "https://acme.com,https://acme.com",
        "https://acme.com.",
        "https://acme..com",
        "https://%61cme.com",
        "https://acme.com%00",
        "https://acme.com\x00.evil.example",
        "https://acme.com\t",
        "https://\u0430cme.com",
        "https://acme\u3002com",
        "https://ac\u00adme.com",
        "https://acme.com\u00e9",
        "https://" + "a" * 5000 + ".acme.com",
        "javascript://acme.com",
        "file://",
        "data:text/html,x",
        "blob:https://acme.com/uuid",
    ],
    ids=ascii,
)
def test_an_origin_that_is_none_is_refused(service: Service, origin: str) -> None:
    """`null`, a list, and whatever doesn't parse count as no origin, whatever the Referer."""
    raw = origin.encode().decode("latin-1")  # as a server hands the bytes on
    environ = {"HTTP_ORIGIN": raw, "HTTP_REFERER": f"{ORIGIN}/page"}
    answer = service.client.post(
        f"{API}/auth/guest", json={"client_key": KEY}, environ_overrides=environ
    )
    assert refused(answer) == STRANGE
    assert origin not in {"*", "null"} or origin not in answer.text


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        pytest.param("https://acme.com/", OK, id="root"),
        pytest.param("https://acme.com", OK, id="origin-alone"),
        pytest.param("https://acme.com/a/b?q=https://evil.example#f", OK, id="long"),
        pytest.param("https://acme.com?x", OK, id="query-alone"),
        pytest.param("https://acme.com:443/x", OK, id="own-port"),
        pytest.param("https://shop.acme.com/x", OK, id="subdomain"),
        pytest.param("HTTPS://ACME.COM/X", OK, id="upper-case"),
        pytest.param("http://acme.com/", STRANGE, id="http"),
        pytest.param("https://evil.example/https://acme.com/", STRANGE, id="in-the-path"),
        pytest.param("https://evil.example/?https://acme.com", STRANGE, id="in-the-query"),
        pytest.param("https://acme.com@evil.example/", STRANGE, id="user-info"),
        pytest.param("https://acme.com:x@evil.example/", STRANGE, id="password"),
        pytest.param("https://evil.example\\@acme.com/", STRANGE, id="back-slash"),
        pytest.param("https://acme.com.evil.example/", STRANGE, id="suffix"),
        pytest.param("//acme.com/", STRANGE, id="no-scheme"),
        pytest.param("/path", STRANGE, id="relative"),
        pytest.param("about:blank", STRANGE, id="about"),
        pytest.param("android-app://com.acme", STRANGE, id="app"),
        pytest.param("null", STRANGE, id="null"),
        pytest.param("", STRANGE, id="empty"),
        pytest.param("https://acme.com/ https://evil.example/", OK, id="blank-in-the-path"),
    ],
)
def test_a_referer_speaks_where_there_is_no_origin(
    service: Service, referer: str, expected: tuple[int, str | None]
) -> None:
    """Without an `Origin` header the origin of the `Referer` counts."""
    service.client.environ_base["HTTP_REFERER"] = referer
    assert refused(service.guest(None)) == expected
    assert refused(service.config(None)) == expected


@pytest.mark.parametrize(
    ("origin", "referer", "expected"),
    [
        pytest.param(ORIGIN, "https://evil.example/", OK, id="origin-wins"),
        pytest.param("https://evil.example", f"{ORIGIN}/", STRANGE, id="origin-wins-again"),
        pytest.param("null", f"{ORIGIN}/", STRANGE, id="null-wins"),
        pytest.param("", f"{ORIGIN}/", STRANGE, id="empty-wins"),
    ],
)
def test_an_origin_header_alone_counts(
    service: Service, origin: str, referer: str, expected: tuple[int, str | None]
) -> None:
    """Where `Origin` stands, no `Referer` helps."""
    service.client.environ_base["HTTP_REFERER"] = referer
    assert refused(service.guest(origin)) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Origin": ORIGIN},
        {"X-Forwarded-Host": "acme.com"},
        {"X-Forwarded-Origin": ORIGIN},
        {"Host": "acme.com"},
        {"Forwarded": "host=acme.com;proto=https"},
        {"Cookie": f"origin={ORIGIN}"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_other_header_supplies_an_origin(service: Service, headers: dict[str, str]) -> None:
    """Only `Origin` and `Referer` say where a page is from."""
    answer = service.client.post(f"{API}/auth/guest", json={"client_key": KEY}, headers=headers)
    assert refused(answer) == STRANGE


@pytest.mark.parametrize(
    ("origin", "written"),
    [
        ("https://ACME.com", "https://acme.com"),
        ("https://acme.com:443", "https://acme.com"),
        ("https://Shop.Acme.com", "https://shop.acme.com"),
    ],
)
def test_the_origin_is_claimed_in_one_spelling(service: Service, origin: str, written: str) -> None:
    """However a client writes it, the session's origin is the serialized one (RFC 6454, 6.2)."""
    said = claims(service, service.guest(origin).get_json()["token"])
    assert said["origin"] == written


def test_an_empty_allowlist_admits_nobody(service: Service) -> None:
    """A key without origins serves no page at all."""
    entry(service)["domain_allowlist"] = []
    service.edit()
    for origin in (ORIGIN, "http://localhost", None, "null"):
        assert refused(service.guest(origin)) == STRANGE


def test_each_key_has_an_allowlist_of_its_own(service: Service) -> None:
    """What one key of a tenant admits, another doesn't."""
    entry(service)["domain_allowlist"] = ["https://new.acme.com"]
    service.edit()
    assert refused(service.guest("https://new.acme.com")) == OK
    assert refused(service.guest(ORIGIN)) == STRANGE
