"""The wheel and the source archive of this checkout, built once for all tests that ask for them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import kataven_flask

ROOT: Final = Path(__file__).parent.parent
TOP: Final = f"kataven_flask-{kataven_flask.__version__}"


@dataclass(frozen=True, slots=True)
class Built:
    """Both archives of one build."""

    wheel: Path
    sdist: Path

    def wheel_names(self) -> set[str]:
        """Return the files of the wheel."""
        return set(zipfile.ZipFile(self.wheel).namelist())

    def sdist_names(self) -> set[str]:
        """Return the files of the source archive, without the folder that all are in."""
        with tarfile.open(self.sdist) as archive:
            return {name.removeprefix(f"{TOP}/") for name in archive.getnames()}


def build(source: Path, target: Path) -> Built:
    """Build both archives at a fixed time."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
    )
    return Built(next(target.glob("*.whl")), next(target.glob("*.tar.gz")))
