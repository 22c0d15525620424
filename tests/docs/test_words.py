"""What the lines of the pages name is there: commands, targets of make, files, places to go to."""

from __future__ import annotations

import re
import shlex
from typing import Final

import click
import pytest

from tests.docs.blocks import ROOT, Page, is_dead, pages
from tests.docs.command_line import parse

PAGES: Final = [page for name, page in pages().items() if name != "CHANGELOG.md"]
"""A changelog tells of what has gone, too."""
COMMAND: Final = re.compile(r"^(?:sudo |\.venv/bin/)*kataven-flask (.+)$")
PATH: Final = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/[\w.*-]*")
SOURCE: Final = re.compile(r"\w[\w./-]*\.(?:conf|css|env|js|lock|lua|md|mjs|py|service|sh|toml|ts)")
TARGETS: Final = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
MADE: Final = {"build", "dist", "instance"}
"""Folders that may be in a checkout, and what is in them may not."""
FOLDERS: Final = {path.name for path in ROOT.iterdir() if path.is_dir()} - MADE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_command_in_a_line_is_one(page: Page) -> None:
    """A command that is named in passing has the options it is shown with."""
    for code in page.code:
        if found := COMMAND.match(code):
            try:
                parse(shlex.split(found[1]))
            except (click.ClickException, AssertionError) as error:
                pytest.fail(f"{page.path}: `{code}`: {error}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_what_make_is_asked_for_is_a_target(page: Page) -> None:
    """`make something` makes something."""
    asked = [found[1] for code in page.code if (found := re.fullmatch(r"make ([\w-]+)", code))]
    assert set(asked) <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_file_in_a_line_is_there(page: Page) -> None:
    """Who looks for a file of the repository by its path finds it."""
    named = [code for code in page.code if PATH.fullmatch(code) and code.split("/")[0] in FOLDERS]
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_name_in_a_line_is_a_files(page: Page, tracked: set[str]) -> None:
    """A file that is named without its folder, as in ARCHITECTURE.md, is somewhere."""
    named = [code for code in page.code if SOURCE.fullmatch(code)]
    there = {f"/{path}" for path in tracked}
    assert [name for name in named if not any(each.endswith(f"/{name}") for each in there)] == []


@pytest.mark.parametrize("page", pages().values(), ids=lambda page: page.path)
def test_a_link_leads_somewhere(page: Page) -> None:
    """No link to a page, a file or a heading of ours is dead."""
    assert [target for target in page.links if is_dead(page, target)] == []


@pytest.mark.parametrize(
    "line",
    [
        "serve --listne x",
        "keys crate acme",
        "origins add pk",
        "tenants add a b",
        "check --strict=x",
    ],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    """A misspelt option, a command that is gone, an argument too few or too many."""
    with pytest.raises((click.ClickException, AssertionError)):
        parse(line.split())


def test_a_dead_link_is_noticed() -> None:
    """A page that was renamed, and a heading that was."""
    page = pages()["README.md"]
    assert is_dead(page, "docs/nowhere.md")
    assert is_dead(page, "docs/widget.md#nowhere")
    assert not is_dead(page, "docs/widget.md#options")
