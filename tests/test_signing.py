"""The key ring: made once, readable by its owner alone, published without its private half."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kataven_flask.errors import ConfigurationError
from kataven_flask.signing import (
    KEY_RING_FILE,
    Algorithm,
    KeyRing,
    generate_private_key_for,
    make_signing_key,
    open_key_ring,
)

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
        assert open_key_ring(instance).current.alg == "ES256"

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_signs_with_what_is_asked_for(self, instance: Path, alg: Algorithm) -> None:
        """A key is made for the algorithm that is configured."""
        assert open_key_ring(instance, alg).current.alg == alg

    def test_makes_a_secret_of_its_own(self, instance: Path, tmp_path: Path) -> None:
        """No two servers share a key or a secret; there is no default."""
        one, two = open_key_ring(instance), open_key_ring(tmp_path / "other")
        assert one.current.kid != two.current.kid
        assert not set(one.refresh_secrets) & set(two.refresh_secrets)
        assert all(len(secret) == 32 for secret in one.refresh_secrets + two.refresh_secrets)

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
        assert len({(ring.current.kid, ring.refresh_secrets) for ring in rings}) == 1
        assert open_key_ring(instance).current.kid == rings[0].current.kid
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
        with pytest.raises(ConfigurationError, match="signs with ES256, not EdDSA"):
            open_key_ring(instance, "EdDSA")
        assert open_key_ring(instance).jwks() == before.jwks()

    def test_with_several_keys(self, instance: Path) -> None:
        """Of several keys and secrets the newest signs, and all of them verify."""
        old = open_key_ring(instance)
        new = generate_private_key_for("EdDSA")
        content = content_of(instance)
        content["signing_keys"].append({"private_key": pem(new)})
        content["refresh_secrets"].append({"secret": "ab" * 32})
        (instance / KEY_RING_FILE).write_text(json.dumps(content))
        ring = open_key_ring(instance)
        assert ring.current.kid == make_signing_key(new).kid
        assert ring.find(old.current.kid) is not None
        assert ring.refresh_secrets == (*old.refresh_secrets, b"\xab" * 32)
        assert [key["kid"] for key in ring.jwks()["keys"]] == [old.current.kid, ring.current.kid]

    @pytest.mark.parametrize("kid", ["", "nobody", None, 7, ["a"], "../keyring.json"], ids=repr)
    def test_an_unknown_kid(self, instance: Path, kid: object) -> None:
        """An id that no key has, of whatever type, finds none."""
        assert open_key_ring(instance).find(kid) is None


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


def damaged(**members: Any) -> Any:
    """Return what damages a sound file: other members."""
    return lambda content: json.dumps({**content, **members})


def with_key(private_key: Any) -> Any:
    """Return what damages a sound file: another private key."""
    return damaged(signing_keys=[{"private_key": private_key}])


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
    "a secret too short": damaged(refresh_secrets=[{"secret": "ab" * 31}]),
    "an older secret too short": damaged(refresh_secrets=[{"secret": ""}, {"secret": "ab" * 32}]),
    "a secret not in hex": damaged(refresh_secrets=[{"secret": "zz" * 32}]),
    "a secret that is a number": damaged(refresh_secrets=[{"secret": 7}]),
    "a secret null": damaged(refresh_secrets=[{"secret": None}]),
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


class TestPublicKeys:
    """The JWKS, by which a `/connect` service verifies."""

    @pytest.mark.parametrize(
        ("alg", "members"),
        [
            ("ES256", {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}),
            ("EdDSA", {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}),
        ],
    )
    def test_members(self, alg: Algorithm, members: dict[str, str]) -> None:
        """A key says its type, its curve, its algorithm and its use (RFC 7518, RFC 8037)."""
        key = make_signing_key(generate_private_key_for(alg))
        assert members.items() <= key.public_jwk.items()
        assert key.public_jwk["kid"] == key.kid

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_nothing_private(self, instance: Path, alg: Algorithm) -> None:
        """No private member is published (RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, 2)."""
        ring = open_key_ring(instance, alg)
        published = json.dumps(ring.jwks())
        (key,) = ring.jwks()["keys"]
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"} | (
            {"y"} if alg == "ES256" else set()
        )
        secret = base64.urlsafe_b64encode(_private_number(ring)).rstrip(b"=").decode()
        assert secret not in published
        assert ring.refresh_secrets[0].hex() not in published

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_are_read_by_pyjwt(self, alg: Algorithm) -> None:
        """Another library reads the published key as the one that signs."""
        key = make_signing_key(generate_private_key_for(alg))
        token = jwt.encode({"a": 1}, key.private_key, algorithm=alg)
        read = jwt.PyJWK.from_dict(dict(key.public_jwk))
        assert jwt.decode(token, read, algorithms=[alg]) == {"a": 1}

    @pytest.mark.parametrize("attempt", range(8))
    def test_coordinates_have_their_full_length(self, attempt: int) -> None:
        """A coordinate that begins with zeros keeps them (RFC 7518, section 6.2.1.2)."""
        small = ec.derive_private_key(_SMALL_X[attempt % len(_SMALL_X)], ec.SECP256R1())
        jwk = make_signing_key(small).public_jwk
        for name in ("x", "y"):
            assert len(base64.urlsafe_b64decode(jwk[name] + "=")) == 32

    @pytest.mark.parametrize(
        ("alg", "names"), [("ES256", ["crv", "kty", "x", "y"]), ("EdDSA", ["crv", "kty", "x"])]
    )
    def test_kid_is_the_thumbprint(self, alg: Algorithm, names: list[str]) -> None:
        """A key's id is its RFC 7638 thumbprint, so that anybody can make it again."""
        key = make_signing_key(generate_private_key_for(alg))
        canonical = "{" + ",".join(f'"{n}":"{key.public_jwk[n]}"' for n in names) + "}"
        digest = hashlib.sha256(canonical.encode()).digest()
        assert key.kid == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def test_kid_of_the_rfc(self) -> None:
        """The key of RFC 8037, appendix A, has the thumbprint that stands there."""
        raw = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
        key = make_signing_key(ed25519.Ed25519PrivateKey.from_private_bytes(raw))
        assert key.public_jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    def test_nothing_changes_them(self, instance: Path) -> None:
        """What one request is given isn't what the next one gets changed."""
        ring = open_key_ring(instance)
        ring.jwks()["keys"][0]["kid"] = "evil"
        ring.jwks()["keys"].clear()
        assert ring.jwks()["keys"][0]["kid"] == ring.current.kid


def _private_number(ring: KeyRing) -> bytes:
    private_key = ring.current.private_key
    if isinstance(private_key, ed25519.Ed25519PrivateKey):
        return private_key.private_bytes_raw()
    return private_key.private_numbers().private_value.to_bytes(32)


def _with_zeros() -> list[int]:
    """Find private numbers whose public point has a coordinate that begins with a zero."""
    found = []
    for number in range(1, 2000):
        point = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
        if min(point.x, point.y) >> 248 == 0:
            found.append(number)
    return found


_SMALL_X = _with_zeros()


def test_nothing_secret_is_shown(instance: Path) -> None:
    """A ring that reaches a log by mistake shows its key's id, and nothing secret."""
    ring = open_key_ring(instance)
    shown = repr(ring) + repr(ring.current)
    assert ring.current.kid in shown
    assert ring.refresh_secrets[0].hex() not in shown
    assert repr(ring.refresh_secrets[0]) not in shown
