"""`kataven-flask doctor` as it is typed, against the real server."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from kataven_flask.cli import main
from tests.running import COMMAND, free_port, running
from tests.support import KEY, NO_LIMITS, ORIGIN, PINNED_KEY, SECRET, document

STRANGER: Final = "https://www.acme.net"
SECRET_LIKE: Final = re.compile(r"eyJ|sk_live|[\w-]{40,}")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the server, and return where."""
    folder = tmp_path_factory.mktemp("server")
    config = folder / "tenants.yaml"
    config.write_text(yaml.safe_dump(document(limits=NO_LIMITS)))
    options = ["--config", str(config), "--listen", "127.0.0.1:0", "--instance", str(folder / "i")]
    with running(COMMAND, "serve", *options, cwd=folder) as server:
        yield f"http://127.0.0.1:{server.port()}"


def doctor(url: str, *options: str, origin: str = ORIGIN, key: str = KEY, **env: str) -> Result:
    """Run the command."""
    arguments = ["--url", url, "--client-key", key, "--origin", origin, *options]
    return CliRunner(env={"KATAVEN_SECRET_KEY": None, **env}).invoke(main, ["doctor", *arguments])


def marks(result: Result) -> list[str]:
    """Return the mark and the name of each step's line."""
    return re.findall(r"^  ([✓!✗-] .{13})", result.stdout, re.MULTILINE)


def test_all_is_well(url: str) -> None:
    """Each step is a line with its status and its time, and the verdict is the widget's."""
    result = doctor(url, "--sign-in", KATAVEN_SECRET_KEY=SECRET)
    assert result.exit_code == 0, result.output
    assert len(marks(result)) == 20
    assert {mark[0] for mark in marks(result)} == {"✓"}
    assert re.search(r"^  ✓ guest +200 +\d+ ms  a session", result.stdout, re.MULTILINE)
    assert "The widget comes up on https://acme.com." in result.stdout
    assert result.stderr == ""


def test_a_fault(url: str) -> None:
    """What fails says what it means, what to do, and the command to copy; exit status 1."""
    result = doctor(url, origin=STRANGER)
    assert result.exit_code == 1
    assert re.search(r"^  ✗ config +403 +\d+ ms  origin_not_allowed$", result.stdout, re.MULTILINE)
    assert f"\n        kataven-flask origins explain {KEY} {STRANGER}\n" in result.stdout
    assert re.search(r"^  - guest +needs config$", result.stdout, re.MULTILINE)
    assert result.stdout.endswith("\n1 step failed: config.\n")


def test_quiet(url: str) -> None:
    """Only what failed is printed, and nothing where nothing did."""
    assert (doctor(url, "-q").output, doctor(url, "--quiet").exit_code) == ("", 0)
    result = doctor(url, "-q", origin=STRANGER)
    assert [mark.strip() for mark in marks(result)] == ["✗ config"]
    assert "doesn't admit" in result.output
    assert "failed" not in result.output


def test_json(url: str) -> None:
    """A script gets one value, with every step, its findings and whether all is well."""
    for origin, ok in ((ORIGIN, True), (STRANGER, False)):
        result = doctor(url, "--json", origin=origin)
        value: dict[str, Any] = json.loads(result.stdout)
        assert (value["ok"], value["origin"], result.exit_code) == (ok, origin, 1 - ok)
        config = value["steps"][3]
        assert (config["name"], config["status"]) == ("config", 200 if ok else 403)
        assert config["state"] == ("ok" if ok else "failed")
        assert bool(config["findings"]) is not ok


def test_guests_are_not_admitted(url: str) -> None:
    """For an agent of users alone, the verdict is that the sign-in was not tried."""
    result = doctor(url, key=PINNED_KEY)
    assert result.exit_code == 0
    assert "a user's sign-in was not tried" in result.stdout


def test_no_token_and_no_secret_is_printed(url: str) -> None:
    """Whatever is asked for, nothing of a token or a secret key is in the output."""
    for options in ((), ("--json",), ("--quiet",)):
        for origin in (ORIGIN, STRANGER):
            for secret in (SECRET, SECRET[:-1] + "x"):
                asked = ["--sign-in", *options]
                shown = doctor(url, *asked, origin=origin, KATAVEN_SECRET_KEY=secret).output
                assert not SECRET_LIKE.search(shown.replace(KEY, "")), shown


def test_lines_fit_a_terminal(url: str) -> None:
    """No line but a command to copy is longer than 80 characters."""
    outputs = [
        doctor(url, "--sign-in", KATAVEN_SECRET_KEY=SECRET).output,
        doctor(url, origin=STRANGER).output,
        doctor(url, key=PINNED_KEY).output,
        doctor(f"http://127.0.0.1:{free_port()}").output,
    ]
    lines = [line for each in outputs for line in each.splitlines()]
    assert max(len(line) for line in lines if "kataven-flask origins" not in line) <= 80


def test_the_same_is_not_said_twice(tmp_path: Path) -> None:
    """Where several steps fail for one reason, it is told with the first of them."""
    with running(
        sys.executable, "-um", "http.server", "-b", "127.0.0.1", "0", cwd=tmp_path
    ) as site:
        port = site.wait_for(r"port (\d+)")[1]
        result = doctor(f"http://127.0.0.1:{port}")
    assert [mark.strip() for mark in marks(result) if mark[0] == "✗"] == [
        "✗ widget",
        "✗ config",
        "✗ preflight",
        "✗ keys",
    ]
    assert result.output.count("A web page came instead") == 1
    assert "4 steps failed; begin with widget." in result.output


def test_mixed_content_is_the_verdict(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An http server of another host isn't said to come up in an https page."""
    real, port = socket.create_connection, int(url.rpartition(":")[2])

    def near(_: tuple[str, int], timeout: float) -> socket.socket:
        return real(("127.0.0.1", port), timeout)

    monkeypatch.setattr(socket, "create_connection", near)
    result = doctor("http://widget.example.com")
    assert result.exit_code == 0
    assert "  ! reach" in result.stdout
    assert "a browser blocks http" in result.stdout.splitlines()[-1]


# --- the secret key


@pytest.mark.parametrize("text", ["hunter2", "sk_live_acme\x1b", KEY])
def test_what_is_no_secret_key(url: str, text: str) -> None:
    """It is told in one line, and not shown."""
    result = doctor(url, "--sign-in", KATAVEN_SECRET_KEY=text)
    assert result.exit_code == 1
    assert result.output == "Error: --sign-in: that is not a secret key; it begins with sk_\n"


@pytest.mark.parametrize("environ", [{}, {"KATAVEN_SECRET_KEY": ""}], ids=["none", "empty"])
def test_no_secret_key_where_nobody_can_be_asked(url: str, environ: dict[str, str]) -> None:
    """A script is told which variable to set."""
    result = doctor(url, "--sign-in", **environ)
    assert (result.exit_code, result.output) == (
        1,
        "Error: --sign-in: put the secret key into KATAVEN_SECRET_KEY\n",
    )


def test_the_secret_key_is_asked_for_on_a_terminal(url: str) -> None:
    """It is typed without being shown, and then a user is signed in."""
    ours, theirs = pty.openpty()
    arguments = ["--url", url, "--client-key", KEY, "--origin", ORIGIN, "--sign-in"]
    environ = {k: v for k, v in os.environ.items() if k != "KATAVEN_SECRET_KEY"}
    with subprocess.Popen(
        [COMMAND, "doctor", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = read_until(ours, "(not shown)")
        os.write(ours, f"{SECRET}\n".encode())
        shown += read_until(ours, None)
    os.close(ours)
    assert process.returncode == 0, shown
    assert SECRET not in shown
    assert "user: logout" in shown
    assert "\x1b[32m✓" in shown


def read_until(terminal: int, text: str | None) -> str:
    """Read what a terminal shows until a text stands there, or until its end."""
    shown = b""
    while text is None or text.encode() not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    return shown.decode()


# --- mistakes


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--origin", "https://acme.com/shop"], "an origin has none: write https://acme.com"),
        (["--client-key", SECRET], "it stands in your shell's history: rotate it"),
        (["--url", "widget.example.com"], "write http:// or https://"),
    ],
)
def test_a_mistake_is_one_line(url: str, options: list[str], told: str) -> None:
    """What can't be meant is told before anything is sent, without the secret that it may be."""
    result = doctor(url, *options)
    assert result.exit_code == 1
    assert told in result.output
    assert result.output.count("\n") == 1
    assert SECRET not in result.output


@pytest.mark.parametrize("missing", ["--client-key", "--origin"])
def test_what_has_to_be_given(missing: str) -> None:
    """Without the key or the origin it is wrong usage, exit status 2."""
    given = {"--client-key": KEY, "--origin": ORIGIN}
    del given[missing]
    result = CliRunner().invoke(main, ["doctor", *next(iter(given.items()))])
    assert result.exit_code == 2
    assert missing in result.output
