"""waitress' parts as we run them: answers given where they were read, and refusals one can read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from kataven_flask import errors
from kataven_flask.body import BODY_LIMIT
from kataven_flask.cors import READABLE, is_for_pages
from kataven_flask.headers import secured
from kataven_flask.refusals import new_request_id, write_refusal

SEND_AT_ONCE: Final = 64 * 1024
"""Bytes of an answer that wait for its end, so that header and body leave in one packet."""

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

    def is_reader(self) -> bool:
        """Tell whether this is the thread that reads, which nobody has to wake."""
        return threading.get_ident() == self._reader


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what waitress reads in its own way, or breaks off at."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read a header; what another server may take for two requests is none (RFC 9112, 6.1)."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # half an IPv6 address, a length of thousands of digits
            raise ParsingError("The header can't be read") from error
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Both Content-Length and Transfer-Encoding")
        if "TRANSFER_ENCODING" in self.headers:  # which waitress takes out where it heeds it
            raise ParsingError("Transfer-Encoding is for HTTP/1.1")


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

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
        refusal = _as_refusal(self.request.error)
        accept = getattr(self.request, "headers", {}).get("ACCEPT", "")
        written = write_refusal(refusal, accept, new_request_id())
        self.status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        headers = list(written.headers.items())
        path = getattr(self.request, "path", "/")
        if path == "/" or is_for_pages(path):  # "/": the path wasn't read
            headers += READABLE.items()
        self.response_headers += secured(headers)
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


def _as_refusal(error: Any) -> errors.Refusal:
    """Take an error of waitress for one of ours."""
    if error.code == errors.BodyTooLarge.status:
        return errors.BodyTooLarge(BODY_LIMIT)
    if error.code == errors.InternalError.status:
        return errors.InternalError("the server's log says more")
    # What waitress quotes of the request may be a header with a secret in it.
    return errors.InvalidRequest(error.body.partition(' "')[0])
