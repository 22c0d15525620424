"""Commands that are only looked at: to carry them out takes minutes, or a machine of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.docs.standins.machine import become, know_package, note, require, tool

APT_GET: Final = {"-y", "--yes", "--no-install-recommends", "-qq"}
PIP: Final = {"--no-build-isolation", "--no-deps", "--require-hashes", "--upgrade", "-U"}
USERADD: Final = {"--home-dir", "--shell"}
"""Options that have a value; one more, `--system`, has none."""


def apt_get(verb: str, *words: str) -> None:
    """Note the packages: installing them would change the machine that tests run on."""
    require(verb in {"install", "update"}, "no such verb")
    options = {word for word in words if word.startswith("-")}
    require(options <= APT_GET, f"unknown: {options - APT_GET}")
    note("packages", *(set(words) - options))


def useradd(*words: str) -> None:
    """Note the user: making one would change the machine that tests run on."""
    rest = [word for word in words if word != "--system"]
    options = dict(zip(rest[:-1:2], rest[1:-1:2], strict=True))
    require(set(options) <= USERADD, f"unknown: {set(options) - USERADD}")
    note("users", rest[-1])


def pip(*words: str) -> None:
    """Look whether what it would install is there: it would ask a registry, and take a minute."""
    verb, *rest = words
    require(verb == "install", "no such verb")
    while rest:
        word = rest.pop(0)
        if word in {"--requirement", "-r"}:
            require(Path(rest.pop(0)).is_file(), "no such file")
        elif word == ".":
            require(Path("pyproject.toml").is_file(), "no package here")
            shutil.copy(tool("kataven-flask"), Path(os.environ["STAGE_SELF"]).parent)
        elif word.endswith(".whl"):
            require(Path(word).is_file(), "no such file")
        elif not word.startswith("-"):
            name = re.split(r"[\[<>=~!]", word)[0]
            pinned = re.search(rf"(?m)^{re.escape(name)}==", Path("requirements.lock").read_text())
            require(pinned, "the tests run with no such package")
        else:
            require(word in PIP, f"unknown: {word}")


def python(*words: str) -> None:
    """Look whether a module, its options and the files it is told of are there."""
    if words[0] == "-c":
        import_what(words[1])
    require(words[0] == "-m", "only modules are known")
    _, module, *rest = words
    if module == "venv":
        folder = Path(rest[0]) / "bin"
        folder.mkdir(parents=True)
        for name in ("pip", "python"):
            shutil.copy(tool(name), folder)
        return
    text = "" if module == "pytest" else source_of(module)
    for word in rest:
        if word.startswith("--"):
            require(re.search(f"['\"]{word}['\"]", text), f"unknown: {word}")
        elif re.search(r"\.[a-z]\w*$", word):
            require(Path(word).is_file(), "no such file")


def import_what(program: str) -> None:
    """Have a program's imports made by the tests' own Python: the rest would go on for ever."""
    imports = [n for n in ast.parse(program).body if isinstance(n, ast.Import | ast.ImportFrom)]
    become(sys.executable, "-c", "\n".join(map(ast.unparse, imports)))


def source_of(module: str) -> str:
    """Return the text of a module of the checkout, or of Python's own."""
    path = Path(module.replace(".", "/"))
    file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        spec = find_spec(module) if module.partition(".")[0] in sys.stdlib_module_names else None
        require(spec is not None and spec.origin, "no such module")
        file = Path(str(spec and spec.origin))
    return file.read_text()


def npm(verb: str) -> None:
    """Look whether there is something to install or to start: it would ask a registry."""
    require(verb in {"install", "start"}, "no such verb")
    package = json.loads(Path("package.json").read_text())
    require(verb == "install" or "start" in package["scripts"], "no such script")


def flask(verb: str, *words: str) -> None:
    """Look whether there is an app: it would go on until Ctrl-C; tests/test_examples.py lets it."""
    require((verb, *words[::2]) in {("run",), ("run", "--host")}, "unknown")
    require(Path("app.py").is_file(), "no app")


def uvicorn(app: str, *words: str) -> None:
    """Look whether there is an app: it would go on until Ctrl-C; tests/test_examples.py lets it."""
    require(set(words[::2]) <= {"--host", "--port"}, "unknown")
    require(Path(app.partition(":")[0] + ".py").is_file(), "no app")


def sudoedit(path: str) -> None:
    """Look whether the file is there; what to write into it stands below the command."""
    require(Path(path).is_file(), "no such file")


def nginx(*words: str) -> None:
    """Know the package: `tests/nginx.py` has nginx run with that very file."""
    require(words == ("-t",), "only -t is known")
    know_package("nginx")


def redis_cli(*words: str) -> None:
    """Know what is asked: there is no Redis on a stage."""
    asked = words[:2] == ("config", "get") or words[:1] == ("info",)
    require(asked, "unknown")


def ss(*words: str) -> None:
    """Know the options: the machine's connections aren't a test's to read."""
    require(words[0] in {"-Htn", "-tn"}, "unknown")


def promtool(*words: str) -> None:
    """Know what is checked: `tests/test_alerts.py` has it checked by the real one."""
    require(words[:2] in {("check", "config"), ("check", "rules")}, "unknown")
