"""What a person pastes for a page's origin, and what a browser would send from there."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kataven_flask.origins import Origin
from kataven_flask.typed_origin import read_typed_origin

READ = [
    # typed, sent, what the note has
    ("https://acme.com", "https://acme.com", None),
    ("HTTPS://Acme.COM", "https://acme.com", None),
    ("https://acme.com:443", "https://acme.com", None),
    ("https://acme.com:8443", "https://acme.com:8443", None),
    ("https://acme.com:08443", "https://acme.com:8443", None),
    ("https://acme.com:", "https://acme.com", None),
    ("  https://acme.com\n", "https://acme.com", None),
    ("https://acme.com/", "https://acme.com", "slash"),
    ("https://acme.com/shop?a=1#x", "https://acme.com", "path"),
    ("https://acme.com?x", "https://acme.com", "path"),
    ("https://user:hunter2@acme.com/", "https://acme.com", "user information"),
    ("https:acme.com", "https://acme.com", None),
    ("https:/acme.com", "https://acme.com", None),
    ("https:\\\\acme.com\\x", "https://acme.com", "path"),
    ("//acme.com", "https://acme.com", "no scheme"),
    ("acme.com", "https://acme.com", "no scheme"),
    ("acme.com:8443/x", "https://acme.com:8443", "no scheme"),
    ("localhost:3000", "http://localhost:3000", "taken for http://"),
    ("shop.localhost", "http://shop.localhost", "taken for http://"),
    ("Origin: https://acme.com", "https://acme.com", None),
    ("blob:https://acme.com/5b1f", "https://acme.com", "path"),
    ("https://m\u00fcnchen.de", "https://xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
    ("M\u00dcNCHEN.de", "https://xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
    ("https://\u0430cme.com", "https://xn--cme-5cd.com", "xn--cme-5cd.com"),
    ("http://127.1:8000", "http://127.0.0.1:8000", "127.0.0.1"),
    ("http://2130706433", "http://127.0.0.1", "127.0.0.1"),
    ("http://0x7f.1", "http://127.0.0.1", "127.0.0.1"),
    ("127.0.0.1:8000", "http://127.0.0.1:8000", "taken for http://"),
    ("::1", "http://[::1]", "taken for http://"),
    ("http://[0:0::1]:80", "http://[::1]", None),
    ("capacitor://localhost", "capacitor://localhost", None),
    ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop", None),
]


@pytest.mark.parametrize(("typed", "sent", "noted"), READ, ids=[ascii(row[0]) for row in READ])
def test_what_is_pasted_is_read_as_a_browser_does(typed: str, sent: str, noted: str | None) -> None:
    """A whole address is as good as an origin, and what was read otherwise is noted."""
    found = read_typed_origin(typed)
    assert (str(found.origin), found.fault) == (sent, "")
    notes = "; ".join(found.notes)
    assert noted in notes if noted else not notes


UNREAD = [
    ("", "without Origin"),
    ("   ", "without Origin"),
    ("null", "sandboxed iframe"),
    ("NULL", "sandboxed iframe"),
    ("file:///home/me/index.html", "a page of file:"),
    ("data:text/html,x", "a page of data:"),
    ("about:blank", "a page of about:"),
    ("wss://acme.com", "give the page's own address"),
    ("*.acme.com", "sends no wildcard"),
    ("localhost:*", "sends no wildcard"),
    ("https://acme.com.", "ends in a dot"),
    ("https://", "no host"),
    ("https://:8080", "no host"),
    ("https://acme.com:99999", "not a number from 1 to 65535"),
    ("https://acme.com:0", "not a number"),
    ("https://acme.com:x", "not a number"),
    ("https://acme.com https://acme.net", "one origin"),
    ("https://acme.com,https://acme.net", "one origin"),
    ("https://acme..com", "not an origin"),
    ("https://1.2.3.4.5", "not an origin"),
    ("https://\u2603\u20e3.com", "international host name"),
    ("\x1b[31mred", "not an origin"),
]


@pytest.mark.parametrize(("typed", "told"), UNREAD, ids=[ascii(row[0]) for row in UNREAD])
def test_what_no_page_sends_is_told(typed: str, told: str) -> None:
    """The operator reads why no such request can be admitted."""
    found = read_typed_origin(typed)
    assert found.origin is None
    assert told in found.fault


@given(st.text() | st.from_regex(r"(https?:/{0,3})?[a-z0-9.:@/\[\]-]{1,30}", fullmatch=True))
@example("https://user:hunter2@acme.com:99999/hunter2?hunter2")
def test_whatever_is_typed_is_read_or_told(text: str) -> None:
    """No text is too odd, none writes to the terminal, and nothing that may be secret is shown."""
    found = read_typed_origin(text)
    assert (found.origin is None) == bool(found.fault)
    said = " ".join((str(found.origin), found.fault, *found.notes))
    assert all(c.isprintable() for c in said)
    assert "hunter2" not in said


@given(st.from_regex(r"https?://[a-z]{1,9}(\.[a-z]{1,9}){0,2}(:[1-9][0-9]{0,3})?", fullmatch=True))
def test_what_a_browser_sends_is_read_as_the_server_reads_it(text: str) -> None:
    """An origin that is pasted is that origin."""
    assert read_typed_origin(text).origin == Origin.parse(text)
