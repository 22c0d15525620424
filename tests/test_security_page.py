"""docs/security.md: what it claims is shown by tests that exist, and its links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.guide import DOCS, dead_links

ROOT: Final = DOCS.parent
PAGE: Final = (DOCS / "security.md").read_text()
NAMED: Final = re.findall(
    r"\[`((?:Test\w+::)?test_\w+)`\]\(\.\./((?:tests|e2e)/[\w/]+\.py)\)", PAGE
)
"""Each test that the page names, and its file."""
MAPPED: Final = {
    "RFC 8725: JSON Web Tokens": {"3": 12},
    "RFC 9700: OAuth 2.0": {"2": 6, "4": 17},
    "V7: sessions": {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2},
    "V9: self-contained tokens": {"9.1": 3, "9.2": 4},
    "V10: OAuth": {"10.1": 2, "10.2": 3, "10.3": 5, "10.4": 16, "10.5": 5, "10.6": 2, "10.7": 3},
}
"""What is mapped under each heading: how many points each part of the standard has."""
VERDICTS: Final = re.compile(
    r"met( \(L1, L2\))?|not applicable|\*\*operator\*\*|\*\*not met\*\*(, \w.*)?"
)


def names_in(path: Path) -> set[str]:
    """Return the names of a file's tests, those in classes with their class."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        names |= {prefix + each.name for each in inner if isinstance(each, ast.FunctionDef)}
    return names


def section(title: str) -> str:
    """Return what stands under a heading, up to the next one of its rank or above."""
    start = re.search(rf"(?m)^(#+) {re.escape(title)}$", PAGE)
    assert start is not None, title
    rest = PAGE[start.end() :]
    end = re.search(rf"(?m)^#{{1,{len(start[1])}}} ", rest)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables of a text, without their heads."""
    tables = re.findall(r"(?m)(?:^\|.*\n)+", text)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


@pytest.mark.parametrize(("name", "file"), sorted(set(NAMED)))
def test_each_test_that_is_named_exists(name: str, file: str) -> None:
    """Whoever looks a claim up finds the test that shows it."""
    assert name in names_in(ROOT / file)


def test_each_threat_is_shown_by_a_test() -> None:
    """Nothing is said to be stopped without the test that tries it."""
    threats = rows(section("Who attacks it"))
    assert len(threats) > 60
    for tries, stopped in threats:
        assert re.search(r": \[`(Test\w+::)?test_", stopped), tries


def test_each_attacker_has_a_rest() -> None:
    """Of each attacker it is said what is left."""
    attackers = re.split(r"(?m)^### ", section("Who attacks it"))[1:]
    assert len(attackers) > 12
    assert [text.splitlines()[0] for text in attackers if "\nLeft: " not in text] == []


def test_no_name_is_written_in_another_way() -> None:
    """Whatever looks like a test's name is one that these tests look up."""
    assert len(re.findall(r"`(?:Test\w+::)?test_\w+`", PAGE)) == len(NAMED)


def points(cell: str) -> set[str]:
    """Return the points that a row is about: `10.4.1 to 10.4.3, 10.6` names four."""
    named = set()
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        group, _, number = first.rpartition(".")
        end = int((last or first).rpartition(".")[2])
        named |= {f"{group}.{each}" for each in range(int(number), end + 1)}
    return named


@pytest.mark.parametrize("title", MAPPED)
def test_each_point_has_its_row(title: str) -> None:
    """No point of what is mapped is left out in silence."""
    named = set().union(*(points(row[0]) for row in rows(section(title))))
    for group, count in MAPPED[title].items():
        for point in (f"{group}.{number}" for number in range(1, count + 1)):
            inner = any(name.startswith(f"{point}.") for name in named)
            assert point in named or inner or group in named, point


def test_each_requirement_has_a_verdict() -> None:
    """Met, not applicable, the operator's, or not met: there is nothing between."""
    for number, verdict, how in rows(section("OWASP ASVS 5.0")):
        assert VERDICTS.fullmatch(verdict), f"{number}: {verdict}"
        assert how, number


def test_every_link_leads_somewhere() -> None:
    """A reviewer meets no dead link, in this page and on the way to it."""
    links = re.sub(r"\]\(https://[^)]+\)", "](#security)", PAGE)
    assert dead_links(links) == []
    assert (ROOT / "SECURITY.md").read_text().count("](docs/security.md") == 2
