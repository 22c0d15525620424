"""Small changes of a YAML text: what was meant is there, and nothing else has moved."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kataven_flask.assets import example_config
from kataven_flask.document.yaml_splice import LayoutError, Path, append, put, remove
from kataven_flask.document.yaml_words import block, flow

SHIPPED = example_config().read_text()
KEY: Path = ("tenants", "acme", "keys", 0)


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that went and those that came, between what both begin and end with."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return old, new


def test_an_entry_goes_behind_the_last_one_and_not_behind_the_comments_that_follow() -> None:
    """In the shipped file three comments follow the allowlist; they stay where they are."""
    after = append(SHIPPED, (*KEY, "domain_allowlist"), "*.acme.net")
    assert changed_lines(SHIPPED, after) == ([], ['          - "*.acme.net"'])
    there = after.splitlines().index('          - "*.acme.net"')
    assert after.splitlines()[there - 1].strip().startswith('- "*.acme.com"')
    assert after.splitlines()[there + 1].strip().startswith("# enabled: false")


def test_a_member_goes_to_the_end_of_its_mapping() -> None:
    """A key is switched off by one new line, after its last one."""
    after = put(SHIPPED, (*KEY, "enabled"), value=False)
    assert changed_lines(SHIPPED, after) == ([], ["        enabled: false"])


def test_a_scalar_is_set_in_its_place() -> None:
    """The comment behind it stays."""
    after = put(SHIPPED, ("tenants", "acme", "default_agent"), "sales")
    (went,), (came,) = changed_lines(SHIPPED, after)
    assert went.replace("support", "sales") == came
    assert "# for a key that pins none" in came


def test_an_item_goes_with_the_comments_inside_it() -> None:
    """The commented-out members of a key are deeper than the list of keys, so they are its own."""
    went, came = changed_lines(SHIPPED, remove(SHIPPED, KEY))
    assert came == []
    assert "# sessions_not_before:" in "".join(went)
    assert "# The demo" not in "".join(went)
    assert "help center" in remove(SHIPPED, KEY)


def test_the_header_above_a_removed_tenant_stays() -> None:
    """Nothing outside of it is removed, for it may be about more than that."""
    after = remove(SHIPPED, ("tenants", "acme"))
    assert "# One to copy from." in after
    assert "# The demo" in after
    assert "pk_live_acme_" not in after


LAYOUTS: list[tuple[str, Any, str]] = [
    ("a:\n  - x\n", (append, ("a",), "y"), "a:\n  - x\n  - y\n"),
    ("a:\n- x\n", (append, ("a",), "y"), "a:\n- x\n- y\n"),
    ("a:\n  - x", (append, ("a",), "y"), "a:\n  - x\n  - y\n"),
    ("a: [x]  # why\n", (append, ("a",), "y"), "a: [x, y]  # why\n"),
    ("a: [x,]\n", (append, ("a",), "y"), "a: [x, y,]\n"),
    (
        "a: [\n  x,  # one\n  y   # two\n]\n",
        (append, ("a",), "z"),
        "a: [\n  x,  # one\n  y,   # two\n  z\n]\n",
    ),
    (
        "a: [\n  x,\n  y,   # two\n  # end\n]\n",
        (append, ("a",), "z"),
        "a: [\n  x,\n  y,   # two\n  z,\n  # end\n]\n",
    ),
    ("a: [x,\n  y]  # why\n", (append, ("a",), "z"), "a: [x,\n  y, z]  # why\n"),
    ("a: [  # none\n]\n", (append, ("a",), {"b": 1}), "a: [{b: 1}  # none\n]\n"),
    ("a: []\n", (append, ("a",), "*.x"), 'a: ["*.x"]\n'),
    ("a: []  # none\n", (append, ("a",), {"b": 1}), "a:  # none\n  - b: 1\n"),
    ("a: {}\nz: 1\n", (put, ("a", "b"), {"c": 1}), "a:\n  b:\n    c: 1\nz: 1\n"),
    ("{a: {}}\n", (put, ("a", "b"), {"c": 1}), "{a: {b: {c: 1}}}\n"),
    ("a:\nz: 1\n", (append, ("a",), "x"), "a: [x]\nz: 1\n"),
    ("a: {b: 1}\n", (append, ("a", "c"), "x"), "a: {b: 1, c: [x]}\n"),
    ("a:\n  b: 1\n", (append, ("a", "c"), "x"), "a:\n  b: 1\n  c:\n    - x\n"),
    ("a: {b: 1}\n", (put, ("a", "b"), 2), "a: {b: 2}\n"),
    ("a:   # none\n", (put, ("a",), 2), "a: 2   # none\n"),
    ("a: 'x'\n", (put, ("a",), "No"), 'a: "No"\n'),
    ("a: |\n  x\n  y\n# end\n", (put, ("a",), "z"), "a: z\n# end\n"),
    ("a: |\n  x\n\nb:\n  c: 1\n", (put, ("b", "d"), 2), "a: |\n  x\n\nb:\n  c: 1\n  d: 2\n"),
    ("a:\n  b: |\n    x\n\n# end\n", (put, ("a", "c"), 2), "a:\n  b: |\n    x\n  c: 2\n\n# end\n"),
    (
        "a:\n  - x: 1\n\n  - x: 2\nz: 1\n",
        (append, ("a",), {"x": 3}),
        "a:\n  - x: 1\n\n  - x: 2\n\n  - x: 3\nz: 1\n",
    ),
    (
        "a:\n  - x\n    # mine\n  # next\n",
        (append, ("a",), "y"),
        "a:\n  - x\n    # mine\n  - y\n  # next\n",
    ),
    ("a: [x, y, z]\n", (remove, ("a", 1)), "a: [x, z]\n"),
    ("a: [x, y]\n", (remove, ("a", 1)), "a: [x]\n"),
    ("a: [x]\n", (remove, ("a", 0)), "a: []\n"),
    ("a: [x,]\n", (remove, ("a", 0)), "a: []\n"),
    ("a: [ x, y ]\n", (remove, ("a", 1)), "a: [ x ]\n"),
    ("a: {b: 1, c: 2}\n", (remove, ("a", "b")), "a: {c: 2}\n"),
    ("a: [x,  # one\n  y]\n", (remove, ("a", 0)), "a: [ # one\n  y]\n"),
    (
        "a: [\n  x,  # one\n  y   # two\n]\n",
        (remove, ("a", 1)),
        "a: [\n  x  # one\n]\n",
    ),
    (
        "a: [\n  x,  # one\n  # above\n  y,   # two\n  z, # three\n]\n",
        (remove, ("a", 1)),
        "a: [\n  x,  # one\n  # above\n  z, # three\n]\n",
    ),
    (
        "a:\n  [\n    {\n      b: 1,\n    },\n  ]\nz: 1\n",
        (remove, ("a", 0)),
        "a:\n  [\n  ]\nz: 1\n",
    ),
    ("a:  # why\n  - x\nz: 1\n", (remove, ("a", 0)), "a: []  # why\nz: 1\n"),
    ("a:\n  b: 1\nz: 1\n", (remove, ("a", "b")), "a: {}\nz: 1\n"),
    ("a:\n  - x\n\n  - y\n\n  - z\n", (remove, ("a", 1)), "a:\n  - x\n\n  - z\n"),
    ("é: 😀 # 😀\na: x # 😀\n", (put, ("a",), "y"), "é: 😀 # 😀\na: y # 😀\n"),
    ("\ufeffa: x\n", (put, ("a",), "y"), "\ufeffa: y\n"),
    ("a:\r\n  - x\r\nz: 1\r\n", (append, ("a",), "y"), "a:\r\n  - x\r\n  - y\r\nz: 1\r\n"),
    ("---\na: x\n...\n", (put, ("b",), "y"), "---\na: x\nb: y\n...\n"),
]


@pytest.mark.parametrize(("before", "change", "after"), LAYOUTS)
def test_every_layout(before: str, change: Any, after: str) -> None:
    """Blocks, flows, empty ones, comments, missing line ends: each is changed in its own style."""
    do, *arguments = change
    assert do(before, *arguments) == after


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("a: 1\n", lambda text: append(text, ("a",), 2)),
        ("a: 1\n", lambda text: append(text, ("b", "c", "d"), 2)),
        ("a: [1]\n", lambda text: put(text, ("a",), 2)),
        ("a: 1\n", lambda text: put(text, ("a",), {"b": 1})),
        ("a: [1]\n", lambda text: remove(text, ("a", 4))),
        ("a: 1\n", lambda text: remove(text, ("b",))),
        ("a: {? b : 1}\n", lambda text: remove(text, ("a", "c"))),
        ("- 1\n", lambda text: put(text, ("a",), 1)),
        ("", lambda text: put(text, ("a",), 1)),
        ("a: [\n", lambda text: put(text, ("a",), 1)),
        ("1", lambda text: put(text, ("a",), 1)),
    ],
)
def test_what_can_t_be_changed_is_refused(text: str, change: Any) -> None:
    """A layout that no command can change is said to be one, and nothing is guessed."""
    with pytest.raises(LayoutError, match="edit it by hand"):
        change(text)


def test_lines_that_end_in_two_ways_are_refused() -> None:
    """To write one more would mean to choose, and to change the ends of all the others."""
    with pytest.raises(LayoutError, match="LF and CRLF"):
        append("a:\r\n  - x\nz: 1\r\n", ("a",), "y")


# --- any file

WORDS = st.sampled_from(
    ["x", "No", "2026", "a: b", "# c", "*.acme.com", "ünï 😀", "", " y ", "'q'", "null"]
)
NAMES = st.sampled_from(["a", "b", "c1", "tenants"])
VALUES = st.recursive(
    st.one_of(WORDS, st.booleans(), st.none(), st.integers(0, 9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@st.composite
def written(draw: st.DrawFn, value: Any, indent: int = 0) -> str:
    """Write a value in some layout: block or flow, indented this way or that, with comments."""
    pad, behind = " " * indent, draw(st.sampled_from(["", "", "  # behind"]))
    if not isinstance(value, (dict, list)) or not value or (indent and draw(st.booleans())):
        return f" {flow(value)}{behind}\n"
    out = behind + "\n" if indent else ""
    deeper = indent + draw(st.sampled_from([2, 3, 4]))
    for member in value:
        out += draw(st.sampled_from(["", "", "\n", f"{pad}# above\n", f"\n{pad}# - apart\n\n"]))
        name = f"{flow(member)}:" if isinstance(value, dict) else "-"
        inner = value[member] if isinstance(value, dict) else member
        out += pad + name + draw(written(inner, deeper))
        out += draw(st.sampled_from(["", "", f"{pad}   # inside\n"]))
    return out


def places(value: Any, path: Path = ()) -> list[Path]:
    """List the paths of all that stands in a value."""
    children = list(value.items() if isinstance(value, dict) else enumerate(value))
    found: list[Path] = [(*path, step) for step, _ in children]
    for step, child in children:
        if isinstance(child, (dict, list)):
            found += places(child, (*path, step))
    return found


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path."""
    for step in path:
        value = value[step]
    return value


def comments(text: str) -> list[str]:
    """List the comments, by the words that `written` gives them."""
    return re.findall(r"# (?:- apart|above|inside|behind)", text)


@given(st.data())
def test_any_addition_to_any_file_touches_one_line_at_most(data: st.DataObject) -> None:
    """The document says what was meant, with every comment and every other line as it was."""
    value = data.draw(DOCUMENTS)
    before, new = data.draw(written(value)), data.draw(VALUES)
    assert yaml.safe_load(before) == value
    path = data.draw(st.sampled_from([(), *places(value)]))
    where = at(value, path)
    if isinstance(where, list):
        after = append(before, path, new)
        where.append(new)
    elif isinstance(where, dict):
        after = put(before, (*path, "new"), new)
        where["new"] = new
    else:
        new = data.draw(WORDS)
        after = put(before, path, new)
        at(value, path[:-1])[path[-1]] = new
    assert yaml.safe_load(after) == value
    assert comments(after) == comments(before)
    went, _ = changed_lines(before, after)
    assert len(went) <= 1


@given(st.data())
def test_any_removal_from_any_file_takes_its_own_lines(data: st.DataObject) -> None:
    """What stood around it stays: a line that held more than it is changed, and one at most."""
    value = data.draw(DOCUMENTS)
    before = data.draw(written(value))
    path = data.draw(st.sampled_from([p for p in places(value) if len(p) > 1] or [()]))
    nested = isinstance(at(value, path[:-2]), list) and len(at(value, path[:-1])) == 1
    if not path or nested:  # a list in a list has no name to write `[]` behind: refused
        return
    after = remove(before, path)
    del at(value, path[:-1])[path[-1]]
    assert yaml.safe_load(after) == value
    assert len(set(after.splitlines()) - {*before.splitlines(), ""}) <= 1


@pytest.mark.parametrize("value", ["No", "0x7", "12:30", "010", "~", "=", "on", "x: #", "-", "😀"])
def test_what_is_written_is_read_as_text_by_both_kinds_of_yaml(value: str) -> None:
    """The server reads YAML 1.1, an editor 1.2: what one takes for text, the other takes for it."""
    for text in (block({"a": value}), "a: " + flow(value)):
        assert yaml.safe_load(text) == {"a": value}
        assert YAML(typ="safe", pure=True).load(text) == {"a": value}


def test_a_time_is_written_as_the_file_has_it() -> None:
    """RFC 3339 with a Z, without quotes, within a flow too."""
    time = datetime(2026, 12, 24, tzinfo=UTC)
    assert flow(time) == "2026-12-24T00:00:00Z"
    assert flow({"not_after": time}) == "{not_after: 2026-12-24T00:00:00Z}"
    assert yaml.load(flow({"not_after": time}), yaml.CSafeLoader) == {"not_after": time}
