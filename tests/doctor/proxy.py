"""A sign-in service behind a proxy that a test has misbehave."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from kataven_flask.doctor import Step, Target, examine
from tests.support import KEY, ORIGIN, Service

GUEST: Final = "/api/v1/widget/auth/guest"
ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def without(self, name: str) -> Reply:
        """Return it without a header."""
        kept = tuple(each for each in self.headers if each[0].lower() != name.lower())
        return dataclasses.replace(self, headers=kept)

    def having(self, name: str, value: str) -> Reply:
        """Return it with a header added to those that it has."""
        return dataclasses.replace(self, headers=(*self.headers, (name, value)))

    def saying(self, body: bytes, content_type: str = "application/json") -> Reply:
        """Return it with another body."""
        reply = self.without("Content-Type").without("Content-Length")
        return dataclasses.replace(reply.having("Content-Type", content_type), body=body)


class Proxy:
    """Passes requests to a server in this process, and notes them.

    Args:
        service: The server.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen: list[Request] = []
        self.url = ""
        self.receive: Callable[[Request], Request] = lambda request: request
        """What becomes of a request on its way in."""
        self.send: Callable[[Request, Reply], Reply] = lambda _request, reply: reply
        """What becomes of an answer on its way out."""

    def of(self, path: str, change: Callable[[Reply], Reply]) -> None:
        """Change the answers of one path, whatever its query."""
        self.send = lambda request, reply: (
            change(reply) if request.path.partition("?")[0] == path else reply
        )

    def of_all(self, change: Callable[[Reply], Reply]) -> None:
        """Change every answer."""
        self.send = lambda _request, reply: change(reply)

    def answer(self, request: Request) -> Reply:
        """Pass a request on."""
        self.seen.append(request)
        request = self.receive(request)
        return self.send(request, answer_of(self.service, request))

    def target(self, origin: str = ORIGIN, key: str = KEY, agent: str | None = None) -> Target:
        """Return this server, as a page calls it."""
        return Target.read(self.url, origin, key, agent)

    def examined(self, *, secret: str | None = None, **target: Any) -> dict[str, Step]:
        """Examine it, and return the steps by their names."""
        steps = examine(self.target(**target), secret_key=secret)
        return {step.name: step for step in steps}


def answer_of(service: Service, request: Request) -> Reply:
    """Return what a server in this process answers."""
    response = service.app.test_client().open(
        request.path,
        method=request.method,
        headers=request.headers,
        data=request.body,
        buffered=True,
    )
    return Reply(response.status_code, tuple(response.headers), response.get_data())


@contextmanager
def proxy(folder: Path, **settings: Any) -> Iterator[Proxy]:
    """Run a server, with the system's clock, behind a proxy on loopback."""
    through = Proxy(Service(folder, **{"clock": time.time, **settings}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            reply = through.answer(Request(self.command, self.path, dict(self.headers), body))
            self.send_response_only(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_OPTIONS = do_GET  # noqa: N815 - names of the library's

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        through.url = f"http://127.0.0.1:{port}"
        yield through


@contextmanager
def serving(server: ThreadingHTTPServer, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server, and yield its port."""
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that does with each connection what a test says, and yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with listener:
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()
