"""The widget's types: they take what the widget takes, and refuse mistakes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kataven_flask import errors
from tests.guide import WIDGET_FILES, write_file
from tests.typed import TYPES, error_codes, members, sentences

SAMPLES: Final = Path(__file__).parent / "widget_types"
REFUSED: Final = "refused.ts"
NO_COMPILER: Final = "no TypeScript on this machine: apt-get install node-typescript"
OPTIONS: Final = [
    *("--noEmit", "--strict", "--target", "es2022"),
    *("--moduleDetection", "force", "--pretty", "false", "--skipDefaultLibCheck"),
]
PROXYS_OWN: Final = "bad_gateway"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the compiler says of a line."""

    file: str
    line: int
    words: str


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[Complaint]:
    """Compile the samples, and what the widget's page shows, each file a scope of its own."""
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip(NO_COMPILER)
    folder = tmp_path_factory.mktemp("types")
    for path in (TYPES, *SAMPLES.glob("*.ts")):
        shutil.copy(path, folder)
    write_file(folder, "chat.ts", WIDGET_FILES)
    done = subprocess.run(
        [compiler, *OPTIONS, *sorted(path.name for path in folder.iterdir())],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    head = r"([\w.]+)\((\d+),\d+\): error "
    found = re.findall(rf"(?ms)^{head}(.*?)(?=\n\S|\Z)", done.stdout)
    assert bool(done.returncode) == bool(found), done.stdout + done.stderr
    return [Complaint(file, int(line), words) for file, line, words in found]


def test_what_a_page_may_write(complaints: list[Complaint]) -> None:
    """Every option, method and event, the queue, and the page's own example compile."""
    assert not [each for each in complaints if each.file != REFUSED]


def test_what_a_page_may_not_write(complaints: list[Complaint]) -> None:
    """Each mistake is met in its own line, by an error that names it."""
    lines = enumerate((SAMPLES / REFUSED).read_text().splitlines(), 1)
    marked = {n: mark for n, line in lines if (mark := line.partition("; // ")[2])}
    assert len(marked) > 10
    said = {each.line: each.words for each in complaints if each.file == REFUSED}
    assert set(said) == set(marked)
    assert not [(said[n], mark) for n, mark in marked.items() if mark not in said[n]]


def test_the_samples_leave_nothing_out() -> None:
    """What is typed is tried: each option, each method, each event."""
    sample = (SAMPLES / "taken.ts").read_text()
    for option in members("Options"):
        assert re.search(rf"(?m)^  {option}: ", sample), option
    for method in members("Handle"):
        assert f"widget.{method}(" in sample, method
    for event in members("Events"):
        assert f'widget.on("{event}"' in sample, event
        assert f'"kataven:{event}"' in sample, event


def test_the_sentences_are_the_widgets() -> None:
    """Each sentence that the widget has can be replaced, and no other."""
    assert members("Strings") == list(sentences())


def test_the_codes_are_the_servers() -> None:
    """A code that is known by name is one that the server gives, or that stands in the script."""
    given = {getattr(kind, "code", None) for kind in vars(errors).values()} | {PROXYS_OWN}
    script = "".join(path.read_text() for path in TYPES.parent.glob("*.js"))
    for code in error_codes():
        assert code in given or f'"{code}"' in script, code
