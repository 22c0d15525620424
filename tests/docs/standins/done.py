"""Commands that are carried out on a stage, as far as that fits into a folder."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.docs.standins.machine import ROOT, become, found, know_unit, know_user, mapped, require


def ssh(host: str, *words: str) -> None:
    """Run the command here: all hosts of the page are this one."""
    require(re.fullmatch(r"[\w.@-]+", host), "no host")
    become(words[0], *words[1:])


def curl(*words: str) -> None:
    """Ask, and fail where the answer is an error, also where the page's command would not."""
    hosts = {urlsplit(word).hostname for word in words if "://" in word}
    require(hosts == {"127.0.0.1"}, f"tests ask nobody else: {hosts}")
    fails = any(re.match(r"-\w*f|--fail", word) for word in words)
    more = ["--noproxy", "*", *([] if fails else ["--fail-with-body"])]
    become(found("curl"), *more, *words)


def make(*words: str) -> None:
    """Have make find its targets, and carry out none of them: they take minutes."""
    become(found("make"), "--dry-run", "--silent", *words)


def install(*words: str) -> None:
    """Copy a file to its place on the stage, with what it says of places and users made to fit."""
    left, mode = [], 0o755
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-m":
            mode = int(rest.pop(0), 8)
        elif word in {"-o", "-g"}:
            know_user(rest.pop(0))
        else:
            left.append(word)
    if left[0] == "-d":
        for folder in left[1:]:
            Path(folder).mkdir(mode, parents=True, exist_ok=True)
        return
    source, target = left
    text = Path(source).read_text().replace("= kataven ]", f"= {getpass.getuser()} ]")
    Path(target).unlink(missing_ok=True)
    Path(target).write_text(mapped(text, ROOT, os.environ["STAGE_PORT"]))
    Path(target).chmod(mode)


def grep(*words: str) -> None:
    """Look for a pattern; that there is nothing of the kind is an answer, too."""
    ended = subprocess.run([found("grep"), *words], check=False).returncode
    sys.exit(0 if ended == 1 else ended)


def journalctl(*words: str) -> None:
    """Print what the server has said; the machine's own log isn't a test's to read."""
    rest = list(words)
    unit = ""
    while rest:
        word = rest.pop(0)
        require(word in {"-u", "-n", "-k", "-o", "--since"}, f"unknown: {word}")
        if word != "-k":
            value = rest.pop(0)
            unit = value if word == "-u" else unit
    if unit == "kataven-flask":
        sys.stdout.write((ROOT / "server.log").read_text())
    elif unit:
        know_unit(unit)


def jq(*words: str) -> None:
    """Have a real jq read the lines, where there is one."""
    if program := shutil.which("jq", path=os.defpath):
        become(program, *words)
    sys.stdin.read()


def docker(*words: str) -> None:
    """Find the service in the compose file; run in this place what would run in its container."""
    group, verb, *rest = words
    require(group == "compose", "only compose is known")
    names = re.findall(r"(?m)^  ([\w-]+):$", Path("compose.yaml").read_text())
    if verb == "up":
        require(set(rest) <= {"--build", "--detach", "--wait", "-d"}, "no such option")
        return
    require(verb in {"exec", "logs", "ps", "restart"}, "no such verb")
    if rest:
        require(rest[0] in names, f"no such service: {rest[0]}")
    if verb == "exec":
        become(*rest[1:])
