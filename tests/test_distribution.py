"""The wheel and the source archive: what is in them, and that anybody can build the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

import kataven_flask

ROOT: Final = Path(__file__).parent.parent
VERSION: Final = kataven_flask.__version__
TOP: Final = f"kataven_flask-{VERSION}"
INFO: Final = {
    f"{TOP}.dist-info/{name}"
    for name in ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE", "RECORD")
}
ADMITTED: Final = [
    "kataven_flask/*.py",
    "kataven_flask/py.typed",
    "kataven_flask/store/lua/*.lua",
    "kataven_flask/config/tenants.schema.json",
    "kataven_flask/config/tenants.yaml",
    "kataven_flask/static/*.css",
    "kataven_flask/static/*.html",
    "kataven_flask/static/*.js",
    "kataven_flask/static/*.svg",
    "kataven_flask/static/docs/examples.json",
    "kataven_flask/static/widget/v1.d.ts",
    "kataven_flask/static/widget/v1.*.js.gz",
]
"""What a wheel may hold beside its own records; * goes through folders."""
STRAYS: Final = [
    ".env",
    ".keyring.json",
    ".DS_Store",
    "api.py.orig",
    "api.py~",
    "keyring.json",
    "notes.txt",
    "private.pem",
    "state.db",
    "state.db-wal",
    "tenants.local.yaml",
    "__pycache__/api.cpython-311.pyc",
    "instance/keyring.json",
    "instance/state.db",
    "instance/hook.py",
]
"""What lies about in a checkout that somebody works in."""
UNSHIPPED: Final = {".ci", ".git"}


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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def rebuilt(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build what the source archive holds, elsewhere, with other modes, and strays all over."""
    place = tmp_path_factory.mktemp("elsewhere")
    shutil.unpack_archive(built.sdist, place, filter="data")
    source = place / TOP
    (source / "PKG-INFO").unlink()
    for path in [source, *source.rglob("*")]:
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (1, 1))
    for folder in [source, *(path for path in source.rglob("*") if path.is_dir())]:
        for stray in STRAYS:
            (folder / stray).parent.mkdir(exist_ok=True)
            (folder / stray).write_text("secret")
    return build(source, place / "dist")


def test_the_wheel_holds_the_package_and_no_more(built: Built) -> None:
    """Python files, scripts of the store, the widget, the demo and the example; no test, no key."""
    for name in built.wheel_names() - INFO:
        assert any(fnmatch(name, admitted) for admitted in ADMITTED), name
        assert not any(part.startswith(".") for part in name.split("/")), name


def test_the_wheel_is_whole(built: Built, tracked: set[str]) -> None:
    """Every file that git has of the package is in it, at its place, and nothing else."""
    ours = {name for name in tracked if name.split("/")[0] in {"kataven_flask", "static", "config"}}
    package = {
        name if name.startswith("kataven_flask/") else f"kataven_flask/{name}" for name in ours
    }
    assert built.wheel_names() == package | INFO


def test_the_source_archive_is_whole(built: Built, tracked: set[str]) -> None:
    """It has every file that git has, with the tests, but for what only the makers need."""
    expected = {name for name in tracked if name.split("/")[0] not in UNSHIPPED}
    assert built.sdist_names() == expected | {"PKG-INFO"}


def test_what_lies_about_is_not_shipped(built: Built, rebuilt: Built) -> None:
    """A key, a database, a settings file or a note in any folder comes into neither archive."""
    assert rebuilt.wheel_names() == built.wheel_names()
    assert rebuilt.sdist_names() == built.sdist_names()


def test_anybody_can_build_the_same_wheel(built: Built, rebuilt: Built) -> None:
    """Of the same source, the same bytes: elsewhere, with other modes and dates of files."""
    assert rebuilt.wheel.read_bytes() == built.wheel.read_bytes()


def test_nothing_in_it_is_writable_by_others(built: Built) -> None:
    """No file may be changed by its group or by others, and none in the wheel is run."""
    for entry in zipfile.ZipFile(built.wheel).infolist():
        assert oct(entry.external_attr >> 16) in {"0o100644", "0o644"}, entry.filename
    with tarfile.open(built.sdist) as archive:
        for member in archive:
            assert member.isfile(), member.name
            assert member.mode in {0o644, 0o755}, member.name
            assert (member.uid, member.gid) == (0, 0), member.name
