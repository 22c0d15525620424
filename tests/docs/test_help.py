"""The examples in the command's own help are run; `docs/cli.md` is made from that help."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from kataven_flask.cli import main
from tests.docs.blocks import ROOT, pages
from tests.docs.command_line import parse
from tests.running import BOUND, COMMAND, running
from tests.support import API
from tests.test_cli_manners import COMMANDS, found

CLI: Final = "docs/cli.md"
GO_ON: Final = {"serve", "demo"}
"""Servers: `docs/deployment.md` and `make demo` have them started; here they are only read."""
NO: Final = {"origins explain"}
"""Asks something, and may be answered by 1, which says no."""
ACME: Final = "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g"
FIRST: Final = {
    "tenants remove": ["tenants", "add", "bikes", "--test"],
    "origins remove": ["origins", "add", ACME, "https://www.acme.com"],
}
"""What has to be there for an example."""
KEYS: Final = {"pk_live_acme_…": ACME, "pk_test_…": "pk_test_demo_c56wJJekTt040SAU8soRL1"}


@dataclass(frozen=True, slots=True)
class Example:
    """One example.

    Args:
        line: All of it.
        words: What stands behind `kataven-flask`, up to a pipe, a file or a comment.
    """

    line: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, line: str) -> Example:
        """Read a line of the help."""
        for shown, key in KEYS.items():
            line = line.replace(shown, key)
        (command,) = re.findall(r"kataven-flask ([^|#<)]*)", line)
        return cls(line, tuple(shlex.split(command)))

    def __str__(self) -> str:
        """Name it as it is typed."""
        return " ".join(self.words)


def examples() -> list[Example]:
    """Return every example of every command's help."""
    texts = [(found(path).help or "").partition("Example")[2] for path in COMMANDS]
    return [each for text in texts for each in in_lines(text.split("\n\n")[0])]


def in_lines(text: str) -> list[Example]:
    """Return the examples in some lines."""
    lines = text.replace("\\\n", " ").splitlines()
    return [Example.of(line) for line in lines if "kataven-flask " in line]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the examples are run.

    Args:
        folder: What each of them begins with.
        url: A server that runs there.
        token: A session token of that server.
    """

    folder: Path
    url: str
    token: str


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Run a server by the shipped file."""
    folder = tmp_path_factory.mktemp("machine")
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copy(ROOT / "config/tenants.yaml", folder / "new-tenants.yaml")
    with running(COMMAND, "serve", "--listen", "127.0.0.1:0", cwd=folder) as server:
        host = f"127.0.0.1:{server.port()}"
        with closing(http.client.HTTPConnection(host, timeout=BOUND)) as connection:
            body, page = json.dumps({"client_key": ACME}), {"Origin": "https://acme.com"}
            connection.request("POST", f"{API}/auth/guest", body, page)
            token = json.load(connection.getresponse())["token"]
        yield Machine(folder, f"http://{host}", token)


@pytest.mark.parametrize("example", examples(), ids=str)
def test_the_examples_are_run(
    example: Example, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command's help offers to copy works, on the file that is shipped."""
    shutil.copytree(machine.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KATAVEN_URL", machine.url)
    words = [machine.url if word.startswith("https://widget.") else word for word in example.words]
    begin = " ".join(words[:2])
    if words[0] in GO_ON:
        parse(words)
        return
    if begin in FIRST:
        assert CliRunner().invoke(main, FIRST[begin]).exit_code == 0
    said = CliRunner().invoke(main, words, input=typed(example, machine))
    assert said.exit_code in ({0, 1} if begin in NO else {0}), said.output
    if asked := re.search(r"\| jq '?\.(\w+)", example.line):
        assert asked[1] in json.loads(said.stdout)


def test_the_page_has_no_others() -> None:
    """What `docs/cli.md` offers to copy is what was run here."""
    blocks = [block for block in pages()[CLI].blocks if block.language == "sh"]
    shown = [str(each) for block in blocks for each in in_lines(block.text)]
    assert len(shown) == sum(block.text.count("kataven-flask ") for block in blocks)
    assert sorted(shown) == sorted(str(each) for each in examples())


def typed(example: Example, machine: Machine) -> str:
    """Return what is typed, or piped in: what the command asks for."""
    return {"tokens": machine.token, "sessions": "42"}.get(example.words[0], "y") + "\n"
