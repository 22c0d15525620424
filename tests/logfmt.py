"""Lines of logfmt, read as a log collector would."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

_FIELD: Final = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)')


def read_line(line: str) -> dict[str, str]:
    """Return the event of a line and its fields, and fail the test where anything else is in it."""
    event, _, rest = line.partition(" ")
    return {"event": event, **read_fields(rest)}


def read_fields(line: str) -> dict[str, str]:
    """Return the fields of a line, and fail the test where anything else is in it."""
    pairs = _FIELD.findall(line)
    assert " ".join(f"{name}={value}" for name, value in pairs) == line, line
    assert len(dict(pairs)) == len(pairs), line
    return {name: json.loads(value) if value.startswith('"') else value for name, value in pairs}


def told(caplog: pytest.LogCaptureFixture, event: str = "") -> list[dict[str, str]]:
    """Return the security events that were logged since the last time, and forget them."""
    lines = [each.getMessage() for each in caplog.records if each.name == "kataven_flask.security"]
    caplog.clear()
    every = [read_line(line) for line in lines]
    return [fields for fields in every if fields["event"] == event or not event]
