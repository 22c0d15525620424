"""The plugin as pytest finds it: in a project outside of this tree, from the built wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest

from tests.testing.guide import FILES

ROOT: Final = Path(__file__).parents[2]
NEEDED: Final = {"kataven", "xdist"}
OTHERS: Final = [
    f"-pno:{plugin.name}"
    for plugin in entry_points(group="pytest11")
    if plugin.name.partition(".")[0] not in NEEDED
]
"""Plugins of this environment, which take a second to start."""
Run = Callable[..., "Ran"]

SILENT = """
import sys

def test_nothing_of_the_server_is_imported():
    heavy = {"flask", "waitress", "pydantic", "jwt", "yaml", "kataven_flask.testing"}
    assert not heavy & set(sys.modules)
"""
SHARED = """
import logging
import pytest

urls, servers = set(), []

@pytest.fixture(scope="module")
def shop(kataven):
    return kataven.tenant(origins=["https://shop.example"])

@pytest.mark.parametrize("number", range(3))
def test_one_server_and_nothing_broken(kataven, shop, number):
    urls.add(kataven.url)
    assert len(urls) == 1
    assert kataven.requests == ()
    assert kataven.guest(shop).expires_at < __import__("time").time() + 700
    kataven.fail("crash")
    kataven.clock.advance("15m")

def test_a_failure_shows_what_was_asked(kataven, shop):
    kataven.guest(shop)
    assert "eyJ" in repr(kataven.requests)

def test_logs_are_as_they_were():
    assert logging.getLogger().level == logging.WARNING
    assert not logging.getLogger("kataven_flask").handlers
"""
FRESH = """
import threading

urls = set()

def seen(kataven):
    shop = kataven.tenant("shop", origins=["https://shop.example"])
    kataven.fail("slow", seconds=3600)
    urls.add(kataven.url)
    assert kataven.requests == ()

def test_one(kataven): seen(kataven)
def test_two(kataven): seen(kataven)
def test_three(kataven):
    seen(kataven)
    assert len(urls) == 3

def test_no_thread_is_left():
    assert [t.name for t in threading.enumerate() if "kataven" in t.name] == []
"""

FAILING = """
import pytest

@pytest.fixture
def shop(kataven):
    return kataven.tenant(origins=["https://shop.example"])

def test_refused(kataven, shop):
    kataven.fail("state")
    kataven.refresh(kataven.guest(shop))  # the line that is refused

def test_nothing_came(kataven):
    kataven.wait_for("auth/refresh", timeout=0.01)  # the line that is slow

def test_no_tenant(kataven):
    kataven.tenant(origins=["*"])  # the line that is faulty

def test_no_token(kataven, shop):
    kataven.session_token(shop, state="stolen")  # the line that is mistaken
"""


@dataclass(frozen=True)
class Ran:
    """A run of pytest that has ended."""

    status: int
    output: str


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel where a project finds it."""
    built = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(next(built.glob("*.whl"))).extractall(site)
    return site


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Return what runs pytest on a project's files, where each warning is an error."""

    def ran(files: dict[str, str], *options: str, python: Sequence[str] = ("-m", "pytest")) -> Ran:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        outside = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "COV"))}
        done = subprocess.run(
            [sys.executable, *python, "-Werror", "-pno:cacheprovider", *OTHERS, *options],
            cwd=tmp_path,
            env={**outside, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    return ran


def test_the_examples_of_the_page(run: Run, installed: Path) -> None:
    """They pass as they stand, in two processes at a time, from the wheel."""
    where = "import kataven_flask\n\ndef test_where():\n    assert kataven_flask.__file__"
    files = {name: text for name, text in FILES.items() if name.endswith(".py")}
    files.pop("test_page.py")  # it needs a browser: e2e/test_testing_page.py
    files |= {
        "pytest.ini": "[pytest]\npythonpath = .\n",
        "test_where.py": f"{where}.startswith({str(installed)!r})\n",
    }
    ran = run(files, "-n", "2")
    assert ran.status == 0, ran.output
    assert "13 passed" in ran.output


def test_a_run_without_it_pays_nothing(run: Run) -> None:
    """Where no test asks for the fixture, no part of the server is imported."""
    ran = run({"test_silent.py": SILENT})
    assert ran.status == 0, ran.output


def test_a_program_that_runs_pytest(run: Run) -> None:
    """One that has imported the package before gets no warning, which here is an error."""
    code = "import sys, pytest, kataven_flask.verify; sys.exit(pytest.main(sys.argv[1:]))"
    ran = run({"test_silent.py": "def test_it(kataven): pass\n"}, python=("-c", code))
    assert ran.status == 0, ran.output


def test_one_server_for_a_module(run: Run) -> None:
    """It is as at the start for each test; a failed one shows its requests, and no secret."""
    ran = run({"test_shared.py": SHARED, "pytest.ini": FILES["pytest.ini"]})
    assert ran.status == 1
    assert "1 failed, 4 passed" in ran.output
    assert "kataven: requests" in ran.output
    assert "auth/guest from https://shop.example, tenant tenant: 200" in ran.output
    assert "sk_live_" not in ran.output


def test_a_failure_ends_at_the_tests_own_line(run: Run) -> None:
    """What a developer reads is the line, and why it failed; no code of the server's."""
    ran = run({"test_failing.py": FAILING})
    assert "4 failed" in ran.output
    for line, why in (
        ("refused", "kataven_flask.testing.calls.RefusedError: 503 state_unavailable"),
        ("slow", "TimeoutError: no request (path='auth/refresh')"),
        ("faulty", "kataven_flask.document.faults.FaultyDocumentError: tenant tenant: origins[0]"),
        ("mistaken", "ValueError: no such token is ever in the state 'stolen'"),
    ):
        where = rf"# the line that is {line}\n( *\^+\n)?E +{re.escape(why)}"
        assert re.search(where, ran.output), ran.output
    assert "kataven_flask/testing" not in ran.output


def test_each_test_has_its_own(run: Run) -> None:
    """Fresh ports, tenants and faults; nothing is left running."""
    ran = run({"test_fresh.py": FRESH})
    assert ran.status == 0, ran.output


def test_a_scope_that_is_none(run: Run) -> None:
    """The project's setting is refused with those that there are."""
    ini = FILES["pytest.ini"].replace("module", "test")
    ran = run({"pytest.ini": ini, "test_it.py": "def test_it(kataven): pass\n"})
    assert ran.status != 0
    assert "kataven_scope = test: write one of function, class" in ran.output
