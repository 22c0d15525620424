"""The operator's half of `docs/onboarding.md`: its commands are run, and say what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from kataven_flask.cli import main
from tests.docs.terminal import lasting, steps
from tests.guide import FENCED, PAGE
from tests.running import BOUND, COMMAND, running

SESSION: Final = "".join(text for language, text in FENCED if language == "console")
"""What the page shows of a terminal, from its top to its end."""


def test_the_commands_of_the_page_say_what_it_says(tmp_path: Path) -> None:
    """One after the other, in an empty folder, with a server beside them from the second on."""
    (first, said), *others = steps(SESSION)
    environ = {**os.environ, "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}"}
    answer = run(first, tmp_path, environ)
    assert lasting(answer) == lasting(said)
    (key,) = set(re.findall(r"pk_\w+", answer))
    with running(COMMAND, "serve", "--listen", "127.0.0.1:0", cwd=tmp_path) as server:
        environ["KATAVEN_URL"] = f"http://127.0.0.1:{server.port()}"
        for command, told in others:
            answer = run(re.sub(r"pk_\w+", key, command), tmp_path, environ)
            assert lasting(answer) == lasting(told), command


def run(command: str, folder: Path, environ: dict[str, str]) -> str:
    """Run a command line of the page, and return all that it prints, as a terminal shows it."""
    ran = subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert ran.returncode == ("is refused" in ran.stdout), ran.stdout
    return ran.stdout


def test_every_command_of_the_tables_is_one() -> None:
    """What stands in a table's first column is a command, up to its arguments."""
    rows = re.findall(r"(?m)^\| (`(?:keys|agents|origins|tenants) .*?`) \|", PAGE)
    commands = [words.split() for row in rows for words in re.findall(r"`(.*?)`", row)]
    assert len(commands) >= 9
    for group, name, *_ in commands:
        result = CliRunner().invoke(main, [group, name, "--help"])
        assert result.exit_code == 0, (group, name)
