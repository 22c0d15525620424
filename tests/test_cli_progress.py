"""A word to who waits: after a second, on a terminal, and gone in the end."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.running import BOUND
from tests.terminal import terminal

TOLD = "reading config/tenants.yaml … ".encode() + rb"\d+ s"
WORK = """
import sys
from kataven_flask.cli.progress import patience
print("begun", flush=True)
with patience("reading config/tenants.yaml", quiet="quiet" in sys.argv):
    if "fail" in sys.argv:
        sys.stdin.readline()
        raise SystemExit("failed")
    if "long" in sys.argv:
        sys.stdin.readline()
print("done")
"""
"""Waits for a line of stdin, as a command would for a slow disk."""


def command(*arguments: str) -> list[str]:
    """Return the command line of a wait."""
    return [sys.executable, "-c", WORK, *arguments]


def test_a_long_wait_is_told_and_cleaned_up() -> None:
    """After a second it says what is waited for and counts; at the end the line is erased."""
    with terminal(command("long")) as screen:
        screen.wait_for(TOLD)
        screen.wait_for(TOLD + rb"\r\x1b\[K" + TOLD)
        seconds = [int(text) for text in re.findall(rb"(\d+) s", screen.screen)]
        assert seconds[0] >= 1
        assert seconds[1] > seconds[0]
        screen.type(b"\n")
        assert screen.ended() == 0
        assert screen.screen.endswith(b"\r\x1b[Kdone\r\n")


def test_a_failure_cleans_up_too() -> None:
    """However the wait ends, what follows begins on a clean line."""
    with terminal(command("fail")) as screen:
        screen.wait_for(rb" \d+ s")
        screen.type(b"\n")
        assert screen.ended() == 1
        assert screen.screen.endswith(b"\r\x1b[Kfailed\r\n")


def test_ctrl_c_cleans_up_too() -> None:
    """Ctrl-C ends the wait at once, on a clean line."""
    with terminal(command("long")) as screen:
        screen.wait_for(rb" \d+ s")
        screen.type(b"\x03")
        screen.ended()
        assert b"\r\x1b[KTraceback" in screen.screen  # of this bare script; a command has none


def test_a_short_wait_is_not_told() -> None:
    """What takes less than a second shows nothing at all."""
    with terminal(command()) as screen:
        assert screen.ended() == 0
        assert screen.screen == b"begun\r\ndone\r\n"


def test_it_fits_the_line() -> None:
    """On a narrow terminal the seconds stay, and nothing breaks into a second line."""
    with terminal(command("long"), columns=20) as screen:
        screen.wait_for(rb" \d+ s")
        screen.type(b"\n")
        screen.ended()
        shown = screen.screen.split(b"\r\x1b[K")[1].decode().strip()
        assert re.fullmatch(r"/tenants\.yaml … \d s", shown)  # 19 characters of 20


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_quiet_is_quiet(term: str) -> None:
    """With --quiet, or on a terminal that can't erase, nothing is shown."""
    arguments = ["long", "quiet"] if term == "xterm" else ["long"]
    with terminal(command(*arguments), TERM=term) as screen:
        screen.wait_for(b"begun\r\n")
        with pytest.raises(AssertionError, match="in time"):
            screen.wait_for(rb" \d+ s", within=1.5)
        screen.type(b"\n")
        screen.ended()
        assert screen.screen == b"begun\r\n\r\ndone\r\n"  # the terminal's own echo of the key


def test_no_word_off_a_terminal() -> None:
    """A log, a pipe and a script see none of it."""
    process = subprocess.Popen(
        command("long"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    assert process.communicate(b"\n", timeout=BOUND) == (b"done\n", b"")
