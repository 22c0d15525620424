"""`docs/widget.md`: its tables have what the widget has, and nothing in it leads nowhere."""

from __future__ import annotations

import re
import subprocess

from click.testing import CliRunner

from kataven_flask import errors
from kataven_flask.assets import example_config
from kataven_flask.cli import main
from tests.guide import WIDGET_FENCED, WIDGET_FILES, WIDGET_PAGE, dead_links
from tests.typed import error_codes, members, sentences

BLOCKS = {"tag.html", "page.html", "early.js", "events.js", "words.js", "chat.ts"}
"""Run by `e2e/test_widget_page.py`, and the last by `tests/test_widget_types.py`."""


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its first two lines."""
    section = WIDGET_PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_words(heading: str) -> list[str]:
    """Return the name that each row begins with."""
    return [re.sub(r"\W.*", "", row[0].strip("`")) for row in rows(heading)]


def test_every_option_method_and_event_is_there() -> None:
    """A reader finds all that the types have, and nothing that isn't there."""
    assert sorted(first_words("Options")) == sorted(members("Options"))
    assert sorted(first_words("The handle")) == sorted(members("Handle"))
    assert first_words("Events") == members("Events")


def test_the_sentences_are_the_widgets() -> None:
    """The table has every sentence, as a visitor reads it."""
    assert {row[0].strip("`"): row[1] for row in rows("Words")} == sentences()


def test_every_error_is_there() -> None:
    """Each code has its row, with a sentence that there is and the server's own first words."""
    table = {row[0].strip("`"): row for row in rows("Errors")}
    assert sorted(table) == sorted(error_codes())
    words = {
        kind.code: kind.default_words
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and hasattr(kind, "code")
    }
    for code, (_, reads, console, _) in table.items():
        assert set(re.findall(r"`(\w+)`", reads)) <= set(sentences()), code
        assert reads == "nothing" or "`" in reads, code
        said = console.rpartition("or: ")[2]
        assert words.get(code, said).startswith(said), code


def test_every_block_is_tried() -> None:
    """Nothing is shown that nobody has run."""
    shown = {text for language, text in WIDGET_FENCED if language in {"html", "js", "ts"}}
    assert shown == set(WIDGET_FILES.values())
    assert set(WIDGET_FILES) == BLOCKS
    for language, text in WIDGET_FENCED:
        if language == "sh":
            subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True)


def test_the_policy_is_what_the_command_prints() -> None:
    """A reader who runs `snippet` gets the lines that the page shows."""
    key = re.search(r"pk_live_acme_\w+", WIDGET_FILES["tag.html"])
    assert key
    printed = CliRunner().invoke(main, ["snippet", key[0], "--config", str(example_config())])
    lines = re.findall(r"(?m)^ +((?:script|connect|img)-src .*;)$", printed.stderr)
    assert len(lines) == 3
    assert ("text", "\n".join([*lines, ""])) in WIDGET_FENCED


def test_every_link_leads_somewhere() -> None:
    """A reader meets no dead link."""
    assert not dead_links(WIDGET_PAGE)
