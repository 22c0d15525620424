"""What a person takes for the same name: letters of other scripts, accents, slips."""

from __future__ import annotations

import pytest

from kataven_flask.look_alikes import (
    as_shown,
    odd_letters,
    skeleton,
    within_slips,
    without_accents,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme", "\u0430cme"),  # Cyrillic
        ("acme", "\u0430\u0441m\u0435"),
        ("paypal", "\u0440ay\u0440al"),
        ("shop", "sh\u03bfp"),  # Greek
        ("modem", "modern"),
        ("google", "g00gle"),
        ("paypal", "paypa1"),
        ("vine", "\u03bdine"),
        ("acme", "ACME".lower()),
    ],
    ids=ascii,
)
def test_letters_that_look_the_same(one: str, other: str) -> None:
    """Two names that a person can't tell apart have one skeleton."""
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("acme", "acne"), ("acme", "ac-me"), ("m\u00fcnchen", "munchen"), ("acme", "acmee")],
    ids=ascii,
)
def test_letters_that_a_person_tells_apart(one: str, other: str) -> None:
    """An accent or another letter can be seen, so it is no look-alike."""
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("xn--cme-5cd.com", "\u0430cme.com"),
        ("shop.xn--mnchen-3ya.de", "shop.m\u00fcnchen.de"),
        ("acme.com", "acme.com"),
        ("xn--.com", ".com"),
        ("xn--\u00e9.com", "xn--\u00e9.com"),
        ("xn--99999999999.com", "xn--99999999999.com"),
    ],
    ids=ascii,
)
def test_punycode_as_a_browser_shows_it(host: str, shown: str) -> None:
    """Labels are decoded one by one; what is no punycode stays."""
    assert as_shown(host) == shown


def test_odd_letters_are_named_in_ascii() -> None:
    """A log and a terminal can show them, whatever the font; a long list is cut."""
    assert odd_letters("xn--cme-5cd.com") == "CYRILLIC SMALL LETTER A"
    assert odd_letters("acrne.com") == "other letters or digits"
    many = odd_letters("xn--80ak6aa92e.com")
    assert many.isascii()
    assert many.count(",") == 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [("m\u00fcnchen", "munchen"), ("stra\u00dfe", "strasse"), ("caf\u00e9", "cafe"), ("a", "a")],
    ids=ascii,
)
def test_accents_fall_away(text: str, plain: str) -> None:
    """What is left are the letters that are on every keyboard."""
    assert without_accents(text) == plain


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("acme", "acme", 0),
        ("acme", "acne", 1),
        ("acme", "acmee", 1),
        ("acme", "ame", 1),
        ("acme", "amce", 1),
        ("acme", "", 4),
        ("example", "exmaplle", 2),
        ("example", "axampla", 2),
    ],
)
def test_slips_are_counted(one: str, other: str, slips: int) -> None:
    """So many are enough, one fewer isn't; and it doesn't matter which of the two is right."""
    assert within_slips(one, other, slips)
    assert within_slips(other, one, slips)
    assert not slips or not within_slips(one, other, slips - 1)
