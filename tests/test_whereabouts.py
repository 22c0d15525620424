"""Where the tenants' file and the keys are, where nobody has said: found, told, and never moved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kataven_flask.app import create_app, parts_of
from kataven_flask.assets import example_config
from kataven_flask.cli import main
from kataven_flask.errors import ConfigurationError
from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.settings import Settings
from kataven_flask.whereabouts import find_config, find_instance
from tests.running import COMMAND, running


@dataclass(frozen=True, slots=True)
class Machine:
    """A user's home, a project's folder that is worked in, and a machine's settings."""

    home: Path
    project: Path
    settings: Path

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of a user on it."""
        return {
            "HOME": str(self.home),
            "XDG_CONFIG_DIRS": f"relative:{self.settings}",
            "XDG_CONFIG_HOME": "",
            "XDG_STATE_HOME": "",
            "KATAVEN_CONFIG": "",
            "KATAVEN_INSTANCE": "",
        }

    def put(self, *places: str) -> None:
        """Put a tenants' file into each of these places."""
        for place in places:
            file = self.file(place)
            file.parent.mkdir(parents=True)
            shutil.copy(example_config(), file)

    def file(self, place: str) -> Path:
        """Return where the tenants' file of a place is."""
        folder = {
            "project": self.project / "config",
            "user": self.home / ".config" / "kataven-flask",
            "machine": self.settings / "kataven-flask",
        }[place]
        return folder / "tenants.yaml"

    @property
    def state(self) -> Path:
        """Return where the user's keys are."""
        return self.home / ".local" / "state" / "kataven-flask"

    def run(self, *arguments: str) -> Result:
        """Run a command as that user, in the project."""
        return CliRunner().invoke(main, list(arguments), env=self.environ)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine without any file of ours, and work in its project."""
    made = Machine(tmp_path / "home", tmp_path / "project", tmp_path / "etc")
    made.home.mkdir()
    made.project.mkdir()
    monkeypatch.chdir(made.project)
    return made


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as a user who may do what any may; whoever isn't root is one."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine in a folder that any user may pass through."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        made = Machine(*(Path(folder) / name for name in ("home", "project", "etc")))
        made.project.mkdir()
        monkeypatch.chdir(made.project)
        yield made
        os.chdir("/")


class TestConfig:
    """Which tenants' file is read."""

    @pytest.mark.parametrize(
        ("there", "taken"),
        [
            (["project", "user", "machine"], "project"),
            (["user", "machine"], "user"),
            (["machine"], "machine"),
        ],
    )
    def test_the_nearest(self, machine: Machine, there: list[str], taken: str) -> None:
        """The project's file comes before the user's, and that before the machine's."""
        machine.put(*there)
        assert find_config(machine.environ).absolute() == machine.file(taken)
        told = machine.run("check").stdout
        assert "config/tenants.yaml is sound" in told or f"{machine.file(taken)} is sound" in told

    def test_none(self, machine: Machine) -> None:
        """Where there is none, the project's is what is missing."""
        assert find_config(machine.environ) == Path("config/tenants.yaml")
        assert machine.run("check").exit_code == 1

    @pytest.mark.parametrize(("said", "taken"), [("home/mine", True), ("mine", False), ("", False)])
    def test_a_base_directory_of_one_s_own(
        self, machine: Machine, tmp_path: Path, said: str, *, taken: bool
    ) -> None:
        """XDG_CONFIG_HOME is heeded where it is absolute, as its standard says."""
        file = tmp_path / "home" / "mine" / "kataven-flask" / "tenants.yaml"
        file.parent.mkdir(parents=True)
        file.touch()
        value = str(tmp_path / said) if said.startswith("home") else said
        found = find_config({**machine.environ, "XDG_CONFIG_HOME": value})
        assert (found == file) == taken

    def test_a_user_without_a_home(self, machine: Machine) -> None:
        """A service whose user has no home is no fault."""
        machine.put("machine")
        for home in ("", "nonexistent"):
            assert find_config({**machine.environ, "HOME": home}) == machine.file("machine")

    def test_a_link_that_leads_nowhere_is_a_fault(self, machine: Machine) -> None:
        """A project's file that is gone isn't replaced by another without a word."""
        machine.put("user")
        (machine.project / "config").mkdir()
        (machine.project / "config" / "tenants.yaml").symlink_to("gone.yaml")
        assert machine.run("check").exit_code == 1

    def test_a_folder_that_is_closed_is_a_fault(self, shared: Machine) -> None:
        """A project's file that can't be read isn't replaced by another without a word."""
        shared.put("project", "machine")
        folder = shared.project / "config"
        folder.chmod(0o000)
        with as_nobody():
            assert shared.file("machine").exists()
            assert find_config(shared.environ) == Path("config/tenants.yaml")
        folder.chmod(0o700)

    def test_where_one_may_not_be(self, shared: Machine) -> None:
        """Started in a folder that it may not enter, it takes the machine's file, and its keys."""
        shared.put("project", "machine")
        open_key_ring(shared.project / "instance")
        shared.project.chmod(0o000)
        with as_nobody():
            config = find_config(shared.environ)
            assert config == shared.file("machine")
            assert find_instance(config, shared.environ) == Path("/var/lib/kataven-flask")
        shared.project.chmod(0o700)

    def test_a_folder_that_leads_to_itself(self, machine: Machine) -> None:
        """A file that can't be found is told as one, whatever links stand in its way."""
        (machine.project / "loop").symlink_to("loop")
        assert find_instance(Path("loop/tenants.yaml"), machine.environ) == Path("instance")
        told = machine.run("signing-keys", "list", "--instance", "loop")
        assert told.exit_code == 1
        assert told.stderr.startswith("Error: loop: ")


class TestInstance:
    """Which keys sign."""

    @pytest.mark.parametrize("place", ["project", "user"])
    def test_it_goes_with_the_file(self, machine: Machine, place: str) -> None:
        """A project's keys are in the project, and a user's with the user."""
        machine.put(place)
        settings = Settings.from_environ(machine.environ)
        wanted = {"project": machine.project / "instance", "user": machine.state}[place]
        assert settings.instance.absolute() == wanted

    def test_of_the_machine(self, machine: Machine) -> None:
        """A machine's keys are where a service keeps its state."""
        machine.put("machine")
        instance = find_instance(machine.file("machine"), machine.environ)
        assert instance == Path("/var/lib/kataven-flask")

    def test_however_the_file_is_named(
        self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same file by another path, or its folder, has the same keys."""
        machine.put("user")
        (tmp_path / "link").symlink_to(machine.home)
        file = machine.file("user")
        by_link = tmp_path / "link" / ".config" / "kataven-flask" / "tenants.yaml"
        for config in (file, file.parent, by_link, file.parent / ".." / "kataven-flask"):
            assert find_instance(config, machine.environ) == machine.state
        monkeypatch.chdir(file.parent)
        assert find_instance(Path("tenants.yaml"), machine.environ) == machine.state

    @pytest.mark.parametrize("name", ["kataven-flask-2/tenants.yaml", "tenants.yaml"])
    def test_a_neighbour_has_its_own(self, machine: Machine, name: str) -> None:
        """A file elsewhere, whatever it is called, has its keys in the working directory."""
        config = machine.home / ".config" / name
        assert find_instance(config, machine.environ) == Path("instance")

    def test_keys_that_are_there_go_on(self, machine: Machine) -> None:
        """Keys that were made in the project for a user's file are not made anew elsewhere."""
        machine.put("user")
        before = open_key_ring(machine.project / "instance")
        app = create_app(Settings.from_environ({**machine.environ, "KATAVEN_STATE": "memory:"}))
        assert parts_of(app).ring.current.revision == before.revision
        assert app.instance_path == str(machine.project / "instance")
        parts_of(app).close()
        assert not machine.state.exists()

    def test_another_project_s_instance_folder_is_no_home(self, machine: Machine) -> None:
        """An `instance` folder without our keys, as every Flask app has one, changes nothing."""
        machine.put("user")
        (machine.project / "instance").mkdir()
        assert find_instance(machine.file("user"), machine.environ) == machine.state

    def test_keys_that_cant_be_seen_are_not_made_anew(self, machine: Machine) -> None:
        """An `instance` that is another user's is told as a fault; no new keys are made."""
        machine.put("user")
        instance = machine.project / "instance"
        open_key_ring(instance)
        instance.chmod(0o000)
        with as_nobody():
            assert find_instance(machine.file("user"), machine.environ) == Path("instance")
        instance.chmod(0o700)

    def test_two_rings_are_not_chosen_from(self, machine: Machine) -> None:
        """Where keys are in two places, each command asks which, and none is taken."""
        machine.put("user")
        open_key_ring(machine.project / "instance")
        open_key_ring(machine.state)
        with pytest.raises(ConfigurationError, match="say which with --instance"):
            Settings.from_environ(machine.environ)
        for command in (["serve"], ["signing-keys", "list"], ["signing-keys", "prune"]):
            result = machine.run(*command)
            assert result.exit_code == 1
            assert str(machine.project / "instance") in result.stderr
            assert str(machine.state) in result.stderr
        said = machine.run("signing-keys", "list", "--instance", str(machine.state))
        assert said.exit_code == 0

    def test_two_names_of_one_ring_are_one(self, machine: Machine) -> None:
        """An `instance` that is a link to the user's own is no second place."""
        machine.put("user")
        open_key_ring(machine.state)
        (machine.project / "instance").symlink_to(machine.state)
        assert find_instance(machine.file("user"), machine.environ) == Path("instance")

    def test_a_look_makes_no_keys(self, machine: Machine) -> None:
        """No command but a server makes keys."""
        machine.put("user")
        for command in (["list"], ["rotate"], ["prune"]):
            assert machine.run("signing-keys", *command).exit_code == 1
        assert not machine.state.exists()


def test_a_server_says_where_and_whether_it_made_them(machine: Machine) -> None:
    """The whole path of the keys is told, and that they are new; the next start takes them."""
    machine.put("user")
    for made in ("  (made now; keep a backup)\n", "\n"):
        with running(
            COMMAND, "serve", "--listen", "127.0.0.1:0", cwd=machine.project, **machine.environ
        ) as server:
            server.wait_for("Next: open")
            assert f"  keys      {machine.state}{made}" in server.output
            assert f"from {machine.file('user')} (" in server.output
            assert server.end() == 0
    assert (machine.state / "keyring.json").stat().st_mode & 0o777 == 0o600
    assert machine.state.stat().st_mode & 0o777 == 0o700
    assert not (machine.project / "instance").exists()
