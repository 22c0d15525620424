"""Whatever stands in the tenants' file: tenants or faults, and nobody admitted who isn't named."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kataven_flask.assets import example_config
from kataven_flask.document.faults import Fault, FaultyDocumentError
from kataven_flask.document.yaml_faults import MAX_DEPTH, lines_of
from kataven_flask.document.yaml_page import read_page
from kataven_flask.origins import Origin
from kataven_flask.registry import Registry, read_registry
from kataven_flask.times import utc_minute
from tests.support import document

FILE: Final = Path("tenants.yaml")
REAL: Final = (
    example_config().read_text(),
    yaml.safe_dump(document(), sort_keys=False),
)
"""The file that is shipped, and the tests' own."""
BOUND: Final = 5.0
"""Seconds of work for one file, of which none here has over a megabyte."""
KEY_LINE: Final = "    keys: [{name: k, client_key: pk_live_acme_AAAAAAAAAAAAAAAAAAAAAA, %s}]\n"
SMALL: Final = """\
version: 1
tenants:
  acme:
    name: Acme
    agents: {a: {display_name: A}}
"""
STRANGERS: Final = [
    Origin(scheme, host, port)
    for scheme, port in (("https", 443), ("http", 80), ("https", 8443))
    for host in ("evil.example", "acme.com.evil.example", "evilacme.com", "com", "1.2.3.4")
]


def read(raw: bytes) -> Registry | None:
    """Read a file; None where it has faults, each of which then has its place and one line."""
    began = time.process_time()
    faults: Sequence[Fault] = ()
    try:
        registry, _ = read_registry(FILE, {FILE: raw})
    except FaultyDocumentError as error:
        faults = error.faults
    assert time.process_time() - began < BOUND
    if not faults:
        return registry
    end = len(lines_of(raw)) + 1  # what is missing is missing behind the last line
    assert all(each.mark.file == FILE and each.mark.line <= end for each in faults)
    assert all(is_one_line(str(each)) and len(str(each)) < 3000 for each in faults)
    return None


def is_one_line(text: str) -> bool:
    """Tell whether a terminal shows all of a text, on one line: spaces of any width, too."""
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


# --- real files, changed

scalars = st.one_of(
    st.sampled_from(
        [
            "", "~", "null", "true", "No", "*", '"*"', "'*.com'", "[]", "{}", "[[]]", "{a: b}",
            "&a x", "*a", "<<", "<<: *a", "!!python/object/apply:os.system [id]", "!!binary aGk=",
            "!!set {a, b}", "!!float 1", "!x y", "!!int ''", "0x" + "f" * 5000, "1" * 5000, "1e400",
            ".nan", "-.inf", "0o17", "1_000", "190:20:30", ":".join(["1"] * 400) + ".5",
            "2001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:59Z", "2024-02-31T00:00:00Z", "|\n  x", ">-\n  x", "? a", "- a",
            "\t", "\0", "\ufeff", "\x85", "\u2028", "\u202e", "\x1b[31m", '"\\ud800"', '"\\x00"',
            "sk_live_acme_" + "s" * 43, "https://evil.example", "'@", "`", "%", "---", "...",
            "%YAML 1.2", "#", "a: b: c", "a #b", "'", '"', "{", "[", "x" * 100_000, "[" * 2000,
            "{a: " * 2000,
        ]
    ),
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)  # fmt: skip
places = st.integers(0, 10_000)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """Draw a real file with some lines gone, swapped, doubled, or of another value."""
    lines = draw(st.sampled_from(REAL)).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(places) % len(lines)
        match draw(
            st.sampled_from(["drop", "swap", "twice", "value", "value", "indent", "insert"])
        ):
            case "drop":
                del lines[at]
            case "swap":
                other = draw(places) % len(lines)
                lines[at], lines[other] = lines[other], lines[at]
            case "twice":
                lines.insert(at, lines[at])
            case "value":
                lines[at] = lines[at].partition(":")[0] + ": " + draw(scalars)
            case "indent":
                lines[at] = draw(st.sampled_from([" ", "  ", "\t", "- ", "? "])) + lines[at]
            case "insert":
                lines.insert(at, draw(scalars))
        if len(lines) < 2:
            break
    return draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])).join(lines) + "\n"


@given(text=changed())
@settings(deadline=None, max_examples=250)
def test_a_changed_file_is_read_or_refused(text: str) -> None:
    """A real file that somebody broke is read or refused with the place, and admits nobody new."""
    registry = read(text.encode(errors="surrogatepass"))
    if registry is not None:
        for record in registry.keys.values():
            assert not any(record.key.admits(each) for each in STRANGERS if each.host not in text)
            for entry in record.key.domain_allowlist:
                assert entry.text in text
                assert entry.text not in {"*", "*.com", ""}


@given(text=st.sampled_from(REAL), at=places)
@settings(deadline=None, max_examples=60)
def test_half_a_file_admits_nobody_new(text: str, at: int) -> None:
    """A file that ends anywhere is refused, or has fewer keys, each with its own entries."""
    whole = read(text.encode())
    assert whole is not None
    registry = read(text[: at % (len(text) + 1)].encode())
    for client_key, record in (registry.keys if registry else {}).items():
        ours = {entry.text for entry in whole.keys[client_key].key.domain_allowlist}
        cut = record.key.domain_allowlist
        assert all(entry.text in ours for entry in cut[:-1])
        assert all(any(own.startswith(entry.text) for own in ours) for entry in cut[-1:])


# --- anything


@given(
    raw=st.binary(max_size=120) | st.text(max_size=120).map(lambda t: t.encode("utf-8", "replace"))
)
@example(raw=b"\xff\xfe")
@example(raw=b"\xef\xbb\xbf")
@example(raw=b"\x00")
@example(raw=b"%YAML 1.1\n%YAML 1.1\n---\n")
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever bytes stand in the file, there is an answer with a place in it."""
    assert read(raw) is None
    read(SMALL.encode() + raw)


yaml_words = st.lists(
    st.sampled_from(
        [
            "version", "tenants", "acme", "keys", "domain_allowlist", "a", ": ", ":", "\n", "\n  ",
            "\n    ", "- ", "? ", "[", "]", "{", "}", ",", "&a ", "*a", "<<: ", "!!map ", "!!str ",
            "'", '"', "|", ">", "#", "---\n", "...\n", "1", "~", "\t", "\\", "%", "@", "https://acme.com",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(text=yaml_words)
@settings(deadline=None, max_examples=300)
def test_anything_like_yaml_is_read_or_refused(text: str) -> None:
    """Whatever is written with YAML's own marks, there is an answer with a place in it."""
    read(text.encode())
    read((SMALL + text).encode())


@given(
    value=scalars, name=st.sampled_from(["not_after", "agent_id", "enabled", "domain_allowlist"])
)
@example(value=",0\u00a0", name="not_after")
@settings(deadline=None, max_examples=150)
def test_any_value_of_a_key_fails_closed(value: str, name: str) -> None:
    """Whatever is written into a key, a stranger isn't admitted."""
    members = {"domain_allowlist": "[https://acme.com]", name: value}
    inner = ", ".join(f"{member}: {written}" for member, written in members.items())
    registry = read((SMALL + KEY_LINE % inner).encode(errors="replace"))
    if registry is not None and "evil" not in value:
        for record in registry.keys.values():
            assert not any(record.key.admits(stranger) for stranger in STRANGERS)


# --- what takes a reader down

LAUGHS: Final = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
HUGE: Final = {
    "lists in lists": "[" * 500_000,
    "mappings in mappings": "{a: " * 200_000,
    "lists in lines": "- " * 200_000,
    "names that are names": "? " * 200_000,
    "steps": "\n".join(" " * n + "a:" for n in range(1500)),
    "lists behind a fault": "a: b: c\n" + "[" * 500_000,
    "lists behind a quote": 'a: "\nb: "x\n' + "[" * 200_000,
    "laughs": "a0: &a0 [x]\n" + LAUGHS,
    "an alias of itself": SMALL + "audience: &a [*a]\n",
    "merges": SMALL + "x: &x {a: 1}\ny: {<<: [*x, *x]}\n",
    "anchors": SMALL + "".join(f"&a{n} x{n}: &b{n} 1\n" for n in range(3000)),
    "one long line": SMALL + "audience: " + "x" * 1_000_000 + "\n",
    "one long name": SMALL + "x" * 1_000_000 + ": 1\n",
    "one long entry": SMALL + KEY_LINE % ('domain_allowlist: ["' + "a." * 300_000 + '"]'),
    "one long foreign entry": SMALL + KEY_LINE % ('domain_allowlist: ["' + "ä" * 300_000 + '"]'),
    "slashes": SMALL + KEY_LINE % ('domain_allowlist: ["https:' + "/" * 300_000 + '"]'),
    "many entries": SMALL + KEY_LINE % ("domain_allowlist: [" + "'*.com', " * 5000 + "]"),
    "many unknown members": SMALL + "".join(f"x{n}: 1\n" for n in range(5000)),
    "many tenants of nothing": "version: 1\ntenants:\n" + "  x: {}\n" * 5000,
    "many documents": "---\n" * 50_000,
    "many quotes": SMALL + 'a: "' * 20_000,
    "a number in hex": SMALL + "tokens: {session_ttl: 0x" + "f" * 100_000 + "}\n",
    "a number in base 60": SMALL + "audience: " + ":".join(["1"] * 20_000) + "\n",
    "a fraction in base 60": SMALL + "audience: " + ":".join(["1"] * 20_000) + ".5\n",
    "blanks": SMALL + "audience:" + " " * 500_000 + "x\n",
    "comments": SMALL + "#" * 1_000_000,
    "a tag": "%TAG ! " + "x" * 300_000 + "\n---\n" + SMALL,
}


@pytest.mark.parametrize("name", HUGE)
def test_no_file_takes_the_reader_down(name: str) -> None:
    """Nesting, aliases, numbers and lines without end are refused or read, in bounded time."""
    registry = read(HUGE[name].encode())
    assert registry is None or not any(
        record.key.domain_allowlist for record in registry.keys.values()
    )


@pytest.mark.parametrize("pair", ["[]", "{}"], ids=["lists", "mappings"])
def test_the_place_of_too_deep_a_nesting_is_told(pair: str) -> None:
    """Who nests too deep reads where, and that fewer levels do."""
    step = pair[0] + ("a: " if pair == "{}" else "")
    (fault,) = read_page(FILE, (SMALL + "x: " + step * 5000).encode()).faults
    assert fault.mark.line == 6
    assert f"nested over {MAX_DEPTH} levels deep; write fewer levels" in fault.message


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.mkdir ['{}/owned']",
        "!!python/object/new:os.mkdir ['{}/owned']",
        "!!python/name:os.mkdir",
        "!!python/module:os",
        "!!python/object/apply:os.system ['touch {}/owned']",
    ],
)
@pytest.mark.parametrize("place", ["audience: {}\n", "? {}\n: 1\n", "{}\n"])
def test_a_tag_runs_nothing(tmp_path: Path, value: str, place: str) -> None:
    """A file makes no object and calls no function: it is text, numbers and lists."""
    read((SMALL + place.format(value.format(tmp_path))).encode())
    read(value.format(tmp_path).encode())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("time", "taken"),
    [
        ("9999-12-31T23:59:59Z", True),
        ("0001-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59-23:59", False),
        ("0001-01-01T00:00:00+23:59", False),
    ],
)
@pytest.mark.parametrize("member", ["not_after", "sessions_not_before"])
def test_a_time_is_one_that_can_be_shown(time: str, member: str, *, taken: bool) -> None:
    """A time that UTC doesn't have is refused, and never by a command that would list it."""
    text = SMALL + KEY_LINE % f"domain_allowlist: [], {member}: {time}"
    registry = read(text.encode())
    assert (registry is not None) is taken
    for record in (registry.keys if registry else {}).values():
        assert utc_minute(getattr(record.key, member).timestamp()).endswith("UTC")
