"""The source itself: searched for dangerous calls, and without a secret that opens anything."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from kataven_flask.demo.run import SECRET_KEY

ROOT: Final = Path(__file__).parent.parent
SECRET_KEYS: Final = re.compile(r"sk_(?:live|test)_[a-z0-9-]{2,32}_[A-Za-z0-9]{22,}")
HASHES: Final = re.compile(r"sha256:([0-9a-f]{64})\b")
PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|[\s\",])+[A-Za-z0-9+/]{20}"
)
TEST_KEYS: Final = {"tests/vectors/keys.json"}
"""Keys that sign the hostile tokens of the tests, made for that alone."""
RUFF: Final = [sys.executable, "-m", "ruff", "check", "--no-cache"]
UNEXPLAINED: Final = re.compile(r"# noqa(?!: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)* - \w).*\bS[0-9]{3}\b")


def test_dangerous_calls_are_refused() -> None:
    """In the package, `make check` stops at a shell, eval, a pickle, a weak hash, no time limit."""
    code = (
        '"""A module."""\n\nimport hashlib\nimport pickle\nimport subprocess\n\n'
        'import requests\nimport yaml\n\nsubprocess.run("ls " + input(), shell=True)\n'
        'eval(input())\npickle.loads(b"")\nyaml.load("", yaml.Loader)\nhashlib.md5(b"")\n'
        'requests.get("https://acme.com", verify=False)\nassert code\npassword = "hunter2"\n'
    )
    ran = subprocess.run(
        [*RUFF, "--output-format", "concise", "--stdin-filename", "kataven_flask/anew.py", "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    found = set(re.findall(r": (S[0-9]{3}) ", ran.stdout))
    assert {"S101", "S105", "S113", "S301", "S307", "S324", "S501", "S506", "S602"} <= found


def test_every_exception_has_its_reason() -> None:
    """Where the package is let off one of these rules, the line says why."""
    for path in (ROOT / "kataven_flask").rglob("*.py"):
        for line in path.read_text().splitlines():
            assert not UNEXPLAINED.search(line), f"{path.name}: {line}"


@pytest.fixture(scope="module")
def texts(tracked: set[str]) -> dict[str, str]:
    """Return the text of each file that git has, by its name."""
    names = [name for name in sorted(tracked) if (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(errors="replace") for name in names}


def test_no_secret_key_opens_anything(texts: dict[str, str]) -> None:
    """A secret key in the repository is an invented one, but for the demo's, which is public."""
    hashes = {found for text in texts.values() for found in HASHES.findall(text)}
    keys = {found for text in texts.values() for found in SECRET_KEYS.findall(text)}
    opening = {key for key in keys if hashlib.sha256(key.encode()).hexdigest() in hashes}
    assert opening == {SECRET_KEY}
    assert SECRET_KEY.startswith("sk_test_")


def test_no_private_key_is_kept(texts: dict[str, str]) -> None:
    """A private key stands in no file but the tests' own."""
    assert {name for name, text in texts.items() if PRIVATE_KEY.search(text)} == TEST_KEYS
