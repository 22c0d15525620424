"""`kataven-flask origins explain`: why a page gets 403, and what would admit it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from kataven_flask.cli import main
from tests.support import KEY, OTHER_KEY, PINNED_KEY, document

TEST_KEY: Final = "pk_test_acme_" + "T" * 22


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a tenants' file with a key of each kind."""
    return write(tmp_path, document())


def write(folder: Path, content: dict[str, Any]) -> Path:
    """Write a tenants' file."""
    path = folder / "tenants.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def explain(config: Path, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["origins", "explain", *arguments, "--config", str(config)])


def with_key(folder: Path, **members: Any) -> Path:
    """Write a tenants' file whose first key has other members."""
    content = document()
    content["tenants"]["acme"]["keys"][0].update(members)
    return write(folder, content)


def test_an_admitted_origin_names_its_entry(config: Path) -> None:
    """Each entry is a line with a mark and a reason, and the exit status is 0."""
    result = explain(config, KEY, "https://shop.acme.com/cart?x=1")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "https://shop.acme.com is admitted\n"
        f"by {KEY} ('AAAAAAAA' of tenant acme)\n\n"
        "  ✗ https://acme.com  it is a subdomain, the entry is for acme.com alone\n"
        "  ✓ *.acme.com        admits it\n"
    )
    assert result.stderr == "Note: read without its path: a browser sends the origin alone.\n"


def test_a_refused_origin_gets_the_nearest_and_the_command(config: Path) -> None:
    """What is missing, and what to paste; the exit status is 1."""
    result = explain(config, KEY, "https://acme.com:8443")
    assert result.exit_code == 1
    assert result.stdout == (
        "https://acme.com:8443 is refused\n"
        f"by {KEY} ('AAAAAAAA' of tenant acme)\n\n"
        "  ✗ https://acme.com  its port is 8443, the entry's 443\n"
        "  ✗ *.acme.com        it is acme.com itself, the wildcard is for hosts under it\n"
        "                      its port is 8443, the entry's 443\n\n"
        "Nearest: https://acme.com\n"
        "An entry without a port is for the scheme's own: 443 on https, 80 on http.\n\n"
        "If that page is the tenant's own, this admits it:\n\n"
        f"  kataven-flask origins add {KEY} https://acme.com:8443 --config {config}\n"
    )


NEAR = {
    "www": (["acme.com"], "www.acme.com", "two sites: list both"),
    "apex": (["*.acme.com"], "acme.com", "the domain needs an entry of its own"),
    "scheme": (["acme.com"], "http://acme.com", "http and https are two sites"),
    "loopback": (["localhost:*"], "http://127.0.0.1:3000", "the name in the entry"),
    "subdomain": (["acme.com"], "shop.acme.com", "or a wildcard"),
    "parent": (["shop.acme.com"], "acme.com", "an entry of its own"),
    "sibling": (["shop.acme.com"], "help.acme.com", "an entry of its own"),
    "accents": (["m\u00fcnchen.de"], "munchen.de", "A slip in one of the two"),
    "typo": (["acme.com"], "acne.com", "A slip in one of the two"),
    "ending": (["acme.com"], "acme.net", "the same owner's, or somebody else's"),
}


@pytest.mark.parametrize(("allowlist", "origin", "advice"), NEAR.values(), ids=NEAR.keys())
def test_each_near_miss_has_its_advice(
    tmp_path: Path, allowlist: list[str], origin: str, advice: str
) -> None:
    """A near miss is named in a line, with what to do about it, and the command follows."""
    result = explain(with_key(tmp_path, domain_allowlist=allowlist), KEY, origin)
    assert result.exit_code == 1
    assert f"Nearest: {allowlist[0]}" in result.stdout
    assert advice in result.stdout
    assert f"kataven-flask origins add {KEY} " in result.stdout


@pytest.mark.parametrize(
    ("allowlist", "origin"),
    [
        (["acme.com"], "https://\u0430cme.com/login"),
        (["acme.com"], "https://acrne.com"),
        (["acme.com"], "https://acme.com.evil.net"),
        (["*.\u0430cme.com"], "https://shop.acme.com"),
    ],
)
def test_an_imitation_gets_an_alarm_and_no_command(
    tmp_path: Path, allowlist: list[str], origin: str
) -> None:
    """Nobody adds a phishing page by pasting what the command printed."""
    config = with_key(tmp_path, domain_allowlist=allowlist)
    result = explain(config, KEY, origin)
    assert result.exit_code == 1
    assert "this may be a phishing page" in result.stdout
    assert "origins add" not in result.output
    found = json.loads(explain(config, KEY, origin, "--json").stdout)
    assert found["alarm"]
    assert (found["command"], found["entry_to_add"]) == (None, None)


def test_an_entry_that_imitates_another_is_told_though_it_admits(tmp_path: Path) -> None:
    """Whoever had it added may be no friend."""
    config = with_key(tmp_path, domain_allowlist=["acme.com", "\u0430cme.com"])
    result = explain(config, KEY, "https://\u0430cme.com")
    assert result.exit_code == 0
    assert "this may be a phishing page" in result.stdout


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("null", "sandboxed iframe"),
        ("", "without Origin"),
        ("file:///x", "has no origin: it sends `null`"),
    ],
)
def test_what_is_no_origin_is_told(config: Path, typed: str, told: str) -> None:
    """The operator reads why no entry helps, and the exit status is 1."""
    result = explain(config, KEY, typed)
    assert result.exit_code == 1
    assert result.stdout.startswith("Refused: ")
    assert told in result.stdout
    found = json.loads(explain(config, KEY, typed, "--json").stdout)
    assert found["origin"] is None
    assert told in found["fault"]


def test_an_empty_allowlist_is_told(tmp_path: Path) -> None:
    """A key without origins admits nobody."""
    result = explain(with_key(tmp_path, domain_allowlist=[]), KEY, "https://acme.com")
    assert "Its allowlist is empty: it admits nobody." in result.stdout
    assert "origins add" in result.stdout


def test_a_plain_page_is_better_on_https(config: Path) -> None:
    """A command that admits http comes with a word of warning; loopback needs none."""
    assert "Better have it on https first" in explain(config, KEY, "http://acme.com").stdout
    assert "Better have it" not in explain(config, KEY, "http://localhost:3000").stdout


# --- what else gives 403


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"enabled": False}, "the key is switched off: enabled is false"),
        (
            {"not_after": "2020-01-01T00:00:00Z"},
            "the key is past its not_after, 2020-01-01T00:00:00+00:00",
        ),
        ({"agent_id": "night"}, "the widget of night is switched off"),
    ],
    ids=["disabled", "past", "agent"],
)
def test_what_refuses_whatever_the_origin_is_told(
    tmp_path: Path, members: dict[str, Any], told: str
) -> None:
    """An admitted origin is no comfort where the key is refused: it says so, and exits 1."""
    content = document()
    content["tenants"]["acme"]["keys"][0].update(members)
    path = tmp_path / "tenants.yaml"
    path.write_text(
        yaml.safe_dump(content).replace("'2020-01-01T00:00:00Z'", "2020-01-01T00:00:00Z")
    )
    result = explain(path, KEY, "https://acme.com")
    assert result.exit_code == 1
    assert "https://acme.com is refused" in result.stdout
    assert "✓ https://acme.com" in result.stdout
    assert f"Refused, whatever the origin: {told}." in result.stdout
    found = json.loads(explain(path, KEY, "https://acme.com", "--json").stdout)
    assert (found["served"], found["obstacles"]) == (False, [told])
    assert found["admitted_by"] == "https://acme.com"


def test_who_is_refused_by_design_is_noted(config: Path, tmp_path: Path) -> None:
    """An agent for signed-in users gives guests 403, which is no fault."""
    result = explain(config, PINNED_KEY, "https://acme.com")
    assert result.exit_code == 0
    assert "guests get 403: account is for signed-in users alone" in result.stderr
    sales = explain(with_key(tmp_path, agent_id="sales"), KEY, "https://acme.com")
    assert "signed-in users get 403: sales is for guests alone" in sales.stderr


def test_a_test_key_is_for_loopback(tmp_path: Path) -> None:
    """On a page in the net, the operator is told to use a live key; no command would work."""
    config = with_key(tmp_path, client_key=TEST_KEY, domain_allowlist=["localhost:*"])
    result = explain(config, TEST_KEY, "https://acme.com")
    assert result.exit_code == 1
    assert "a pk_test_ key takes loopback hosts alone" in result.stdout
    assert "origins add" not in result.stdout
    assert explain(config, TEST_KEY, "localhost:3000").exit_code == 0


# --- which key is meant


@pytest.mark.parametrize("text", [OTHER_KEY, "pk_live_other", "pk_live_o", "BBBBBBBB"])
def test_a_key_may_be_cut_short(config: Path, text: str) -> None:
    """The beginning of one key alone, or its name, is enough."""
    result = explain(config, text, "https://acme.com")
    assert result.exit_code == 0
    assert OTHER_KEY in result.stdout


MISTAKES: Final = {
    "two": ("pk_live_acme_", f"write more of it:\n  {KEY} ('AAAAAAAA' of tenant acme)\n  "),
    "a slip": (KEY[:-1] + "B", f"did you mean {KEY}"),
    "a name's slip": ("AAAAAAA", "did you mean"),
    "nothing like it": ("x", "no tenant has the client key 'x'; copy it from the snippet again"),
    "nothing": ("", "no tenant has the client key ''"),
    "an escape": ("\x1b[31mx", r"no tenant has the client key '\x1b[31mx'"),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistaken_key_is_told(config: Path, text: str, told: str) -> None:
    """What can't be meant is told with exit status 1, with the keys it may have been."""
    result = explain(config, text, "https://acme.com")
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stdout == ""


def test_a_secret_key_is_not_repeated(config: Path) -> None:
    """Who pastes a secret key is told what to do, and it isn't printed once more."""
    result = explain(config, "sk_live_acme_hunter2", "https://acme.com")
    assert result.exit_code == 1
    assert "rotate it" in result.stderr
    assert "hunter2" not in result.output


def test_a_faulty_file_is_told(tmp_path: Path) -> None:
    """The faults are printed with their places, and no traceback."""
    result = explain(with_key(tmp_path, domain_allowlist=["*"]), KEY, "https://acme.com")
    assert result.exit_code == 1
    assert "`*` admits everybody" in result.stderr


# --- for scripts


def test_json_has_it_all(config: Path) -> None:
    """One JSON value on stdout, nothing beside it."""
    result = explain(config, KEY, "http://acme.com/x", "--json")
    assert result.exit_code == 1
    assert result.stderr == ""
    found = json.loads(result.stdout)
    add = f"kataven-flask origins add {KEY} http://acme.com --config {config}"
    scheme = {"kind": "scheme", "words": "it is http, the entry is for https"}
    apex = "it is acme.com itself, the wildcard is for hosts under it"
    assert found == {
        "client_key": KEY,
        "tenant": "acme",
        "origin": "http://acme.com",
        "fault": None,
        "notes": ["read without its path: a browser sends the origin alone"],
        "served": False,
        "admitted_by": None,
        "entries": [
            {"entry": "https://acme.com", "admits": False, "differences": [scheme]},
            {
                "entry": "*.acme.com",
                "admits": False,
                "differences": [{"kind": "apex", "words": apex}, scheme],
            },
        ],
        "nearest": "https://acme.com",
        "alarm": None,
        "obstacles": [],
        "entry_to_add": "http://acme.com",
        "command": add,
    }


@pytest.mark.parametrize(("origin", "status"), [("acme.com", 0), ("acme.net", 1), ("null", 1)])
def test_quiet_answers_by_its_status(config: Path, origin: str, status: int) -> None:
    """A script that only asks reads nothing."""
    result = explain(config, KEY, origin, "--quiet")
    assert (result.exit_code, result.output) == (status, "")


def test_the_default_file_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is as short as it can be, and its parts are quoted for a shell."""
    (tmp_path / "config").mkdir()
    write(tmp_path / "config", document())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["origins", "explain", KEY, "http://[::1]:3000"])
    command = result.stdout.splitlines()[-1].strip()
    assert command == f"kataven-flask origins add {KEY} 'http://[::1]:3000'"
    assert shlex.split(command)[-1] == "http://[::1]:3000"


def test_color_is_for_a_terminal(config: Path) -> None:
    """Nothing of what is piped has terminal codes, and on a terminal it has them."""
    arguments = ["origins", "explain", KEY, "acme.net", "--config", str(config)]
    assert "\x1b[" not in CliRunner().invoke(main, arguments).output
    assert "\x1b[31m✗\x1b[0m" in CliRunner().invoke(main, arguments, color=True).stdout


@pytest.mark.parametrize(
    "typed", ["https://\x1b[2Jacme.com", "\x1b]0;x\x07", "https://acme.com/\x1b[2J"]
)
def test_what_is_pasted_drives_no_terminal(config: Path, typed: str) -> None:
    """An address from a stranger's mail writes nothing to the screen by itself."""
    assert "\x1b" not in explain(config, KEY, typed).output


@pytest.mark.parametrize(
    ("allowlist", "origin"),
    [
        (["acme.com"], "http://www.acme.com:8080"),
        (["*.m\u00fcnchen.de"], "https://m\u00fcnchen.de/x"),
        (["localhost"], "http://[::1]:3000"),
        ([], "capacitor://localhost"),
    ],
)
def test_the_command_that_it_gives_does_it(
    tmp_path: Path, allowlist: list[str], origin: str
) -> None:
    """Pasted as it is printed, it has the page admitted."""
    config = with_key(tmp_path, domain_allowlist=allowlist)
    refused = explain(config, KEY, origin)
    assert refused.exit_code == 1
    name, *words = shlex.split(refused.stdout.splitlines()[-1])
    assert name == "kataven-flask"
    added = CliRunner().invoke(main, words)
    assert added.exit_code == 0, added.output
    assert explain(config, KEY, origin).exit_code == 0


def test_a_key_that_was_cut_short_is_said_to_be_one(config: Path) -> None:
    """A beginning is enough here and not in a page, where it is another key that nobody has."""
    result = explain(config, KEY[:-3], "https://acme.com")
    assert result.exit_code == 0
    assert f"read as the beginning of {KEY}" in result.stderr
    assert "unknown_client_key" in result.stderr


def test_the_key_and_the_origin_the_wrong_way_round(config: Path) -> None:
    """A key is nobody's host."""
    result = explain(config, "https://acme.com", KEY)
    assert result.exit_code == 1
    assert "the key comes first" in result.stderr
