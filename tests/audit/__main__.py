"""`python -m tests.audit FOLDER`: ask for known vulnerabilities of everything in the lock files.

pip-audit asks, in an environment of its own, as nothing else needs it or what it brings along.
It calls a package that a service doesn't know "skipped" and ends well, even if that was all of
them. So its answer is read here: where nothing was learnt, that is said aloud, and not taken for
good news.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = [
    ROOT / "requirements.lock",
    ROOT / "benchmarks" / "requirements.lock",
    ROOT / "tests" / "audit" / "requirements.lock",
]
SERVICES: Final = ["pypi", "osv"]
"""Whom to ask, in turn, until one of them knows anything."""
TIME_LIMIT: Final = 180
"""Seconds for one service to answer for all packages."""
ACCEPTED: Final[dict[str, str]] = {}
"""Vulnerabilities that don't touch us: the id of each, and why not."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a service told."""

    known: list[str]
    """Packages that it knows, each with its version."""
    unknown: list[str]
    """Packages of which it could tell nothing."""
    vulnerable: list[str]
    """A line for each vulnerability."""


def main(folder: Path) -> int:
    """Audit the lock files; return 1 where there is a known vulnerability, else 0."""
    command = installed(folder)
    if command is None:
        return not_audited("pip-audit can't be installed from here")
    for service in SERVICES:
        findings = asked([*command, "--vulnerability-service", service])
        if findings is not None and findings.known:
            return told(findings)
    return not_audited("no vulnerability service answers from here")


def installed(folder: Path) -> list[str] | None:
    """Install pip-audit in a folder, by hashes; return its command, or None where that failed."""
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        venv.create(folder, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKS[-1])]
    done = subprocess.run(install, check=False, capture_output=True)
    return [python, "-m", "pip_audit"] if done.returncode == 0 else None


def asked(command: Sequence[str]) -> Findings | None:
    """Run pip-audit over the lock files; return what it tells, or None where it came to nothing."""
    files = [word for lock in LOCKS for word in ("--requirement", str(lock))]
    accepted = [word for name in ACCEPTED for word in ("--ignore-vuln", name)]
    plain = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    try:
        ran = subprocess.run(
            [*command, *plain, *files, *accepted],
            check=False,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
        packages = json.loads(ran.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    known = [package for package in packages if "version" in package]
    return Findings(
        known=[named(package) for package in known],
        unknown=[package["name"] for package in packages if "version" not in package],
        vulnerable=[line for package in known for line in vulnerabilities(package)],
    )


def named(package: dict[str, Any]) -> str:
    """Return a package's name and version."""
    return f"{package['name']} {package['version']}"


def vulnerabilities(package: dict[str, Any]) -> list[str]:
    """Return a line for each known vulnerability of a package."""
    name = named(package)
    return [
        f"{name}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'none yet'}"
        for fault in package["vulns"]
    ]


def told(findings: Findings) -> int:
    """Print what a service told; return 1 where a package has a known vulnerability."""
    if findings.unknown:
        print(f"NOT AUDITED, unknown to the service: {', '.join(findings.unknown)}.")
    for line in findings.vulnerable:
        print(f"VULNERABLE: {line}")
    audited, faults = len(findings.known), len(findings.vulnerable)
    print(f"Packages audited: {audited}. Known vulnerabilities: {faults}.")
    return 1 if findings.vulnerable else 0


def not_audited(why: str) -> int:
    """Print that nothing is known; that is no fault of the code that is checked."""
    print(f"NOT AUDITED: {why}. Run `make audit` where the network allows it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
