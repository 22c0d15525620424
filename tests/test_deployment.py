"""docs/deployment: nginx really runs with the shipped file, and every command shown exists."""

from __future__ import annotations

import configparser
import gzip
import http.client
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from kataven_flask.body import MAX_BODY
from kataven_flask.cli import main
from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.places import CONNECTION_LIMIT, IDLE_TIMEOUT
from kataven_flask.serve import DRAIN_TIMEOUT
from kataven_flask.store import store_from_url
from tests.nginx import CLIENT, GUEST, Answer, Proxy, answer_of, proxying
from tests.redis_server import running_redis
from tests.running import BOUND, COMMAND, Running, free_port, running, wait_until
from tests.support import API, KEY, NO_LIMITS, SECRET, document

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "deployment.md").read_text()
FILES: Final = DOCS / "deployment"
PACKAGE: Final = DOCS.parent / "kataven_flask"
EXEC_START: Final = shlex.split(
    re.findall(r"(?m)^ExecStart=(.*)$", (FILES / "kataven-flask.service").read_text())[0]
)
CONFIG: Final = f"{API}/config?client_key={KEY}"
GUESTS_A_MINUTE: Final = 20


# --- two hosts and the proxy before them


@dataclass
class Site:
    """Two hosts that share a Redis and have copies of the same two files, and nginx before them.

    Args:
        proxy: The proxy.
        folder: Where the hosts' files are.
        ports: The port of each host.
        state: The URL of what they share.
        stack: Ends them all.
    """

    proxy: Proxy
    folder: Path
    ports: list[int]
    state: str
    stack: ExitStack
    servers: dict[int, Running] = field(default_factory=dict)

    def start(self, port: int) -> None:
        """Start a host's server by the shipped environment file, and wait until it listens."""
        home = self.folder / str(port)
        own = {
            "KATAVEN_CONFIG": str(home / "tenants.yaml"),
            "KATAVEN_INSTANCE": str(home / "instance"),
            "KATAVEN_LISTEN": f"{CLIENT}:{port}",
            "KATAVEN_STATE": self.state,
        }
        environ = {**environment_file(), **own}
        server = running(COMMAND, *EXEC_START[1:], cwd=home, own_group=True, **environ)
        self.servers[port] = self.stack.enter_context(server)
        assert self.servers[port].port() == port

    def start_all(self) -> None:
        """Start whichever isn't running, and wait until the proxy asks both."""
        for port in self.ports:
            if port not in self.servers or self.servers[port].process.poll() is not None:
                self.start(port)
        wait_until(self.is_whole, "both servers are asked")

    def is_whole(self) -> bool:
        """Tell whether requests meet both servers."""
        return {self.who_answers() for _ in range(8)} == set(self.ports)

    def who_answers(self) -> int | None:
        """Ask whether they are alive; return the port of the one that answered."""
        name = f"who-{secrets.token_hex(8)}"
        answer = self.proxy.ask("GET", "/healthz", headers={"X-Request-Id": name})
        return self.proxy.met(name) if answer.status == 200 else None

    def kill(self, port: int) -> None:
        """End a host as a power cut does: all of its processes at once."""
        server = self.servers[port]
        os.killpg(server.process.pid, signal.SIGKILL)
        server.ended()


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start the site once; every test leaves it as it likes."""
    folder, ports = tmp_path_factory.mktemp("hosts"), [free_port(), free_port()]
    content = document(limits={**NO_LIMITS, "guest_per_minute": GUESTS_A_MINUTE})
    open_key_ring(folder / "instance")
    for port in ports:
        shutil.copytree(folder / "instance", folder / str(port) / "instance")
        (folder / str(port) / "tenants.yaml").write_text(yaml.safe_dump(content))
    with (
        running_redis(tmp_path_factory.mktemp("redis"), password="p#ss") as redis,
        proxying(tmp_path_factory.mktemp("nginx"), ports) as proxy,
        ExitStack() as stack,
    ):
        with closing(store_from_url(redis.url)) as store:
            store.begin(0)  # it has been in use for long
        yield Site(proxy, folder, ports, redis.url, stack)


@pytest.fixture
def site(shared_site: Site) -> Site:
    """Return the site with both servers up."""
    shared_site.start_all()
    return shared_site


def environment_file() -> dict[str, str]:
    """Return what the shipped environment file sets."""
    lines = (FILES / "kataven-flask.env").read_text().splitlines()
    return dict(re.findall(r"^(\w+)='([^'$]*)'$", "\n".join(lines), re.MULTILINE))


# --- nginx before servers that are up


def test_a_page_begins_a_session_through_the_proxy(site: Site) -> None:
    """Config, guest and the widget's script come through, over TLS, readable for the page."""
    for answer in (
        site.proxy.ask("GET", CONFIG),
        site.proxy.guest(),
        site.proxy.ask("GET", "/widget/v1.js"),
        site.proxy.ask("GET", "/.well-known/jwks.json"),
    ):
        assert answer.status == 200
        assert answer.readable
    assert site.proxy.guest().headers["Cache-Control"] == "no-store"


def test_a_known_config_isnt_sent_again(site: Site) -> None:
    """The entity tag that one server gave is known to the other."""
    tag = site.proxy.ask("GET", CONFIG).headers["ETag"]
    for _ in range(4):
        answer = site.proxy.ask("GET", CONFIG, headers={"If-None-Match": tag})
        assert (answer.status, answer.body, answer.readable) == (304, b"", True)


def test_a_session_goes_on_whichever_server_is_met(site: Site) -> None:
    """A refresh token that one server gave is rotated by the other, and is reused on neither."""
    session, met = site.proxy.guest().json, set()
    for number in range(10):
        name = f"refresh-{number}"
        answer = site.proxy.refresh(session, {"X-Request-Id": name})
        assert answer.status == 200, answer.body
        session = answer.json
        met.add(site.proxy.met(name))
    assert met == set(site.ports)


def test_a_visitor_token_is_spent_once_on_all_servers(site: Site) -> None:
    """A user who signed in on one server can't be signed in by the same token on the other."""
    bearer = {"Authorization": f"Bearer {SECRET}"}
    minted = ask_as_backend(site.proxy, {"client_key": KEY, "user_id": "user-7f3a9c42"}, bearer)
    body = {"token": minted.json["token"]}
    answers = [site.proxy.ask("POST", f"{API}/auth/exchange", body) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 400, 400, 400]
    assert {a.headers["X-Error-Code"] for a in answers[1:]} == {"used_token"}


def ask_as_backend(proxy: Proxy, body: object, headers: Mapping[str, str]) -> Answer:
    """Mint a visitor token, as a tenant's backend: not from a page."""
    context = ssl.create_default_context(cafile=str(proxy.folder / "fullchain.pem"))
    connection = http.client.HTTPSConnection(CLIENT, proxy.https, timeout=BOUND, context=context)
    return answer_of(
        connection, "POST", f"{API}/auth/user-token", json.dumps(body).encode(), headers
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", GUEST, {}, 200),
        ("POST", GUEST, {"Origin": "https://stranger.example"}, 403),
        ("OPTIONS", GUEST, {"Access-Control-Request-Method": "POST"}, 200),
        ("GET", f"{API}/nowhere", {}, 404),
    ],
    ids=["admitted", "refused", "preflight", "not found"],
)
def test_an_answer_says_once_that_a_page_may_read_it(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """The servers' CORS header comes through, and the proxy adds no second one."""
    answer = site.proxy.ask(method, path, {"client_key": KEY}, headers=headers)
    assert (answer.status, answer.readable) == (status, True)


def test_visitors_are_counted_by_their_own_address(site: Site) -> None:
    """One address that asks too often is refused, whatever it claims; another is served."""
    processes = len(site.ports) * int(environment_file()["KATAVEN_WORKERS"])

    def ask(number: int) -> Answer:
        forged = {"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"}
        return site.proxy.guest(headers=forged, client="127.0.0.3")

    answers = [ask(number) for number in range(processes * GUESTS_A_MINUTE + 1)]
    assert [answer.status for answer in answers[:GUESTS_A_MINUTE]] == [200] * GUESTS_A_MINUTE
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert all(answer.readable and int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert site.proxy.guest(client="127.0.0.4").status == 200


def test_a_request_has_one_name_everywhere(site: Site) -> None:
    """What an error names itself is in the proxy's log; the caller's own name is kept."""
    given = site.proxy.ask("GET", f"{API}/config", headers={"X-Request-Id": "page-view-0001"})
    made = site.proxy.ask("GET", f"{API}/config")
    assert given.headers["X-Request-Id"] == "page-view-0001"
    for answer in (given, made):
        assert 'code="missing_client_key"' in site.proxy.logged(answer.headers["X-Request-Id"])


def test_no_secret_is_in_the_proxys_log(site: Site) -> None:
    """Neither a query, nor a body, nor a credential is logged."""
    headers = {
        "Authorization": "Bearer hush-1",
        "Cookie": "hush-2",
        "Referer": "https://acme.com/?hush-3",
        "X-Request-Id": "no-secrets",
    }
    site.proxy.ask("GET", f"{CONFIG}&token=hush-4", headers=headers)
    line = site.proxy.logged("no-secrets")
    assert f'"GET {API}/config" 200' in line
    assert "hush" not in line


def test_a_body_over_the_limit_is_refused_as_the_servers_do(site: Site) -> None:
    """16 KiB come through; a byte more is refused with the same code and words, readably."""
    body = json.dumps({"client_key": KEY}).encode()
    assert site.proxy.ask("POST", GUEST, body.ljust(MAX_BODY)).status == 200
    refused = site.proxy.ask("POST", GUEST, body.ljust(MAX_BODY + 1))
    assert (refused.status, refused.readable) == (413, True)
    assert refused.headers["X-Error-Code"] == "body_too_large"
    assert refused.body.decode().strip() == "Body too large: send at most 16 KiB"


def test_the_script_is_compressed_and_a_token_is_not(site: Site) -> None:
    """What is the same for all is small on the wire; what carries a secret has its own length."""
    packed = {"Accept-Encoding": "gzip"}
    script = site.proxy.ask("GET", "/widget/v1.js", headers=packed)
    assert script.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(script.body) == site.proxy.ask("GET", "/widget/v1.js").body
    known = {**packed, "If-None-Match": script.headers["ETag"]}
    assert site.proxy.ask("GET", "/widget/v1.js", headers=known).status == 304
    assert site.proxy.guest(headers=packed).headers["Content-Encoding"] is None


def test_a_stranger_learns_nothing_of_the_servers_insides(site: Site) -> None:
    """`/healthz` is public, `/readyz` is each server's own."""
    assert site.proxy.ask("GET", "/healthz").status == 200
    for path in ("/readyz", "//readyz", "/%72eadyz", "/readyz/", "/readyz?x=1"):
        assert site.proxy.ask("GET", path).status == 404


def test_nothing_is_served_in_the_clear(site: Site) -> None:
    """Without TLS every request is refused, but for the certificate's renewal."""
    assert site.proxy.ask_in_the_clear("GET", "/widget/v1.js").status == 403
    assert site.proxy.ask_in_the_clear("POST", f"{API}/auth/user-token").status == 403
    challenge = site.proxy.folder / "acme" / ".well-known" / "acme-challenge" / "abc"
    challenge.parent.mkdir(parents=True, exist_ok=True)
    challenge.write_text("proof")
    answer = site.proxy.ask_in_the_clear("GET", "/.well-known/acme-challenge/abc")
    assert (answer.status, answer.body) == (200, b"proof")


# --- nginx before servers that die


def test_requests_go_on_where_a_host_dies(site: Site) -> None:
    """After one of two hosts has died, every request is answered by the other."""
    session = site.proxy.guest().json
    site.kill(site.ports[0])
    for _ in range(10):
        assert site.proxy.ask("GET", CONFIG).status == 200
        answer = site.proxy.refresh(session)
        assert answer.status == 200, answer.body
        session = answer.json


def test_a_restart_one_after_the_other_loses_no_request(site: Site) -> None:
    """While the servers are restarted in turn under load, every request is answered."""
    statuses: list[int] = []
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            statuses.append(site.proxy.ask("GET", "/.well-known/jwks.json").status)
            statuses.append(site.proxy.refresh({"refresh_token": "none"}).status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for port in site.ports:
            assert site.servers[port].end() == 0
            site.start(port)
            wait_until(site.is_whole, "both servers are asked")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200, 400}, [s for s in statuses if s not in {200, 400}]


def test_where_all_servers_are_down_a_page_can_read_that(site: Site) -> None:
    """The widget gets a 502 with a pause to make, not a network error; and it passes by itself."""
    for port in site.ports:
        site.kill(port)
    for answer in (site.proxy.guest(), site.proxy.ask("GET", CONFIG)):
        assert (answer.status, answer.readable) == (502, True)
        assert answer.headers["Retry-After"] == "2"
        assert answer.headers["X-Error-Code"] == "bad_gateway"
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert exposed == {"Retry-After", "X-Error-Code", "X-Request-Id"}
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers.get_content_type() == "text/plain"
        assert answer.body.startswith(b"Service unreachable")
    backend = site.proxy.ask("POST", f"{API}/auth/user-token", {})
    assert backend.status == 502
    assert backend.headers["Access-Control-Allow-Origin"] is None
    site.start(site.ports[0])
    wait_until(lambda: site.proxy.guest().status == 200, "a guest is let in again")


def test_a_balancer_before_nginx_is_believed(site: Site, tmp_path: Path) -> None:
    """With the two lines that the page shows, visitors count by what the balancer says."""
    (lines,) = re.findall(r"(?ms)^ *```nginx\n(.*?)```", PAGE)
    assert "10.0.1.0/24" in lines
    trust = lines.replace("10.0.1.0/24", "127.0.0.0/8")
    processes = len(site.ports) * int(environment_file()["KATAVEN_WORKERS"])
    with proxying(tmp_path, site.ports, **{"client_max_body_size 16k;": trust}) as proxy:

        def ask(visitor: str) -> int:
            return proxy.guest(headers={"X-Forwarded-For": visitor}).status

        assert 429 in {ask("192.0.2.1") for _ in range(processes * GUESTS_A_MINUTE + 1)}
        assert ask("192.0.2.2") == 200


class _Hearer(socketserver.BaseRequestHandler):
    """Hears a request out, and hangs up or falls silent."""

    server: _Deaf

    def handle(self) -> None:
        with self.request.makefile("rb") as lines:
            first = lines.readline().decode()
            if not first:
                return
            self.server.heard.append(first.split()[0])
            length = 0
            while (line := lines.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            lines.read(length)
            if self.server.silent:
                self.server.over.wait(BOUND)


class _Deaf(socketserver.ThreadingTCPServer):
    """A server that takes requests and never answers."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__((CLIENT, 0), _Hearer)
        self.heard: list[str] = []
        self.silent = silent
        self.over = threading.Event()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.server_address[1])


@contextmanager
def deaf_servers(*, silent: bool) -> Iterator[list[_Deaf]]:
    """Run two."""
    servers = [_Deaf(silent=silent) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield servers
    finally:
        for server in servers:
            server.over.set()
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize("silent", [False, True], ids=["hangs up", "falls silent"])
def test_what_may_have_been_done_is_not_sent_again(tmp_path: Path, *, silent: bool) -> None:
    """An exchange reaches one server, once; what changes nothing is asked of the other too."""
    changes = {"proxy_read_timeout 10s": "proxy_read_timeout 1s"}
    with (
        deaf_servers(silent=silent) as servers,
        proxying(tmp_path, [server.port for server in servers], **changes) as proxy,
    ):
        answer = proxy.ask("POST", f"{API}/auth/exchange", {"token": "x"})
        assert (answer.status, answer.readable) == (504 if silent else 502, True)
        assert answer.headers["Retry-After"] == "2"
        assert [method for server in servers for method in server.heard] == ["POST"]
        proxy.ask("GET", CONFIG)
        assert all("GET" in server.heard for server in servers)


# --- the unit, the environment file, the command's wrapper


def unit() -> configparser.ConfigParser:
    """Return the shipped unit; a setting that stands twice is joined by a blank."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keep the case
    parser.read_string((FILES / "kataven-flask.service").read_text())
    return parser


def test_the_unit_runs_the_command_as_its_own_user() -> None:
    """It starts a command that exists, as nobody's but its own user, and gives it time to end."""
    parse_command(EXEC_START)
    service = unit()["Service"]
    assert service["User"] == service["Group"] == "kataven"
    assert service["EnvironmentFile"] == "/etc/kataven-flask/env"
    assert f"/var/lib/{service['StateDirectory']}" == environment_file()["KATAVEN_INSTANCE"]
    assert service["StateDirectoryMode"] == "0700"
    assert int(service["TimeoutStopSec"]) > DRAIN_TIMEOUT + 2
    assert int(service["LimitNOFILE"]) > CONNECTION_LIMIT + 256
    assert service["LimitCORE"] == "0"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Where systemd is installed, it finds no fault in the unit."""
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze isn't installed")
    text = (FILES / "kataven-flask.service").read_text()
    (tmp_path / "kataven-flask.service").write_text(text.replace(EXEC_START[0], COMMAND))
    verify = [analyze, "verify", "--man=no", str(tmp_path / "kataven-flask.service")]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_setting_of_the_environment_file_exists() -> None:
    """A variable that is misspelt would do nothing, so none may be; nor may one that is out."""
    named = re.findall(r"(?m)^#?(KATAVEN_\w+)=", (FILES / "kataven-flask.env").read_text())
    shown = re.findall(r"KATAVEN_[A-Z_]+\w", PAGE)
    known = {option.envvar for option in main.commands["serve"].params if hasattr(option, "envvar")}
    assert {"KATAVEN_STATE", "KATAVEN_LISTEN"} <= set(named)
    assert {*named, *shown} <= known


def test_the_wrapper_runs_the_command_with_the_servers_settings(tmp_path: Path) -> None:
    """What is run by hand reads the same file as the unit, a URL with odd characters included."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    odd = "rediss://:a%23b&c;d e@127.0.0.1:1/0"
    (tmp_path / "env").write_text(
        f"KATAVEN_CONFIG='{tmp_path}/tenants.yaml'\nKATAVEN_STATE='{odd}'\n"
    )
    wrapper = (FILES / "kataven-flask.sh").read_text()
    user = subprocess.run(["/usr/bin/id", "-un"], capture_output=True, text=True, check=True)
    for old, new in {
        " = kataven ]": f" = {user.stdout.strip()} ]",
        "/etc/kataven-flask/env": str(tmp_path / "env"),
        EXEC_START[0]: f'"$(dirname {COMMAND})"/python -c "$PROBE"',
    }.items():
        assert old in wrapper
        wrapper = wrapper.replace(old, new)
    probe = "import os, sys; print(os.environ['KATAVEN_STATE'], sys.argv[1:])"
    done = subprocess.run(
        ["/bin/sh", "-c", wrapper, "kataven-flask", "a b", "c"],
        env={**os.environ, "PROBE": probe},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{odd} ['a b', 'c']\n"


def test_root_runs_the_wrapper_as_the_servers_user_from_a_timer_too() -> None:
    """Where cron gives a short search path, the change of the user is found all the same."""
    wrapper = (FILES / "kataven-flask.sh").read_text()
    assert "exec runuser -u kataven" in wrapper
    shown = wrapper.replace("exec runuser", "command -v runuser; exit 0; runuser")
    done = subprocess.run(
        ["/bin/sh", "-c", shown, "kataven-flask", "signing-keys", "prune"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("/runuser\n")


def test_what_edits_the_tenants_file_runs_as_its_owner_and_all_else_as_the_server() -> None:
    """The server's user can't write the file, and nobody else may read the keys."""
    edits = {name for name in main.commands if has_option(main.commands[name], "--dry-run")}
    uses_keys = {name for name in main.commands if has_option(main.commands[name], "--instance")}
    ran_as = {name: run_wrapper_in_words(name, "list") for name in main.commands}
    callers = {name for name, said in ran_as.items() if said == f"the caller: {name} list\n"}
    switched = {name for name, said in ran_as.items() if said == f"kataven: {name} list\n"}
    assert {"agents", "keys", "origins", "tenants"} <= edits
    assert callers == edits | {"schema"}
    assert {"serve", "sessions", "signing-keys"} <= uses_keys <= switched
    assert callers | switched == set(main.commands)


def has_option(command: click.Command, option: str) -> bool:
    """Tell whether a command, or one below it, takes an option."""
    if isinstance(command, click.Group):
        return any(has_option(each, option) for each in command.commands.values())
    return any(option in parameter.opts for parameter in command.params)


def run_wrapper_in_words(*arguments: str) -> str:
    """Run the wrapper as somebody else than the server's user, and return what it would run."""
    wrapper = (FILES / "kataven-flask.sh").read_text()
    for old, new in {
        " = kataven ]": " = nobody-of-this-name ]",
        'runuser -u kataven -- "$0"': "echo kataven:",
        "/etc/kataven-flask/env": "/dev/null",
        EXEC_START[0]: "echo the caller:",
    }.items():
        assert old in wrapper
        wrapper = wrapper.replace(old, new)
    done = subprocess.run(
        ["/bin/sh", "-c", wrapper, "kataven-flask", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_proxys_numbers_go_with_the_servers() -> None:
    """The proxy gives an idle connection up before the server does, and takes bodies as large."""
    text = (FILES / "nginx.conf").read_text()

    def seconds(name: str) -> int:
        return int(re.findall(rf"(?m)^ *{name} (\d+)s;", text)[0])

    assert seconds("keepalive_timeout") < IDLE_TIMEOUT
    assert f"client_max_body_size {MAX_BODY // 1024}k;" in text
    assert not re.search(r"(?m)^[^#]*non_idempotent", text)
    assert "proxy_cache" not in text


# --- the page


NAMES: Final = "|".join(main.commands)


def commands() -> list[list[str]]:
    """Return every `kataven-flask …` that the page shows, in a block or in a line."""
    fenced = re.findall(r"(?ms)^ *```sh\n(.*?)```", PAGE)
    inline = re.findall(r"`([^`\n]*)`", re.sub(r"(?ms)^ *```.*?```", "", PAGE))
    lines = "\n".join([*fenced, *inline]).replace("\\\n", " ").splitlines()
    # One may stand in a line that is written to a timer's file, within quotes.
    found = [re.search(rf"kataven-flask ({NAMES})\b[^'|#]*", line) for line in lines]
    return [shlex.split(match[0]) for match in found if match]


def parse_command(words: list[str]) -> None:
    """Have the command read its arguments, and do nothing."""
    command: click.Command = main
    name, *arguments = words
    while isinstance(command, click.Group):
        name, *arguments = arguments
        assert name in command.commands, f"no such command: {shlex.join(words)}"
        command = command.commands[name]
    whole = click.Context(main, **main.context_settings)  # a command keeps what it's first asked by
    with command.make_context(name, arguments, parent=whole):
        pass


@pytest.mark.parametrize("words", commands(), ids=shlex.join)
def test_a_command_that_the_page_shows_exists(words: list[str]) -> None:
    """It can be copied: its options are there, and those it needs are given."""
    parse_command(words)


def test_no_command_of_the_page_is_overlooked() -> None:
    """Each mention of a command with its name behind it was read as one."""
    mentions = re.findall(rf"kataven-flask ({NAMES})\b", PAGE)
    assert len(mentions) == len(commands())
    assert {"check", "sessions", "signing-keys"} <= set(mentions)


def test_every_block_for_the_shell_is_sound() -> None:
    """The shell reads each block without a complaint."""
    blocks = re.findall(r"(?ms)^ *```sh\n(.*?)```", PAGE)
    assert blocks
    for block in blocks:
        subprocess.run(["/bin/sh", "-n"], input=block, text=True, check=True)


def test_every_file_that_is_installed_is_in_the_repository() -> None:
    """What the page copies to its place is where it says."""
    sources = set(re.findall(r"sudo install -m \d+ (?:-g kataven )?((?:config|docs)/\S+) ", PAGE))
    assert len(sources) == 7
    assert [path for path in sources if not (DOCS.parent / path).is_file()] == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    """A reader at night meets no dead link."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        assert not name or (DOCS / name).is_file(), target
        assert not anchor or anchor in anchors((DOCS / name).read_text() if name else PAGE), target


def anchors(text: str) -> set[str]:
    """Return the names that a page's headings can be linked by."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_log_line_that_the_page_explains_is_written() -> None:
    """What is looked for in the log is what the code says."""
    section = PAGE.split("## What the log says")[1].split("| pages report")[0]
    phrases = re.findall(r"(?m)^\| `([^`]+)` \|", section)
    code = "\n".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    assert len(phrases) > 5
    assert [phrase for phrase in phrases if phrase not in code] == []
