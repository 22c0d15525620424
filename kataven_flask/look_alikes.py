"""What a host name looks like to a person, and how one is mistaken for another; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

_NAMED: Final = 3
"""How many odd letters are told by name."""
_HOSTS: Final = 256
"""Of which is kept how they look: a refused one is held against each entry of an allowlist."""


@lru_cache(maxsize=_HOSTS)
def as_shown(host: str) -> str:
    """Turn punycode (RFC 3492) into the letters that a browser may show.

    Args:
        host: In lower case and punycode.

    Returns:
        The host; a label that can't be decoded stays as it is.
    """
    return ".".join(map(_label_as_shown, host.split(".")))


def _label_as_shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


@lru_cache(maxsize=_HOSTS)
def skeleton(text: str) -> str:
    """Turn what looks the same into the same (UTS 39, section 4)."""
    letters = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(map(_prototype, letters)).lower())


@lru_cache(maxsize=1024)
def _prototype(letter: str) -> str:
    """Return the one of a family of look-alikes that all of the others are listed under."""
    listed = _confusables()
    family = (letter, *(each["c"] for each in listed.get(letter, ())))
    return max(family, key=lambda each: (len(listed.get(each, ())), each))


@cache
def _confusables() -> Mapping[str, Sequence[Mapping[str, str]]]:
    """Return each letter's look-alikes: an odd one's the one it is listed under, and back."""
    # 20 MiB, and a part of a second: for a server that refuses, not for every command.
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415

    return confusables_data  # type: ignore[no-any-return]


def odd_letters(host: str) -> str:
    """Name the letters of a host that aren't ASCII, in ASCII.

    Args:
        host: In lower case and punycode.

    Returns:
        Their Unicode names, the first few; where there are none, that it has others.
    """
    odd = dict.fromkeys(c for c in as_shown(host) if not c.isascii())
    names = [unicodedata.name(c, f"U+{ord(c):04X}") for c in odd]
    return ", ".join(names[:_NAMED]) or "other letters or digits"


@lru_cache(maxsize=_HOSTS)
def without_accents(text: str) -> str:
    """Leave the plain letters: `e` for `é`, `ss` for `ß`."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c))


def within_slips(one: str, other: str, slips: int) -> bool:
    """Tell whether few letters changed, added, left out or swapped make one the other.

    Args:
        one: A text.
        other: Another.
        slips: How many such letters at most; the effort grows fourfold with each.

    Returns:
        Whether so many are enough.
    """
    pairs = enumerate(zip(one, other, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    if not one or not other:
        return len(one) + len(other) <= slips
    return slips > 0 and (
        within_slips(one[1:], other, slips - 1)
        or within_slips(one, other[1:], slips - 1)
        or within_slips(one[1:], other[1:], slips - 1)
        or (one[:2] == other[1::-1] and within_slips(one[2:], other[2:], slips - 1))
    )
