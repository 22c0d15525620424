"""`kataven-flask tokens inspect` as an operator meets it."""

from __future__ import annotations

import json
import unicodedata
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from kataven_flask.cli import main
from kataven_flask.keys import generate_secret_key
from kataven_flask.signing import generate_private_key_for, make_signing_key
from tests.running import COMMAND
from tests.support import ISSUER, KEY, NOON, SECRET, Service
from tests.terminal import terminal
from tests.test_inspection import encoded
from tests.vectors import load_keys
from tests.vectors.generate import SESSION, Forge

FORGE: Final = Forge(load_keys())
ADA: Final = {"name": "Ada Lovelace", "email": "ada@acme.com", "user_id": "user-42"}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("kataven_flask.cli.tokens")
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOON + 60))


def inspect(service: Service, *arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run the command with the server's own settings."""
    settings = service.settings
    options = ["--config", str(settings.config), "--instance", str(settings.instance)]
    return CliRunner().invoke(main, ["tokens", "inspect", *options, *arguments], input=stdin)


def test_a_session_token(service: Service) -> None:
    """It is named, laid out with times in words, and verifies: exit status 0."""
    result = inspect(service, stdin=service.user_session(**ADA)["token"] + "\n")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "A session token: what the widget shows to /connect."
    assert "typ which kind widget-session+jwt" in lines
    assert f"iss minted by {ISSUER}" in lines
    assert "iat minted 2026-09-21 14:13:20 UTC, 1 min ago" in lines
    assert "exp ends 2026-09-21 14:23:20 UTC, in 9 min" in lines
    assert f"client_key its key {KEY}" in lines
    assert lines[-1] == "It verifies here."


def test_a_visitor_token(service: Service) -> None:
    """Of a visitor token it says what it can't know: whether it was spent."""
    result = inspect(service, "-", stdin=service.user_token(**ADA).get_json()["token"])
    assert result.exit_code == 0
    assert result.stdout.startswith("A visitor token:")
    assert "Whether it was spent, or its user revoked" in result.stdout


def test_a_refresh_token(service: Service) -> None:
    """Of a refresh token it shows the session in it, though callers hold it opaque."""
    result = inspect(service, stdin=service.guest().get_json()["refresh_token"])
    assert result.exit_code == 0
    assert result.stdout.startswith("A refresh token:")
    assert "in 23 h 59 min" in result.stdout
    assert "Whether it was rotated away, or its session ended" in result.stdout


def test_a_refused_token(service: Service) -> None:
    """It says every reason, each on its line: exit status 1."""
    token = service.user_session()["token"]
    service.document["issuer"] = "https://new.example.com"
    service.document["audience"] = "other"
    service.write()
    result = inspect(service, stdin=token)
    assert result.exit_code == 1
    assert max(map(len, result.stdout.splitlines())) <= 80
    verdict = " ".join(result.stdout.partition("It does not verify here:")[2].split())
    assert verdict.startswith(f"- another issuer minted it: '{ISSUER}', and this one is 'http")
    assert "- it is meant for 'kataven:connect', and not for 'other'" in verdict


def test_a_session_that_is_over(service: Service) -> None:
    """A session token verifies to its end; that its session can't be renewed is told beside."""
    token = service.user_session()["token"]
    service.document["tenants"]["acme"]["keys"][0]["enabled"] = False
    service.write()
    result = inspect(service, stdin=token)
    assert result.exit_code == 0
    assert "Its session can't be refreshed:\n  - its client key" in result.stdout
    assert "is switched off" in result.stdout


@pytest.mark.parametrize("which", ["token", "refresh_token"])
def test_persons_stay_hidden(service: Service, which: str) -> None:
    """Who it is about is shown to who asks for it, and to nobody else."""
    token = service.user_session(**ADA)[which]
    for options in ([], ["--json"]):
        hidden = inspect(service, *options, stdin=token)
        assert not [who for who in ADA.values() if who in hidden.output]
        shown = inspect(service, *options, "--personal", stdin=token)
        assert not [who for who in ADA.values() if who not in shown.output]


def test_a_strangers_claims_stay_hidden(service: Service) -> None:
    """What another service's JWT says of a person is hidden too, whatever it calls it."""
    token = FORGE.token({"alg": "ES256"}, {"iss": "https://x.example", "phone": "+4930123456"})
    result = inspect(service, stdin=token)
    assert "https://x.example" in result.output
    assert "+4930123456" not in result.output


@pytest.mark.parametrize("options", [[], ["--json"], ["--personal"], ["--quiet"]])
@pytest.mark.parametrize("as_argument", [True, False])
def test_the_token_is_never_printed(
    service: Service, options: list[str], *, as_argument: bool
) -> None:
    """Neither a token, nor its signature, nor a secret key leaves the command."""
    session = service.user_session()
    for token in (session["token"], session["refresh_token"], SECRET, "hello-1234"):
        arguments, stdin = ([token], None) if as_argument else ([], token)
        result = inspect(service, *options, *arguments, stdin=stdin)
        assert token not in result.output
        assert token.rpartition(".")[2] not in result.output


class TestHistory:
    """A token on the command line."""

    def test_is_warned_of(self, service: Service) -> None:
        """It is in the shell's history by now: that is said on stderr, with what to do."""
        token = service.guest().get_json()["token"]
        result = inspect(service, token)
        assert result.exit_code == 0
        assert "kept in the shell's history" in result.stderr
        assert "history" not in result.stdout
        assert "| kataven-flask tokens inspect -" in result.stderr

    def test_is_warned_of_before(self) -> None:
        """The help says so before the first example."""
        text = CliRunner().invoke(main, ["tokens", "inspect", "--help"]).output
        assert text.index("Don't write the token on the command line") < text.index("Examples:")

    def test_is_no_matter_for_what_is_public(self, service: Service) -> None:
        """A client key stands in every page: nothing is warned of."""
        result = inspect(service, KEY)
        assert result.stderr == ""
        assert "Its tenant is acme." in result.stdout

    def test_is_no_matter_for_a_pipe(self, service: Service) -> None:
        """What came by stdin is in no history."""
        assert inspect(service, stdin=service.guest().get_json()["token"]).stderr == ""


class TestAlarm:
    """Secrets in a token's place."""

    @pytest.mark.parametrize("options", [[], ["--quiet"], ["--json"]])
    def test_a_secret_key_of_a_tenant(self, service: Service, options: list[str]) -> None:
        """It is called what it is, with whose it is and the command that replaces it."""
        result = inspect(service, *options, stdin=SECRET)
        assert result.exit_code == 1
        assert "ALARM: this is a secret key, and now it has been seen." in result.stderr
        assert f"End it now: kataven-flask keys rotate {KEY} --hours 0" in result.stderr
        assert SECRET not in result.output

    def test_a_secret_key_of_nobody_here(self, service: Service) -> None:
        """Another's secret key is no less of an alarm."""
        result = inspect(service, stdin=generate_secret_key("acme"))
        assert "None of the tenants read here has it" in result.stderr

    def test_a_private_key(self, service: Service) -> None:
        """A private key is one too."""
        pem = make_signing_key(generate_private_key_for("ES256")).pem()
        result = inspect(service, stdin=pem)
        assert "signing-keys rotate --leaked" in result.stderr
        assert not [line for line in pem.splitlines() if line in result.output]


class TestScripts:
    """`--json` and `--quiet`."""

    def test_json(self, service: Service) -> None:
        """A script reads the kind, the verdict, each reason by its name, and the claims."""
        report: dict[str, Any] = json.loads(
            inspect(service, "--json", stdin=FORGE.session(exp=NOON)).stdout
        )
        assert report["kind"] == "session_token"
        assert report["verifies"] is False
        assert [reason["code"] for reason in report["reasons"]] == ["unknown_kid", "type"]
        assert report["header"]["alg"] == "ES256"
        assert report["claims"]["client_key"] == KEY
        assert report["hidden"] == ["sub"]

    def test_quiet(self, service: Service) -> None:
        """The exit status says it all."""
        good, bad = service.guest().get_json()["token"], FORGE.session()
        for token, status in ((good, 0), (bad, 1), ("hello", 1)):
            result = inspect(service, "--quiet", token)
            assert (result.exit_code, result.output) == (status, "")


class TestWithoutFiles:
    """Where keys or tenants can't be read."""

    def test_it_shows_what_it_can(self, tmp_path: Path) -> None:
        """The claims are shown; what is missing is said; and nothing is made."""
        options = ["--config", str(tmp_path / "x.yaml"), "--instance", str(tmp_path / "x")]
        result = CliRunner().invoke(main, ["tokens", "inspect", *options], input=FORGE.session())
        assert result.exit_code == 1
        assert ISSUER in result.stdout
        told = "can't be told without the signing keys and the tenants."
        assert told in result.stdout
        assert "keyring.json: no such file" in result.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_faulty_file(self, service: Service) -> None:
        """A faulty file is named in one line, with the command that lists its faults."""
        token = service.guest().get_json()["token"]
        service.settings.config.write_text("version: 1\nx: 1\ny: 2\n")
        result = inspect(service, stdin=token)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert "`kataven-flask check` lists them" in result.stderr

    def test_a_file_without_an_issuer(self, service: Service) -> None:
        """Where the file names no issuer, --issuer does; without it, the token's is believed."""
        token = service.guest().get_json()["token"]
        del service.document["issuer"]
        service.write()
        believed = inspect(service, stdin=token)
        assert believed.exit_code == 0
        assert "its iss was believed" in believed.stdout
        assert inspect(service, "--issuer", ISSUER, stdin=token).exit_code == 0
        refused = inspect(service, "--issuer", "https://new.example.com", stdin=token)
        assert refused.exit_code == 1
        assert "another issuer minted it" in refused.stdout


class TestHostile:
    """Tokens that strangers made."""

    @pytest.mark.parametrize("options", [[], ["--personal"], ["--json", "--personal"]])
    @given(
        claims=st.dictionaries(
            st.text(st.characters(exclude_categories=()), max_size=20)
            | st.sampled_from([*SESSION, "began_ms"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.floats()
                | st.integers()
                | st.text(st.characters(exclude_categories=()), max_size=300),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=5), inner, max_size=3)
                ),
                max_leaves=10,
            ),
            max_size=8,
        ),
        kind=st.sampled_from(["visitor", "session", "other", "refresh"]),
    )
    @settings(deadline=None, max_examples=60)
    def test_command_nothing(self, options: list[str], claims: dict[str, Any], kind: str) -> None:
        """Whatever they say, it is shown in order, with nothing that a terminal obeys."""
        typ = {"visitor": "widget-visitor+jwt", "session": "widget-session+jwt"}.get(kind, kind)
        header, payload = json.dumps({**claims, "typ": typ}), json.dumps(claims)
        token = f"{encoded(header)}.{encoded(payload)}.{encoded(bytes(64))}"
        if kind == "refresh":
            token = f"{encoded(json.dumps({'session': claims}))}.{encoded(bytes(32))}"
        arguments = ["tokens", "inspect", *options, "--config", "none", "--instance", "none"]
        result = CliRunner().invoke(main, arguments, input=token)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit), result.exception
        seen = set(result.output) - {"\n"}
        assert not [c for c in seen if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
        if "--json" in options:
            assert json.loads(result.stdout)["verifies"] in (None, False)

    @pytest.mark.parametrize(
        "payload",
        [
            '{"exp": 1e400, "iat": -1e400, "auth_time": 99999999999999}',
            '{"exp": ' + "9" * 10_000 + "}",
            '{"a": ' * 4000 + "1" + "}" * 4000,
            "[" * 9000,
            '{"name": "' + "\\ud800" * 500 + '"}',
            '{"exp": 1, "exp": 2, "exp": "\\u001b[2J"}',
        ],
        ids=["infinite", "long number", "deep object", "deep list", "surrogates", "twice"],
    )
    def test_odd_json_is_no_fault(self, service: Service, payload: str) -> None:
        """JSON made to break readers breaks nothing."""
        token = f"{encoded('{}')}.{encoded(payload)}.{encoded(bytes(64))}"
        for options in ([], ["--json"], ["--personal"]):
            result = inspect(service, *options, stdin=token)
            assert result.exit_code == 1
            assert isinstance(result.exception, SystemExit)
            assert "\x1b" not in result.output

    @pytest.mark.parametrize(
        "stdin", [b"", b"\n", b"\xff\xfe\x00", b"\x00" * 100, b"eyJ\xff.\xff.\xff"]
    )
    def test_bytes_are_no_fault(self, service: Service, stdin: bytes) -> None:
        """Bytes that are no text are no token."""
        result = inspect(service, stdin=stdin)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)

    def test_too_much_is_refused(self, service: Service) -> None:
        """A file that was piped in by mistake is refused in one line."""
        result = inspect(service, stdin="x" * 70_000)
        assert result.output == "Error: stdin: more than 64 KiB; give one token\n"


class TestTerminal:
    """A terminal's user is asked."""

    def ask(self, typed: bytes, *arguments: str) -> tuple[int, bytes]:
        """Run the command on a terminal, type once it asks; return its status and the screen."""
        command = [COMMAND, "tokens", "inspect", *arguments]
        with terminal(command, NO_COLOR="1") as screen:
            screen.wait_for(rb"\(it isn't shown\): ")
            screen.type(typed)
            return screen.ended(), screen.screen

    @pytest.mark.parametrize("arguments", [[], ["-"]])
    def test_a_typed_token_is_not_shown(self, arguments: list[str]) -> None:
        """What is pasted doesn't appear on the screen."""
        token = FORGE.session()
        status, screen = self.ask(token.encode() + b"\n", "--config", "none", *arguments)
        assert status == 1
        assert b"A session token" in screen
        assert token.encode() not in screen
        assert token[-20:].encode() not in screen

    def test_a_token_that_the_terminal_cut_is_told(self) -> None:
        """A terminal takes lines of 4,095 characters: a longer token is asked for by a file."""
        status, screen = self.ask(b"e" * 4090 + b"y" * 100 + b"\n")
        assert status == 1
        assert b"put the token into a file" in screen

    def test_ctrl_c_is_no_fault(self) -> None:
        """Who doesn't want to answer leaves with status 130."""
        status, screen = self.ask(b"\x03")
        assert (status, b"Traceback" in screen) == (130, False)
