"""A stage notices what would fail where a reader is; and nothing on it reaches the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block
from tests.docs.stage import Scene, Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return a stage on which nothing has been done."""
    stage = Stage(tmp_path_factory.mktemp("machine") / "stage")
    yield stage
    stage.close()


def block(text: str, language: str = "sh") -> Block:
    """Return a block of a page that there isn't."""
    return Block("docs/new.md", 1, language, text, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kataven-flask chekc\n", "No such command"),
        (".venv/bin/kataven-flask check --strickt\n", "No such option"),
        ("kataven-flask check --config nowhere.yaml\n", "ended with 1, not 0"),
        ("make dmeo\n", "No rule to make target"),
        (".venv/bin/python -m benchmarks.gorwth\n", "no such module"),
        (".venv/bin/python -m benchmarks --onyl guest\n", "unknown: --onyl"),
        (".venv/bin/python -m pytest e2e/test_dmeo.py\n", "no such file"),
        (".venv/bin/python -c 'from flask import Flsk'\n", "cannot import name 'Flsk'"),
        ("pip install --requirement requirement.lock\n", "no such file"),
        ("pip install pyjtw\n", "the tests run with no such package"),
        ("sudo apt-get instal nginx\n", "no such verb"),
        ("sudo systemctl restart kataven\n", "an unknown unit: kataven"),
        ("sudo systemctl reload nginx\n", "no command installed it: nginx"),
        ("sudo systemctl status prometheus-\n", "an unknown unit"),
        ("sudo journalctl --unit nginx\n", "unknown: --unit"),
        ("sudo install -o kataven Makefile /etc/x\n", "no command made the user kataven"),
        ("sudo install -m 644 docs/nowhere.conf /etc/x\n", "No such file"),
        ("curl http://127.0.0.1:8000/healthz\n", "ended with "),
        ("helm install kataven\n", "helm: not found"),
        ("echo $UNSET_ANYWHERE\n", "UNSET_ANYWHERE"),
        ("if true; then\n", "ended with 2"),
        ("rm -r /boot/grub\n", "/boot/grub is no place of a stage"),
        ("rm -r /boot\n", "/boot is no place of a stage"),
        ("rm -r /*\n", "/* is no place of a stage"),
        ("cd /;rm -r *\n", "/;rm is no place of a stage"),
        ("echo x >/boot\n", "/boot is no place of a stage"),
        ("sudo --user=kataven ls '/sys'\n", "/sys' is no place of a stage"),
        ("curl https://agents.example.com/connect\n", "tests ask nobody else"),
    ],
    ids=lambda value: value.strip(),
)
def test_what_would_fail_fails(stage: Stage, text: str, why: str) -> None:
    """A misspelt command, a file that was renamed, a program that nobody has installed."""
    assert why in stage.run(block(text))


def test_what_is_said_counts(stage: Stage) -> None:
    """A command that ends well, and says something else than its page promises, is noticed."""
    shown = block("kataven-flask check\n")
    assert stage.run(shown, Scene(shown.page, "", says="is sound: 2 tenants")) == ""
    assert "no 'is sound: 3" in stage.run(shown, Scene(shown.page, "", says="is sound: 3"))


def test_a_terminal_is_compared(stage: Stage) -> None:
    """What stands below a command is what it says, but for what differs each time."""
    said = "config/tenants.yaml is sound: 2 tenants, 3 client keys (revision abcdef)\n"
    shown = f"$ kataven-flask check\n{said}"
    assert stage.run(block(shown, "console")) == ""
    assert "and not" in stage.run(block(shown.replace("3", "4"), "console"))


def test_what_is_done_is_done_on_the_stage(stage: Stage) -> None:
    """A page's `/etc` is a folder, and so is all else that begins at the top."""
    text = "echo x | sudo tee /etc/kataven-flask/made-by-tests\nrm README.md\n"
    assert stage.run(block(f"sudo install -d /etc/kataven-flask\n{text}")) == ""
    assert (stage.root / "etc/kataven-flask/made-by-tests").read_text() == "x\n"
    assert not Path("/etc/kataven-flask/made-by-tests").exists()
    assert (ROOT / "README.md").exists()
