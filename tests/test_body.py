"""A request's body: what is read, and what is refused instead of guessed at."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kataven_flask.body import MAX_BODY, parse_object, text_member
from kataven_flask.errors import InvalidBody, InvalidField, Refusal


def in_brackets(depth: int) -> bytes:
    """Return lists within lists, in an object."""
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("raw", "members"),
    [
        (b"{}", {}),
        (b' \r\n\t{"a": 1} \n', {"a": 1}),
        ('{"a": "ü😀"}'.encode(), {"a": "ü😀"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        (b'{"": null}', {"": None}),
        (in_brackets(50), json.loads(in_brackets(50))),
    ],
    ids=[
        "empty",
        "white space around",
        "UTF-8",
        "escaped pair",
        "same name at two places",
        "empty name",
        "nested",
    ],
)
def test_reads_an_object(raw: bytes, members: dict[str, Any]) -> None:
    """One JSON object in UTF-8 is read."""
    assert parse_object(raw) == members


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b"[]",
        b'[{"a": 1}]',
        b"{",
        b'{"a": 1',
        b'{"a": 1,}',
        b"{'a': 1}",
        b"{a: 1}",
        b'{"a": 1} x',
        b'{"a": 1}{}',
        b'{"a": "\n"}',
        b'{"a": 01}',
        b'{"a": 1} // why',
        b"a=1&b=2",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-16-be"),
        '{"a": 1}'.encode("utf-32"),
        '{"a": "ü"}'.encode("latin-1"),
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\xaf"}',
        b"\x00{}",
        b"\x1f\x8b\x08",
    ],
    ids=[
        "empty",
        "space",
        "null",
        "boolean",
        "number",
        "text",
        "array",
        "array of an object",
        "brace",
        "cut short",
        "trailing comma",
        "single quotes",
        "no quotes",
        "trailing text",
        "two objects",
        "line's end in text",
        "leading zero",
        "comment",
        "form",
        "byte order mark",
        "UTF-16",
        "UTF-16-LE",
        "UTF-16-BE",
        "UTF-32",
        "Latin-1",
        "not UTF-8",
        "surrogate in UTF-8",
        "overlong UTF-8",
        "NUL",
        "gzip",
    ],
)
def test_refuses_what_is_no_object(raw: bytes) -> None:
    """Anything else is an invalid body, and the answer shows what to send."""
    with pytest.raises(InvalidBody) as refusal:
        parse_object(raw)
    assert refusal.value.text.startswith("Invalid body: send one JSON object in UTF-8")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"x": {"a": 1, "a": 2}}',
        b'{"x": [{"a": 1, "a": 2}]}',
        b'{"": 1, "": 1}',
    ],
    ids=["same value", "other value", "escaped", "nested", "in a list", "empty name"],
)
def test_refuses_a_member_that_stands_twice(raw: bytes) -> None:
    """A duplicate member is refused and named as that: which of the two was meant isn't known."""
    with pytest.raises(InvalidBody, match="stands twice"):
        parse_object(raw)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_refuses_numbers_that_json_does_not_have(constant: str) -> None:
    """A constant that only some parsers take is refused by its name."""
    with pytest.raises(InvalidBody, match=constant):
        parse_object(f'{{"a": {constant}}}'.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MAX_BODY,
        b'{"a":' * (MAX_BODY // 5),
        b'{"a":' + b"9" * (MAX_BODY - 6) + b"}",
        b'{"a":-' + b"9" * 5000 + b"}",
    ],
    ids=["brackets", "braces", "huge number", "huge negative number"],
)
def test_survives_what_is_made_to_break_parsers(raw: bytes) -> None:
    """Whatever fits in a body is refused in order where it can't be read."""
    with pytest.raises(InvalidBody):
        parse_object(raw)


def test_survives_deep_nesting() -> None:
    """What is nested as deep as a body can be is read or refused; newer parsers read it."""
    with suppress(InvalidBody):
        assert set(parse_object(in_brackets(MAX_BODY // 2 - 4))) == {"a"}


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="ignore")))
@hypothesis_settings(deadline=None)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever bytes are sent, they give members or a refusal."""
    try:
        assert isinstance(parse_object(raw), dict)
    except Refusal as refusal:
        assert refusal.status == 400  # noqa: PT017 - either outcome is right


@given(
    members=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    )
)
@hypothesis_settings(deadline=None)
def test_what_json_wrote_is_read(members: dict[str, Any]) -> None:
    """Whatever a caller's JSON library writes is read as it was meant."""
    if any(isinstance(v, float) and v in (float("inf"), float("-inf")) for v in members.values()):
        return
    assert parse_object(json.dumps(members).encode()) == members


class TestTextMember:
    """Members that are text."""

    def read(self, members: dict[str, Any], alias: str | None = None) -> str | None:
        """Read `user_id` of at most eight characters."""
        return text_member(members, "user_id", alias=alias, max_length=8)

    @pytest.mark.parametrize(
        "value",
        ["4", "42", "a" * 8, "ü😀", " ", "a b", "😀" * 8, "a\u200db", "\u00a0", "null", "0"],
        ids=[
            "one",
            "two",
            "longest",
            "beyond ASCII",
            "space",
            "inner space",
            "longest, wide",
            "joiner",
            "no-break space",
            "the word null",
            "zero",
        ],
    )
    def test_reads_text(self, value: str) -> None:
        """A text is read as it was sent."""
        assert self.read({"user_id": value}) == value

    @pytest.mark.parametrize("members", [{}, {"user_id": None}, {"user_id": ""}])
    def test_absent(self, members: dict[str, Any]) -> None:
        """An absent, null or empty member is none."""
        assert self.read(members) is None

    @pytest.mark.parametrize(
        "value",
        [0, 1, 42, 1.5, True, False, [], ["42"], {}, {"id": "42"}, float("inf"), 10**400],
        ids=repr,
    )
    def test_refuses_another_type(self, value: object) -> None:
        """A member of another type is refused by its name; it isn't turned into text."""
        with pytest.raises(InvalidField, match="user_id must be a string"):
            self.read({"user_id": value})

    @pytest.mark.parametrize("value", ["a" * 9, "😀" * 9, " " * 9], ids=["plain", "wide", "space"])
    def test_refuses_what_is_too_long(self, value: str) -> None:
        """A longer text is refused with the number of characters that it may have."""
        with pytest.raises(InvalidField, match="over 8 characters"):
            self.read({"user_id": value})

    @pytest.mark.parametrize(
        "value",
        ["\0", "a\nb", "a\rb", "a\tb", "\x1b[0m", "a\x7f", "a\x85", "\ud800", "a\udfff"],
        ids=["NUL", "LF", "CR", "tab", "escape", "DEL", "C1", "high surrogate", "low surrogate"],
    )
    def test_refuses_control_characters(self, value: str) -> None:
        """A text with control characters or half a character is refused."""
        with pytest.raises(InvalidField, match="control characters"):
            self.read({"user_id": value})

    def test_refuses_a_surrogate_as_it_comes_in(self) -> None:
        """Half a character is refused when it comes escaped, which JSON lets pass."""
        with pytest.raises(InvalidField, match="control characters"):
            self.read(parse_object(b'{"user_id": "\\ud800"}'))

    @pytest.mark.parametrize(
        ("members", "value"),
        [
            ({"user_id": "42"}, "42"),
            ({"external_user_id": "42"}, "42"),
            ({"user_id": "42", "external_user_id": "42"}, "42"),
            ({"user_id": "42", "external_user_id": None}, "42"),
            ({"user_id": "", "external_user_id": "42"}, "42"),
            ({"user_id": None, "external_user_id": None}, None),
            ({}, None),
        ],
        ids=["own", "other", "both", "own and null", "empty and other", "nulls", "none"],
    )
    def test_other_name(self, members: dict[str, Any], value: str | None) -> None:
        """A member may come under either of its names, or under both alike."""
        assert self.read(members, alias="external_user_id") == value

    def test_refuses_two_values(self) -> None:
        """Two names with two values are refused, and both are named."""
        with pytest.raises(InvalidField, match="user_id and external_user_id differ"):
            self.read({"user_id": "42", "external_user_id": "43"}, alias="external_user_id")

    @pytest.mark.parametrize("value", [7, "a" * 9, "\0"], ids=["type", "length", "control"])
    def test_checks_the_other_name_too(self, value: object) -> None:
        """What is refused under one name is refused under the other, even if both stand."""
        members = {"user_id": "42", "external_user_id": value}
        with pytest.raises(InvalidField, match="external_user_id"):
            self.read(members, alias="external_user_id")

    def test_shows_no_value(self) -> None:
        """A refusal doesn't repeat what was sent: it may be a token."""
        with pytest.raises(InvalidField) as refusal:
            self.read({"user_id": "a secret that is too long"})
        assert "secret" not in refusal.value.text
