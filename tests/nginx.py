"""nginx with the shipped file, really run, for tests that need one."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.running import BOUND, Running, free_port, running, wait_until
from tests.support import API, KEY, ORIGIN

FILE: Final = Path(__file__).parent.parent / "docs" / "deployment" / "nginx.conf"
NGINX: Final = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
NAME: Final = "widget.example.com"
GUEST: Final = f"{API}/auth/guest"
CLIENT: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Args:
        status: The status.
        headers: All headers, each as often as it came.
        body: The body.
    """

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def readable(self) -> bool:
        """Whether a page may read it: browsers refuse an answer that says so twice."""
        return self.headers.get_all("Access-Control-Allow-Origin") == ["*"]


@dataclass
class Proxy:
    """A running nginx.

    Args:
        process: Its process.
        folder: Where its files are.
        https: Its port with TLS.
        http: Its port without.
    """

    process: Running
    folder: Path
    https: int
    http: int
    _trust: ssl.SSLContext = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._trust = ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        client: str = CLIENT,
    ) -> Answer:
        """Send one request over TLS, from an address of this machine, as a page at ORIGIN."""
        connection = http.client.HTTPSConnection(
            CLIENT, self.https, timeout=BOUND, context=self._trust, source_address=(client, 0)
        )
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return answer_of(connection, method, path, content, {"Origin": ORIGIN, **(headers or {})})

    def refresh(self, session: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Refresh a session."""
        body = {"refresh_token": session["refresh_token"]}
        return self.ask("POST", f"{API}/auth/refresh", body, headers)

    def guest(self, **options: Any) -> Answer:
        """Begin a guest's session."""
        return self.ask("POST", GUEST, {"client_key": KEY}, **options)

    def met(self, name: str) -> int:
        """Return the port of the server that answered the request of a name."""
        upstream = re.search(r'upstream="[^"]*?:(\d+)" ', self.logged(name))
        assert upstream is not None
        return int(upstream[1])

    def ask_in_the_clear(self, method: str, path: str) -> Answer:
        """Send one request without TLS."""
        return answer_of(http.client.HTTPConnection(CLIENT, self.http, timeout=BOUND), method, path)

    def logged(self, name: str) -> str:
        """Return its line on the request of a name; it is written after the answer is sent."""
        found: list[str] = []

        def look() -> bool:
            log = (self.folder / "kataven.log").read_text()
            found[:] = [line for line in log.splitlines() if line.endswith(f" id={name}")]
            return bool(found)

        wait_until(look, f"a line on {name} in the log")
        return found[-1]


def answer_of(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request to the proxy's name, and close the connection."""
    try:
        connection.request(method, path, body, {"Host": NAME, **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@contextmanager
def proxying(folder: Path, ports: list[int], **changes: str) -> Iterator[Proxy]:
    """Run nginx with the shipped file; its addresses, paths and certificate alone are others."""
    if NGINX is None:
        pytest.fail("the tests of docs/deployment run nginx: apt-get install nginx-light")
    https, plain = free_port(), free_port()
    write_certificate(folder)
    (folder / "kataven.conf").write_text(configured(folder, ports, https, plain, changes))
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers can't read this folder
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; worker_processes 2; error_log stderr notice;\n"
        f"events {{}} http {{ {temporary} include {folder}/kataven.conf; }}\n"
    )
    command = (NGINX, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    with running(*command, cwd=folder) as process:
        process.wait_for("start worker process ", count=2)
        try:
            yield Proxy(process, folder, https, plain)
        finally:
            process.end()


def configured(
    folder: Path, ports: list[int], https: int, plain: int, changes: Mapping[str, str]
) -> str:
    """Return the shipped file for this machine; each change has to find its place."""
    text = FILE.read_text()
    first, second = ports
    for old, new in {
        "listen 443": f"listen {CLIENT}:{https}",
        "listen [::]:443": f"listen 127.0.0.2:{https}",
        "listen 80": f"listen {CLIENT}:{plain}",
        "listen [::]:80": f"listen 127.0.0.2:{plain}",
        "10.0.0.11:8000": f"{CLIENT}:{first}",
        "10.0.0.12:8000": f"{CLIENT}:{second}",
        f"/etc/letsencrypt/live/{NAME}": str(folder),
        "/var/log/nginx": str(folder),
        "/var/www/acme": str(folder / "acme"),
        **changes,
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def write_certificate(folder: Path) -> None:
    """Make a certificate for the proxy's name and address that it has signed itself."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address(CLIENT))]),
            critical=False,
        )
        .sign(key, SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "privkey.pem").write_bytes(pem)
