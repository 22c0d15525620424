"""The key ring's file: made once, its owner's alone, and changed whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kataven_flask.errors import ConfigurationError
from kataven_flask.key_ring_file import (
    KEY_RING_FILE,
    LOCK_FILE,
    as_owner_of,
    change_key_ring,
    open_key_ring,
    read_key_ring,
)
from kataven_flask.signing import (
    LEAD,
    Algorithm,
    KeyRing,
    generate_private_key_for,
    make_signing_key,
)
from kataven_flask.times import iso_utc
from tests.support import NOON

NOW = int(NOON)
PATIENCE = 20
"""Seconds that a test waits for another process before it gives up."""

ALGORITHMS: list[Algorithm] = ["ES256", "EdDSA"]


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """Return where an instance folder may be made."""
    return tmp_path / "instance"


@pytest.fixture
def permissive_umask() -> Iterator[None]:
    """Let new files be everybody's, as some systems do."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def content_of(instance: Path) -> dict[str, Any]:
    """Read the key ring's file."""
    content: dict[str, Any] = json.loads((instance / KEY_RING_FILE).read_text())
    return content


def pem(key: Any) -> str:
    """Write a private key as the file has it."""
    raw: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return raw.decode()


class TestTheFirstStart:
    """Where there is no key ring yet."""

    @pytest.mark.usefixtures("permissive_umask")
    def test_makes_what_only_the_owner_can_read(self, instance: Path) -> None:
        """The folder and the file are the owner's alone, whatever the umask."""
        open_key_ring(instance)
        assert mode(instance) == 0o700
        assert mode(instance / KEY_RING_FILE) == 0o600

    def test_makes_the_folders_above(self, instance: Path) -> None:
        """The folder is made with those above it."""
        assert open_key_ring(instance / "a" / "b")

    def test_leaves_nothing_else_behind(self, instance: Path) -> None:
        """No half-written file stays in the folder."""
        open_key_ring(instance)
        assert [path.name for path in instance.iterdir()] == [KEY_RING_FILE]

    def test_signs_with_es256(self, instance: Path) -> None:
        """A key that nothing was said about is for ES256."""
        assert open_key_ring(instance).newest.alg == "ES256"

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_signs_with_what_is_asked_for(self, instance: Path, alg: Algorithm) -> None:
        """A key is made for the algorithm that is configured."""
        assert open_key_ring(instance, alg).newest.alg == alg

    def test_makes_a_secret_of_its_own(self, instance: Path, tmp_path: Path) -> None:
        """No two servers share a key or a secret; there is no default."""
        one, two = open_key_ring(instance), open_key_ring(tmp_path / "other")
        assert one.newest.kid != two.newest.kid
        assert not set(one.refresh_secrets) & set(two.refresh_secrets)
        assert all(len(s.secret) == 32 for s in one.refresh_secrets + two.refresh_secrets)

    def test_when_many_start_at_once(self, instance: Path) -> None:
        """Workers that start together all come to hold the one ring that stays."""
        start = threading.Barrier(12)
        rings: list[KeyRing] = []

        def begin() -> None:
            start.wait()
            rings.append(open_key_ring(instance))

        workers = [threading.Thread(target=begin) for _ in range(12)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(rings) == 12
        assert len({(ring.newest.kid, ring.refresh_secrets) for ring in rings}) == 1
        assert open_key_ring(instance).newest.kid == rings[0].newest.kid
        assert [path.name for path in instance.iterdir()] == [KEY_RING_FILE]


class TestALaterStart:
    """Where a key ring stands."""

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_finds_the_same_keys(self, instance: Path, alg: Algorithm) -> None:
        """What was signed before a restart still verifies after it."""
        first, second = open_key_ring(instance, alg), open_key_ring(instance)
        assert first.jwks() == second.jwks()
        assert first.refresh_secrets == second.refresh_secrets

    def test_with_another_algorithm(self, instance: Path) -> None:
        """A key of another algorithm isn't used, nor replaced unasked: the start is refused."""
        before = open_key_ring(instance, "ES256")
        with pytest.raises(ConfigurationError) as refusal:
            open_key_ring(instance, "EdDSA")
        assert "newest key is for ES256, not EdDSA" in str(refusal.value)
        assert "signing-keys rotate --alg EdDSA" in str(refusal.value)
        assert open_key_ring(instance).jwks() == before.jwks()

    def test_with_the_algorithm_of_its_newest(self, instance: Path) -> None:
        """After a rotation to another algorithm, that one is configured; the old one verifies."""
        open_key_ring(instance, "ES256")
        change_key_ring(instance, lambda ring: ring.rotated(NOW, "EdDSA"))
        assert open_key_ring(instance, "EdDSA").signing_keys[0].alg == "ES256"

    def test_with_a_file_of_an_earlier_version(self, instance: Path) -> None:
        """Keys that say only when they were made sign since then; the newest of them signs."""
        old = open_key_ring(instance)
        new = generate_private_key_for("EdDSA")
        content = content_of(instance)
        since = {"created_at": "2026-10-01T12:00:00+00:00"}
        content["signing_keys"].append({"private_key": pem(new), **since})
        content["refresh_secrets"].append({"secret": "ab" * 32, **since})
        for entry in content["signing_keys"] + content["refresh_secrets"]:
            entry.pop("signs_from", None)
        (instance / KEY_RING_FILE).write_text(json.dumps(content))
        ring = open_key_ring(instance)
        assert ring.newest.kid == make_signing_key(new).kid
        assert ring.newest.signs_from == ring.newest.created_at == 1_790_856_000
        assert ring.signing_key(1_790_856_000) is ring.newest
        assert ring.find(old.newest.kid) is not None
        assert [s.secret for s in ring.refresh_secrets] == [
            old.refresh_secrets[0].secret,
            b"\xab" * 32,
        ]

    def test_behind_a_link(self, instance: Path, tmp_path: Path) -> None:
        """A mounted file, which is a link to the owner's own, is read; it isn't changed there."""
        ring = open_key_ring(instance)
        mounted = tmp_path / "mounted"
        mounted.mkdir(mode=0o700)
        (mounted / KEY_RING_FILE).symlink_to(instance / KEY_RING_FILE)
        assert read_key_ring(mounted).revision == ring.revision
        with pytest.raises(ConfigurationError, match=f"change it where it leads: {instance}$"):
            rotate(mounted)
        assert (mounted / KEY_RING_FILE).is_symlink()


class TestWhoCanRead:
    """A folder or a file that others can read or write is refused with what mends it."""

    @pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o720, 0o777], ids=oct)
    def test_the_folder(self, instance: Path, bits: int) -> None:
        """A folder that others can enter, read or write is refused before anything is made."""
        instance.mkdir()
        instance.chmod(bits)
        with pytest.raises(ConfigurationError) as refusal:
            open_key_ring(instance)
        assert str(refusal.value).endswith(f"run: chmod 700 {instance}")
        assert not list(instance.iterdir())

    @pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o620, 0o666], ids=oct)
    def test_the_file(self, instance: Path, bits: int) -> None:
        """A file that others can read or write is refused."""
        open_key_ring(instance)
        (instance / KEY_RING_FILE).chmod(bits)
        with pytest.raises(ConfigurationError) as refusal:
            open_key_ring(instance)
        assert str(refusal.value).endswith(f"run: chmod 600 {instance / KEY_RING_FILE}")

    @pytest.mark.parametrize("name", ["instance", "my instance", "it's"])
    def test_the_command_mends_it(self, tmp_path: Path, name: str) -> None:
        """The command that the refusal names, run as it stands, mends it."""
        instance = tmp_path / name
        open_key_ring(instance)
        for path in (instance / KEY_RING_FILE, instance):
            path.chmod(0o755)
            with pytest.raises(ConfigurationError) as refusal:
                open_key_ring(instance)
            command = str(refusal.value).rpartition("run: ")[2]
            subprocess.run(shlex.split(command), check=True)
            assert open_key_ring(instance)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_another_users_folder(self, instance: Path) -> None:
        """A folder that belongs to another user is refused: that user could change the keys."""
        open_key_ring(instance)
        os.chown(instance, 65534, -1)
        with pytest.raises(ConfigurationError, match="belongs to another user; run: chown"):
            open_key_ring(instance)

    def test_a_file_in_the_folders_place(self, instance: Path) -> None:
        """A file where the folder should be is one clear line."""
        instance.write_text("")
        with pytest.raises(ConfigurationError, match="instance"):
            open_key_ring(instance)

    def test_a_folder_in_the_files_place(self, instance: Path) -> None:
        """A folder where the file should be is one clear line."""
        instance.mkdir(mode=0o700)
        (instance / KEY_RING_FILE).mkdir(mode=0o700)
        with pytest.raises(ConfigurationError, match="instance"):
            open_key_ring(instance)

    def test_a_pipe_in_the_files_place(self, instance: Path) -> None:
        """A pipe where the file should be holds nobody up."""
        instance.mkdir(mode=0o700)
        os.mkfifo(instance / KEY_RING_FILE, 0o600)
        with pytest.raises(ConfigurationError, match="not a file"):
            open_key_ring(instance)

    def test_a_link_to_a_file_that_others_can_read(self, instance: Path, tmp_path: Path) -> None:
        """What a link leads to is held to the same rule."""
        open_key_ring(instance)
        copy = tmp_path / "copy.json"
        copy.write_bytes((instance / KEY_RING_FILE).read_bytes())
        copy.chmod(0o644)
        (instance / KEY_RING_FILE).unlink()
        (instance / KEY_RING_FILE).symlink_to(copy)
        with pytest.raises(ConfigurationError, match="others can read or write it"):
            open_key_ring(instance)

    def test_nothing_there(self, instance: Path) -> None:
        """Only a server's start makes a ring; to read or change none is one clear line."""
        for use in (read_key_ring, rotate):
            with pytest.raises(ConfigurationError, match=r"no such file; `kataven-flask serve`"):
                use(instance)
        assert not instance.exists()


def damaged(**members: Any) -> Any:
    """Return what damages a sound file: other members."""
    return lambda content: json.dumps({**content, **members})


def with_key(private_key: Any) -> Any:
    """Return what damages a sound file: another private key."""
    return damaged(signing_keys=[{"private_key": private_key, "created_at": iso_utc(NOW)}])


def with_secret(*secrets: Any) -> Any:
    """Return what damages a sound file: other refresh secrets."""
    made = {"created_at": iso_utc(NOW)}
    return damaged(refresh_secrets=[{"secret": secret, **made} for secret in secrets])


def with_time(name: str, time: Any) -> Any:
    """Return what damages a sound file: another time of its key."""

    def damage(content: dict[str, Any]) -> str:
        (key,) = content["signing_keys"]
        return json.dumps({**content, "signing_keys": [{**key, name: time}]})

    return damage


ENCRYPTED = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    .decode()
)
PUBLIC = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
DAMAGES = {
    "empty": lambda _: "",
    "half written": lambda content: json.dumps(content)[:-20],
    "no JSON": lambda _: "-----BEGIN PRIVATE KEY-----",
    "no UTF-8": lambda _: b"\xff\xfe\x00\x80",
    "nested too deep": lambda _: "[" * 100_000,
    "a list": lambda _: "[]",
    "a text": lambda _: '"x"',
    "null": lambda _: "null",
    "an empty object": lambda _: "{}",
    "another version": damaged(version=2),
    "no version": lambda content: json.dumps({k: v for k, v in content.items() if k != "version"}),
    "no keys": damaged(signing_keys=[]),
    "keys null": damaged(signing_keys=None),
    "keys a text": damaged(signing_keys="abc"),
    "a key without its member": damaged(signing_keys=[{}]),
    "key null": with_key(None),
    "key a number": with_key(7),
    "key a list": with_key([]),
    "key no PEM": with_key("x"),
    "key beyond ASCII": with_key("é"),
    "key cut short": lambda content: with_key(content["signing_keys"][0]["private_key"][:99])(
        content
    ),
    "key public": with_key(PUBLIC),
    "key encrypted": with_key(ENCRYPTED),
    "key RSA": with_key(pem(rsa.generate_private_key(65537, 2048))),
    "key P-384": with_key(pem(ec.generate_private_key(ec.SECP384R1()))),
    "key secp256k1": with_key(pem(ec.generate_private_key(ec.SECP256K1()))),
    "key Ed448": with_key(pem(ed448.Ed448PrivateKey.generate())),
    "no secrets": damaged(refresh_secrets=[]),
    "secrets null": damaged(refresh_secrets=None),
    "a secret too short": with_secret("ab" * 31),
    "an older secret too short": with_secret("", "ab" * 32),
    "a secret not in hex": with_secret("zz" * 32),
    "a secret that is a number": with_secret(7),
    "a secret null": with_secret(None),
    "a secret twice": with_secret("ab" * 32, "ab" * 32),
    "a key twice": lambda content: json.dumps(
        {**content, "signing_keys": content["signing_keys"] * 2}
    ),
    "no time": lambda content: json.dumps(
        {**content, "refresh_secrets": [{"secret": "ab" * 32, "signs_from": iso_utc(NOW)}]}
    ),
    "made at no time": with_time("created_at", None),
    "made at a number": with_time("created_at", NOW),
    "signs from null": with_time("signs_from", None),
    "signs from a number": with_time("signs_from", 1e308),
    "signs from a list": with_time("signs_from", [iso_utc(NOW)]),
    "signs from garbage": with_time("signs_from", "tomorrow"),
    "signs from nowhere": with_time("signs_from", "2026-10-01T12:00:00"),
    "signs from a day": with_time("signs_from", "2026-10-01"),
    "signs from the year 9999": with_time("signs_from", "9999-12-31T23:59:59-23:59"),
    "signs from the year 1": with_time("signs_from", "0001-01-01T00:00:00+23:59"),
    "signs from the year 10000": with_time("signs_from", "10000-01-01T00:00:00+00:00"),
    "huge": lambda content: json.dumps({**content, "x": "x" * 2_000_000}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_refused(instance: Path, damage: Any) -> None:
    """A file that can't be used is refused by its name, left as it is, and never repeated."""
    open_key_ring(instance)
    before = content_of(instance)
    path = instance / KEY_RING_FILE
    written = damage(before)
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    found = path.read_bytes()
    with pytest.raises(ConfigurationError) as refusal:
        open_key_ring(instance)
    assert str(path) in str(refusal.value)
    assert "PRIVATE" not in str(refusal.value)
    assert before["refresh_secrets"][0]["secret"] not in str(refusal.value)
    assert path.read_bytes() == found


# --- changes


def rotate(instance: Path, now: int = NOW, *, at_once: bool = False) -> KeyRing:
    """Rotate the ring of a folder."""
    return change_key_ring(instance, lambda ring: ring.rotated(now, at_once=at_once))[1]


def never(_: Any) -> KeyRing:
    """Refuse to change a ring."""
    raise ConfigurationError("not now")


class TestAChange:
    """Written whole, beside the old one and then over it."""

    def test_is_read_back(self, instance: Path) -> None:
        """What a rotation has made is what every later start finds."""
        open_key_ring(instance)
        ring = rotate(instance)
        assert read_key_ring(instance).revision == ring.revision
        assert [key.signs_from for key in ring.signing_keys][1] == NOW + LEAD
        assert content_of(instance)["signing_keys"][1]["signs_from"] == iso_utc(NOW + LEAD)

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_keeps_the_old_ones(self, instance: Path, alg: Algorithm) -> None:
        """The keys that were there go on to verify what they signed."""
        old = open_key_ring(instance, alg)
        ring = rotate(instance)
        assert ring.jwks()["keys"][0] == old.jwks()["keys"][0]
        assert read_key_ring(instance).refresh_secrets[0] == old.refresh_secrets[0]

    @pytest.mark.usefixtures("permissive_umask")
    def test_is_the_owners_alone(self, instance: Path) -> None:
        """The new file and the lock are the owner's alone, whatever the umask."""
        open_key_ring(instance)
        rotate(instance)
        assert {path.name: mode(path) for path in instance.iterdir()} == {
            KEY_RING_FILE: 0o600,
            LOCK_FILE: 0o600,
        }

    def test_of_nothing(self, instance: Path) -> None:
        """Where nothing changes, the file isn't touched."""
        open_key_ring(instance)
        before = (instance / KEY_RING_FILE).stat()
        change_key_ring(instance, lambda ring: ring.pruned(NOW))
        assert (instance / KEY_RING_FILE).stat() == before

    def test_that_is_refused(self, instance: Path) -> None:
        """A change that is refused leaves the file as it was, and the lock free."""
        open_key_ring(instance)
        before = (instance / KEY_RING_FILE).read_bytes()
        with pytest.raises(ConfigurationError, match="not now"):
            change_key_ring(instance, never)
        assert (instance / KEY_RING_FILE).read_bytes() == before
        assert rotate(instance)

    @pytest.mark.parametrize("name", ["open", "fsync", "replace"])
    def test_that_fails(self, instance: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a full disk the old ring stays, nothing is left beside it, and a line says why."""
        open_key_ring(instance)
        change_key_ring(instance, lambda ring: ring)  # makes the lock
        before = (instance / KEY_RING_FILE).read_bytes()
        real = getattr(os, name)

        def fail(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not str(arguments[0]).endswith(".next"):
                return real(*arguments, **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "keyring.json.next")

        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            with pytest.raises(ConfigurationError, match="No space left on device"):
                rotate(instance)
        assert (instance / KEY_RING_FILE).read_bytes() == before
        assert {path.name for path in instance.iterdir()} == {KEY_RING_FILE, LOCK_FILE}

    def test_in_a_linked_lock(self, instance: Path, tmp_path: Path) -> None:
        """A link in the lock's place isn't followed to make a file elsewhere."""
        open_key_ring(instance)
        (instance / LOCK_FILE).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ConfigurationError, match=LOCK_FILE):
            rotate(instance)
        assert not (tmp_path / "elsewhere").exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another user")
    def test_by_root(self) -> None:
        """Where root rotates the keys of a server's own user, that user can still read them."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o711)
            instance = Path(folder) / "instance"
            open_key_ring(instance)
            for path in (instance / KEY_RING_FILE, instance):
                os.chown(path, 65534, 65533)
            with as_owner_of(instance):
                rotate(instance)
            assert (os.geteuid(), os.getegid()) == (0, 0)
            for path in (instance / KEY_RING_FILE, instance / LOCK_FILE):
                assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)
                assert mode(path) == 0o600

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another user")
    def test_root_is_led_nowhere(self, tmp_path: Path) -> None:
        """What that user can't read, root isn't led to read for it by a link."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o711)
            instance, roots = Path(folder) / "instance", tmp_path / "instance"
            open_key_ring(roots)
            instance.mkdir(mode=0o700)
            (instance / KEY_RING_FILE).symlink_to(roots / KEY_RING_FILE)
            os.chown(instance, 65534, 65534)
            with (
                pytest.raises(ConfigurationError, match="Permission denied"),
                as_owner_of(instance),
            ):
                read_key_ring(instance)


DIES: dict[str, str] = {
    "before it writes": "os.open = on(os.open, lambda path, *_: str(path).endswith('.next'))",
    "half written": "json.dump = lambda _, file, **__: (file.write('{'), file.flush(), die())",
    "before it is on the disk": "os.fsync = on(os.fsync)",
    "before it is moved": "os.replace = on(os.replace)",
    "once it is moved": "os.replace = after(os.replace)",
}
DYING = """
import json, os, signal, sys
from pathlib import Path
from kataven_flask.key_ring_file import change_key_ring

def die(): os.kill(os.getpid(), signal.SIGKILL)
def on(real, when=lambda *_: True):
    return lambda *a, **o: die() if when(*a) else real(*a, **o)
def after(real):
    return lambda *a, **o: (real(*a, **o), die())
{death}
change_key_ring(Path(sys.argv[1]), lambda ring: ring.rotated({now}, at_once=True))
"""
ROTATING = """
import sys, time
from pathlib import Path
from kataven_flask.key_ring_file import change_key_ring
print("ready", flush=True)
while True:
    change_key_ring(Path(sys.argv[1]), lambda ring: ring.rotated(time.time(), at_once=True))
"""


class TestADeath:
    """kill -9 in the middle of a change."""

    @pytest.mark.parametrize("death", DIES.values(), ids=DIES.keys())
    def test_at_every_step(self, instance: Path, death: str) -> None:
        """The ring that was or the one that was to be is there, whole, and can be changed."""
        old = open_key_ring(instance)
        code = DYING.format(death=death, now=NOW)
        ran = subprocess.run([sys.executable, "-c", code, str(instance)], check=False)
        assert ran.returncode == -signal.SIGKILL
        count = len(read_key_ring(instance).signing_keys)
        assert count == (2 if "after" in death else 1)
        ring = rotate(instance, at_once=True)
        assert len(ring.signing_keys) == len(ring.refresh_secrets) == count + 1
        assert ring.find(old.newest.kid) is not None
        assert {path.name for path in instance.iterdir()} == {KEY_RING_FILE, LOCK_FILE}

    def test_at_any_moment(self, instance: Path) -> None:
        """A process that is killed while it rotates again and again leaves a whole ring."""
        open_key_ring(instance)
        for attempt in range(8):
            before = read_key_ring(instance)
            with subprocess.Popen(
                [sys.executable, "-c", ROTATING, str(instance)], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                while read_key_ring(instance).revision == before.revision:
                    assert process.poll() is None
                _spin(attempt * 0.0007)
                process.kill()
            ring = read_key_ring(instance)
            assert len(ring.signing_keys) == len(ring.refresh_secrets)
            assert ring.signing_keys[: len(before.signing_keys)][-1].kid == before.newest.kid


class TestTwoAtOnce:
    """Several processes that change the ring together."""

    def test_wait_for_each_other(self, instance: Path) -> None:
        """A change waits until another one's lock is free, and then sees what that one left."""
        open_key_ring(instance)
        change_key_ring(instance, lambda ring: ring)
        seen: list[int] = []
        with (instance / LOCK_FILE).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            code = "import sys; from pathlib import Path; from tests.test_key_ring_file import *;"
            code += "print('ready', flush=True); rotate(Path(sys.argv[1]), at_once=True)"
            command = [sys.executable, "-c", code, str(instance)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.3)
                seen.append(len(read_key_ring(instance).signing_keys))
                fcntl.flock(lock, fcntl.LOCK_UN)
                assert process.wait(PATIENCE) == 0
        seen.append(len(read_key_ring(instance).signing_keys))
        assert seen == [1, 2]

    def test_one_wins(self, instance: Path) -> None:
        """Of many rotations at once one is carried out; the others are told that it waits."""
        open_key_ring(instance)
        start, told = threading.Barrier(8), []

        def begin() -> None:
            start.wait()
            try:
                rotate(instance)
            except ConfigurationError as error:
                told.append(str(error))

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(told) == 7
        assert all("signs from" in line for line in told)
        assert len(read_key_ring(instance).signing_keys) == 2

    def test_none_is_lost(self, instance: Path) -> None:
        """Rotations in haste that meet are all carried out."""
        open_key_ring(instance)
        threads = [
            threading.Thread(target=rotate, args=(instance,), kwargs={"at_once": True})
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ring = read_key_ring(instance)
        assert len(ring.signing_keys) == len(ring.refresh_secrets) == 9


def _spin(seconds: float) -> None:
    """Let a moment pass, to the fraction of a millisecond."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
