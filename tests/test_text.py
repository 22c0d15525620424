"""What a stranger wrote, on its way to a terminal; and times, on their way to a person."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.text import visible
from kataven_flask.times import span, utc_second

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Ada\u200dß 山田\u3000太郎", "Ada\\u200dß 山田\u3000太郎"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nError: b", "a\\nError: b"),
        ("a\u2028b", "a\\u2028b"),
        ("\u202egro.live", "\\u202egro.live"),
        ("\ud800", "\\ud800"),
        ("\\x1b", "\\\\x1b"),
    ],
)
def test_a_terminal_obeys_nothing(text: str, shown: str) -> None:
    """What moves the cursor, turns the writing or begins a line is written out instead."""
    assert visible(text) == shown


@given(ANY_TEXT)
def test_nothing_is_lost(text: str) -> None:
    """What is shown fits one line of any terminal, and tells exactly what was there."""
    shown = visible(text)
    shown.encode()
    assert len((shown + "x").splitlines()) == 1
    assert ast.literal_eval('"' + shown.replace('"', '\\"') + '"') == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (-241, "4 min 1 s"),
        (3 * 3600, "3 h"),
        (3 * 3600 + 5, "3 h"),
        (3 * 3600 + 5 * 60 + 7, "3 h 5 min"),
        (90 * 86400 + 3600, "90 d 1 h"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    """A span is told in its two largest units."""
    assert span(seconds) == words


def test_times_to_the_second() -> None:
    """A time is told to the second, in UTC; a number that can't be one is refused."""
    assert utc_second(1_790_000_000) == "2026-09-21 14:13:20 UTC"
    for seconds in (-1, 2**32, 10**30):
        with pytest.raises(ValueError, match="1970 to 2106"):
            utc_second(seconds)
