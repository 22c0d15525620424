"""Which addresses public keys may be fetched from."""

from __future__ import annotations

import pytest

from kataven_flask.verify import SessionVerifier
from tests.support import AUDIENCE, ISSUER


@pytest.mark.parametrize(
    "url",
    [
        "https://widget.example.com/.well-known/jwks.json",
        "HTTPS://widget.example.com:8443/jwks.json?of=acme",
        "http://localhost:8000/jwks.json",
        "http://api.localhost:8000/jwks.json",
        "http://127.0.0.1/jwks.json",
        "http://127.9.9.9/jwks.json",
        "http://[::1]:8000/jwks.json",
    ],
)
def test_addresses_that_may_be(url: str) -> None:
    """Keys are fetched by TLS, or from this very host."""
    assert SessionVerifier(url, ISSUER, AUDIENCE)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://widget.example.com/jwks.json", "https://"),
        ("http://localhost.evil.example/jwks.json", "https://"),
        ("http://evillocalhost/jwks.json", "https://"),
        ("http://127.0.0.1.evil.example/jwks.json", "https://"),
        ("http://10.0.0.1/jwks.json", "https://"),
        ("http://0.0.0.0/jwks.json", "https://"),
        ("http://localhost@evil.example/jwks.json", "a user"),
        ("https://user:hunter2@widget.example.com/jwks.json", "a user"),
        ("https://widget.example.com/jwks.json#x", "#"),
        ("file:///etc/passwd", "https://"),
        ("ftp://widget.example.com/jwks.json", "https://"),
        ("data:application/json,{}", "https://"),
        ("widget.example.com/jwks.json", "https://"),
        ("https:///jwks.json", "https://"),
        ("https://widget.example.com:99999/jwks.json", "(?i)port"),
        ("https://widget.example.com:0/jwks.json", "port"),
        ("https://widget.example.com:x/jwks.json", "(?i)port"),
        ("https://widget.example.com/a b", "a character"),
        ("https://widget.example.com/\r\nX: 1", "a character"),
        ("https://wid\tget.example.com/jwks.json", "a character"),
        ("https://münchen.de/jwks.json", "a character"),
        ("http://evil.example\\@localhost/jwks.json", "a user"),
        ("", "https://"),
    ],
)
def test_addresses_that_may_not_be(url: str, why: str) -> None:
    """An address that a stranger could answer at is refused at once, with why."""
    with pytest.raises(ValueError, match=why) as refused:
        SessionVerifier(url, ISSUER, AUDIENCE)
    assert "hunter2" not in str(refused.value)


def test_plain_http_by_ones_own_word() -> None:
    """Where nobody can stand between, plain HTTP is a decision; another scheme isn't."""
    assert SessionVerifier("http://kataven:8000/j", ISSUER, AUDIENCE, allow_http=True)
    with pytest.raises(ValueError, match="https://"):
        SessionVerifier("file:///etc/passwd", ISSUER, AUDIENCE, allow_http=True)
