"""How the log looks: for a person at a terminal, or JSON for what collects it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, get_args

from structlog.dev import (
    BRIGHT,
    CYAN,
    DIM,
    RESET_ALL,
    Column,
    ConsoleRenderer,
    KeyValueColumnFormatter,
    LogLevelColumnFormatter,
)
from structlog.processors import JSONRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from kataven_flask.errors import ConfigurationError
from kataven_flask.log import BELOW, Entry, Field, quoted
from kataven_flask.text import printable
from kataven_flask.traces import trace_of

LogFormat = Literal["auto", "console", "json"]
"""`auto` is `console` where the log is read at a terminal, else `json`."""
LOG_FORMATS: Final[tuple[LogFormat, ...]] = get_args(LogFormat)

MAX_LINE: Final = 4096
"""Bytes of a line of JSON with its end: what is longer, other processes' lines may stand amid of
where a pipe is full (PIPE_BUF of Linux, POSIX `write`), and some collectors cut in two."""

_OURS: Final = "kataven_flask"
_CUT: Final = "…"
_MARK: Final = len(r"\u2026")
_END_COUNTS: Final = "exception"
"""Of which the last lines say most: where it failed, and how."""
_render: Final = JSONRenderer()
_Line = MutableMapping[str, Any]


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; one that the stream can't take is lost, and nothing stands in its place."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in `logging`
        """Say nothing of a stream that is full or has no reader: where, if not there?"""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def log_to(stream: TextIO | None, log_format: LogFormat, logger: logging.Logger) -> None:
    """Have a logger write to a stream.

    Args:
        stream: For example `sys.stderr`; None where that is closed, and nothing is written.
        log_format: How.
        logger: The logger; the root one for everybody's lines.
    """
    if stream is None:
        logger.addHandler(logging.NullHandler())
        return
    handler = _Handler(stream)
    handler.setFormatter(formatter(log_format, stream))
    logger.addHandler(handler)


def is_json(log_format: LogFormat, stream: TextIO | None) -> bool:
    """Tell whether lines are JSON in a stream, if there is one."""
    return log_format == "json" or (log_format == "auto" and not (stream and stream.isatty()))


def formatter(log_format: LogFormat, stream: TextIO) -> logging.Formatter:
    """Make what writes a record as a line.

    Args:
        log_format: How it is to look.
        stream: Where it goes: colors are for terminals alone.

    Returns:
        The formatter.
    """
    if is_json(log_format, stream):
        return ProcessorFormatter(processors=[_open, _json_line, _json])
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    return ProcessorFormatter(processors=[_open, _console_line, _console(colors=colors)])


def checked_log_format(text: str, given_as: str) -> LogFormat:
    """Read a format.

    Args:
        text: What was given; empty for `auto`.
        given_as: By which name, for the message.

    Raises:
        ConfigurationError: There is no such format; the message has those that are.

    Returns:
        The format.
    """
    for log_format in LOG_FORMATS:
        if log_format == (text or "auto"):
            return log_format
    raise ConfigurationError(f"{given_as}{text}: write one of {', '.join(LOG_FORMATS)}")


def _open(_logger: Any, _name: str, line: _Line) -> _Line:
    """Take the members out of a record; another library's has its words alone."""
    record: logging.LogRecord = line["_record"]
    members: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    if isinstance(record.msg, Entry):
        members |= {"event": record.msg.event, **record.msg.fields}
    else:
        members["event"] = printable(line["event"])
        if line.get("exc_info"):
            members["exception"] = trace_of(line["exc_info"][1])
    return {**members, "pid": record.process}


def _json_line(_logger: Any, _name: str, line: _Line) -> _Line:
    return {**line, "timestamp": f"{line['timestamp']:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"}


def _json(logger: Any, name: str, line: _Line) -> str:
    """Write a line that is no longer than one may be: what is longest in it is cut."""
    text = str(_render(logger, name, line))
    while (over := len(text) + 1 - MAX_LINE) > 0:
        texts = {member: value for member, value in line.items() if isinstance(value, str)}
        longest = max(texts, key=lambda member: len(texts[member]))
        if texts[longest] == _CUT:
            break
        line = {**line, longest: _cut(texts[longest], over, keep_end=longest == _END_COUNTS)}
        text = str(_render(logger, name, line))
    return text


def _cut(text: str, over: int, *, keep_end: bool) -> str:
    """Take so many bytes of JSON away, or some more where its letters differ in what they take."""
    length = len(json.dumps(text))
    kept = max(0, len(text) * (length - over) // length - _MARK)
    if keep_end:
        return _CUT + text[len(text) - kept :]
    return text[:kept] + _CUT


def _console_line(_logger: Any, _name: str, line: _Line) -> _Line:
    """Leave out what a person at a terminal knows, and put below what has lines of its own."""
    below = "\n".join(str(line[name]) for name in BELOW if name in line)
    fields = {name: value for name, value in line.items() if name not in {*BELOW, "pid"}}
    if line["logger"].partition(".")[0] == _OURS:
        del fields["logger"]
    fields["timestamp"] = f"{line['timestamp'].astimezone():%H:%M:%S}"
    return {**fields, "exception": below} if below else fields


def _console(*, colors: bool) -> Processor:
    levels: Mapping[str, str] = ConsoleRenderer.get_default_level_styles(colors=colors)
    reset = RESET_ALL if colors else ""

    def style(code: str) -> str:
        return code if colors else ""

    def alone(name: str, code: str) -> Column:
        return Column(name, KeyValueColumnFormatter(None, style(code), reset, str))

    def field(value: object) -> str:
        return quoted(value if isinstance(value, Field) else str(value))

    return ConsoleRenderer(
        columns=[
            Column("", KeyValueColumnFormatter(style(CYAN), "", reset, field)),
            alone("timestamp", DIM),
            Column("level", LogLevelColumnFormatter(dict(levels), reset)),
            alone("event", BRIGHT),
        ],
        sort_keys=False,
    )
