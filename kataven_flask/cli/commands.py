"""Commands that a command prints, to be pasted into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from kataven_flask.whereabouts import DEFAULT_CONFIG


def command(config: Path, *words: str) -> str:
    """Write a command that works on a tenants' file.

    Args:
        config: The file, which is named where it isn't the default one.
        *words: The command's own words.

    Returns:
        The command line.
    """
    where = () if config == DEFAULT_CONFIG else ("--config", str(config))
    return shlex.join(("kataven-flask", *words, *where))
