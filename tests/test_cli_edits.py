"""The commands that edit the tenants' file, on the file that is shipped."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from kataven_flask.cli import main
from kataven_flask.keys import hash_secret_key
from kataven_flask.origins import Origin
from kataven_flask.widget import widget_script
from tests.desk import KEY, PINNED, SECRET, Desk
from tests.support import Service

EDITS: list[tuple[tuple[str, ...], str | None]] = [
    (("tenants", "add", "bikes"), None),
    (("tenants", "add", "bikes", "--origin", "https://bikes.example"), None),
    (("agents", "add", "acme", "chat", "--greeting", "Hi: there"), None),
    (("keys", "create", "acme", "--origin", "*.acme.net", "--agent", "sales"), None),
    (("keys", "rotate", KEY), None),
    (("keys", "revoke", KEY), "y\n"),
    (("keys", "revoke", PINNED, "--secret", "f8690e30f2dd"), "y\n"),
    (("origins", "add", KEY, "*.acme.net", "https://acme.net:8443"), None),
    (("origins", "remove", PINNED, "https://help.acme.com"), None),
]


@pytest.mark.parametrize(("arguments", "said"), EDITS)
def test_every_comment_and_the_order_stay(
    desk: Desk, arguments: tuple[str, ...], said: str | None
) -> None:
    """No comment changes by a byte, and the tenants stand in their order."""
    before = desk.comments
    assert len(before) > 40
    desk.run(*arguments, said=said)
    assert desk.comments == before
    assert list(desk.registry.tenants)[:2] == ["acme", "demo"]


@pytest.mark.parametrize(("arguments", "said"), EDITS)
def test_a_dry_run_shows_the_diff_and_no_secret(
    desk: Desk, arguments: tuple[str, ...], said: str | None
) -> None:
    """Nothing is asked, nothing is written, and no pair is shown that will not exist."""
    del said
    before = desk.config.read_bytes()
    result = desk.run(*arguments, "--dry-run")
    assert result.stdout.startswith(f"--- {desk.config}\n+++ {desk.config}\n@@ ")
    assert "Nothing was written" in result.stderr
    assert SECRET.search(result.output) is None
    assert desk.config.read_bytes() == before


@pytest.mark.parametrize(("arguments", "said"), EDITS)
def test_quiet_says_no_more_than_the_secret(
    desk: Desk, arguments: tuple[str, ...], said: str | None
) -> None:
    """A script that asked for an edit reads nothing but what it can't know."""
    arguments = (*arguments, "--yes") if said else arguments
    result = desk.run(*arguments, "--quiet")
    for line in result.output.splitlines():
        assert re.fullmatch(r"  (client|secret) key   [ps]k_\w+", line)


# --- tenants


def test_a_tenant_in_one_command(desk: Desk) -> None:
    """Tenant, agent, key and allowlist; the pair and the snippet are shown, the hash is kept."""
    result = desk.run(
        "tenants", "add", "bikes", "--name", "City Bikes", "--origin", "https://bikes.example"
    )
    (secret,) = SECRET.findall(result.stdout)
    assert secret not in desk.config.read_text()
    record, _ = desk.registry.secrets[hash_secret_key(secret)]
    assert record.tenant.name == "City Bikes"
    assert f'data-client-key="{record.key.client_key}"' in result.stdout
    assert [entry.text for entry in record.key.domain_allowlist] == ["https://bikes.example"]


def test_a_new_pair_works_at_once(tmp_path: Path) -> None:
    """A server on the file mints a guest for the new key, and a visitor token for its secret."""
    service = Service(tmp_path)
    desk = Desk(service.settings.config)
    pair = desk.json("keys", "create", "acme", "--origin", "https://new.example")
    service.reload()
    guest = service.guest("https://new.example", client_key=pair["client_key"])
    assert guest.status_code == 200
    minted = service.user_token(pair["secret_key"], client_key=pair["client_key"])
    assert minted.status_code == 200


def test_a_test_tenant_works_on_loopback_alone(desk: Desk) -> None:
    """`--test` without an origin takes this machine's own sites."""
    pair = desk.json("tenants", "add", "bikes", "--test")
    assert pair["client_key"].startswith("pk_test_bikes_")
    key = desk.registry.keys[pair["client_key"]].key
    localhost = Origin.parse("http://localhost:3000")
    assert localhost is not None
    assert key.admits(localhost)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tenants", "add", "acme"), "tenant acme stands already"),
        (("tenants", "add", "Acme Inc"), "'Acme Inc' is not a tenant id"),
        (("tenants", "add", "x" * 33), "is not a tenant id"),
        (("tenants", "add", "../../etc"), "is not a tenant id"),
        (("tenants", "add", "bikes", "--origin", "*"), "admits everybody"),
        (("tenants", "add", "bikes", "--test", "--origin", "https://a.com"), "loopback"),
        (("tenants", "show", "bikes"), "no tenant 'bikes'; there is acme, demo"),
        (("tenants", "remove", "bikes"), "no tenant 'bikes'"),
        (("agents", "add", "bikes", "chat"), "no tenant 'bikes'"),
        (("agents", "add", "acme", "sales"), "has an agent sales already"),
        (("agents", "add", "acme", "Sales Team"), "not an agent id"),
        (("keys", "create", "bikes"), "no tenant 'bikes'"),
        (("keys", "create", "acme", "--agent", "chat"), "no agent 'chat' here"),
        (("keys", "create", "acme", "--origin", "https://acme.com/"), "write https://acme.com"),
        (("keys", "rotate", "pk_live_acme_" + "x" * 22), "no tenant has the client key"),
        (("keys", "rotate", "pk_live_acme"), "may be any of these"),
        (("keys", "revoke", "sk_live_acme_x"), "this is a secret key"),
        (("keys", "revoke", KEY, "--secret", "ffffffff"), "not one of this key's secrets"),
        (("keys", "revoke", KEY, "--secret", "56a"), "not one of this key's secrets"),
        (("origins", "add", KEY, "https://acme.com:443"), "already, as https://acme.com"),
        (("origins", "add", KEY, "*.com"), "anybody can have a host"),
        (("origins", "remove", KEY, "https://acme.net"), "is not in the allowlist"),
    ],
)
def test_a_mistake_is_one_clear_line_and_changes_nothing(
    desk: Desk, arguments: tuple[str, ...], words: str
) -> None:
    """It says what to do, without a traceback, and the file stays as it is."""
    before = desk.config.read_bytes()
    result = desk.run(*arguments, status=1)
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert desk.config.read_bytes() == before


def test_tenants_are_listed(desk: Desk) -> None:
    """A table for a person, JSON for a script."""
    lines = desk.run("tenants", "list").stdout.splitlines()
    assert lines[0].split() == ["TENANT", "NAME", "AGENTS", "KEYS", "ORIGINS"]
    assert lines[1].split()[:2] == ["acme", "Acme"]
    listed = desk.json("tenants", "list")
    assert [tenant["id"] for tenant in listed] == ["acme", "demo"]
    assert listed[0]["keys"][0]["client_key"] == KEY
    assert listed[0]["tokens"]["session_ttl"] == 300


def test_a_tenant_is_shown(desk: Desk) -> None:
    """Its agents and whom they talk to, its keys and where they work, how long things live."""
    shown = desk.run("tenants", "show", "acme").stdout
    assert "support (default)  Acme Support" in shown
    assert "switched off" in shown
    assert "works on  https://acme.com, *.acme.com" in shown
    assert "agent     account" in shown
    assert "session 5 min" in shown
    assert desk.json("tenants", "show", "acme")["id"] == "acme"


def test_a_tenant_is_removed_after_a_question(desk: Desk) -> None:
    """No, and nothing, leave it; yes removes it."""
    before = desk.config.read_bytes()
    assert (
        "Remove acme and its 2 client keys?"
        in desk.run("tenants", "remove", "acme", status=1, said="n\n").output
    )
    told = desk.run("tenants", "remove", "acme", status=1, said="").stderr
    assert "nobody was there to answer; a script says --yes" in told
    assert desk.config.read_bytes() == before
    desk.run("tenants", "remove", "acme", said="y\n")
    assert list(desk.registry.tenants) == ["demo"]


# --- keys


def secrets_of(desk: Desk, client_key: str = KEY) -> list[tuple[str, datetime | None]]:
    """List a key's secrets in the file, by their hash and their end."""
    return [(s.hash, s.not_after) for s in desk.registry.keys[client_key].key.secrets]


@pytest.mark.parametrize(("hours", "option"), [(24, ()), (0, ("0",)), (168, ("168",))])
def test_a_rotation_gives_the_first_secret_its_time(
    desk: Desk, hours: int, option: tuple[str, ...]
) -> None:
    """24 hours, if nothing else is said; the second has no end."""
    ((old, _),) = secrets_of(desk)
    earliest = datetime.now(UTC).replace(microsecond=0)
    result = desk.run("keys", "rotate", KEY, *(["--hours", *option] if option else []))
    (secret,) = SECRET.findall(result.stdout)
    first, second = secrets_of(desk)
    assert first[0] == old
    assert first[1] is not None
    assert timedelta() <= first[1] - earliest - timedelta(hours=hours) < timedelta(minutes=1)
    assert second == (hash_secret_key(secret), None)


@pytest.mark.parametrize("hours", ["-1", "169", "a day"])
def test_a_rotation_takes_0_to_168_hours(desk: Desk, hours: str) -> None:
    """Anything else is wrong usage."""
    result = desk.run("keys", "rotate", KEY, "--hours", hours, status=2)
    assert "Invalid value for '--hours'" in result.stderr


def test_a_third_secret_is_refused_while_two_live(desk: Desk) -> None:
    """The message says when the first ends, and how to end it now; that makes room."""
    desk.run("keys", "rotate", KEY)
    before = secrets_of(desk)
    refused = desk.run("keys", "rotate", KEY, status=1)
    assert "two secrets are live" in refused.stderr
    assert SECRET.search(refused.output) is None
    assert secrets_of(desk) == before
    (how,) = re.findall(r"keys revoke pk_\w+ --secret [0-9a-f]{12}", refused.stderr)
    desk.run(*how.split(), "--yes")
    assert secrets_of(desk) == before[1:]
    desk.run("keys", "rotate", KEY)


def test_a_secret_that_has_ended_makes_room(desk: Desk) -> None:
    """It is removed, and the one that lives gets its time."""
    desk.run("keys", "rotate", KEY, "--hours", "0")
    (ended, _), (live, _) = secrets_of(desk)
    desk.run("keys", "rotate", KEY)
    hashes = [each for each, _ in secrets_of(desk)]
    assert ended not in hashes
    assert hashes[0] == live


def test_a_rotation_never_gives_more_time_than_there_was(desk: Desk) -> None:
    """A secret that ends in an hour ends in an hour."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    text = desk.config.read_text()
    desk.config.write_text(
        text.replace("# not_after: 2026-12-24T00:00:00Z", f"not_after: {soon:%Y-%m-%dT%H:%M:%SZ}")
    )
    desk.run("keys", "rotate", KEY)
    assert secrets_of(desk)[0][1] == soon


def test_a_key_without_a_secret_gets_its_first(desk: Desk) -> None:
    """There is nothing to end."""
    desk.run("keys", "revoke", PINNED, "--secret", "f8690e30f2dd", "--yes")
    assert secrets_of(desk, PINNED) == []
    answer = desk.json("keys", "rotate", PINNED)
    assert answer["old_ends_at"] is None
    assert secrets_of(desk, PINNED) == [(hash_secret_key(answer["secret_key"]), None)]


def test_a_revoked_key_stays_in_the_file(desk: Desk) -> None:
    """It is switched off, so that the file says why; the list says so, too."""
    desk.run("keys", "revoke", KEY, "--yes")
    assert desk.registry.keys[KEY].key.enabled is False
    (line,) = [line for line in desk.run("keys", "list").stdout.splitlines() if KEY in line]
    assert " off " in line


def test_keys_are_listed(desk: Desk) -> None:
    """Of one tenant or of all; a secret by its first digits and its end."""
    desk.run("keys", "rotate", KEY, "--hours", "0")
    lines = desk.run("keys", "list", "acme").stdout.splitlines()
    assert lines[0].split() == ["CLIENT", "KEY", "STATE", "NAME"]
    assert lines[1].split()[:2] == [KEY, "live"]
    assert lines[2].split()[:3] == ["secret", "56a92e29c7db", "ended"]
    assert len(desk.json("keys", "list")) == 3
    (first, second) = desk.json("keys", "list", "acme")[0]["secrets"]
    assert (first["live"], second["live"]) == (False, True)


def test_a_key_without_an_origin_says_how_to_give_it_one(desk: Desk) -> None:
    """An empty allowlist admits nobody."""
    result = desk.run("keys", "create", "acme")
    assert "It works on: none yet" in result.stdout
    assert "kataven-flask origins add pk_live_acme_" in result.stdout


# --- origins


def test_origins_are_added_and_removed(desk: Desk) -> None:
    """Several in one command; how they are written doesn't matter when they are removed."""
    desk.run("origins", "add", KEY, "*.acme.net", "http://localhost:*")
    desk.run("origins", "remove", KEY, "acme.com", "*.ACME.net")
    key = desk.registry.keys[KEY].key
    assert [entry.text for entry in key.domain_allowlist] == ["*.acme.com", "http://localhost:*"]


def test_the_last_origin_s_end_is_said(desk: Desk) -> None:
    """The key works nowhere then."""
    result = desk.run("origins", "remove", PINNED, "https://help.acme.com")
    assert "works nowhere" in result.stdout


# --- what keeps a tenant's pages going


def test_a_second_agent_leaves_the_first_the_default(desk: Desk) -> None:
    """Pages that name no agent go on with the one they had."""
    desk.run("tenants", "add", "bikes", "--origin", "https://bikes.example")
    result = desk.run("agents", "add", "bikes", "sales")
    assert "support stays the default" in result.stdout
    assert desk.registry.tenants["bikes"].default_agent == "support"


def test_a_tenant_without_a_default_gets_one_with_its_second_agent(desk: Desk) -> None:
    """Its only agent needed none; by a second one its pages would be refused."""
    text = desk.config.read_text().replace("    default_agent: barista\n", "")
    start, end = text.index("      members:"), text.index("    keys:", text.index("      members:"))
    desk.config.write_text(text[:start] + text[end:])
    assert desk.registry.tenants["demo"].default_agent is None
    desk.run("agents", "add", "demo", "sales")
    assert desk.registry.tenants["demo"].default_agent == "barista"


def test_an_edit_warns_as_check_does(desk: Desk) -> None:
    """What is probably a mistake is told at once, of the tenant that was edited."""
    result = desk.run("origins", "add", KEY, "http://acme.com")
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert warning.startswith("Warning: tenants.acme.keys[0].domain_allowlist[2]: ")
    assert desk.run("origins", "add", KEY, "https://acme.net", "--quiet").stderr == ""


def test_the_snippet_is_printed_again(desk: Desk) -> None:
    """With the addresses that are known; what is an example is told beside it."""
    result = desk.run("snippet", KEY)
    assert f'data-client-key="{KEY}"' in result.stdout
    assert "Note: for https://widget.example.com put your server's address" in result.stderr
    issuer = "issuer: https://signin.acme.com"
    desk.config.write_text(
        desk.config.read_text().replace("# issuer: https://widget.example.com", issuer)
    )
    arguments = ("--connect-url", "https://a.example/c?x=1&y=2", "--agent", "sales")
    result = desk.run("snippet", KEY, *arguments)
    assert '<script src="https://signin.acme.com/widget/v1.js" defer' in result.stdout
    assert 'data-connect-url="https://a.example/c?x=1&amp;y=2"' in result.stdout
    assert 'data-agent="sales"' in result.stdout
    assert "Note: for" not in result.stderr
    assert desk.run("snippet", KEY, *arguments, "--quiet").stderr == ""


def test_the_snippet_comes_with_what_a_strict_page_needs(desk: Desk) -> None:
    """The sources that a policy has to allow, and the hash of the script that is served."""
    result = desk.run("snippet", KEY, "--connect-url", "https://a.example:8443/c?x=1")
    assert "integrity" not in result.stdout
    told = [line.strip() for line in result.stderr.splitlines()]
    assert "script-src https://widget.example.com;" in told
    assert "connect-src https://widget.example.com https://a.example:8443;" in told
    assert "img-src https://acme.com;" in told
    digest = widget_script().integrity
    assert digest in result.stderr
    pinned = desk.run("snippet", KEY, "--integrity").stdout
    assert f'integrity="{digest}" crossorigin="anonymous"></script>' in pinned


def test_an_agent_on_the_pages_own_site(desk: Desk) -> None:
    """A path is where the page itself is, which a policy calls 'self'."""
    said = desk.run("snippet", KEY, "--connect-url", "/connect").stderr
    assert re.search(r"connect-src \S+ 'self';", said)


@pytest.mark.parametrize(
    "url", ["connect", "//a.example/c", "ftp://a.example", "javascript:1", "https://a@b.example/c"]
)
def test_where_no_message_can_go_is_no_snippet(desk: Desk, url: str) -> None:
    """What would name no host in a policy is refused before anything is printed."""
    result = desk.run("snippet", KEY, "--connect-url", url, status=1)
    assert result.stdout == ""
    assert f"{url!r} is neither an http(s) address nor a path" in result.stderr


def test_a_snippet_names_no_agent_that_there_is_not(desk: Desk) -> None:
    """A page with it would be refused."""
    result = desk.run("snippet", KEY, "--agent", "nope", status=1)
    assert "no agent 'nope'" in result.stderr


def test_nobody_is_asked_about_the_beginning_of_a_key(desk: Desk) -> None:
    """`--yes` ends what was written, and nothing that it may stand for."""
    before = desk.config.read_bytes()
    result = desk.run("keys", "revoke", KEY[:-2], "--yes", status=1)
    assert "write the whole client key" in result.stderr
    assert desk.config.read_bytes() == before


def test_an_empty_config_is_no_file() -> None:
    """A variable that isn't set doesn't stand for the folder that one happens to be in."""
    result = CliRunner().invoke(main, ["tenants", "add", "bikes", "--config", ""])
    assert result.exit_code == 2
    assert "is the variable set?" in result.stderr
