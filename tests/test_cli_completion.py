"""`kataven-flask completion`: what a shell offers after Tab."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from click.shell_completion import BashComplete, CompletionItem, get_completion_class
from click.testing import CliRunner

from kataven_flask.cli import main
from kataven_flask.cli.complete import (
    MAX_SIZE,
    complete_agent,
    complete_client_key,
    complete_entry,
    complete_tenant,
)
from tests.running import BOUND, COMMAND
from tests.support import KEY, OTHER_KEY, PINNED_KEY, document

VARIABLE: Final = "_KATAVEN_FLASK_COMPLETE"
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the tests' tenants' file."""
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(document()))
    return path


def offered(complete: Complete, incomplete: str, config: Path, **typed: Any) -> dict[str, Any]:
    """Return what is offered for a word, with the help beside it."""
    context = click.Context(click.Command("x"))
    context.params = {"config": config, **typed}
    parameter = click.Argument(["x"])
    return {item.value: item.help for item in complete(context, parameter, incomplete)}


class TestValues:
    """What the tenants' file gives."""

    def test_tenants(self, config: Path) -> None:
        """Tenants are offered by id, with their names."""
        assert offered(complete_tenant, "", config) == {"acme": "Acme Inc.", "other": "Other Ltd."}
        assert offered(complete_tenant, "o", config) == {"other": "Other Ltd."}

    def test_client_keys(self, config: Path) -> None:
        """Client keys are offered with their names; after a tenant, its own alone."""
        assert list(offered(complete_client_key, "pk_", config)) == [KEY, PINNED_KEY, OTHER_KEY]
        assert offered(complete_client_key, "pk", config, tenant="other") == {OTHER_KEY: "BBBBBBBB"}

    def test_agents(self, config: Path) -> None:
        """Agents are offered with what visitors call them; after a tenant, its own alone."""
        assert offered(complete_agent, "s", config) == {
            "support": "Acme Support",
            "sales": "Acme Sales",
        }
        assert offered(complete_agent, "", config, tenant="other") == {"only": "Only One"}

    def test_entries(self, config: Path) -> None:
        """Allowlist entries are offered; after a client key, its own alone."""
        assert list(offered(complete_entry, "", config)) == ["https://acme.com", "*.acme.com"]
        assert list(offered(complete_entry, "*", config, client_key=KEY)) == ["*.acme.com"]
        assert offered(complete_entry, "*", config, client_key=PINNED_KEY) == {}

    def test_entries_are_offered_where_they_are_taken_out(self, config: Path) -> None:
        """What stands there already is nothing to add."""
        shell = BashComplete(main, {}, "kataven-flask", VARIABLE)
        line = ["origins", "remove", "--config", str(config), KEY]
        found = [item.value for item in shell.get_completions(line, "")]
        assert found == ["https://acme.com", "*.acme.com"]
        line[1] = "add"
        assert shell.get_completions(line, "") == []

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "tenants: 7",
            "tenants: {acme: 7, 8: {keys: 9, agents: [x]}}",
            "tenants: {acme: {keys: [7, {client_key: [x], domain_allowlist: 1}], agents: {a: 1}}}",
            "&a [*a]",
            "\x00",
            "#" * (MAX_SIZE + 1),
        ],
        ids=lambda content: content[:40],
    )
    @pytest.mark.parametrize(
        "complete", [complete_tenant, complete_client_key, complete_agent, complete_entry]
    )
    def test_a_faulty_file_is_no_fault(
        self,
        tmp_path: Path,
        content: str,
        complete: Complete,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """While somebody types nothing fails and nothing is said, whatever the file."""
        path = tmp_path / "tenants.yaml"
        path.write_text(content)
        offered(complete, "pk_", path)
        offered(complete, "", tmp_path / "nowhere.yaml")
        assert capfd.readouterr() == ("", "")

    def test_a_file_with_a_fault_still_gives_what_it_has(self, tmp_path: Path) -> None:
        """One unknown member doesn't take completion away while the file is being mended."""
        path = tmp_path / "tenants.yaml"
        path.write_text(yaml.safe_dump(document(colour="red")))
        assert list(offered(complete_tenant, "", path)) == ["acme", "other"]

    @pytest.mark.parametrize("name", ["$(reboot)", "a;b", "a b", "`x`", "a\nb", "a,b", "\x1b[2J"])
    def test_nothing_is_offered_that_a_shell_would_run(self, tmp_path: Path, name: str) -> None:
        """A completed word is run as it stands: one with a meaning of its own isn't offered."""
        path = tmp_path / "tenants.yaml"
        path.write_text(yaml.safe_dump({"tenants": {name: {"name": "x"}, "ok": {"name": name}}}))
        (found,) = offered(complete_tenant, "", path).items()
        assert found[0] == "ok"
        assert "\n" not in found[1]
        assert "\x1b" not in found[1]


class TestShells:
    """What a shell asks, and gets."""

    @pytest.mark.parametrize(
        ("shell", "answer"),
        [
            ("bash", "plain,acme"),
            ("zsh", "plain\nacme\nAcme Inc."),
            ("fish", "plain,acme\tAcme Inc."),
        ],
    )
    def test_the_answer(self, config: Path, shell: str, answer: str) -> None:
        """The real command answers in the shell's own way."""
        words = f"kataven-flask sessions revoke --config {config} --tenant "
        asked = {"COMP_WORDS": words + "a", "COMP_CWORD": "6", VARIABLE: f"{shell}_complete"}
        if shell == "fish":
            asked["COMP_CWORD"] = "a"
        ran = subprocess.run(
            [COMMAND],
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert (ran.stdout.strip(), ran.stderr, ran.returncode) == (answer, "", 0)

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_script_says_where_it_goes(self, shell: str) -> None:
        """The script is click's, and names the line and the file it belongs in."""
        result = CliRunner().invoke(main, ["completion", shell])
        assert result.exit_code == 0
        kind = get_completion_class(shell)
        assert kind is not None
        source = kind(main, {}, "kataven-flask", VARIABLE).source().strip()
        assert result.stdout.startswith(source)
        notes = result.stdout.removeprefix(source).strip().splitlines()
        assert all(line.startswith("#") for line in notes)
        assert f"kataven-flask completion {shell}" in result.stdout

    @pytest.mark.parametrize(
        ("words", "offers"),
        [
            (["sess"], "sessions"),
            (["signing-keys", "rot"], "rotate"),
            (["sessions", "revoke", "--te"], "--tenant"),
            (["sessions", "revoke", "--tenant", "o"], "other"),
            (["sessions", "revoke", "--key", "pk_live_o"], OTHER_KEY),
            (["completion", "f"], "fish"),
        ],
    )
    def test_bash(self, config: Path, words: list[str], offers: str) -> None:
        """In a real bash that has read the script, the word that was begun is completed."""
        script = (
            f'source <("{COMMAND}" completion bash)\n'
            f"COMP_WORDS=(kataven-flask {' '.join(words)})\n"
            f"COMP_CWORD={len(words)}\n"
            "_kataven_flask_completion kataven-flask\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        bash = shutil.which("bash")
        assert bash is not None
        path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
        ran = subprocess.run(
            [bash, "--norc", "-c", script],
            env={**os.environ, "PATH": path, "KATAVEN_CONFIG": str(config)},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert (ran.stdout.split(), ran.returncode) == ([offers], 0), ran.stderr

    def test_an_unknown_shell(self) -> None:
        """For another shell the known ones are named."""
        result = CliRunner().invoke(main, ["completion", "tcsh"])
        assert result.exit_code == 2
        assert "'bash', 'zsh', 'fish'" in result.stderr
