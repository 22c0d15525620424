"""How every command behaves, whichever there are: help, examples, exit codes, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click
import pytest
from click.testing import CliRunner, Result

from kataven_flask.cli import main
from tests.running import BOUND, COMMAND, free_port, running
from tests.support import Service
from tests.terminal import terminal

WIDTH: Final = 80


def walk(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command and group."""
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from walk(inner, *path, name)


def found(path: tuple[str, ...]) -> click.Command:
    """Return the command of a path."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


EVERYTHING: Final = list(walk(main))
COMMANDS: Final = [path for path in EVERYTHING if not isinstance(found(path), click.Group)]
GROUPS: Final = [path for path in EVERYTHING if isinstance(found(path), click.Group)]


def name_of(path: object) -> str:
    """Name a case by its command."""
    return "-".join(path) or "kataven-flask" if isinstance(path, tuple) else str(path)


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, list(arguments), prog_name="kataven-flask")


def run_really(
    *arguments: str, stdout: int | IO[str] = subprocess.PIPE, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [COMMAND, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
        text=True,
        encoding=environ.get("PYTHONIOENCODING"),
        timeout=BOUND,
        check=False,
    )


class TestHelp:
    """What a newcomer reads first."""

    @pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_is_everywhere(self, path: tuple[str, ...], option: str) -> None:
        """`-h` and `--help` explain every command and fit a terminal."""
        result = run(*path, option)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"Usage: {' '.join(['kataven-flask', *path])} ")
        too_long = [line for line in result.stdout.splitlines() if len(line) > WIDTH]
        assert not too_long

    @pytest.mark.parametrize("path", COMMANDS, ids=name_of)
    def test_has_an_example(self, path: tuple[str, ...]) -> None:
        """Every command's help has a line to copy."""
        text = run(*path, "--help").stdout
        _, example, lines = text.partition("Example")
        assert example, "no example"
        assert f"kataven-flask {' '.join(path)}" in " ".join(lines.split())

    @pytest.mark.parametrize("path", COMMANDS, ids=name_of)
    def test_explains_every_option(self, path: tuple[str, ...]) -> None:
        """No option stands there without a word."""
        options = [p for p in found(path).params if isinstance(p, click.Option)]
        assert [option.name for option in options if not option.help] == []

    @pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
    def test_begins_with_a_sentence(self, path: tuple[str, ...]) -> None:
        """The list of commands says of each what it does."""
        first = (found(path).help or "").partition("\n\n")[0].strip()
        assert first.endswith((".", ":"))

    def test_lists_each_command_by_its_own_first_line(self) -> None:
        """What the list says of a command is what the command says of itself."""
        context = click.Context(main)
        for name, command in main.commands.items():
            listed = main.get_command(context, name)
            assert listed is not None
            assert listed.get_short_help_str(WIDTH) == command.get_short_help_str(WIDTH)
        assert main.get_command(context, "serv") is None

    def test_documents_the_exit_codes(self) -> None:
        """`kataven-flask --help` says what the exit codes mean."""
        text = run("--help").stdout
        for code in ("0    done", "1    no", "2    the command line", "130  interrupted"):
            assert f"\n    {code}" in text


class TestWrongUsage:
    """Status 2, and what to type instead."""

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["sevre"], "Did you mean 'serve'?"),
            (["signing-keys", "rotat"], "Did you mean 'rotate'?"),
            (["check", "--confg", "x"], "Did you mean '--config'?"),
        ],
    )
    def test_a_slip_is_told(self, arguments: list[str], told: str) -> None:
        """A slip of the finger gets the word that was meant."""
        result = run(*arguments)
        assert result.exit_code == 2
        assert told in result.stderr

    @pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
    def test_of_every_command(self, path: tuple[str, ...]) -> None:
        """An option that isn't there is refused with status 2, and the way to the help."""
        result = run(*path, "--no-such-option")
        assert result.exit_code == 2
        assert "--no-such-option" in result.stderr
        assert f"Try '{' '.join(['kataven-flask', *path])} " in result.stderr
        assert result.stdout == ""

    @pytest.mark.parametrize("path", GROUPS, ids=name_of)
    def test_a_group_alone_shows_its_help(self, path: tuple[str, ...]) -> None:
        """A group without a command says which it has."""
        result = run(*path)
        assert result.exit_code == 2
        assert "Commands:" in result.output


class TestFaults:
    """What the machine does to a command."""

    @pytest.mark.parametrize(
        "arguments",
        [["--help"], ["serve", "--help"], ["completion", "bash"], ["schema"]],
    )
    def test_a_full_disk(self, arguments: list[str]) -> None:
        """Where stdout can't be written, one line says so."""
        with Path("/dev/full").open("w") as full:
            ran = run_really(*arguments, stdout=full)
        assert (ran.returncode, ran.stderr) == (1, "Error: No space left on device\n")

    @pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["check"]])
    def test_a_closed_pipe(self, tmp_path: Path, arguments: list[str]) -> None:
        """`| head` that has seen enough ends a command in silence."""
        service = Service(tmp_path)
        reader, writer = os.pipe()
        os.close(reader)
        config = str(service.settings.config)
        ran = run_really(*arguments, stdout=writer, KATAVEN_CONFIG=config)
        os.close(writer)
        assert (ran.returncode, ran.stderr) == (1, "")

    @pytest.mark.parametrize("command", [["check"], ["sessions", "revoke", "--session", "ses_x"]])
    @pytest.mark.parametrize("what", ["missing", "folder", "pipe in a folder", "unreadable"])
    def test_a_file_that_cannot_be_read(
        self, tmp_path: Path, command: list[str], what: str
    ) -> None:
        """A file that is missing, is a folder, or is not ours to read is told in one line."""
        path = tmp_path / "tenants.yaml"
        if what == "folder":
            (path / "a.yaml").mkdir(parents=True)
        elif what == "pipe in a folder":
            path.mkdir()
            (path / "a.yaml").symlink_to("a.yaml")
        elif what == "unreadable":
            path = Path("/proc/self/mem")  # even root can't read it at its start
        result = run(*command, "--config", str(path))
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")

    def test_a_fault_of_the_system_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error of the system that no command foresaw names the file and what is wrong."""

        def refuse() -> None:
            raise PermissionError(13, "Permission denied", "/etc/shadow")

        monkeypatch.setattr(found(("check",)), "callback", lambda **_: refuse())
        result = run("check")
        assert (result.exit_code, result.stderr) == (1, "Error: /etc/shadow: Permission denied\n")

    def test_a_terminal_without_unicode(self) -> None:
        """On a terminal of another character set help is still shown."""
        ran = run_really("sessions", "revoke", "-h", PYTHONIOENCODING="latin-1")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "\\u2026" in ran.stdout


class TestCtrlC:
    """Somebody changed their mind."""

    def test_is_no_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A command that is interrupted says so and ends with status 130."""

        def interrupted(**_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(found(("check",)), "callback", interrupted)
        result = run("check")
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr == "\nInterrupted.\n"

    @pytest.mark.parametrize("command", ["serve", "demo"])
    def test_a_server_is_ended_by_it(self, tmp_path: Path, command: str) -> None:
        """A server takes it for an orderly end: status 0, on whichever it is."""
        service = Service(tmp_path)
        port = str(free_port(1, 2, 3))
        arguments = ["--port", port]
        if command == "serve":
            arguments = ["--listen", f"127.0.0.1:{port}", "--instance", str(tmp_path / "i")]
            arguments += ["--config", str(service.settings.config)]
        with running(COMMAND, command, *arguments, cwd=tmp_path) as server:
            server.wait_for("Ctrl-C")
            assert server.end(signal.SIGINT) == 0, server.output
            assert "Traceback" not in server.output

    def test_at_a_question(self) -> None:
        """Who is asked may leave, too."""
        with terminal([COMMAND, "tokens", "inspect"]) as screen:
            screen.wait_for(b": ")
            screen.type(b"\x03")
            assert screen.ended() == 130
            assert screen.screen.endswith(b"Interrupted.\r\n")
