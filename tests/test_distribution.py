"""The wheel and the source archive: what is in them, and that anybody can build the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest
from packaging.metadata import Metadata
from packaging.version import Version
from readme_renderer import markdown

import kataven_flask
from tests.archives import TOP, Built, build

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


def tool(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that looks at archives."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestAnIndex:
    """Whether an index would take them, and what it would show."""

    @pytest.fixture
    def text(self, built: Built) -> bytes:
        """Return what the wheel says of itself."""
        with zipfile.ZipFile(built.wheel) as archive:
            return archive.read(f"{TOP}.dist-info/METADATA")

    @pytest.fixture
    def metadata(self, text: bytes) -> Metadata:
        """Return the same, read; what is against the standards is an error."""
        return Metadata.from_email(text)

    def test_it_would_take_them(self, built: Built) -> None:
        """`twine check --strict` has nothing against either."""
        ran = tool("twine", "check", "--strict", built.wheel, built.sdist)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stdout.count("PASSED") == 2

    def test_the_wheel_has_no_common_mistake(self, built: Built) -> None:
        """`check-wheel-contents` finds no stray, empty, doubled or misplaced file."""
        ran = tool("check_wheel_contents", built.wheel)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def test_both_say_the_same(self, built: Built, text: bytes) -> None:
        """Whoever reads the source archive's metadata reads the wheel's."""
        with tarfile.open(built.sdist) as archive:
            file = archive.extractfile(f"{TOP}/PKG-INFO")
            assert file is not None
            assert file.read() == text

    def test_the_metadata_is_whole(self, metadata: Metadata) -> None:
        """Name, version, licence, what it runs on and for whom: what people search by."""
        assert metadata.name == "kataven-flask"
        assert metadata.version == Version(kataven_flask.__version__)
        assert metadata.license_expression == "MIT"
        assert metadata.license_files == ["LICENSE"]
        assert metadata.summary
        assert metadata.author
        assert metadata.keywords
        kinds = {classifier.partition(" :: ")[0] for classifier in metadata.classifiers or ()}
        assert {"Development Status", "Framework", "Programming Language", "Topic"} <= kinds
        assert "License" not in kinds  # stands in the expression, and may not stand twice
        assert metadata.requires_python is not None
        assert metadata.requires_python.contains("3.11")

    def test_it_names_no_page_that_is_not_there(self, metadata: Metadata) -> None:
        """The project has no page of its own, so none is named."""
        assert not metadata.project_urls
        assert metadata.home_page is None
        assert metadata.download_url is None

    def test_the_readme_is_readable_there(self, metadata: Metadata) -> None:
        """An index renders it, and no link or picture leads to a file that it doesn't have."""
        assert metadata.description_content_type == "text/markdown"
        page = markdown.render(metadata.description or "")
        assert page is not None
        assert "<h1" in page
        assert "<table" in page
        for address in re.findall(r'(?:href|src)="([^"]*)"', page):
            assert address.startswith(("https://", "#")), address
        assert "](" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
