"""The machine that a stage is: its places, and what commands before have brought to it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(os.environ.get("STAGE", "/nowhere"))
"""The folder that stands for `/`."""
FOLDERS: Final = re.compile(r"(?<![\w.:/-])/(?=(?:etc|home|opt|root|run|srv|tmp|usr|var)\b)")
UNITS: Final = {"nginx": "nginx", "prometheus": "", "redis-server": "redis-server"}
"""Units of Debian's, and the package that brings each; empty for what a reader has already."""


def mapped(text: str, root: Path, port: str) -> str:
    """Return a text of the documentation for a folder that stands for `/`, and a free port."""
    text = FOLDERS.sub(f"{root}/", text)
    text = re.sub(r"https://widget\.example\.com(?::\d+)?", f"http://127.0.0.1:{port}", text)
    return re.sub(r"\b(?:\d+(?:\.\d+){3}|localhost):8000\b", f"127.0.0.1:{port}", text)


def refuse(why: str) -> NoReturn:
    """End with the reason why the command would not work."""
    sys.exit(f"{' '.join(sys.argv[1:])}: {why}")


def require(truth: object, why: str) -> None:
    """Refuse the command unless something holds."""
    if not truth:
        refuse(why)


def become(program: str, *words: str) -> NoReturn:
    """Go on as another program."""
    os.execvp(program, [program, *words])  # noqa: S606 - words of a page, and no shell


def tool(name: str) -> Path:
    """Return where a stand-in is."""
    return Path(os.environ["STAGE_TOOLS"]) / name


def found(name: str) -> str:
    """Return the machine's own program of a name."""
    path = shutil.which(name, path=os.defpath)
    require(path, "it isn't on this machine")
    return str(path)


def note(what: str, *names: str) -> None:
    """Remember for the commands that follow."""
    with (ROOT / what).open("a") as file:
        file.writelines(f"{name}\n" for name in names)


def noted(what: str) -> list[str]:
    """Return what earlier commands brought."""
    path = ROOT / what
    return path.read_text().split() if path.exists() else []


def know_package(name: str) -> None:
    """Refuse a program that the page has not had installed before."""
    require(name in noted("packages"), f"no command installed it: {name}")


def know_unit(name: str) -> None:
    """Refuse a unit that isn't known, or whose package the page has not had installed before."""
    require(name in UNITS, f"an unknown unit: {name}")
    if UNITS[name]:
        know_package(UNITS[name])


def know_user(name: str) -> None:
    """Refuse a user that the page has not made before."""
    require(name == "root" or name in noted("users"), f"no command made the user {name}")
