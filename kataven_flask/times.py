"""Times as seconds since the epoch, as a file has them, and as a person reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final, TypeGuard

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_LAST: Final = 2**32
"""Seconds since the epoch (2106): a later time is a mistake, and sums of it may be no date."""
_LAST_MINUTE: Final = int(datetime.max.replace(microsecond=0, tzinfo=UTC).timestamp()) // _MINUTE
"""The last one that can be written; 9999-12-31T23:59:59Z, which stands for never, is after it."""


def is_time(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number of seconds since the epoch, of 1970 to 2106."""
    return type(value) is int and 0 <= value < _LAST


def iso_utc(seconds: float) -> str:
    """Write a time as a file has it (RFC 3339, section 5.6), to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat(timespec="seconds")


def parse_iso(text: str) -> int:
    """Read a time that a file has.

    Args:
        text: ISO 8601, with an offset from UTC.

    Raises:
        ValueError: It isn't that, or lies outside 1970 to 2106.
        TypeError: It is no text.

    Returns:
        Seconds since the epoch.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    seconds = math.floor(time.timestamp())
    if not is_time(seconds):
        raise ValueError("a time outside 1970 to 2106")
    return seconds


def utc_minute(seconds: float) -> str:
    """Write a time for a person, `2026-10-01 14:30 UTC`; it is over by then."""
    minutes = min(math.ceil(seconds / _MINUTE), _LAST_MINUTE)
    return datetime.fromtimestamp(minutes * _MINUTE, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """Write how long something takes for a person, in the largest unit that says enough."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds > 2 * size or (size == _MINUTE and seconds >= size):
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds)} s"


def utc_second(seconds: int) -> str:
    """Write a time for a person who compares clocks, `2026-10-01 14:30:05 UTC`.

    Args:
        seconds: Seconds since the epoch.

    Raises:
        ValueError: It lies outside 1970 to 2106.

    Returns:
        The time.
    """
    if not is_time(seconds):
        raise ValueError("a time outside 1970 to 2106")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """Write how far apart two times are for a person, in its two largest units: `3 h 5 min`."""
    left = int(abs(seconds))
    parts: list[str] = []
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if part[0] != "0") or "0 s"
