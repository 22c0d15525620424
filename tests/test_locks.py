"""The lock files: what is installed is what was pinned, wherever it comes from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = {
    str(path.relative_to(ROOT)): path
    for path in (
        ROOT / "requirements.lock",
        ROOT / "requirements-server.lock",
        ROOT / "benchmarks" / "requirements.lock",
        ROOT / "tests" / "audit" / "requirements.lock",
    )
}
HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")

in_every_lock = pytest.mark.parametrize("lock", LOCKS.values(), ids=list(LOCKS))


def entries(lock: Path) -> list[str]:
    """Return a lock file's entries: each requirement with its hashes."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in "\n".join(lines).replace("\\\n", "").splitlines() if entry.strip()]


def pinned(lock: Path) -> dict[str, Requirement]:
    """Return what a lock file pins, by the packages' names."""
    found = [Requirement(entry.partition(" --hash")[0].strip()) for entry in entries(lock)]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@in_every_lock
def test_every_package_has_its_hashes(lock: Path) -> None:
    """A package is one version, and its files are known by SHA-256: no other file is installed."""
    for entry in entries(lock):
        requirement, *hashes = entry.split(" --hash=")
        assert re.fullmatch(r"[a-z0-9.-]+==[^\s*,]+( ; .+)?", requirement.strip()), entry
        assert hashes, entry
        assert len(hashes) == len(HASH.findall(entry)), entry


@in_every_lock
def test_no_lock_says_where_from(lock: Path) -> None:
    """A lock file names no index and no address: hashes hold wherever the files come from."""
    text = lock.read_text()
    assert "//" not in text
    assert not re.findall(r"^\s*-(?!-hash=)", text, re.MULTILINE)


def test_the_lock_is_of_this_project() -> None:
    """All that pyproject.toml asks for is pinned, in a version that it admits."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(name for extra in extras for name in extra)]
    lock = pinned(ROOT / "requirements.lock")
    for wanted in map(Requirement, asked):
        have = lock[canonicalize_name(wanted.name)]
        version = next(iter(have.specifier)).version
        assert wanted.specifier.contains(version), f"{wanted}: {have}"


def test_a_server_gets_what_was_tested() -> None:
    """What an operator installs is what the tests ran with, and no tool of theirs."""
    server, tested = pinned(ROOT / "requirements-server.lock"), pinned(ROOT / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += project["project"]["optional-dependencies"]["redis"]
    assert {canonicalize_name(Requirement(name).name) for name in wanted} <= server.keys()
    assert {name: str(tested[name].specifier) for name in server} == {
        name: str(found.specifier) for name, found in server.items()
    }
    assert not {"mypy", "pytest", "playwright", "ruff"} & server.keys()


@pytest.mark.parametrize("folder", ["benchmarks", "tests/audit"])
def test_other_locks_hold_what_they_are_for(folder: str) -> None:
    """Each file of requirements beside a lock file is pinned there."""
    lines = (ROOT / folder / "requirements.in").read_text().splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    lock = pinned(ROOT / folder / "requirements.lock")
    assert asked
    for wanted in asked:
        version = next(iter(lock[canonicalize_name(wanted.name)].specifier)).version
        assert wanted.specifier.contains(version), str(wanted)
