"""waitress' parts as we run them: answers given where they were read, and refusals one can read."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import RequestHeaderFieldsTooLarge

from kataven_flask import errors
from kataven_flask.body import BODY_LIMIT
from kataven_flask.cors import READABLE, is_for_pages
from kataven_flask.headers import secured
from kataven_flask.places import Waits
from kataven_flask.refusals import write_refusal
from kataven_flask.request_ids import new_request_id

SEND_AT_ONCE: Final = 64 * 1024
"""Bytes of an answer that wait for its end, so that header and body leave in one packet; with as
many that a client hasn't taken, its next request waits."""
HEADER_LIMIT: Final = 32 * 1024
"""Bytes of a request's header, its first line included."""
HEADER_LINES: Final = 100
"""Lines of a request's header; a browser and two proxies send half as many."""
_TLS_HANDSHAKE: Final = b"\x16\x03"
"""How it begins (RFC 8446, section 5.1)."""
_CODINGS: Final = re.compile(rb"(?im)^transfer-encoding:(.*)$")

HangUpError = ClientDisconnected
"""What an app raises to hang up without an answer."""

MayWait = Callable[[str], bool]
"""Tells of a path whether who answers it may have to wait for something."""


def always(_path: str) -> bool:
    """Tell of every path that it may have to wait."""
    return True


class Tasks(ThreadedTaskDispatcher):  # type: ignore[misc]  # waitress has no types
    """Leaves to threads what may wait; the rest is answered by the thread that read it.

    A hand-over wakes two threads that then compete for the interpreter's lock, which takes longer
    than such an answer does.

    Args:
        threads: How many requests that may wait are worked on at once.
        may_wait: Tells which those are.
    """

    def __init__(self, threads: int, may_wait: MayWait) -> None:
        super().__init__()
        self._may_wait = may_wait
        self._reading: Channel | None = None
        self._reader = 0
        self._to_answer = False
        self._answered = 0
        self.set_thread_count(threads)

    def add_task(self, task: Channel) -> None:
        """Take a request that has been read; of several on one connection, the first is meant."""
        # A thread that has answered one request of a connection adds the next one of it, and may
        # do so before the reading has returned: what it adds here, nobody might look at any more.
        if self.is_reader() and task is self._reading and not self._may_wait(_path_of(task)):
            self._to_answer = True
        elif task.total_outbufs_len >= SEND_AT_ONCE:
            task.pause()
        else:
            super().add_task(task)

    def read(self, channel: Channel, read: Callable[[], None]) -> None:
        """Read from a connection, and answer at once what waits for nothing."""
        self._reader = threading.get_ident()
        self._reading, self._to_answer = channel, False
        try:
            read()
        finally:
            self._reading = None
        if self._to_answer:
            self._answered += 1
            channel.service()
            channel.handle_write()

    def answered(self) -> int:
        """Return how many were answered at once since this was asked before."""
        count, self._answered = self._answered, 0
        return count

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return len(self.queue)

    def is_reader(self) -> bool:
        """Tell whether this is the thread that reads, which nobody has to wake."""
        return threading.get_ident() == self._reader


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what waitress reads in its own way, or breaks off at."""

    began: float | None = None

    def received(self, data: bytes) -> int:
        """Read on, from the first byte; one who speaks TLS would wait for an answer to that."""
        if self.began is None:
            self.began = time.monotonic()
            if data.startswith(_TLS_HANDSHAKE):
                self.error = errors.InvalidRequest("this is TLS, and no proxy has taken it off")
                self.completed = True
                return len(data)
        taken: int = super().received(data)
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Read a header; what another server may take for two requests is none (RFC 9112, 6.1)."""
        if header_plus.count(b"\r\n") > HEADER_LINES:
            raise ParsingError(errors.HeadersTooLarge(f"send at most {HEADER_LINES} lines"))
        if b"\r\n " in header_plus or b"\r\n\t" in header_plus:  # section 5.2
            raise ParsingError("A header is folded")
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # half an IPv6 address, a length of thousands of digits
            raise ParsingError("The header can't be read") from error
        if self.version not in {"1.1", "1.0"}:
            raise ParsingError("Only HTTP/1.1 and HTTP/1.0 are spoken here")
        if self.chunked:
            self._check_chunked(header_plus)
        if "TRANSFER_ENCODING" in self.headers:  # which waitress takes out where it heeds it
            raise ParsingError("Transfer-Encoding is for HTTP/1.1")
        hosts = self.headers.get("HOST")  # section 3.2; waitress joins what stands twice
        if hosts is None and self.version == "1.1":
            raise ParsingError("HTTP/1.1 needs a Host")
        if hosts is not None and "," in hosts:
            raise ParsingError("More than one Host")

    def _check_chunked(self, header_plus: bytes) -> None:
        if "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Content-Length and Transfer-Encoding")
        codings = [coding.strip().lower() for coding in _CODINGS.findall(header_plus)]
        if codings != [b"chunked"]:
            raise ParsingError("More than one Transfer-Encoding")


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    request: Any  # the one that hasn't come whole; None where none has begun
    _is_fresh = True
    _is_paused = False

    def __init__(self, *connection: Any) -> None:
        self._since = time.monotonic()
        super().__init__(*connection)

    def waits(self) -> tuple[Waits, float] | None:
        """Tell what its client is waited for, and since when; None where they wait for us."""
        unsent = self.total_outbufs_len
        if unsent and (not self.requests or unsent >= SEND_AT_ONCE):
            return Waits.TAKING_ANSWER, self._since
        if self.requests:
            return None
        if (request := self.request) is not None:
            return Waits.REST_OF_REQUEST, request.began
        return Waits.BEGINNING if self._is_fresh else Waits.NEXT_REQUEST, self._since

    def refuse(self, refusal: errors.Refusal) -> None:
        """Answer what hasn't come whole, or hasn't begun, and hang up."""
        with suppress(OSError):  # closed with something unread, it would take the answer back
            self.socket.recv(self.adj.recv_bytes)
        with self.requests_lock:
            request, self.request = self.request or _Parser(self.adj), None
            request.error, request.completed = refusal, True
            self.requests.append(request)
        self.service()
        self.handle_write()

    def service(self) -> None:
        """Answer the first request that has come."""
        self._since, self._is_fresh = time.monotonic(), False
        super().service()

    def pause(self) -> None:
        """Leave the next request until more of the answers before has been taken.

        They would be kept here, and thousands of them fit into what is read at once.
        """
        self._is_paused = True
        self.server.pull_trigger()

    def writable(self) -> bool:
        """Tell whether there is something to send now, or to do once it has been sent."""
        unsent: int = self.total_outbufs_len
        if unsent and (not self.requests or unsent >= SEND_AT_ONCE):
            return True  # less leaves with the answer that is being made
        ends: bool = self.will_close or self.close_when_flushed
        return ends or self._is_paused

    def handle_write(self) -> None:
        """Send what can be sent, and go on with what waited for that."""
        super().handle_write()
        if self._is_paused and self.total_outbufs_len < SEND_AT_ONCE:
            self._is_paused = False
            if self.connected:
                self.server.add_task(self)

    def handle_read(self) -> None:
        """Read what has come, and answer it if that is quickly done."""
        self.server.task_dispatcher.read(self, super().handle_read)

    def send_continue(self) -> None:
        """Ask for the body, unless there is none, or the request was refused already.

        waitress would then go on reading this request, and answer it together with the next one.
        """
        if not self.request.completed:
            super().send_continue()

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait for a caller who reads slowly; only who reads here can send, and doesn't wait."""
        if not self.server.task_dispatcher.is_reader():
            super()._flush_outbufs_below_high_watermark()


class _ErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers what waitress refuses before the app sees it, so that a page can read that too."""

    def execute(self) -> None:
        refusal = _as_refusal(self.request)
        accept = getattr(self.request, "headers", {}).get("ACCEPT", "")
        written = write_refusal(refusal, accept, new_request_id())
        self.status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        headers = list(written.headers.items())
        path = getattr(self.request, "path", "/")
        if path == "/" or is_for_pages(path):  # "/": the path wasn't read
            headers += READABLE.items()
        self.response_headers += secured(headers)
        self.channel.server.observer.refused_unread(refusal.status, refusal.code)
        self.set_close_on_finish()
        self.content_length = len(written.body)
        self.write(written.body)


class _Task(WSGITask):  # type: ignore[misc]
    """Keeps a connection as long as it may be kept, and gives it back once the server ends."""

    def build_response_header(self) -> bytes:
        if self.channel.server.in_drain:  # a proxy would send on it to the last moment
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header

    def set_close_on_finish(self) -> None:
        """Close the connection; not for the want of a length that 204 and 304 never have.

        RFC 9112, section 6.3: they end with their header.
        """
        asked = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or self.version == "1.0" or asked:
            super().set_close_on_finish()


Channel.parser_class = _Parser
Channel.task_class = _Task
Channel.error_task_class = _ErrorTask


def _path_of(task: Channel) -> str:
    return getattr(task.requests[0], "path", "")  # there is none where it couldn't be read


def _as_refusal(request: Any) -> errors.Refusal:
    """Take what waitress refuses for a refusal of ours."""
    error = request.error
    ours = getattr(error, "body", error)
    if isinstance(ours, errors.Refusal):
        return ours
    if isinstance(error, RequestHeaderFieldsTooLarge):
        if b"\n" in request.header_plus:
            return errors.HeadersTooLarge(f"send at most {HEADER_LIMIT // 1024} KiB")
        return errors.UriTooLong(f"send at most {HEADER_LIMIT // 1024} KiB of header")
    if error.code == errors.BodyTooLarge.status:
        return errors.BodyTooLarge(BODY_LIMIT)
    if error.code == errors.InternalError.status:
        return errors.InternalError("the server's log says more")
    # What waitress quotes of the request may be a header with a secret in it.
    return errors.InvalidRequest(error.body.partition(' "')[0])
