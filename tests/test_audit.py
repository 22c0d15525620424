"""The audit of what is pinned: what it makes of what pip-audit says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.audit import __main__ as audit

SOUND = {"name": "flask", "version": "3.1.0", "vulns": []}
FAULTY = {
    "name": "waitress",
    "version": "1.0",
    "vulns": [{"id": "GHSA-1", "fix_versions": ["1.1"]}, {"id": "GHSA-2", "fix_versions": []}],
}
UNKNOWN = {"name": "limits", "skip_reason": "not found"}


@pytest.fixture
def pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for pip-audit: a script that notes how it is called and prints `answer`."""
    script = tmp_path / "pip_audit.py"
    script.write_text(
        "import pathlib, sys\n"
        "here = pathlib.Path(__file__).parent\n"
        "print(*sys.argv, file=(here / 'called').open('a'))\n"
        "answer = here / sys.argv[2]\n"
        "sys.exit(print(answer.read_text()) if answer.exists() else 'cannot be reached')\n"
    )
    monkeypatch.setattr(audit, "installed", lambda _: [sys.executable, str(script)])
    return tmp_path


def answers(folder: Path, service: str, *packages: dict[str, Any]) -> None:
    """Have a service answer."""
    (folder / service).write_text(json.dumps({"dependencies": packages, "fixes": []}))


def test_a_sound_lock_passes(pip_audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a service knows all packages and no fault in them, that is said."""
    answers(pip_audit, "pypi", SOUND)
    assert audit.main(pip_audit) == 0
    assert capsys.readouterr().out == "Packages audited: 1. Known vulnerabilities: 0.\n"


def test_every_lock_file_is_asked_for(pip_audit: Path) -> None:
    """What is shipped, what is measured against, and the audit itself are all audited."""
    answers(pip_audit, "pypi", SOUND)
    audit.main(pip_audit)
    called = (pip_audit / "called").read_text()
    locks = [path for path in audit.ROOT.rglob("requirements.lock") if ".venv" not in path.parts]
    assert sorted(locks) == sorted(audit.LOCKS)
    assert all(f"--requirement {lock}" in called for lock in locks)


def test_a_known_vulnerability_fails(pip_audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, with the version that mends it, and `make check` stops."""
    answers(pip_audit, "pypi", SOUND, FAULTY)
    assert audit.main(pip_audit) == 1
    assert capsys.readouterr().out.splitlines() == [
        "VULNERABLE: waitress 1.0: GHSA-1, mended in 1.1",
        "VULNERABLE: waitress 1.0: GHSA-2, mended in none yet",
        "Packages audited: 2. Known vulnerabilities: 2.",
    ]


def test_a_package_that_nobody_knows_is_named(
    pip_audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that doesn't know a package has not found it sound."""
    answers(pip_audit, "pypi", SOUND, UNKNOWN)
    assert audit.main(pip_audit) == 0
    assert "NOT AUDITED, unknown to the service: limits." in capsys.readouterr().out


@pytest.mark.parametrize("first", [None, [UNKNOWN]], ids=["unreachable", "knows nothing"])
def test_the_next_service_is_asked(
    pip_audit: Path, capsys: pytest.CaptureFixture[str], first: list[dict[str, Any]] | None
) -> None:
    """Where one service tells nothing, another is asked."""
    if first:
        answers(pip_audit, "pypi", *first)
    answers(pip_audit, "osv", SOUND)
    assert audit.main(pip_audit) == 0
    assert capsys.readouterr().out.startswith("Packages audited: 1.")


def test_nothing_learnt_is_no_good_news(
    pip_audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where every package was skipped or no service is reached, that is said, and nothing fails."""
    answers(pip_audit, "pypi", UNKNOWN)
    assert audit.main(pip_audit) == 0
    told = capsys.readouterr().out
    assert told.startswith("NOT AUDITED: no vulnerability service answers from here.")
    assert "Packages audited" not in told


def test_without_pip_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where pip-audit can't be installed, that is said, and nothing fails."""
    monkeypatch.setattr(audit, "installed", lambda _: None)
    assert audit.main(tmp_path) == 0
    assert capsys.readouterr().out.startswith("NOT AUDITED: pip-audit can't be installed")
