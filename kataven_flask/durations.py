"""Durations, as a person writes them: `10m`; read, held in a range, and told to an editor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

SECOND: Final = 1
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_MAX_COUNT_DIGITS: Final = 9
_DURATION = re.compile(rf"(?P<count>[0-9]{{1,{_MAX_COUNT_DIGITS}}})(?P<unit>[smhd])")
_NO_DURATION: Final = "not a duration; write a number and s, m, h or d, for example 10m"


def duration_text(seconds: int) -> str:
    """Write a duration as a person would: in the largest unit that divides it; a day is 24h."""
    for unit, size in reversed(_UNITS.items()):
        if seconds and seconds % size == 0 and (seconds, unit) != (DAY, "d"):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def number_pattern(low: int, high: int) -> str:
    """Return a regular expression of the whole numbers from `low` to `high`, both included."""
    return "|".join(_number_blocks(low, high))


def _number_blocks(low: int, high: int) -> Iterator[str]:
    while low <= high:
        size = 1
        while low and low % (10 * size) == 0 and low + 10 * size - 1 <= high:
            size *= 10
        first = low // size % 10
        last = min(9, first + (high - low + 1) // size - 1)
        prefix = str(low // size // 10) if low // size >= 10 else ""  # noqa: PLR2004 - a digit
        digit = f"[{first}-{last}]" if last > first else str(first)
        zeros = len(str(size)) - 1
        yield prefix + digit + (f"[0-9]{{{zeros}}}" if zeros else "")
        low += (last - first + 1) * size


class OutOfRangeError(ValueError):
    """A duration is shorter or longer than its member may be.

    Args:
        between: What it may be.
    """

    def __init__(self, between: Between) -> None:
        super().__init__(f"must be {between}")
        self._between = between

    def of_bare(self, number: int) -> str:
        """Say of a number without a unit what it was read as, and what may have been meant."""
        low, high = self._between.low, self._between.high
        meant = [f"{number}{unit}" for unit, size in _UNITS.items() if low <= number * size <= high]
        told = f"{self}; {number} without a unit is {number} s"
        return f"{told}: write {meant[0]}" if meant else told


def seconds_of(text: str) -> int:
    """Read a duration such as `15m`, of whatever length.

    Raises:
        ValueError: It isn't one.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(_NO_DURATION)
    return int(match["count"]) * _UNITS[match["unit"]]


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return seconds_of(value)
    if type(value) is not int:  # nor is True a number of seconds
        raise ValueError(_NO_DURATION)
    return value


@dataclass(frozen=True, slots=True)
class Between:
    """Holds a duration in its range.

    Args:
        low: The shortest, in seconds.
        high: The longest, in seconds.
    """

    low: int
    high: int

    def __str__(self) -> str:
        return f"from {duration_text(self.low)} to {duration_text(self.high)}"

    def check(self, seconds: int) -> int:
        """Return the duration, or raise ValueError where it is out of range."""
        if not self.low <= seconds <= self.high:
            raise OutOfRangeError(self)
        return seconds

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        units = [
            f"(?:{number_pattern(shortest, longest)}){unit}"
            for unit, size in _UNITS.items()
            if (shortest := -(-self.low // size)) <= (longest := self.high // size)
        ]
        return {
            "type": ["string", "integer"],
            "pattern": f"^0*(?:{'|'.join(units)})$",
            "patternErrorMessage": f"Write a duration {self}, for example {self._example()}",
            "maxLength": _MAX_COUNT_DIGITS + 1,
            "minimum": self.low,
            "maximum": self.high,
        }

    def _example(self) -> str:
        return duration_text(self.high)


Seconds = Annotated[int, BeforeValidator(_seconds)]
