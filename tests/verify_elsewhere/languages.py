"""The languages of `docs/verify.md`, and how what is written in them is run."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.guide import VERIFY_FILES, write_file

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"
NODE_PACKAGES: Final = HERE / "node_modules"
PHP_PACKAGES: Final = HERE / "vendor"
MAVEN: Final = Path.home() / ".m2" / "repository"
OLDEST_GO: Final = 21
"""Go 1.21, as the page says."""
BOUND: Final = 60
"""Seconds that a compiler or a program may take on a busy machine."""
INSTALL: Final = "sh tests/verify_elsewhere/install.sh gets it, where its registry can be reached"


def needs(condition: object, what: str) -> None:
    """Skip the test where something isn't on this machine."""
    if not condition:
        pytest.skip(f"{what} isn't on this machine; {INSTALL}")


def _ran(
    *command: str, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


# --- what each needs, and the command that then runs it


def _node(folder: Path) -> tuple[str, ...]:
    needs(shutil.which("node"), "Node.js")
    needs((NODE_PACKAGES / "jose").is_dir(), "jose (npm)")
    (folder / "node_modules").symlink_to(NODE_PACKAGES)
    return ("node", "main.mjs")


def _go(folder: Path) -> tuple[str, ...]:
    needs(shutil.which("go"), "Go")
    version = _ran("go", "env", "GOVERSION").stdout
    needs(int(version.split(".")[1]) >= OLDEST_GO, f"Go 1.{OLDEST_GO}")
    shutil.copy(HERE / "go.mod", folder)
    offline = {"GOPROXY": "off", "GOSUMDB": "off", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    built = _ran("go", "build", "-o", "verify", "main.go", cwd=folder, **offline)
    needs("module lookup disabled" not in built.stderr, "golang-jwt with keyfunc (Go)")
    assert (built.returncode, built.stderr) == (0, "")
    return ("./verify",)


def _ruby(_: Path) -> tuple[str, ...]:
    needs(shutil.which("ruby"), "Ruby")
    needs(_ran("ruby", "-e", 'require "jwt"').returncode == 0, "the gem jwt (Debian: ruby-jwt)")
    return ("ruby", "main.rb")


def _php(folder: Path) -> tuple[str, ...]:
    needs(shutil.which("php"), "PHP")
    needs("apcu" in _ran("php", "-m").stdout.split(), "APCu (Debian: php-apcu)")
    needs((PHP_PACKAGES / "autoload.php").is_file(), "firebase/php-jwt (Composer)")
    (folder / "vendor").symlink_to(PHP_PACKAGES)
    return ("php", "-d", "apc.enable_cli=1", "main.php")


def _java(folder: Path) -> tuple[str, ...]:
    needs(shutil.which("javac"), "a JDK")
    jars = [
        max(MAVEN.glob(f"{place}-[0-9]*.jar"), default=None)
        for place in ("org/bitbucket/b_c/jose4j/*/jose4j", "org/slf4j/slf4j-api/1.7*/slf4j-api")
    ]
    needs(all(jars), "jose4j (Maven)")
    classpath = os.pathsep.join([*map(str, jars), "."])
    built = _ran(
        "javac", "-Xlint:all,-serial", "-Werror", "-cp", classpath, "Main.java", cwd=folder
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    return ("java", "-XX:TieredStopAtLevel=1", "-cp", classpath, "Main")


@dataclass(frozen=True)
class Language:
    """A language of the page.

    Args:
        name: What a reader calls it.
        file: The block that the page names so.
        program: What calls it, for each line of its input.
        prepare: Makes it ready in a folder, and returns the command; skips where something lacks.
        knows_eddsa: Whether its piece takes EdDSA, as the page says.
        harmless: Attacks that its library takes, and that gain a stranger nothing.
    """

    name: str
    file: str
    program: str
    prepare: Callable[[Path], tuple[str, ...]]
    knows_eddsa: bool = True
    harmless: frozenset[str] = frozenset()

    def start(self, folder: Path, issuer: str) -> Verifying:
        """Write its piece beside the program, and start that."""
        write_file(folder, self.file, VERIFY_FILES)
        shutil.copy(PROGRAMS / self.program, folder)
        return Verifying(self.prepare(folder), folder, issuer)


LANGUAGES: Final = [
    Language("Node", "session.mjs", "main.mjs", _node),
    Language("Go", "session/session.go", "main.go", _go),
    Language("Ruby", "session.rb", "main.rb", _ruby, knows_eddsa=False),
    # It cuts a good signature in two halves, and looks at no more.
    Language(
        "PHP",
        "session.php",
        "main.php",
        _php,
        harmless=frozenset({"signature: signature a byte long"}),
    ),
    # Both are signed by the service's key: the one doesn't say so, and the other is around a token.
    Language(
        "Java",
        "Sessions.java",
        "Main.java",
        _java,
        harmless=frozenset({"key: kid null", "shape: a JWT in a JWT"}),
    ),
]


class Verifying:
    """A program that runs, and is shown tokens.

    Args:
        command: What is run.
        folder: Where.
        issuer: What it verifies for.
    """

    def __init__(self, command: Sequence[str], folder: Path, issuer: str) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "KATAVEN_URL": issuer, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def show(self, token: str) -> str:
        """Show a token, and return what was made of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(token.encode()).decode() + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def end(self) -> None:
        """Have it end; whatever it was shown, it ends well."""
        try:
            printed, complaint = self._process.communicate(timeout=BOUND)
        except subprocess.TimeoutExpired:
            self._process.kill()
            printed, complaint = self._process.communicate()
        assert (self._process.returncode, printed) == (0, ""), complaint
