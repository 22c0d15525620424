"""What others rely on: nothing of it goes, or comes, without somebody meaning it."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

import kataven_flask
from kataven_flask.openapi.document import document
from tests.archives import ROOT
from tests.public_surface import LISTING, surface

WRITE: Final = "write it anew: python -m tests.public_surface"
PAGE: Final = (ROOT / "docs" / "versioning.md").read_text()
CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text()
SEMANTIC: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
"""As far as this project uses it: no pre-releases."""
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""Keep a Changelog 1.1.0, in its order."""


@pytest.fixture(scope="module")
def found() -> list[str]:
    """Return the surface as it is."""
    return surface()


@pytest.fixture(scope="module")
def listed() -> list[str]:
    """Return the surface as it was agreed."""
    return LISTING.read_text().splitlines()


def test_nothing_is_gone(found: list[str], listed: list[str]) -> None:
    """What was public goes or changes in a major version alone, after it was deprecated."""
    gone = [line for line in listed if line not in found]
    assert gone == [], f"this breaks others, see docs/versioning.md; if it is meant, {WRITE}"


def test_nothing_comes_unnoticed(found: list[str], listed: list[str]) -> None:
    """What is new is promised from then on."""
    new = [line for line in found if line not in listed]
    assert new == [], f"from now on others rely on it; if it is meant, {WRITE}"


def test_the_listing_is_in_order(found: list[str], listed: list[str]) -> None:
    """The file is as it is written, so that a change of it shows what has changed alone."""
    assert listed == found


def test_it_is_whole(listed: list[str]) -> None:
    """Each kind of thing that docs/versioning.md promises stands in it, and no other."""
    kinds = {line.split(" ")[0].partition(".")[0] for line in listed}
    promised = PAGE.partition("## What is public\n")[2].partition("\n## ")[0]
    assert kinds == set(re.findall(r"(?m)^\| `(\w+)` \|", promised))
    for known in (
        "endpoint POST /api/v1/widget/auth/exchange answers 200",
        "body Session.refresh_token: string",
        "error origin_not_allowed 403",
        "error origin_not_allowed begins 'Origin not in allowlist for this client_key'",
        "claim guest's session sid",
        "claim user's session guest_id",
        "command kataven-flask serve --listen: text",
        "exit   2 of a command",
        "variable KATAVEN_CONFIG",
        "metric kataven_config_ok",
        "python kataven_flask.create_app",
        "widget Api.init",
    ):
        assert known in listed


class TestVersion:
    """The version, and what is told of it."""

    def test_is_semantic(self) -> None:
        """The version has three numbers."""
        assert SEMANTIC.fullmatch(kataven_flask.__version__)

    def test_the_changelog_parses(self) -> None:
        """Its headings are those of Keep a Changelog, so that tools read it."""
        headings = re.findall(r"(?m)^(#+) (.*)$", CHANGELOG)
        assert headings[0] == ("#", "Changelog")
        assert headings[1][0] == "##"
        for mark, text in headings[1:]:
            if mark == "##":
                assert text == "Unreleased" or re.fullmatch(
                    rf"\[?{SEMANTIC.pattern}\]? - \d{{4}}-\d\d-\d\d", text
                ), text
            else:
                assert (mark, text in KINDS) == ("###", True), text
        assert "https://keepachangelog.com/en/1.1.0/" in CHANGELOG
        assert "https://semver.org/spec/v2.0.0.html" in CHANGELOG

    def test_each_part_has_each_kind_once(self) -> None:
        """A version's changes of a kind stand together, and each has a line."""
        for part in re.split(r"(?m)^## ", CHANGELOG)[1:]:
            kinds = re.findall(r"(?m)^### (.*)$", part)
            assert kinds == [kind for kind in KINDS if kind in kinds]
            for text in re.split(r"(?m)^### .*$", part)[1:]:
                assert re.match(r"\n+- ", text)

    def test_the_newest_comes_first(self) -> None:
        """Versions go down, and the newest one is the package's, or what comes next."""
        said = re.findall(rf"(?m)^## \[?({SEMANTIC.pattern})", CHANGELOG)
        numbers = [tuple(map(int, each[1:])) for each in said]
        assert numbers == sorted(set(numbers), reverse=True)
        version = SEMANTIC.fullmatch(kataven_flask.__version__)
        assert version is not None
        ours = tuple(map(int, version.groups()))
        assert not numbers or ours >= numbers[0]
        if not numbers or ours > numbers[0]:
            assert "\n## Unreleased\n" in CHANGELOG

    def test_what_is_deprecated_is_told_everywhere(self) -> None:
        """Page, changelog and description agree on whether anything is deprecated."""
        described = '"deprecated": true' in json.dumps(document())
        nothing = PAGE.partition("## Deprecated now\n")[2].strip() == "Nothing is deprecated."
        assert described == (not nothing)
        assert described <= ("### Deprecated" in CHANGELOG)
