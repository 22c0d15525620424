"""What the log has of a fault: where it was, and nothing that a visitor has sent."""

from __future__ import annotations

from typing import NoReturn

import pytest

from kataven_flask.traces import trace_of


def fail() -> NoReturn:
    """Fail with the words of a visitor."""
    raise ValueError("no such visitor: Canary Nightingale") from KeyError("canary@nest.example")


def test_it_says_where_and_what_kind() -> None:
    """Each function on the way, and the exception that led to the one that was met."""
    with pytest.raises(ValueError, match="Nightingale") as caught:
        fail()
    text = trace_of(caught.value)
    assert text.index("builtins.KeyError") < text.index("builtins.ValueError")
    assert "in fail" in text
    assert text.count("Traceback (most recent call last):") == 2


def test_it_says_nothing_else() -> None:
    """The line that failed is shown as it is written, not what it had in hand."""
    key = "canary-" + str(7)
    try:
        {"known": 1}[key]
    except KeyError as error:
        error.add_note(f"while looking for {key}")
        text = trace_of(error)
    assert "canary-7" not in text


def test_the_system_s_own_words_are_told() -> None:
    """A full disk is told, and the file that somebody named isn't."""
    text = trace_of(OSError(28, "No space left on device", "/home/nightingale"))
    assert text.endswith("builtins.OSError: No space left on device")
    assert "nightingale" not in text


def test_a_circle_ends() -> None:
    """Exceptions that lead to each other are told once."""
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert trace_of(one).count("Traceback") == 2
