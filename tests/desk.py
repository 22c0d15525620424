"""The command on a copy of the shipped file, for tests of what it edits and says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from kataven_flask.cli import main
from kataven_flask.registry import Registry, load_registry

KEY = "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g"
PINNED = "pk_live_acme_M2b375OYiaxo8dCKzr17Ge"
SECRET = re.compile(r"sk_(?:live|test)_[a-z0-9-]+_[A-Za-z0-9]{43}")


class Desk:
    """A copy of the shipped file, and the command.

    Args:
        config: The copy.
    """

    def __init__(self, config: Path) -> None:
        self.config = config

    def run(self, *arguments: str, status: int = 0, said: str | None = None) -> Result:
        """Run a command on the file, and hold its exit status."""
        command = [*arguments, "--config", str(self.config)]
        result = CliRunner().invoke(main, command, input=said)
        assert result.exit_code == status, result.output
        return result

    def json(self, *arguments: str) -> Any:
        """Run a command, and read what it prints for scripts."""
        return json.loads(self.run(*arguments, "--json").stdout)

    @property
    def registry(self) -> Registry:
        """What the server would read now."""
        return load_registry(self.config)

    @property
    def comments(self) -> list[str]:
        """Every comment of the file, to the byte, in its order."""
        return re.findall(r"(?:^|(?<=\s))#.*$", self.config.read_text(), re.MULTILINE)
