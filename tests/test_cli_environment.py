"""Each option's variable: that it has one, is read, and how it is told when it can't be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner, Result

from kataven_flask.cli import main
from kataven_flask.cli.environment import TYPED
from kataven_flask.key_ring_file import open_key_ring, read_key_ring
from tests.desk import KEY, Desk


def _options(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Option]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _options(inner, *path, name)
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "version":
            yield path, option


EVERY_OPTION: Final = list(_options(main))
IN_WORDS: Final = [f"{' '.join(path)} {option.opts[-1]}" for path, option in EVERY_OPTION]
SWITCHES: Final = [(path, each) for path, each in EVERY_OPTION if each.is_flag and each.envvar]

OF_A_KEY: Final = {
    "KATAVEN_KEYS_CREATE_NAME": "from a variable",
    "KATAVEN_KEYS_CREATE_ORIGIN": "https://a.example  https://b.example",
}

each_option = pytest.mark.parametrize(("path", "option"), EVERY_OPTION, ids=IN_WORDS)


def run(*arguments: str, said: str | None = None, **environ: str) -> Result:
    """Run a command in an environment."""
    return CliRunner().invoke(
        main, list(arguments), input=said, env=environ, prog_name="kataven-flask"
    )


@each_option
def test_each_has_one_or_is_typed(path: tuple[str, ...], option: click.Option) -> None:
    """Every option of every command has a variable, but for what ends something."""
    is_typed = option.name in TYPED.get(" ".join(path), set())
    assert (option.envvar is None) == is_typed
    assert is_typed or str(option.envvar).startswith("KATAVEN_")


def test_what_is_typed_is_there() -> None:
    """The list of what is never read from a variable names options that there are."""
    there = {(" ".join(path), option.name) for path, option in EVERY_OPTION}
    assert {(path, name) for path, names in TYPED.items() for name in names} <= there
    assert {path for path, name in there if name == "yes"} <= TYPED.keys()


def test_one_variable_is_one_thing() -> None:
    """Options that share a variable are spelled alike; no two others do."""
    spelled: dict[str, set[tuple[str, ...]]] = {}
    for _, option in EVERY_OPTION:
        if option.envvar:
            spelled.setdefault(str(option.envvar), set()).add(tuple(option.opts))
    assert {name for name, ways in spelled.items() if len(ways) > 1} == set()


@each_option
def test_help_names_it(path: tuple[str, ...], option: click.Option) -> None:
    """A command's help has each variable, whole or by its beginning and the option."""
    words = " ".join(run(*path, "--help").stdout.split())
    name, long = str(option.envvar), max(option.opts, key=len)
    if option.envvar is None:
        assert name not in words
    elif name not in words:
        beginning, _, rest = words.partition("Environment: ")[2].partition("… for ")
        assert name == beginning + long.removeprefix("--").upper().replace("-", "_")
        assert long in rest


def needed(path: tuple[str, ...]) -> list[str]:
    """Return what else a command line must have, so that only one fault is left to tell."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    words = [(p.opts if isinstance(p, click.Option) else []) for p in command.params if p.required]
    return [word for opts in words for word in (*opts, "x")]


class TestReading:
    """What a variable may say."""

    def test_a_text(self, desk: Desk) -> None:
        """A variable stands for its option."""
        environ = {**OF_A_KEY, "KATAVEN_CONFIG": str(desk.config)}
        assert run("keys", "create", "acme", **environ).exit_code == 0
        (key,) = (r.key for r in desk.registry.keys.values() if r.key.name == "from a variable")
        assert [e.text for e in key.domain_allowlist] == ["https://a.example", "https://b.example"]

    def test_what_is_typed_wins(self, desk: Desk) -> None:
        """An option on the command line comes before its variable."""
        environ = {**OF_A_KEY, "KATAVEN_CONFIG": str(desk.config)}
        assert run("keys", "create", "acme", "--name", "typed", **environ).exit_code == 0
        names = {record.key.name for record in desk.registry.keys.values()}
        assert "typed" in names
        assert "from a variable" not in names

    @pytest.mark.parametrize("word", ["1", "true", "True", "yes", "on", " 1 "])
    def test_a_switch_is_on(self, desk: Desk, word: str) -> None:
        """A switch is on by 1, true, yes or on."""
        result = run("keys", "list", KATAVEN_CONFIG=str(desk.config), KATAVEN_JSON=word)
        assert json.loads(result.stdout)

    @pytest.mark.parametrize("word", ["", "0", "false", "no", "off"])
    def test_a_switch_is_off(self, desk: Desk, word: str) -> None:
        """A switch is off by 0, false, no or off, and where its variable is empty."""
        result = run("keys", "list", KATAVEN_CONFIG=str(desk.config), KATAVEN_JSON=word)
        assert result.stdout.startswith("CLIENT KEY")

    def test_a_dry_run_writes_nothing(self, desk: Desk) -> None:
        """`KATAVEN_DRY_RUN=1` keeps a whole script from writing."""
        before = desk.config.read_bytes()
        result = run(
            "tenants", "add", "bikes", KATAVEN_CONFIG=str(desk.config), KATAVEN_DRY_RUN="1"
        )
        assert result.exit_code == 0, result.output
        assert desk.config.read_bytes() == before

    @pytest.mark.parametrize(
        ("path", "option"), SWITCHES, ids=lambda value: str(getattr(value, "envvar", ""))
    )
    def test_a_switch_that_says_neither(self, path: tuple[str, ...], option: click.Option) -> None:
        """A word that is neither on nor off is refused by the variable's own name."""
        result = run(*path, *needed(path), **{str(option.envvar): "maybe"})
        assert result.exit_code == 2, result.output
        assert f"Invalid value for {option.envvar}: 'maybe'" in result.stderr

    def test_a_number_that_is_none(self) -> None:
        """A fault is told by the name of what has to be mended: here nobody typed --threads."""
        result = run("serve", KATAVEN_THREADS="many")
        assert result.exit_code == 2
        assert "Invalid value for KATAVEN_THREADS: 'many'" in result.stderr
        typed = run("serve", "--threads", "many", KATAVEN_THREADS="4")
        assert "Invalid value for '--threads'" in typed.stderr

    @pytest.mark.parametrize("name", ["KATAVEN_HELP", "KATAVEN_VERSION", "KATAVEN_SERVE_HELP"])
    def test_help_and_version_have_none(self, desk: Desk, name: str) -> None:
        """A version that somebody keeps in the environment is no order to show ours."""
        result = run("check", KATAVEN_CONFIG=str(desk.config), **{name: "1"})
        assert "is sound" in result.output


class TestDanger:
    """What a variable that was left behind can't do."""

    def test_no_question_is_answered(self, desk: Desk) -> None:
        """Nothing but --yes stands for a yes."""
        left = ("KATAVEN_YES", "KATAVEN_KEYS_REVOKE_YES", "KATAVEN_TENANTS_REMOVE_YES")
        environ = {"KATAVEN_CONFIG": str(desk.config), **dict.fromkeys(left, "1")}
        before = desk.config.read_bytes()
        assert run("keys", "revoke", KEY, said="", **environ).exit_code == 1
        assert run("tenants", "remove", "acme", said="", **environ).exit_code == 1
        assert desk.config.read_bytes() == before

    def test_no_key_goes(self, tmp_path: Path) -> None:
        """A plain rotation stays one, whatever was exported in a hurry after a leak."""
        before = open_key_ring(tmp_path / "instance")
        left = ("KATAVEN_SIGNING_KEYS_ROTATE_LEAKED", "KATAVEN_SIGNING_KEYS_ROTATE_AT_ONCE")
        environ = {"KATAVEN_INSTANCE": str(tmp_path / "instance"), **dict.fromkeys(left, "1")}
        result = run("signing-keys", "rotate", **environ)
        assert result.exit_code == 0, result.output
        after = read_key_ring(tmp_path / "instance")
        assert {entry.id for entry in before.entries} < {entry.id for entry in after.entries}
        assert after.signing_key(time.time()).id == before.newest.id


class TestEmpty:
    """`--option "$UNSET"`."""

    @pytest.mark.parametrize("option", ["config", "instance", "state", "issuer", "trusted-proxies"])
    def test_is_refused_where_it_is_typed(self, option: str) -> None:
        """An empty word on the command line is a slip: no store or key is made elsewhere for it."""
        result = run("serve", f"--{option}", "")
        assert result.exit_code == 2
        assert "it is empty; is the variable set?" in result.stderr
