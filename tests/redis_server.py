"""A real redis-server on loopback, for tests that start, stop, pause and replace one."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.running import BOUND, free_port, wait_until

HOST: Final = "127.0.0.1"
PROGRAMS: Final = ("redis-server", "valkey-server")
MISSING: Final = """These tests need a real Redis, and found no redis-server.
Install it: apt-get install redis-server (Debian, Ubuntu), brew install redis (macOS)."""
CLUSTER_NODES: Final = 3
"""As few as a cluster may have."""
_SLOTS: Final = 16384
_BOUND: Final = 60
"""Seconds to wait for a server of the tests' own: a busy disk holds up a start for many."""
_BUS: Final = 10_000
"""How far above its own port a node of a cluster talks to the others."""


class RedisServer:
    """One redis-server on a port of its own; nothing is kept on disk unless that is asked for.

    Args:
        folder: Where its files go.
        port: Its port; None for a free one.
        password: What `AUTH` asks for; None for nothing.
        appendonly: Whether it keeps its data across a restart, each write of it.
        tls: Whether it is reached by TLS alone, with a certificate of the folder's own `ca`.
        cluster: Whether it is a node of a cluster.
    """

    def __init__(  # noqa: PLR0913 - each names one thing that a server may be
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        appendonly: bool = False,
        tls: bool = False,
        cluster: bool = False,
    ) -> None:
        self.folder = folder
        self.port = port or free_port(*([_BUS] if cluster else []))
        self.password = password
        self._appendonly = appendonly
        self._ca = _write_certificates(folder / "tls") if tls else None
        self._cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, with the password and the first database."""
        return self.url_of(0)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, "it doesn't run"
        return self._process.pid

    def url_of(self, database: int) -> str:
        """Return the URL of one of its databases."""
        scheme = "rediss" if self._ca else "redis"
        account = f":{quote(self.password, safe='')}@" if self.password else ""
        query = f"?ssl_ca_certs={quote(str(self._ca))}" if self._ca else ""
        return f"{scheme}://{account}{HOST}:{self.port}/{database}{query}"

    @contextmanager
    def client(self, database: int = 0) -> Iterator[redis.Redis]:
        """Connect to it, to look or to set something."""
        client = redis.Redis.from_url(
            self.url_of(database), decode_responses=True, socket_timeout=BOUND
        )
        with closing(client):
            yield client

    def command(self, *words: str | int) -> Any:
        """Send one command, as `redis-cli` would; return the answer."""
        with self.client() as client:
            send: Any = client.execute_command
            return send(*words)

    def start(self, *, empty: bool = False) -> None:
        """Start it, and wait until it answers.

        Args:
            empty: Whether what it kept is thrown away first.
        """
        assert self._process is None, "it runs"
        data = self.folder / "data"
        if empty:
            shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True, exist_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program(), *self._options(data)], stdout=log, stderr=log, cwd=self.folder
            )
        wait_until(self._answers, f"redis-server answers on port {self.port}", _BOUND)

    def stop(self) -> None:
        """End it in order, as its operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Have it answer nothing, though its port is open."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Have it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def change_password(self, password: str) -> None:
        """Ask for another password from now on, of those who have connected before, too."""
        with self.client() as client:
            client.config_set("requirepass", password)
            client.client_kill_filter(_type="normal", skipme=True)
        self.password = password

    def _options(self, data: Path) -> list[str]:
        options = {"bind": HOST, "dir": str(data), "port": str(self.port), "save": ""}
        options["appendonly"] = "yes" if self._appendonly else "no"
        options["appendfsync"] = "always"
        if self.password:
            options["requirepass"] = self.password
        if self._cluster:
            options |= {"cluster-enabled": "yes", "cluster-node-timeout": "2000"}
        if self._ca:
            own = self._ca.parent
            options |= {"port": "0", "tls-port": str(self.port), "tls-auth-clients": "no"}
            options |= {"tls-cert-file": str(own / "server.pem"), "tls-ca-cert-file": str(self._ca)}
            options["tls-key-file"] = str(own / "server.key")
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        assert self._process is not None
        log = self.folder / "redis.log"
        assert self._process.poll() is None, f"redis-server ended:\n{log.read_text()}"
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # one that is paused wouldn't hear
        process.wait(BOUND)


class RedisCluster:
    """Three redis-servers that share the keys between them.

    Args:
        folder: Where their files go.
    """

    def __init__(self, folder: Path) -> None:
        self.nodes = [
            RedisServer(folder / f"node-{number}", cluster=True) for number in range(CLUSTER_NODES)
        ]

    @property
    def url(self) -> str:
        """The URL of one of them; a client learns of the others there."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    def start(self) -> None:
        """Start them, who know each other, and wait until every one calls the cluster sound.

        Told by a file of each, and not by commands: a client sends a command again whose answer
        was long in coming, and these can't be done twice.
        """
        for node in self.nodes:
            file = node.folder / "data" / "nodes.conf"
            file.parent.mkdir(parents=True)
            file.write_text(self._known_to(node))
            node.start()
        self.await_soundness()

    def await_soundness(self) -> None:
        """Wait until every node calls the cluster sound."""
        wait_until(lambda: all(map(_is_joined, self.nodes)), "the cluster's state is ok", _BOUND)

    def flush(self) -> None:
        """Forget every key."""
        for node in self.nodes:
            node.command("FLUSHALL")

    def stop(self) -> None:
        """End them all."""
        for node in self.nodes:
            node.stop()

    def _known_to(self, own: RedisServer) -> str:
        """Return what a node's file says of all nodes, each with its share of the slots."""
        lines = []
        for number, node in enumerate(self.nodes):
            # In one piece: a client asks for the list of all pieces.
            first, end = (_SLOTS * each // CLUSTER_NODES for each in (number, number + 1))
            flags = "myself,master" if node is own else "master"
            address = f"{HOST}:{node.port}@{node.port + _BUS}"
            lines.append(
                f"{number:040x} {address} {flags} - 0 0 {number + 1} connected {first}-{end - 1}"
            )
        return "\n".join([*lines, f"vars currentEpoch {CLUSTER_NODES} lastVoteEpoch 0", ""])


@contextmanager
def running_redis(folder: Path, **options: Any) -> Iterator[RedisServer]:
    """Start a redis-server, and end it with the block, whatever was done to it.

    Args:
        folder: Where its files go.
        **options: What else `RedisServer` is to be told.

    Yields:
        The server, which answers.
    """
    server = RedisServer(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Start a cluster, and end it with the block.

    Args:
        folder: Where its files go.

    Yields:
        The cluster, each node of which answers.
    """
    cluster = RedisCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def program() -> str:
    """Return where redis-server is; its absence is a failure, not a skip."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    pytest.fail(MISSING, pytrace=False)


def _is_joined(node: RedisServer) -> bool:
    lines = set(str(node.command("CLUSTER", "INFO")).split())
    wanted = {f"cluster_slots_ok:{_SLOTS}", f"cluster_known_nodes:{CLUSTER_NODES}"}
    return wanted | {"cluster_state:ok"} <= lines


def _write_certificates(folder: Path) -> Path:
    """Write an authority, and a certificate of it for loopback; return the authority's file."""
    folder.mkdir(parents=True)
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("Test authority")
    ca = _certificate(ca_name, ca_key, ca_name, ca_key, ca=True)
    server = _certificate(_name("Test Redis"), server_key, ca_name, ca_key, ca=False)
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(Encoding.PEM))
    secret = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(secret)
    return folder / "ca.pem"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    usage |= {"digital_signature": not ca, "key_cert_sign": ca, "crl_sign": ca}
    loopback = x509.IPAddress(ipaddress.ip_address(HOST))
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(signer, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
