"""Prometheus' own promtool, which reads metrics, rules and settings as Prometheus does."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def promtool(*arguments: str, given: str = "") -> str:
    """Run it, fail the test where it finds a fault, and return what it says.

    Args:
        *arguments: Its arguments.
        given: What it reads from its standard input.
    """
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool isn't installed: sudo apt-get install prometheus")
    ran = subprocess.run(
        [program, *arguments], input=given, capture_output=True, text=True, check=False
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    return said
