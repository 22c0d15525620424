"""A stage: a folder that stands for a machine, on which the pages' commands are run."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from tests.docs.blocks import ROOT, Block
from tests.docs.standins import STAND_INS
from tests.docs.standins.machine import mapped
from tests.docs.terminal import lasting, steps
from tests.running import BOUND, COMMAND, free_port, wait_until
from tests.support import API

PROGRAMS: Final = (
    *("awk", "cat", "cp", "df", "dirname", "echo", "head", "id", "ls", "mv", "openssl", "printf"),
    *("rm", "sed", "sh", "sort", "tail", "tee", "uniq", "wc"),
)
"""Run as they are. What is neither here nor among the stand-ins isn't found on a stage."""
PLACES: Final = (
    *("etc/cron.d", "etc/nginx/conf.d", "etc/prometheus", "etc/systemd/system"),
    "usr/local/sbin",
)
"""Folders that every machine has where the page's packages are installed."""
LEFT: Final = (".*", "__pycache__", "build", "dist", "instance", "node_modules", "*.png")
"""What lies about in a checkout, or is large; all else is copied, so that nothing is harmed."""
START: Final = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.docs.standins as s; s.main()"
)
KEY: Final = re.compile(r"pk_(?:live|test)_[a-z0-9-]+_(?:…|\w+)")
SECRET: Final = re.compile(r"sk_(?:live|test)_[a-z0-9-]+_\w+")
ELSEWHERE: Final = re.compile(r"""(?:^|(?<=[\s'"=(<>|;&]))/(?!dev/(?:stdin|null)\b)\S*""")
"""A path from the top of the machine itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one block of the shell needs that its page has its reader know or type.

    Args:
        page: The block's page.
        first: How it begins.
        before: What has been done before, in the shell's words.
        typed: What the reader types when asked.
        words: Placeholders of the block, and what the reader writes for them.
        status: The exit status of each `kataven-flask` in it, or "any".
        says: A regular expression that its output has to match somewhere.
    """

    page: str
    first: str
    before: str = ""
    typed: str = ""
    words: dict[str, str] = field(default_factory=dict)
    status: Literal[0, 1, "any"] = 0
    says: str = ""

    def is_of(self, block: Block) -> bool:
        """Tell whether a block is this scene's."""
        return block.page == self.page and block.text.startswith(self.first)


class Stage:
    """A machine with a checkout, a shell and nothing else.

    Args:
        root: The folder that stands for `/`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkout = root / "checkout"
        self._port = str(free_port())
        self._tools = root / "tools"
        self._secret = ""
        self._make_checkout()
        for name in STAND_INS:
            _write_stand_in(self._tools / name, name)
        _write_script(self._tools / "sudo", 'exec "$@"')  # who runs the tests is root on a stage
        for name in PROGRAMS:
            if path := shutil.which(name, path=os.defpath):
                (self._tools / name).symlink_to(path)
        for place in PLACES:
            (root / place).mkdir(parents=True)

    def run(self, block: Block, scene: Scene | None = None) -> str:
        """Run a block as it stands; return what is wrong, empty where nothing is."""
        scene = scene or Scene(block.page, "")
        text = block.text
        for placeholder, words in scene.words.items():
            text = text.replace(placeholder, words)
        if place := ELSEWHERE.search(self._mapped(text).replace(str(self.root), "~")):
            return f"{place[0]} is no place of a stage: see FOLDERS in tests/docs/standins"
        if block.page.startswith("examples/"):  # its reader is in its folder
            scene = replace(scene, before=f"cd {Path(block.page).parent}\n{scene.before}")
        if block.language == "console":
            return self._compare(text, scene)
        ran = self._shell(self._mapped(text), scene)
        if ran.returncode:
            return f"it ended with {ran.returncode}:\n{ran.stdout}"
        return "" if re.search(scene.says, ran.stdout) else f"no {scene.says!r} in:\n{ran.stdout}"

    def close(self) -> None:
        """End the server."""
        pid = self.root / "server.pid"
        if pid.exists():
            with suppress(ProcessLookupError):
                os.killpg(int(pid.read_text()), signal.SIGKILL)

    def _compare(self, text: str, scene: Scene) -> str:
        """Run what stands behind each `$`, and hold what it prints against what stands below."""
        for command, told in steps(text):
            said = self._shell(self._mapped(command), replace(scene, status="any")).stdout
            if lasting(said) != lasting(told):
                return f"$ {command}\nsays:\n{lasting(said)}\nand not:\n{lasting(told)}"
        return ""

    def _shell(self, text: str, scene: Scene) -> subprocess.CompletedProcess[str]:
        self._wait_for_edits()
        ran = subprocess.run(
            ["/bin/sh", "-eu", "-c", f"{scene.before}\n{text}"],
            cwd=self.checkout,
            env=self._environment(scene),
            input=scene.typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * BOUND,
            check=False,
        )
        self._remember(ran.stdout)
        return ran

    def _make_checkout(self) -> None:
        shutil.copytree(ROOT, self.checkout, ignore=shutil.ignore_patterns(*LEFT))
        for name in ("kataven-flask", "python"):
            _write_stand_in(self.checkout / ".venv/bin" / name, name)
        wheel = self.checkout / "dist/kataven_flask-1-py3-none-any.whl"  # as by `make wheel`
        wheel.parent.mkdir()
        wheel.touch()

    def _environment(self, scene: Scene) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        return {
            **kept,
            "HOME": str(self.root),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{self.root}/usr/local/sbin:{self._tools}",
            "STAGE": str(self.root),
            "STAGE_COMMAND": COMMAND,
            "STAGE_PORT": self._port,
            "STAGE_STATUS": str(scene.status),
            "STAGE_TOOLS": str(self._tools),
            "KATAVEN_URL": f"http://127.0.0.1:{self._port}",
            "KATAVEN_LISTEN": f"127.0.0.1:{self._port}",
            "KATAVEN_SECRET_KEY": self._secret,
        }

    def _mapped(self, text: str) -> str:
        """Return a block's text with this stage's places, address and keys."""
        return KEY.sub(lambda shown: self._key(shown[0]), mapped(text, self.root, self._port))

    def _key(self, shown: str) -> str:
        """Return the key that is there for one that a page shows, cut short or of another run."""
        there = self._keys()
        kin = [key for key in there if key.startswith(shown.rpartition("_")[0])]
        return shown if shown in there or not kin else kin[0]

    def _keys(self) -> list[str]:
        return [key for path in self._tenants() for key in re.findall(r"pk_\w+", path.read_text())]

    def _tenants(self) -> list[Path]:
        """Return the tenants' file of the server, or else of the checkout."""
        places = [self.root / "etc/kataven-flask", self.checkout / "config"]
        return [path / "tenants.yaml" for path in places if (path / "tenants.yaml").exists()][:1]

    def _remember(self, output: str) -> None:
        """Take over the secret key that a command has shown, as its reader does."""
        if found := SECRET.findall(output):
            self._secret = found[-1]

    def _wait_for_edits(self) -> None:
        """Wait until the server, where one runs, knows the newest key of its file."""
        keys = self._keys()
        if keys and (self.root / "server.pid").exists():
            wait_until(lambda: self._is_known(keys[-1]), "the server has the last edit")

    def _is_known(self, key: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", int(self._port), timeout=BOUND)
        with closing(connection):
            try:
                connection.request("GET", f"{API}/config?client_key={key}")
                answer = connection.getresponse()
            except OSError:
                return True  # it has died: what is run next will say so
            return answer.headers["X-Error-Code"] != "unknown_client_key"


def _write_stand_in(path: Path, name: str) -> None:
    command = shlex.join([sys.executable, "-IS", "-c", START, name])
    _write_script(path, f'export STAGE_SELF="$0"\nexec {command} "$@"')


def _write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
