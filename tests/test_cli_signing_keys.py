"""`kataven-flask signing-keys` as an operator meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kataven_flask.cli import main
from kataven_flask.key_ring_file import KEY_RING_FILE, LOCK_FILE, open_key_ring, read_key_ring
from kataven_flask.signing import LEAD, REFRESH_SECRET_KEPT, SIGNING_KEY_KEPT, KeyRing
from tests.running import BOUND, COMMAND
from tests.support import NOON, FrozenClock


@pytest.fixture
def instance(tmp_path: Path, clock: FrozenClock) -> Path:
    """Return an instance folder with a ring that was made a day ago."""
    path = tmp_path / "instance"
    open_key_ring(path, None, lambda: clock.now - 86400)
    return path


@pytest.fixture(autouse=True)
def _now(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("kataven_flask.cli.signing_keys")
    monkeypatch.setattr(module, "time", SimpleNamespace(time=clock))


def run(instance: Path, *arguments: str) -> Result:
    """Run the command over an instance folder."""
    return CliRunner().invoke(main, ["signing-keys", *arguments, "--instance", str(instance)])


def done(instance: Path, *arguments: str) -> str:
    """Run the command, which must succeed; return what it printed."""
    result = run(instance, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(instance: Path, *arguments: str) -> str:
    """Run the command, which must be refused in one line; return that."""
    result = run(instance, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    (line,) = result.output.splitlines()
    return line


def states(instance: Path) -> list[str]:
    """Return the last column of `list`."""
    lines = done(instance, "list").splitlines()
    column = lines[0].index("STATE")
    return [line[column:] for line in lines[1:]]


def ids(ring: KeyRing) -> list[str]:
    """Return the short ids of a ring's signing keys."""
    return [key.kid[:12] for key in ring.signing_keys]


class TestList:
    """Everything with what it does."""

    def test_a_life(self, instance: Path, clock: FrozenClock) -> None:
        """A pair is announced, signs, only verifies, and can be pruned, and `list` says so."""
        assert states(instance) == ["signs", "signs"]
        done(instance, "rotate")
        waits = "signs from 2026-09-21 14:29 UTC, in 15 min"
        assert states(instance) == ["signs", waits, "signs", waits]
        clock.move(LEAD - 30)
        assert states(instance)[1] == "signs from 2026-09-21 14:29 UTC, in 30 s"
        clock.move(30)
        until = ["verifies until 2026-09-21 14:49 UTC", "verifies until 2026-10-21 14:34 UTC"]
        assert states(instance) == [until[0], "signs", until[1], "signs"]
        clock.move(SIGNING_KEY_KEPT)
        assert states(instance) == ["can be pruned", "signs", until[1], "signs"]
        clock.move(REFRESH_SECRET_KEPT)
        assert states(instance)[2] == "can be pruned"

    def test_fits_a_terminal(self, instance: Path) -> None:
        """Its columns stand under each other, in lines of at most 100 characters."""
        done(instance, "rotate", "--alg", "EdDSA")
        lines = done(instance, "list").splitlines()
        assert max(map(len, lines)) <= 100
        column = lines[0].index("STATE")
        assert all(line[column - 2 : column] == "  " for line in lines)
        assert [line.split()[0] for line in lines[1:3]] == ids(read_key_ring(instance))

    def test_json(self, instance: Path) -> None:
        """A script reads whole ids, times in UTC and one word for the state."""
        done(instance, "rotate")
        listed: list[dict[str, Any]] = json.loads(done(instance, "list", "--json"))
        ring = read_key_ring(instance)
        assert [entry["id"] for entry in listed] == [entry.id for entry in ring.entries]
        assert [entry["state"] for entry in listed] == ["signs", "waits"] * 2
        assert listed[1] == {
            "id": ring.newest.kid,
            "kind": "signing_key",
            "alg": "ES256",
            "created_at": "2026-09-21T14:13:20+00:00",
            "signs_from": "2026-09-21T14:28:20+00:00",
            "state": "waits",
            "verifies_until": None,
        }

    @pytest.mark.parametrize(
        "arguments",
        [
            ["list"],
            ["list", "--json"],
            ["rotate"],
            ["rotate", "--at-once"],
            ["rotate", "--leaked"],
            ["prune"],
        ],
    )
    def test_nothing_secret(self, instance: Path, arguments: Sequence[str]) -> None:
        """No command prints a private key or a secret, nor a part of one."""
        before = read_key_ring(instance)
        output = done(instance, *arguments)
        for ring in (before, read_key_ring(instance)):
            for key in ring.signing_keys:
                assert not any(line in output for line in key.pem().splitlines())
            for secret in ring.refresh_secrets:
                assert secret.secret.hex()[:8] not in output

    def test_changes_nothing(self, instance: Path) -> None:
        """To look leaves the folder as it is."""
        before = (instance / KEY_RING_FILE).stat()
        done(instance, "list")
        assert (instance / KEY_RING_FILE).stat() == before
        assert not (instance / LOCK_FILE).exists()


class TestRotate:
    """A new pair."""

    def test_says_what_happens(self, instance: Path) -> None:
        """It names what it made, and says from when it signs."""
        output = done(instance, "rotate")
        new = ids(read_key_ring(instance))[1]
        assert output.startswith(f"Made signing key {new} (ES256) and refresh secret ")
        assert "sign from 2026-09-21 14:29 UTC on, in 15 min" in output

    def test_to_another_algorithm(self, instance: Path) -> None:
        """A new key may be for another algorithm; later ones keep that."""
        done(instance, "rotate", "--alg", "EdDSA", "--at-once")
        done(instance, "rotate")
        assert [k.alg for k in read_key_ring(instance).signing_keys] == ["ES256", "EdDSA", "EdDSA"]

    def test_twice(self, instance: Path, clock: FrozenClock) -> None:
        """While a new key waits, it says until when, and changes nothing."""
        done(instance, "rotate")
        before = (instance / KEY_RING_FILE).read_bytes()
        line = refused(instance, "rotate")
        assert line.startswith("Error: the newest key signs from 2026-09-21 14:29 UTC on;")
        assert (instance / KEY_RING_FILE).read_bytes() == before
        clock.move(LEAD)
        done(instance, "rotate")

    def test_at_once(self, instance: Path) -> None:
        """In haste a key signs now, also while another waits; it says what verifiers may do."""
        done(instance, "rotate")
        output = done(instance, "rotate", "--at-once")
        assert "They sign from now on." in output
        assert "may refuse new tokens" in output
        assert "Removed" not in output
        assert states(instance)[2] == "signs"

    def test_a_leak(self, instance: Path) -> None:
        """After a leak one command replaces everything, and names what it removed."""
        done(instance, "rotate")
        old = read_key_ring(instance)
        output = done(instance, "rotate", "--leaked", "--alg", "EdDSA")
        assert output.count("Removed signing key") == 2
        assert output.count("Removed refresh secret") == 2
        new = read_key_ring(instance)
        assert not {entry.id for entry in old.entries} & {entry.id for entry in new.entries}
        assert states(instance) == ["signs", "signs"]

    def test_an_old_copy(self, instance: Path, clock: FrozenClock) -> None:
        """Where an old backup leaked, its keys go by the id that `list` shows; newer ones stay."""
        leaked = read_key_ring(instance).refresh_secrets[0]
        done(instance, "rotate")
        clock.move(LEAD + SIGNING_KEY_KEPT)
        done(instance, "prune")
        output = done(instance, "prune", "--leaked", leaked.id[:12])
        assert output == f"Removed refresh secret {leaked.id[:12]}.\n"
        assert states(instance) == ["signs", "signs"]

    def test_where_there_is_no_ring(self, tmp_path: Path) -> None:
        """It makes no ring where a folder was mistyped: it says what would, in one line."""
        assert "no such file; `kataven-flask serve` makes it" in refused(tmp_path / "x", "rotate")
        assert not (tmp_path / "x").exists()

    def test_an_open_folder(self, instance: Path) -> None:
        """A folder that others can read is refused with the command that mends it."""
        instance.chmod(0o755)
        assert refused(instance, "rotate").endswith(f"run: chmod 700 {instance}")

    def test_a_damaged_file(self, instance: Path) -> None:
        """A file that can't be read is left as it is, and told in one line."""
        (instance / KEY_RING_FILE).write_text("{")
        for arguments in (["list"], ["rotate"], ["prune"]):
            assert "not a key ring; restore it from a backup" in refused(instance, *arguments)
        assert (instance / KEY_RING_FILE).read_text() == "{"

    def test_an_unknown_algorithm(self, instance: Path) -> None:
        """No key is made for an algorithm that nothing here verifies."""
        assert run(instance, "rotate", "--alg", "HS256").exit_code == 2


class TestPrune:
    """What nothing needs goes."""

    def test_nothing(self, instance: Path) -> None:
        """Where everything is needed, it says so."""
        assert done(instance, "prune") == "Nothing to remove.\n"

    def test_says_what_goes_and_what_stays(self, instance: Path, clock: FrozenClock) -> None:
        """It names what it removed, and until when the rest is needed."""
        old = read_key_ring(instance)
        secret = old.refresh_secrets[0].id[:12]
        done(instance, "rotate")
        clock.move(LEAD)
        assert done(instance, "prune") == (
            "Nothing to remove.\n"
            f"Kept signing key {ids(old)[0]} until 2026-09-21 14:49 UTC.\n"
            f"Kept refresh secret {secret} until 2026-10-21 14:34 UTC.\n"
        )
        clock.move(SIGNING_KEY_KEPT)
        assert done(instance, "prune") == (
            f"Removed signing key {ids(old)[0]}.\n"
            f"Kept refresh secret {secret} until 2026-10-21 14:34 UTC.\n"
        )
        clock.move(REFRESH_SECRET_KEPT)
        assert done(instance, "prune") == f"Removed refresh secret {secret}.\n"
        assert states(instance) == ["signs", "signs"]

    def test_the_one_that_signs(self, instance: Path) -> None:
        """The leaked key that still signs isn't removed: it says what to run first."""
        (kid,) = ids(read_key_ring(instance))
        assert "signing-keys rotate --leaked" in refused(instance, "prune", "--leaked", kid)

    @pytest.mark.parametrize("leaked", ["", "x", "nobody-here", "-----BEGIN"])
    def test_an_unknown_one(self, instance: Path, leaked: str) -> None:
        """An id that nothing has is told in one line."""
        assert "signing-keys list" in refused(instance, "prune", "--leaked", leaked)


def test_the_folder_comes_from_the_environment(instance: Path) -> None:
    """KATAVEN_INSTANCE names the folder, as it does for `serve`."""
    environ = {"KATAVEN_INSTANCE": str(instance)}
    result = CliRunner().invoke(main, ["signing-keys", "list"], env=environ)
    assert ids(read_key_ring(instance))[0] in result.output


@pytest.mark.parametrize("command", [[], ["list"], ["rotate"], ["prune"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    """`--help` says what a command does, and each has an example."""
    result = CliRunner().invoke(main, ["signing-keys", *command, "--help"])
    assert result.exit_code == 0
    assert not command or f"Example: kataven-flask signing-keys {command[0]}" in result.output


def test_two_rotations_at_once(instance: Path) -> None:
    """Of two operators who rotate together one succeeds, and the other is told that it waits."""
    command = [COMMAND, "signing-keys", "rotate", "--instance", str(instance)]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=BOUND)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], outputs
    assert any("the newest key signs from" in output for output in outputs)
    assert len(read_key_ring(instance).signing_keys) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another user")
def test_root_rotates_for_the_servers_own_user() -> None:
    """`sudo kataven-flask signing-keys rotate` leaves keys that the server's user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        instance = Path(folder) / "instance"
        open_key_ring(instance, None, lambda: NOON)
        for path in (instance / KEY_RING_FILE, instance):
            os.chown(path, 65534, 65534)
        for arguments in (["rotate", "--at-once"], ["list"], ["prune"]):
            done(instance, *arguments)
        code = "import os, sys; os.setuid(65534); open(sys.argv[1]).read()"
        command = [sys.executable, "-c", code, str(instance / KEY_RING_FILE)]
        ran = subprocess.run(command, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
