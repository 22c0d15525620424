"""`kataven_flask.wsgi:app` under gunicorn, granian and uWSGI, as docs/deployment says."""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

import kataven_flask
from kataven_flask.body import MAX_BODY
from tests.faults.client import OK, USED, Client, signature
from tests.running import BOUND, Running, free_port, running, wait_until
from tests.support import API, KEY, ORIGIN, OTHER_KEY, SECRET, document

ROOT: Final = Path(kataven_flask.__file__).parent.parent
PAGE: Final = (ROOT / "docs" / "deployment.md").read_text()
SECTION: Final = PAGE.split("\n## Under another WSGI server\n")[1].split("\n## ")[0]
SHOWN: Final = [
    shlex.split(block.replace("\\\n", " "))
    for block in re.findall(r"(?ms)^```sh\n(.*?)```", SECTION)
]
COMMANDS: Final = {Path(words[0]).name: words for words in SHOWN}
WORKER_IS_UP: Final = {
    "gunicorn": "Booting worker with pid",
    "granian": "Started worker-",
    "uwsgi": "WSGI app 0 .* ready in",
}
WORKERS: Final = 2
GUESTS_A_MINUTE: Final = 10
MANY: Final = 8 * WORKERS * GUESTS_A_MINUTE
LET_IN: Final = 2 * WORKERS * GUESTS_A_MINUTE
"""Of so many, however they are shared out: each worker counts, and a minute may turn."""
FORGED: Final = [f"198.51.100.{number}" for number in range(100)]
GUEST: Final = f"{API}/auth/guest"
CONFIG: Final = f"{API}/config?client_key={KEY}"
PROXY: Final = "127.0.0.1"
STRANGER: Final = "127.0.0.2"


def command(name: str, port: int) -> list[str]:
    """Return the command that the page shows, for a port and this environment's packages."""
    words = [word.replace("8000", str(port)) for word in COMMANDS[name]]
    if name != "uwsgi":
        return [str(Path(sys.executable).with_name(name)), *words[1:]]
    place = words.index("--virtualenv")  # its Python isn't the one that made ours
    words[place : place + 2] = ["--pythonpath", sysconfig.get_path("purelib")]
    return [uwsgi(), *words[1:]]


def uwsgi() -> str:
    """Return Debian's uWSGI; without one that can read our packages the test is skipped."""
    mend = "sudo apt-get install uwsgi-core uwsgi-plugin-python3"
    if (program := shutil.which("uwsgi")) is None:
        pytest.skip(f"uWSGI isn't installed: {mend}")
    ask = (program, "--plugin", "python3", "--python-version")
    told = subprocess.run(ask, capture_output=True, text=True, check=False)
    version = told.stdout.strip().splitlines()[-1] if told.stdout.strip() else "none"
    if version.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
        pytest.skip(f"uWSGI's Python is {version}, not {sys.version.split()[0]}: {mend}")
    return program


@dataclass
class Hosted:
    """The app under one of the servers.

    Args:
        name: Which.
        process: Its process.
        port: Where it listens.
        folder: Where its files are.
        seen: Every token that went either way.
    """

    name: str
    process: Running
    port: int
    folder: Path
    seen: set[str]

    def client(self) -> Client:
        """Connect to it, as a page and a backend."""
        return Client(self.port, self.seen)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        client: str = PROXY,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """Send one request from an address of this machine, as a page at ORIGIN."""
        where = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=BOUND, source_address=(client, 0)
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(where):
            where.request(method, path, body, {"Origin": ORIGIN, **named})
            answer = where.getresponse()
            answer.read()
            return answer

    def preflight(self, path: str) -> http.client.HTTPResponse:
        """Ask whether a page may post to a path."""
        asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-a"}
        return self.ask("OPTIONS", path, None, PROXY, **asks)

    def counted(self, route: str) -> float:
        """Return how many answers of a route its processes have counted."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder / "counts"))  # type: ignore[no-untyped-call]
        samples = [sample for family in registry.collect() for sample in family.samples]
        ours = [each for each in samples if each.name == "kataven_requests_total"]
        return sum(each.value for each in ours if each.labels["route"] == route)

    def edit(self, content: dict[str, Any]) -> None:
        """Move a new tenants' file over the old one."""
        new = self.folder / "new.yaml"
        new.write_text(yaml.safe_dump(content))
        new.rename(self.folder / "tenants.yaml")


@contextmanager
def hosting(name: str, folder: Path) -> Iterator[Hosted]:
    """Start a server on a folder without keys and state, and wait for its workers."""
    content = document(limits={"guest_per_minute": GUESTS_A_MINUTE})
    (folder / "tenants.yaml").write_text(yaml.safe_dump(content))
    port = free_port()
    (folder / "counts").mkdir()
    counts = {"PROMETHEUS_MULTIPROC_DIR": str(folder / "counts")}
    environ = settings(KATAVEN_TRUSTED_PROXIES=PROXY, KATAVEN_HSTS="600", **counts)
    with running(*command(name, port), cwd=folder, own_group=True, **environ) as process:
        process.wait_for(WORKER_IS_UP[name], count=WORKERS)
        server = Hosted(name, process, port, folder, set())
        wait_until(lambda: is_alive(server), "it answers")
        yield server


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def hosted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosted]:
    """Run each server once, for every test that leaves it running."""
    with hosting(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


def settings(**changes: str) -> dict[str, str]:
    """Return what the operator sets, with the folder that it is started in as the home of all."""
    given = {"KATAVEN_CONFIG": "tenants.yaml", "KATAVEN_INSTANCE": "instance", **changes}
    return {"PYTHONPATH": str(ROOT), **given}


def is_alive(server: Hosted) -> bool:
    """Tell whether a server answers."""
    try:
        return server.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def test_the_page_has_a_command_for_each() -> None:
    """None of the servers that the page names is left out here."""
    assert set(COMMANDS) == set(WORKER_IS_UP)
    assert all(words[-1] == "kataven_flask.wsgi:app" for words in SHOWN)


class TestAServer:
    """What has to hold under each of them, from the first request to the end."""

    def test_a_session_begins_and_goes_on(self, hosted: Hosted) -> None:
        """A guest is let in and renewed by any worker, from the first second of a new folder."""
        with hosted.client() as client:
            token = client.guest()["refresh_token"]
        for _ in range(6):
            with hosted.client() as client:
                token = client.renewed(token)

    def test_a_user_is_signed_in_once(self, hosted: Hosted) -> None:
        """A visitor token that one worker took is taken by none again."""
        with hosted.client() as client:
            token = client.visitor_token()
        answers = []
        for _ in range(6):
            with hosted.client() as client:
                answers.append(client.exchange(token).kind)
        assert answers == [OK, *[USED] * 5]

    def test_all_workers_count(self, hosted: Hosted) -> None:
        """Where the operator names a folder, what any worker answers is counted there, once."""
        before = hosted.counted("jwks.json")
        for _ in range(12):
            assert hosted.ask("GET", "/.well-known/jwks.json").status == 200
        assert hosted.counted("jwks.json") == before + 12

    def test_a_known_config_isnt_sent_again(self, hosted: Hosted) -> None:
        """The entity tag that one worker gave is known to all."""
        tag = hosted.ask("GET", CONFIG).headers["ETag"]
        for _ in range(4):
            answer = hosted.ask("GET", CONFIG, If_None_Match=tag)
            assert (answer.status, answer.headers["ETag"]) == (304, tag)
            assert answer.headers["Access-Control-Allow-Origin"] == "*"

    def test_head_has_the_length_and_no_body(self, hosted: Hosted) -> None:
        """A HEAD says how long the config is, and the connection is good for another request."""
        whole = hosted.ask("GET", CONFIG)
        head = hosted.ask("HEAD", CONFIG)
        assert (head.status, head.headers["Content-Length"]) == (
            200,
            whole.headers["Content-Length"],
        )

    def test_a_preflight_is_answered(self, hosted: Hosted) -> None:
        """A page may post JSON; nobody's browser may mint a visitor token."""
        answer = hosted.preflight(GUEST)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Headers"] == "x-a"
        assert hosted.preflight(f"{API}/auth/user-token").status == 405

    def test_a_large_body_is_refused_readably(self, hosted: Hosted) -> None:
        """The app's own limit holds, and a page can read why."""
        answer = hosted.ask("POST", GUEST, b" " * (MAX_BODY + 1))
        assert answer.status == 413
        assert answer.headers["X-Error-Code"] == "body_too_large"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    def test_visitors_count_by_what_the_proxy_says(self, hosted: Hosted) -> None:
        """The proxy's word counts, and from anybody else the same header doesn't."""

        def guest(visitor: str, client: str = PROXY) -> int:
            body = json.dumps({"client_key": KEY}).encode()
            return hosted.ask("POST", GUEST, body, client, X_Forwarded_For=visitor).status

        for visitors, client in ((["192.0.2.1"], PROXY), (FORGED, STRANGER)):
            statuses = [guest(visitor, client) for visitor in islice(cycle(visitors), MANY)]
            assert set(statuses) == {200, 429}
            assert GUESTS_A_MINUTE <= statuses.count(200) <= LET_IN
        assert [guest("192.0.2.2") for _ in range(GUESTS_A_MINUTE)] == [200] * GUESTS_A_MINUTE

    def test_tls_is_what_the_proxy_says(self, hosted: Hosted) -> None:
        """HSTS stands where the proxy says https; a stranger can't have any server believe it."""

        def hsts(client: str, **headers: str) -> str | None:
            return hosted.ask("GET", "/nowhere", None, client, **headers).headers[
                "Strict-Transport-Security"
            ]

        assert hsts(PROXY, X_Forwarded_Proto="https") == "max-age=600"
        assert hsts(PROXY, X_Forwarded_Proto="http") is None
        assert hsts(PROXY) is None
        for name in ("X_Forwarded_Proto", "X_Forwarded_Ssl", "X_Forwarded_Protocol"):
            for said in ("https", "on", "ssl"):
                assert hsts(STRANGER, **{name: said}) is None

    def test_a_second_header_of_a_name_adds_to_the_first(self, hosted: Hosted) -> None:
        """A proxy that adds a header of its own to a visitor's is believed, and not the visitor."""
        body = json.dumps({"client_key": KEY}).encode()
        statuses = []
        for forged in islice(cycle(FORGED), MANY):
            with closing(http.client.HTTPConnection("127.0.0.1", hosted.port, BOUND)) as where:
                where.putrequest("POST", GUEST)
                for name, value in {"Origin": ORIGIN, "Content-Length": str(len(body))}.items():
                    where.putheader(name, value)
                where.putheader("X-Forwarded-For", forged)
                where.putheader("X-Forwarded-For", "192.0.2.3")
                where.endheaders(body)
                statuses.append(where.getresponse().status)
        assert set(statuses) == {200, 429}
        assert statuses.count(200) <= LET_IN

    def test_every_worker_takes_an_edit_over(self, hosted: Hosted) -> None:
        """A key that is switched off is refused by all, whether they were forked or not."""
        content = document(limits={"guest_per_minute": GUESTS_A_MINUTE})
        content["tenants"]["other"]["keys"][0]["enabled"] = False
        hosted.edit(content)

        def workers() -> set[str]:
            told = re.findall(r'"config is in force".*"pid": (\d+)', hosted.process.output)
            return set(told) - {str(hosted.process.process.pid)}

        wait_until(lambda: len(workers()) == WORKERS, "all workers have told of it")
        path = f"{API}/config?client_key={OTHER_KEY}"
        assert {hosted.ask("GET", path).status for _ in range(10)} == {403}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_it_ends_on_sigterm(tmp_path: Path, name: str) -> None:
    """It ends with status 0, listens no more, and has no secret in its log."""
    with hosting(name, tmp_path) as hosted:
        with hosted.client() as client:
            assert client.exchange(client.visitor_token()).kind == OK
            client.renewed(client.guest()["refresh_token"])
        assert hosted.ask("POST", GUEST, b"{", Authorization=f"Bearer {SECRET}").status == 400
        assert hosted.process.end() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", hosted.port), BOUND)
        log = hosted.process.output
        assert hosted.seen
        assert not [token for token in hosted.seen if signature(token) in log]
        assert SECRET not in log
        assert "Traceback" not in log


class _BySocket(http.client.HTTPConnection):
    """A connection by a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(BOUND)
        self.sock.connect(self.host)


def is_listening(path: str) -> bool:
    """Tell whether somebody takes connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_proxy_that_comes_by_a_unix_socket_is_believed_as_unix(tmp_path: Path, name: str) -> None:
    """Each visitor that it names has a limit of its own, although it has no address itself."""
    content = document(limits={"guest_per_minute": 1})
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(content))
    path = str(tmp_path / "s")
    words = ["1" if word == str(WORKERS) else word for word in command(name, 8000)]
    if name == "granian":
        place = words.index("--host")
        words[place : place + 4] = ["--uds", path]
    prefix = "unix:" if name == "gunicorn" else ""
    words = [word.replace("127.0.0.1:8000", prefix + path) for word in words]

    def guest(visitor: str) -> int:
        headers = {"Origin": ORIGIN, "X-Forwarded-For": visitor}
        with closing(_BySocket(path)) as where:
            where.request("POST", GUEST, json.dumps({"client_key": KEY}), headers)
            return where.getresponse().status

    environ = settings(KATAVEN_TRUSTED_PROXIES="unix")
    with running(*words, cwd=tmp_path, own_group=True, **environ) as server:
        server.wait_for(WORKER_IS_UP[name])
        wait_until(lambda: is_listening(path), "it listens")
        asked = [guest(each) for each in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]
        assert asked == [200, 200, 429]


@pytest.mark.parametrize(("name", "status"), [("gunicorn", 4), ("uwsgi", 22)])
def test_what_cant_be_started_isnt_tried_for_ever(tmp_path: Path, name: str, status: int) -> None:
    """A file that isn't there is told in a line, and the server ends."""
    environ = settings(KATAVEN_CONFIG="nowhere.yaml")
    words = ["1" if word == str(WORKERS) else word for word in command(name, free_port())]
    with running(*words, cwd=tmp_path, own_group=True, **environ) as server:
        assert server.ended() == status
        assert "Error: nowhere.yaml: no such file" in server.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--enable-threads", "--lazy-apps"], "--enable-threads"),
        (["--lazy-apps"], "--lazy-apps"),
    ],
    ids=["no threads", "no threads in its workers"],
)
def test_uwsgi_without_threads_is_refused(tmp_path: Path, options: list[str], told: str) -> None:
    """It doesn't start where no edit and no rotated key would ever be taken over."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    words = command("uwsgi", free_port())
    for option in options:
        words.remove(option)
    with running(*words, cwd=tmp_path, own_group=True, **settings()) as server:
        assert server.ended() == 22
        assert f"Error: start uWSGI with {told}, too" in server.output


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"KATAVEN_STATE": "memory:"}, "write sqlite:///path or redis://"),
        (
            {"KATAVEN_TRUSTED_PROXIES": "proxy"},
            "KATAVEN_TRUSTED_PROXIES: proxy: not an IP address or a network",
        ),
        ({"KATAVEN_PROXY_HOPS": "2"}, "KATAVEN_TRUSTED_PROXIES is missing"),
        ({"KATAVEN_PROXY_HOPS": "0"}, "KATAVEN_PROXY_HOPS=0: write a number from 1 to 8"),
        ({"KATAVEN_HSTS": "1y"}, "KATAVEN_HSTS=1y: write a number from 0 to 63072000"),
        ({"KATAVEN_ISSUER": "acme"}, "KATAVEN_ISSUER=acme: not an https:// URL"),
        ({"KATAVEN_INSTANCE": "/dev/null/x"}, "Not a directory"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_a_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environ: dict[str, str],
    words: str,
) -> None:
    """A mistake says what to write, by a status that gunicorn doesn't try again."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    monkeypatch.chdir(tmp_path)
    for name, value in settings(**environ).items():
        monkeypatch.setenv(name, value)
    with ours_logging(), pytest.raises(SystemExit) as ended:
        importlib.import_module("kataven_flask.wsgi")
    assert ended.value.code == 4
    told = capsys.readouterr().err
    assert told.startswith("Error: ")
    assert words in told
    assert len(told.splitlines()) == 1


@contextmanager
def ours_logging() -> Iterator[None]:
    """Let our lines have the level that they had before."""
    ours = logging.getLogger("kataven_flask")
    level = ours.level
    try:
        yield
    finally:
        ours.setLevel(level)


def test_a_folder_for_counts_that_isnt_there_is_told(tmp_path: Path) -> None:
    """A server that can't count where it was told to doesn't start, and says what to do."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    done = subprocess.run(
        [sys.executable, "-c", "from kataven_flask.wsgi import app"],
        cwd=tmp_path,
        env={**os.environ, **settings(PROMETHEUS_MULTIPROC_DIR="nowhere")},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 4
    assert "Error: PROMETHEUS_MULTIPROC_DIR=nowhere: make this folder" in done.stderr


def test_what_does_nothing_here_is_told(tmp_path: Path) -> None:
    """Settings of `serve`, and an issuer that nobody set, are told where the server logs."""
    content = document()
    del content["issuer"]
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(content))
    own = "import logging; logging.basicConfig(level='INFO', format='%(levelname)s %(message)s')"
    done = subprocess.run(
        [sys.executable, "-c", f"{own}\nfrom kataven_flask.wsgi import app"],
        cwd=tmp_path,
        env={
            **os.environ,
            **settings(KATAVEN_ADMIN="127.0.0.1:0", KATAVEN_WORKERS="4", KATAVEN_SATE=""),
        },
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    serves, *told = done.stderr.splitlines()
    assert re.fullmatch(
        r"INFO serving config=tenants.yaml revision=\w+ tenants=\d+ issuer=http://localhost:5000"
        rf" instance={tmp_path}/instance state=sqlite:///instance/state.db",
        serves,
    )
    assert told == [
        (
            "WARNING the issuer of tokens is a guess; write `issuer:` in the tenants' file"
            " issuer=http://localhost:5000 config=tenants.yaml"
        ),
        "WARNING it is for `kataven-flask serve`, and does nothing here variable=KATAVEN_ADMIN",
        "WARNING it is for `kataven-flask serve`, and does nothing here variable=KATAVEN_WORKERS",
        "WARNING nothing reads this variable variable=KATAVEN_SATE meant=KATAVEN_STATE",
    ]
