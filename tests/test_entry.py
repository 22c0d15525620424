"""What a request says of its way: believed of a proxy, and of nobody else; HSTS on TLS alone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

import kataven_flask
from kataven_flask import entry
from kataven_flask.proxies import Proxies
from tests.support import API, KEY, ORIGIN, Service, document, refused

PROXY: Final = "127.0.0.1"
STRANGER: Final = "198.51.100.7"
CLIENT: Final = "203.0.113.9"
OK: Final = (200, None)
LIMITED: Final = (429, "rate_limited")
YEAR: Final = 31_536_000
HSTS: Final = f"max-age={YEAR}"
PATHS: Final = {
    "admitted": ("POST", f"{API}/auth/guest"),
    "config": ("GET", f"{API}/config?client_key={KEY}"),
    "refused": ("POST", f"{API}/auth/refresh"),
    "a backend's": ("POST", f"{API}/auth/user-token"),
    "preflight": ("OPTIONS", f"{API}/auth/guest"),
    "not found": ("GET", "/nowhere"),
    "a slash too many": ("GET", f"{API}/config/"),
    "two slashes": ("GET", f"/{API}/config"),
    "the wrong method": ("DELETE", f"{API}/config"),
    "keys": ("GET", "/.well-known/jwks.json"),
    "script": ("GET", "/widget/v1.js"),
    "alive": ("GET", "/healthz"),
}
"""An answer of each kind."""
FORGED: Final = {
    "Forwarded": f"for={STRANGER};proto=https;host=evil.example",
    "Host": "evil.example",
    "X-Forwarded-For": STRANGER,
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "444",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Ssl": "on",
    "X-Original-Url": "/evil",
    "X-Real-Ip": STRANGER,
    "X-Rewrite-Url": "/evil",
}


def serving(folder: Path, **settings: Any) -> Service:
    """Return a server that lets each address in once a minute."""
    service = Service(folder, proxies=Proxies.parse(PROXY), **settings)
    service.document = document(limits={"guest_per_minute": 1})
    service.edit()
    return service


def ask(
    service: Service, path: str, headers: dict[str, str], peer: str = PROXY, scheme: str = "http"
) -> TestResponse:
    """Send one request of PATHS from an address."""
    method, target = PATHS[path]
    body = {"client_key": KEY} if method == "POST" else None
    return service.client.open(
        target,
        method=method,
        json=body,
        headers={"Origin": ORIGIN, **headers},
        environ_base={"REMOTE_ADDR": peer},
        base_url=f"{scheme}://widget.example.com",
    )


def guest(service: Service, peer: str = PROXY, **headers: str) -> tuple[int, str | None]:
    """Begin a session, and return how that went."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refused(ask(service, "admitted", named, peer))


def test_a_proxys_clients_are_counted_one_by_one(tmp_path: Path) -> None:
    """Each address that the proxy names has a limit of its own, in whatever way it writes it."""
    service = serving(tmp_path)
    assert guest(service, X_Forwarded_For=CLIENT) == OK
    assert guest(service, X_Forwarded_For="203.0.113.10") == OK
    for same in (CLIENT, f"{CLIENT}:80", f"::ffff:{CLIENT}", f"{STRANGER}, {CLIENT}"):
        assert guest(service, X_Forwarded_For=same) == LIMITED


texts = st.ip_addresses().map(str) | st.text(st.characters(max_codepoint=255), max_size=40)


@given(
    sent=st.dictionaries(st.sampled_from(sorted(FORGED)), texts | st.sampled_from([PROXY, "https"]))
)
def test_a_stranger_is_whom_it_comes_as_whatever_it_sends(sent: dict[str, str]) -> None:
    """No header that a client sends changes the address and the scheme that it is known by."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _start_response: object) -> list[bytes]:
        seen.update(environ)
        return []

    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
    environ = {**named, "REMOTE_ADDR": STRANGER, "wsgi.url_scheme": "http"}
    entry.with_entry(app, Proxies.parse(PROXY, 2), YEAR)(dict(environ), print)
    assert seen == environ


@pytest.mark.parametrize("name", sorted(set(FORGED) - {"X-Forwarded-For"}))
def test_a_proxy_is_asked_for_the_client_by_one_header_alone(tmp_path: Path, name: str) -> None:
    """What strangers can send through a proxy names no client."""
    service = serving(tmp_path)
    sent = {"X-Forwarded-For": CLIENT, name: FORGED[name]}
    assert refused(ask(service, "admitted", sent)) == OK
    assert refused(ask(service, "admitted", {**sent, name: "x"})) == LIMITED


@pytest.mark.parametrize("path", [path for path in PATHS if path != "admitted"])
def test_no_answer_is_made_of_how_the_request_came(tmp_path: Path, path: str) -> None:
    """No redirect, link or cookie comes of a host or a header: the answer stays as it was."""
    service = Service(tmp_path, proxies=Proxies.parse(PROXY))
    as_named = {"X-Request-Id": "page-view-0001"}
    plain = ask(service, path, as_named)
    for name, value in FORGED.items():
        forged = ask(service, path, {**as_named, name: value})
        assert (plain.status, plain.data) == (forged.status, forged.data)
        assert headers_of(plain) == headers_of(forged)
    assert not {"Location", "Set-Cookie"} & set(plain.headers.keys())


def headers_of(answer: TestResponse) -> list[tuple[str, str]]:
    """Return an answer's headers, without those that count."""
    return sorted(each for each in answer.headers if not each[0].startswith("RateLimit"))


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_over_tls_says_how_long_to_stay_with_it(tmp_path: Path, path: str) -> None:
    """Where the proxy says https, HSTS stands once on each answer, a 404 too; on http never."""
    service = Service(tmp_path, proxies=Proxies.parse(PROXY), hsts=YEAR)
    by_tls = ask(service, path, {"X-Forwarded-Proto": "https"})
    assert by_tls.headers.getlist("Strict-Transport-Security") == [HSTS]
    for said in ({"X-Forwarded-Proto": "http"}, {}, {"X-Forwarded-Ssl": "on"}):
        assert "Strict-Transport-Security" not in ask(service, path, said).headers


def test_a_fault_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 500 over TLS has the header as any other answer has."""
    service = Service(tmp_path, hsts=0, proxies=Proxies.parse(PROXY))
    monkeypatch.setattr("kataven_flask.handshake.Handshake.config", None)
    answer = ask(service, "config", {"X-Forwarded-Proto": "https"})
    assert answer.status_code == 500
    assert answer.headers["Strict-Transport-Security"] == "max-age=0"


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "Forwarded"]
)
def test_no_stranger_makes_a_request_one_over_tls(tmp_path: Path, name: str) -> None:
    """From anybody else than a proxy the scheme is that of the connection."""
    service = Service(tmp_path, proxies=Proxies.parse(PROXY), hsts=YEAR)
    answer = ask(service, "alive", {name: FORGED[name]}, STRANGER)
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"])
def test_a_scheme_that_the_server_took_from_a_stranger_is_not_believed(
    tmp_path: Path, name: str
) -> None:
    """Some servers take it from such a header before we are asked: that is no TLS."""
    service = Service(tmp_path, hsts=YEAR)
    forged = ask(service, "alive", {name: FORGED[name]}, STRANGER, scheme="https")
    assert "Strict-Transport-Security" not in forged.headers
    own = ask(service, "alive", {}, STRANGER, scheme="https")
    assert own.headers["Strict-Transport-Security"] == HSTS


def test_without_either_nothing_is_said_or_believed(service: Service) -> None:
    """By default no header is heeded, and HSTS isn't sent."""
    service.document["limits"] = {"guest_per_minute": 1}
    service.edit()
    first = ask(service, "admitted", {"X-Forwarded-For": CLIENT}, scheme="https")
    assert refused(first) == OK
    assert "Strict-Transport-Security" not in first.headers
    assert guest(service, X_Forwarded_For="203.0.113.10") == LIMITED


def test_a_proxy_that_nobody_named_is_told_of(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose visitors are limited as one reads why in the log, once; without such a header, not."""
    service.document["limits"] = {"guest_per_minute": 1}
    service.edit()
    assert [guest(service) for _ in range(2)] == [OK, LIMITED]
    assert "--trusted-proxies" not in caplog.text
    for number in range(3):
        assert guest(service, X_Forwarded_For=f"203.0.113.{number}") == LIMITED
    assert caplog.text.count("name it with --trusted-proxies") == 1


def test_where_there_is_nothing_to_do_nothing_is_laid_over_the_app() -> None:
    """Without proxies and HSTS a request costs what it did."""

    def app(_environ: object, _start_response: object) -> list[bytes]:
        return []

    assert entry.with_entry(app, None, None) is app


def test_no_other_module_looks_at_how_a_request_came() -> None:
    """What names hosts, schemes and ways of requests is read in one place."""
    names = {"host", "host_url", "url", "base_url", "url_root", "root_url", "is_secure", "scheme"}
    names |= {"access_route", "remote_addr"}
    read = {"HTTP_HOST", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "SERVER_NAME", "wsgi.url_scheme"}
    package = Path(kataven_flask.__file__).parent
    elsewhere = {"demo", "testing"}  # servers of their own, on loopback
    others = [file for file in package.rglob("*.py") if not elsewhere & set(file.parts)]
    others.remove(package / "entry.py")
    assert package / "api.py" in others
    for file in others:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "request" or node.attr not in names, file
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in read, file
                assert "X_FORWARDED" not in node.value, file
