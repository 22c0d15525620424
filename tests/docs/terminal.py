"""What a page shows of a terminal: commands, and what each says, but for what differs each time."""

from __future__ import annotations

import re
from typing import Final

CHANGES: Final = [
    (r"[ps]k_(live|test)_bikes_\w+", r"KEY"),
    (r"secret [0-9a-f]{12}", "secret DIGITS"),
    (r"revision [0-9a-f]+", "revision"),
    (r" +\d+ ms", " MS"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"127\.0\.0\.1:\d+", "SERVER"),
    (r"\d+ kB", "SIZE"),
]
"""What is another thing in each run."""


def steps(text: str) -> list[tuple[str, str]]:
    """Return each command of a terminal, and what the page has it say."""
    return [
        (command, said)
        for command, _, said in (step.partition("\n") for step in re.split(r"(?m)^\$ ", text)[1:])
    ]


def lasting(text: str) -> str:
    """Return what is the same in each run."""
    for pattern, words in CHANGES:
        text = re.sub(pattern, words, text)
    return text
