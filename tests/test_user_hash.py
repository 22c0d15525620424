"""What the log has for a user: lines can be joined, and nobody is named."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.cli import main
from kataven_flask.key_ring_file import change_key_ring
from kataven_flask.signing import RefreshSecret
from kataven_flask.user_hash import user_hash
from tests.logfmt import told
from tests.support import Service

SECRET: Final = RefreshSecret(bytes(range(32)))
USER: Final = "user-nightingale-7f3a"


def asked(service: Service, *options: str, stdin: str | None = None) -> Result:
    """Run the command with the server's own files."""
    where = ("--config", str(service.settings.config), "--instance", str(service.settings.instance))
    return CliRunner().invoke(main, ["sessions", "user-hash", *options, *where], input=stdin)


def shown(result: Result) -> list[str]:
    """Return the hashes that the command has printed, the present one first."""
    assert result.exit_code == 0, result.output
    return re.findall(r"^usr_[0-9a-f]{32}(?= )", result.output, re.MULTILINE)


def logged(service: Service, caplog: pytest.LogCaptureFixture) -> str:
    """Have something happen to a user, and return what the log has for them."""
    caplog.clear()
    token = service.user_token(user_id=USER).get_json()["token"]
    service.exchange(token=token)
    service.exchange(token=token)
    (fields,) = told(caplog)
    return fields["user"]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Return a server with the system's clock."""
    return Service(tmp_path, clock=time.time)


def test_it_is_the_same_for_ever() -> None:
    """Another version of this program must not part the lines of one user."""
    assert user_hash(SECRET, "acme", "42") == "usr_c77d7feb35af7c34021a4a72a4c58338"


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_two_users_have_two(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Users of two tenants with the same id are two, and so are two users of one tenant."""
    ids = [("acme" if "a" in tenant else "other", user) for tenant, user in (one, other)]
    hashes = {user_hash(SECRET, *each) for each in ids}
    assert len(hashes) == len(set(ids))


def test_another_instance_has_another() -> None:
    """Who has the log and not the keys can't try ids until one fits."""
    assert user_hash(SECRET, "acme", "42") != user_hash(RefreshSecret(bytes(32)), "acme", "42")


def test_support_finds_a_user(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The command gives what stands in the log, by an option or from a file that has the id."""
    found = logged(service, caplog)
    assert shown(asked(service, "--tenant", "acme", "--user", USER)) == [found]
    assert shown(asked(service, "--tenant", "acme", stdin=f"{USER}\n")) == [found]
    assert shown(asked(service, "--tenant", "other", "--user", USER)) != [found]
    assert USER not in asked(service, "--tenant", "acme", stdin=USER).output


def test_after_a_rotation_both_are_told(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Older lines are found as long as the old key is kept; one that waits has no lines yet."""
    instance = service.settings.instance
    first = logged(service, caplog)
    change_key_ring(instance, lambda ring: ring.rotated(time.time(), at_once=True))
    service.reload_keys()
    second = logged(service, caplog)
    assert first != second
    change_key_ring(instance, lambda ring: ring.rotated(time.time()))
    assert shown(asked(service, "--tenant", "acme", "--user", USER)) == [second, first]
    change_key_ring(instance, lambda ring: ring.replaced(time.time()))
    assert len(shown(asked(service, "--tenant", "acme", "--user", USER))) == 1


@pytest.mark.parametrize(
    ("options", "stdin", "words"),
    [
        (["--tenant", "acmee", "--user", "42"], "", "no such tenant, but acme"),
        (["--tenant", "acme"], "", "not a user's id"),
        (["--tenant", "acme", "--user", " "], "", "not a user's id"),
    ],
)
def test_a_mistake_is_told(service: Service, options: list[str], stdin: str, words: str) -> None:
    """A hash of nobody would be looked for in vain."""
    result = asked(service, *options, stdin=stdin)
    assert result.exit_code == 1
    assert words in result.output
