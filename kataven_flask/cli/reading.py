"""The tenants' file as commands read it: with a word about it where it takes long."""

from __future__ import annotations

from pathlib import Path

from kataven_flask.cli.progress import patience
from kataven_flask.registry import Registry, load_registry


def read_tenants(config: Path, *, quiet: bool = False) -> Registry:
    """Read the tenants' file, or a folder of such files.

    Args:
        config: One YAML file, or a folder of them.
        quiet: Whether to say nothing while it is read.

    Raises:
        ConfigurationError: It can't be read, or has faults.

    Returns:
        The registry.
    """
    with patience(f"reading {config}", quiet=quiet):
        return load_registry(config)
