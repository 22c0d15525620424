"""What commands that edit let be seen: no secret key, nothing that a terminal obeys."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from kataven_flask.cli import main
from kataven_flask.keys import generate_secret_key
from tests.desk import KEY, SECRET, Desk
from tests.running import BOUND, COMMAND


def test_an_edit_of_origins_names_the_whole_key(desk: Desk) -> None:
    """The beginning of a key is enough to name it, so what was taken for it is said."""
    for command in ("add", "remove"):
        said = desk.run("origins", command, KEY[:-4], "https://acme.net").stdout
        assert f"{KEY} ('acme.com production' of tenant acme)" in said


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("keys", "revoke", "<>"), 1),
        (("keys", "rotate", "<>"), 1),
        (("keys", "rotate", "Bearer <>"), 1),
        (("keys", "rotate", KEY, "<>"), 2),
        (("keys", "rotate", KEY, "--hours", "<>"), 2),
        (("keys", "revoke", KEY, "--secret", "<>"), 1),
        (("keys", "create", "<>"), 1),
        (("keys", "<>"), 2),
        (("<>",), 2),
        (("tenants", "add", "<>"), 1),
        (("tenants", "show", "<>"), 1),
        (("agents", "add", "acme", "<>"), 1),
        (("origins", "add", KEY, "<>"), 1),
        (("origins", "remove", KEY, "<>"), 1),
        (("origins", "explain", KEY, "<>"), 1),
        (("schema", "<>"), 2),
        (("tokens", "inspect", "<>"), 1),
        (("tokens", "inspect", "--issuer", "<>", "x"), 1),
    ],
)
def test_a_secret_key_is_never_repeated(
    desk: Desk, arguments: tuple[str, ...], status: int
) -> None:
    """Wherever a secret key is pasted that isn't asked for, it isn't shown again."""
    secret = generate_secret_key("acme")
    words = [word.replace("<>", secret) for word in arguments]
    result = CliRunner().invoke(main, words, env={"KATAVEN_CONFIG": str(desk.config)})
    assert result.exit_code == status, result.output
    assert secret[-20:].lower() not in result.output.lower()


def test_a_message_is_nothing_that_a_terminal_obeys(desk: Desk) -> None:
    """What was pasted into the command line is shown with escapes."""
    for words in (("tenants", "show", "\x1b[2J"), ("keys", "\x1b[2J"), ("check", "\x1b[2J")):
        result = CliRunner().invoke(main, words, env={"KATAVEN_CONFIG": str(desk.config)})
        assert "\\x1b[2J" in result.stderr
        assert "\x1b" not in result.stderr


def test_a_name_is_shown_on_one_line(desk: Desk) -> None:
    """A line break in a name doesn't make a row of a table, nor is writing turned round."""
    desk.run("tenants", "add", "bikes", "--name", "Bikes\nforged  \u202eForged", "--test")
    for command in (("tenants", "list"), ("tenants", "show", "bikes"), ("keys", "list")):
        out = desk.run(*command).stdout
        assert "\nforged" not in out
        assert "\u202e" not in out
    (key,) = (each for each in desk.registry.keys if each.startswith("pk_test_bikes_"))
    desk.run("keys", "create", "bikes", "--name", "My\nforged", "--test")
    assert "My\\nforged" in desk.run("keys", "revoke", "My\nforged", said="y\n").stdout
    assert desk.registry.keys[key].key.enabled
    assert "bikes   Bikes\\nforged  \\u202eForged" in desk.run("tenants", "list").stdout


def test_a_list_of_tenants_fits_a_terminal(desk: Desk) -> None:
    """Of many origins the first is named, and how many others there are."""
    desk.run("origins", "add", KEY, *(f"https://a{n}.acme.net" for n in range(40)))
    line = desk.run("tenants", "list").stdout.splitlines()[1]
    assert line.endswith("https://acme.com and 42 more")
    assert len(line) <= 80


def test_a_dry_run_for_a_script_is_json_alone(desk: Desk) -> None:
    """The diff is a member, and there is no secret that will not exist."""
    for command in (
        ("keys", "create", "acme"),
        ("keys", "rotate", KEY),
        ("tenants", "add", "bikes"),
    ):
        answer = desk.json(*command, "--dry-run")
        assert answer["diff"].startswith(f"--- {desk.config}\n")
        assert (answer["file"], answer["written"]) == (str(desk.config), False)
        assert SECRET.search(answer["diff"]) is None


def test_a_diff_is_safe_to_look_at(desk: Desk) -> None:
    """The lines around a change may hold what a terminal obeys, or a secret left in a comment."""
    secret = generate_secret_key("acme")
    text = desk.config.read_text()
    desk.config.write_text(f"{text}          # \u202e {secret}\t.\n")
    out = desk.run("tenants", "add", "bikes", "--dry-run").stdout
    assert "\n           # \\u202e sk_…\t.\n" in out


@pytest.mark.parametrize(
    "command",
    [("keys", "create", "acme"), ("keys", "rotate", KEY), ("tenants", "add", "bikes", "--test")],
)
@pytest.mark.parametrize("form", [(), ("--json",), ("--quiet",)])
def test_a_secret_that_could_not_be_shown_is_told_of(
    desk: Desk, command: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """It is in force, nobody knows it, and a full disk is no reason to leave it so."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [COMMAND, *command, *form, "--config", str(desk.config)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=BOUND,
            check=False,
        )
    assert ran.returncode == 1
    assert "couldn't be shown. Make another:\n  kataven-flask keys rotate pk_" in ran.stderr
    assert SECRET.search(ran.stderr) is None


def test_what_is_said_of_a_new_pair_fits_a_terminal(desk: Desk) -> None:
    """Eighty columns, but for the path of the file."""
    out = desk.run("keys", "create", "acme", "--origin", "https://a.com").stdout
    lines = out.replace(str(desk.config), "tenants.yaml").splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_a_key_is_called_after_its_origin_if_that_fits(desk: Desk) -> None:
    """A name has 80 characters at most; an origin may have more."""
    origin = f"https://{'a' * 60}.{'b' * 30}.example"
    pair = desk.json("keys", "create", "acme", "--origin", origin)
    assert desk.registry.keys[pair["client_key"]].key.name == origin[:80]


def test_an_end_at_once_is_said_to_be_over(desk: Desk) -> None:
    """Not that it ends at the end of this minute."""
    assert "The old one has ended." in desk.run("keys", "rotate", KEY, "--hours", "0").stdout
