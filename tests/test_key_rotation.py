"""Keys rotate and no request fails: two hosts, one folder, clocks that differ, late news."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
import yaml
from jwt.api_jwk import PyJWKSet

from kataven_flask.app import parts_of
from kataven_flask.key_ring_file import KEY_RING_FILE, change_key_ring, open_key_ring, read_key_ring
from kataven_flask.signing import (
    JWKS_MAX_AGE,
    LEAD,
    REFRESH_SECRET_KEPT,
    KeyRing,
)
from tests.api.wire import flip
from tests.running import BOUND, COMMAND, Running, running
from tests.support import (
    API,
    AUDIENCE,
    ISSUER,
    KEY,
    NO_LIMITS,
    NOON,
    ORIGIN,
    FrozenClock,
    Service,
    document,
)

SEEN_LATE: Final = 60
"""Seconds that a host may see a change of the folder late."""
HOUR: Final = 3600
DAY: Final = 24 * HOUR
PROMISED: Final = 2.0
"""Seconds within which every server has picked up a change."""


class Host:
    """One of several servers, which sees the shared folder late and has a clock of its own.

    Args:
        folder: Where its own files go.
        shared: The folder that all hosts share; what it sees of that is a copy in time.
        state: The URL of the state store that all hosts share.
        ahead: Seconds that its clock is ahead.
        late: Seconds after which it sees a change of the shared folder.
    """

    def __init__(self, folder: Path, shared: Path, state: str, *, ahead: int, late: int) -> None:
        folder.mkdir()
        self._shared = shared / KEY_RING_FILE
        self._seen = folder / "instance" / KEY_RING_FILE
        self._late = late
        self._ahead = ahead
        self._news: list[tuple[float, bytes]] = []
        self._seen.parent.mkdir(mode=0o700)
        self._take_over(self._shared.read_bytes())
        clock = FrozenClock(NOON - DAY)
        self.service = Service(folder, state=state, clock=clock)
        self.service.clock = clock
        tokens = {"session_ttl": "15m", "refresh_ttl": "30d", "user_max_age": "90d"}
        self.service.document = document(tokens=tokens, limits=NO_LIMITS)
        self.service.edit()
        self.published: list[tuple[float, PyJWKSet]] = []

    def at(self, now: float) -> None:
        """Stand at a time: look at what has arrived by then, and publish the keys."""
        self.service.clock.now = now + self._ahead
        content = self._shared.read_bytes()
        if not self._news or self._news[-1][1] != content:
            self._news.append((now, content))
        arrived = [content for since, content in self._news if since + self._late <= now]
        if arrived and arrived[-1] != self._seen.read_bytes():
            self._take_over(arrived[-1])
        parts_of(self.service.app).watch.look()
        answer = self.service.client.get("/.well-known/jwks.json")
        self.published.append((now, PyJWKSet.from_dict(answer.get_json())))

    def copy(self, now: float, age: float) -> PyJWKSet:
        """Return the public keys as a verifier has them that fetched them so long ago."""
        return next(keys for since, keys in reversed(self.published) if since <= now - age)

    def _take_over(self, content: bytes) -> None:
        new = self._seen.with_name("new")
        new.touch(0o600)
        new.write_bytes(content)
        new.replace(self._seen)


@dataclass
class World:
    """Two hosts, a visitor between them, and an operator.

    Args:
        shared: The folder of the keys.
        hosts: The servers.
        now: The true time, in seconds since the epoch.
        alive: Session tokens that are still to be verified, with their ends.
        signers: The ids of the keys that signed session tokens, in their order.
    """

    shared: Path
    hosts: list[Host]
    now: float = NOON
    alive: list[tuple[str, int]] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)

    def stand(self, now: float) -> None:
        """Let all hosts stand at a time."""
        self.now = now
        for host in self.hosts:
            host.at(now)

    def rotate(self) -> None:
        """Rotate by the true time."""
        change_key_ring(self.shared, lambda ring: ring.rotated(self.now))

    def prune(self) -> None:
        """Prune by the true time."""
        change_key_ring(self.shared, lambda ring: ring.pruned(self.now))

    @property
    def ring(self) -> KeyRing:
        """The ring in the shared folder."""
        return read_key_ring(self.shared)

    def take(self, answer: Any) -> str:
        """Take the answer of a guest, exchange or refresh; return its refresh token."""
        assert answer.status_code == 200, (self.now, answer.text)
        session = answer.get_json()
        self.alive.append((session["token"], session["expires_at"]))
        kid = jwt.get_unverified_header(session["token"])["kid"]
        if kid not in self.signers[-1:]:
            self.signers.append(kid)
        refresh_token: str = session["refresh_token"]
        return refresh_token

    def verify_all(self) -> None:
        """Verify what is alive by the copies of verifiers that fetch as seldom as they may."""
        self.alive = [(token, end) for token, end in self.alive if end > self.now]
        newest_and_dying = self.alive[-2:] + self.alive[:2]
        for token, _ in newest_and_dying:
            for host in self.hosts:
                for age in (0, JWKS_MAX_AGE, 2 * JWKS_MAX_AGE):
                    verified(token, host.copy(self.now, age))


def verified(token: str, keys: PyJWKSet) -> dict[str, Any]:
    """Verify a session token by a copy of the keys, without fetching any."""
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["ES256", "EdDSA"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},  # the time is the test's own
    )
    return claims


@pytest.fixture(params=[(0, 0, 0), (5, 60, 0), (-5, 0, 60), (5, 17, 60)], ids=str)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Return a world of two hosts: by how much one clock differs, and how late each sees news."""
    ahead, *late = request.param
    shared = tmp_path / "shared"
    open_key_ring(shared, None, lambda: NOON - DAY)
    state = f"sqlite:///{tmp_path / 'state.db'}"
    hosts = [
        Host(tmp_path / "a", shared, state, ahead=0, late=late[0]),
        Host(tmp_path / "b", shared, state, ahead=ahead, late=late[1]),
    ]
    world = World(shared, hosts)
    for past in (2 * JWKS_MAX_AGE, JWKS_MAX_AGE, 0):
        world.stand(NOON - past)
    return world


def test_a_session_goes_on_through_two_rotations(world: World) -> None:
    """A visitor who is served by two hosts in turn sees none of two rotations and their prunes."""
    random.seed(7)
    began = world.now
    rotations = [began + 600, began + 600 + LEAD + 1800]
    refresh_token = world.take(world.hosts[0].service.guest())
    visitor_token = ""
    for turn, step in enumerate(_steps(began, until=began + 2 * HOUR + 1800)):
        world.stand(step)
        if rotations and step >= rotations[0]:
            rotations.pop(0)
            world.rotate()
        one, other = world.hosts[turn % 2].service, world.hosts[(turn + 1) % 2].service
        if visitor_token:  # minted before this step, perhaps before a switch, by the other host
            world.take(one.exchange(token=visitor_token))
        refresh_token = _refreshed(world, one, other, refresh_token)
        visitor_token = one.user_token().get_json()["token"]
        world.verify_all()
        world.prune()
    assert not rotations
    assert len(world.signers) == len(set(world.signers)) == 3
    assert [key.kid for key in world.ring.signing_keys] == world.signers[-1:]
    for host in world.hosts:
        (published,) = host.copy(world.now, 0).keys
        assert published.key_id == world.signers[-1]
    assert len(world.ring.refresh_secrets) == 3


def _steps(began: float, until: float) -> Iterator[float]:
    now = began
    while now < until:
        yield now
        now += random.randint(20, 60)  # noqa: S311 - a test's pace


def _refreshed(world: World, one: Service, other: Service, refresh_token: str) -> str:
    """Refresh at one host, and again at the other, as a second tab does: it's the same token."""
    following = world.take(one.refresh(refresh_token))
    if abs(one.clock.now - other.clock.now) == 0:
        assert world.take(other.refresh(refresh_token)) == following
    return following


@pytest.mark.parametrize("seconds", range(-3, 4))
def test_to_the_second_of_a_switch(tmp_path: Path, seconds: int) -> None:
    """Around the very second of a switch, what one host signs the other one takes."""
    shared = tmp_path / "shared"
    open_key_ring(shared, None, lambda: NOON - DAY)
    change_key_ring(shared, lambda ring: ring.rotated(NOON - LEAD))
    state = f"sqlite:///{tmp_path / 'state.db'}"
    one = Host(tmp_path / "a", shared, state, ahead=0, late=0)
    other = Host(tmp_path / "b", shared, state, ahead=2, late=0)
    world = World(shared, [one, other])
    world.stand(NOON + seconds)
    session = one.service.guest().get_json()
    again = other.service.refresh(session["refresh_token"])
    assert again.status_code == 200, again.text
    # A second tab at the first host, whose clock stands on the other side of the switch.
    repeated = one.service.refresh(session["refresh_token"])
    assert repeated.status_code == 200, repeated.text
    assert repeated.get_json()["refresh_token"] == again.get_json()["refresh_token"]
    assert other.service.refresh(repeated.get_json()["refresh_token"]).status_code == 200
    token = other.service.user_token().get_json()["token"]
    assert one.service.exchange(token=token).status_code == 200


def test_a_user_who_comes_back_after_a_month(tmp_path: Path) -> None:
    """A refresh token works to its last second through rotations and prunes; then no more."""
    shared = tmp_path / "shared"
    open_key_ring(shared, None, lambda: NOON - DAY)
    old = read_key_ring(shared)
    host = Host(tmp_path / "a", shared, "memory:", ahead=0, late=SEEN_LATE)
    world = World(shared, [host])
    world.stand(NOON - LEAD)
    world.rotate()
    world.stand(NOON - 1)  # the last second that the old secret signs
    session = host.service.user_session()
    for day in range(30):
        world.stand(NOON + day * DAY)
        if day % 7 == 0:
            world.rotate()
        world.prune()
    world.stand(NOON - 1 + session["refresh_expires_in"] - 1)
    world.prune()
    world.stand(world.now)
    world.take(host.service.refresh(session["refresh_token"]))
    assert old.newest.kid not in {key.kid for key in world.ring.signing_keys}
    assert world.ring.refresh_secrets[0] == old.refresh_secrets[0]
    world.stand(NOON + REFRESH_SECRET_KEPT)
    world.prune()
    assert old.refresh_secrets[0] not in world.ring.refresh_secrets


class TestOneFolder:
    """Two servers of this process that share a folder on one disk, and look when they may."""

    @pytest.fixture
    def pair(self, tmp_path: Path) -> tuple[Service, Service]:
        """Return two servers over one folder, one state and one clock; nothing watches."""
        state = f"sqlite:///{tmp_path / 'state.db'}"
        one = Service(tmp_path, state=state)
        return one, Service(tmp_path, state=state, clock=one.settings.clock)

    def test_in_haste(self, pair: tuple[Service, Service]) -> None:
        """A token signed by a key of this moment is taken by a server that hadn't looked yet."""
        one, other = pair
        instance = one.settings.instance
        change_key_ring(instance, lambda ring: ring.rotated(one.clock.now, at_once=True))
        parts_of(one.app).watch.look()
        session = one.guest().get_json()
        visitor_token = one.user_token().get_json()["token"]
        assert len(parts_of(other.app).ring.current.signing_keys) == 1
        assert other.refresh(session["refresh_token"]).status_code == 200
        assert len(parts_of(other.app).ring.current.signing_keys) == 2

        change_key_ring(instance, lambda ring: ring.rotated(one.clock.now, at_once=True))
        parts_of(one.app).watch.look()
        visitor_token = one.user_token().get_json()["token"]
        assert other.exchange(token=visitor_token).status_code == 200

        change_key_ring(instance, lambda ring: ring.rotated(one.clock.now, at_once=True))
        newest = read_key_ring(instance).newest.kid
        published = other.client.get("/.well-known/jwks.json").get_json()["keys"]
        assert published[-1]["kid"] == newest

    def test_a_leak(self, pair: tuple[Service, Service]) -> None:
        """What a leaked key signed is refused once it was replaced; what is new goes on."""
        one, other = pair
        before = one.guest().get_json()
        visitor_token = one.user_token().get_json()["token"]
        instance = one.settings.instance
        now = one.clock.now
        change_key_ring(instance, lambda ring: ring.replaced(now))
        for service in pair:
            parts_of(service.app).watch.look()
            assert service.refresh(before["refresh_token"]).status_code == 400
            assert service.exchange(token=visitor_token).status_code == 400
        after = one.guest().get_json()
        assert other.refresh(after["refresh_token"]).status_code == 200
        with pytest.raises(KeyError):
            verified(
                before["token"],
                PyJWKSet.from_dict(other.client.get("/.well-known/jwks.json").get_json()),
            )

    def test_a_forged_token_gains_nothing(self, pair: tuple[Service, Service]) -> None:
        """However often a stranger's token has a server look again, it is refused."""
        one, _ = pair
        token = one.guest().get_json()["refresh_token"]
        for _ in range(5):
            assert one.refresh(flip(token, -5)).status_code == 400
        assert one.refresh(token).status_code == 200

    @pytest.mark.parametrize(
        "damage",
        [Path.unlink, lambda path: path.write_text("{"), lambda path: path.chmod(0o644)],
        ids=["gone", "garbage", "everybody's"],
    )
    def test_a_damaged_ring(
        self, service: Service, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A server goes on with the last good keys, stays ready, and says where to look."""
        session = service.guest().get_json()
        ready = service.client.get("/readyz").get_json()
        damage(service.settings.instance / KEY_RING_FILE)
        parts_of(service.app).watch.look()
        assert service.refresh(session["refresh_token"]).status_code == 200
        assert service.client.get("/.well-known/jwks.json").status_code == 200
        answer = service.client.get("/readyz")
        assert answer.status_code == 200
        told = answer.get_json()["signing_key"]
        assert told["ok"] is False
        assert told["error"].startswith("its file is gone, damaged, or others can read it")
        assert "before a restart" in told["do"]
        assert told["kid"] == ready["signing_key"]["kid"]
        assert str(service.settings.instance) in caplog.text

    def test_ready_names_the_key_that_signs(self, service: Service) -> None:
        """`/readyz` names the key that signs now, before and after the switch."""
        instance = service.settings.instance
        old, new = change_key_ring(instance, lambda ring: ring.rotated(service.clock.now))
        parts_of(service.app).watch.look()
        service.clock.move(LEAD - 1)
        assert service.client.get("/readyz").get_json()["signing_key"]["kid"] == old.newest.kid
        service.clock.move(1)
        assert service.client.get("/readyz").get_json()["signing_key"]["kid"] == new.newest.kid


# --- the real command


@contextmanager
def two_servers(folder: Path, *options: str) -> Iterator[list[Running]]:
    """Run two servers over one instance folder and one state file."""
    text = yaml.safe_dump(document(limits=NO_LIMITS))
    (folder / "tenants.yaml").write_text(text)
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", *options)
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(COMMAND, "serve", *arguments, cwd=folder)) for _ in range(2)
        ]


def post(port: int, action: str, **body: str) -> dict[str, Any]:
    """Post as a page would; anything but success fails the test."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    try:
        connection.request("POST", f"{API}/auth/{action}", json.dumps(body), {"Origin": ORIGIN})
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, f"{action}: {response.status} {text}"
        answer: dict[str, Any] = json.loads(text)
        return answer
    finally:
        connection.close()


class Visitor(threading.Thread):
    """Goes on being a guest and refreshing, at one server and the other, until told to stop.

    Args:
        ports: The servers' ports.
        stop: Set when it is to stop.
    """

    def __init__(self, ports: list[int], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._ports = ports
        self._stop_it = stop
        self.count = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask one server, and go with its answer to the other."""
        try:
            session = post(self._ports[0], "guest", client_key=KEY)
            while not self._stop_it.is_set():
                port = self._ports[self.count % 2]
                session = post(port, "refresh", refresh_token=session["refresh_token"])
                self.count += 1
                if self.count % 5 == 0:
                    session = post(port, "guest", client_key=KEY)
        except (AssertionError, OSError) as error:
            self.failures.append(str(error))


def signer(port: int) -> str:
    """Return the id of the key that a server signs with."""
    kid: str = jwt.get_unverified_header(post(port, "guest", client_key=KEY)["token"])["kid"]
    return kid


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_in_haste_under_load(tmp_path: Path, options: list[str]) -> None:
    """Under load keys rotate at once, and no request fails; all sign anew within two seconds."""
    stop = threading.Event()
    with two_servers(tmp_path, *options) as servers:
        ports = [server.port() for server in servers]
        early = post(ports[0], "guest", client_key=KEY)
        visitors = [Visitor(ports, stop) for _ in range(3)]
        for visitor in visitors:
            visitor.start()
        for _ in range(2):
            command = [COMMAND, "signing-keys", "rotate", "--at-once"]
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
            deadline = time.monotonic() + PROMISED
            newest = read_key_ring(tmp_path / "instance").newest.kid
            for port in ports:
                while {signer(port) for _ in range(4)} != {newest}:
                    assert time.monotonic() < deadline
        stop.set()
        for visitor in visitors:
            visitor.join(BOUND)
        assert [visitor.failures for visitor in visitors] == [[], [], []]
        assert min(visitor.count for visitor in visitors) > 10
        post(ports[1], "refresh", refresh_token=early["refresh_token"])
        assert not any("Traceback" in server.output for server in servers)


def test_a_new_worker_knows_the_new_key(tmp_path: Path) -> None:
    """A server that starts after a rotation takes what was signed before it, and after."""
    with two_servers(tmp_path) as servers:
        ports = [server.port() for server in servers]
        before = post(ports[0], "guest", client_key=KEY)
        command = [COMMAND, "signing-keys", "rotate", "--at-once"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        after = post(ports[0], "guest", client_key=KEY)
        servers[1].end()
        arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0")
        with running(COMMAND, "serve", *arguments, cwd=tmp_path) as third:
            for session in (before, after):
                renewed = post(third.port(), "refresh", refresh_token=session["refresh_token"])
                assert renewed["session_id"] == session["session_id"]


def test_another_algorithm_at_a_restart(tmp_path: Path) -> None:
    """A server that is told another algorithm than the newest key's says what to run."""
    with two_servers(tmp_path) as servers:
        servers[0].port()
    with two_servers(tmp_path, "--signing-alg", "EdDSA") as servers:
        assert servers[0].ended() == 1
        command = servers[0].output.splitlines()[0].rpartition("run: ")[2]
        assert command == "kataven-flask signing-keys rotate --alg EdDSA --instance instance"
    subprocess.run([COMMAND, *command.split()[1:]], cwd=tmp_path, check=True, capture_output=True)
    with two_servers(tmp_path, "--signing-alg", "EdDSA") as servers:
        assert servers[0].port()
