"""What is no command is read by whoever reads it in earnest: files, settings, bodies, log lines."""

from __future__ import annotations

import email
import email.utils
import io
import json
import logging
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
import jsonschema
import pytest
import redis
import yaml

from benchmarks.__main__ import _shown
from benchmarks.kinds import kinds
from benchmarks.world import make_world
from kataven_flask.cli import main
from kataven_flask.health import OUT_OF_REACH
from kataven_flask.log import Entry
from kataven_flask.log_format import LogFormat, formatter
from kataven_flask.observer import Answer
from kataven_flask.openapi.document import document as description
from kataven_flask.registry import load_registry
from kataven_flask.request_log import RequestLog
from kataven_flask.security_events import KINDS, Event
from kataven_flask.tenants import Agent, Branding, ClientKey, Document, Tenant
from tests import nginx, snippets
from tests.canary import USER_ID
from tests.docs.blocks import Block, blocks, pages
from tests.docs.claims import block_of, of_kind
from tests.docs.table import DEPLOYMENT, ONBOARDING
from tests.guide import FILES
from tests.logfmt import read_fields
from tests.openapi.described import found
from tests.redis_server import PROGRAMS, running_redis
from tests.running import running
from tests.support import Service, acme, refused

# --- the tenants' file


def completed(members: dict[str, Any]) -> dict[str, Any]:
    """Return a whole file that has a part of one in it, wherever that belongs by its members."""
    tenant = acme()
    whole = {"version": 1, "tenants": {"acme": tenant}}
    if set(members) <= set(Document.model_fields):
        return {**whole, **members}
    if set(members) <= set(Tenant.model_fields):
        tenant.update(members)
    elif set(members) <= set(Branding.model_fields):
        tenant["branding"] = members
    elif set(members) <= set(Agent.model_fields):
        tenant["agents"]["support"] = {"display_name": "Acme Support", **members}
    elif set(members) <= set(ClientKey.model_fields):
        tenant["keys"][0].update(members)
    else:
        pytest.fail(f"no part of a tenants' file has all of these: {sorted(members)}")
    return whole


def test_tenants(tmp_path: Path) -> None:
    """A tenants' file, or a part of one, loads without a fault."""
    for block in of_kind("tenants"):
        file = tmp_path / "tenants.yaml"
        members = yaml.safe_load(block.text)
        is_whole = isinstance(members, dict) and {"version", "tenants"} <= set(members)
        file.write_text(block.text if is_whole else yaml.safe_dump(completed(members)))
        load_registry(file)


@pytest.mark.parametrize(
    "members",
    [
        {"tokens": {"session_ttl": "5m"}, "name": "Acme"},
        {"issuer": "https://widget.example.com"},
        {"auth_mode": "user"},
        {"launcher_position": "bl"},
        {"enabled": False, "domain_allowlist": ["acme.com"]},
    ],
    ids=lambda members: next(iter(members)),
)
def test_a_part_of_a_file_is_put_where_it_belongs(tmp_path: Path, members: dict[str, Any]) -> None:
    """A page may show a few lines of the file, and they are still read as the server reads them."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(completed(members)))
    load_registry(tmp_path / "tenants.yaml")


# --- the server's settings, and a backend's


def options(command: click.Command) -> Iterator[click.Parameter]:
    """Return every option of a command and of those below it."""
    yield from command.params
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from options(each)


def settings(block: Block) -> dict[str, str]:
    """Return what a block of NAME='value' sets, as a shell and systemd read it."""
    return dict(word.split("=", 1) for word in shlex.split(block.text, comments=True))


def test_settings() -> None:
    """Each variable is one that an option is read from, and its value is one that it takes."""
    known = {str(each.envvar): each for each in options(main) if each.envvar}
    with click.Context(main.commands["serve"]) as context:
        for block in of_kind("settings"):
            for name, value in settings(block).items():
                assert name in known, f"{block}: no option is read from {name}"
                known[name].type_cast_value(context, value)


def test_a_backends_settings() -> None:
    """What a backend is told to set is what the page's function reads, in each language."""
    shown = settings(block_of(ONBOARDING, "KATAVEN_URL="))
    assert set(shown) <= set(snippets.environment("https://widget.example.com"))
    for language in snippets.LANGUAGES:
        read = re.findall(r"KATAVEN_\w+", FILES[language.file])
        assert set(shown) == set(read), language.name


# --- bodies


def described() -> Iterator[tuple[Any, dict[str, Any]]]:
    """Return each example of the service's description, with its schema."""
    whole = description()
    for path in whole["paths"].values():
        for operation in (each for each in path.values() if isinstance(each, dict)):
            bodies = [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
            for body in (found(each, whole) for each in bodies):
                for content in body.get("content", {}).values():
                    schema = {**content["schema"], "components": whole["components"]}
                    named = content.get("examples", {}).values()
                    examples = [found(each, whole)["value"] for each in named]
                    yield from ((each, schema) for each in [*examples, content.get("example")])


def filled(shown: Any, example: Any) -> Any:
    """Return a body with an example's values for those that a page leaves to be imagined."""
    if isinstance(shown, dict) and isinstance(example, dict):
        return {name: filled(value, example.get(name)) for name, value in shown.items()}
    return example if isinstance(shown, str) and re.search("…|^<", shown) else shown


def test_json() -> None:
    """A body that a page shows is a request or an answer of the service, to its last member."""
    for block in of_kind("json"):
        shown = json.loads(block.text)
        alike = [
            (filled(shown, example), schema)
            for example, schema in described()
            if isinstance(example, dict) and set(example) == set(shown)
        ]
        assert alike, f"{block}: no request and no answer has these members: {sorted(shown)}"
        faults = [
            list(jsonschema.Draft202012Validator(schema).iter_errors(body))
            for body, schema in alike
        ]
        assert [] in faults, f"{block}: {faults[0]}"


def test_headers() -> None:
    """A message's head is one, and the times in it are real ones, the earlier first."""
    for block in of_kind("http"):
        status, _, head = block.text.partition("\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [A-Z][A-Za-z ]+", status), str(block)
        headers = email.message_from_string(head)
        assert len(headers.items()) == head.count("\n"), f"{block}: write `Name: value`"
        if "Sunset" in headers:  # RFC 8594 and RFC 9745
            sunset = email.utils.parsedate_to_datetime(headers["Sunset"])
            assert email.utils.format_datetime(sunset, usegmt=True) == headers["Sunset"], str(block)
            assert int(headers["Deprecation"].removeprefix("@")) <= sunset.timestamp(), str(block)


# --- other people's files


def test_nginx(tmp_path: Path) -> None:
    """A real nginx takes the lines where the page says that they belong: in the server with TLS."""
    for block in of_kind("nginx"):
        nginx.write_certificate(tmp_path)
        anchor = "server_tokens off;\n\n    ssl_certificate "
        lines = {anchor: f"{block.text}\n    {anchor}"}
        with nginx.proxying(tmp_path, [1, 1], **lines) as proxy:
            assert proxy.ask("GET", "/readyz").status == 404


def test_redis_takes_the_lines(tmp_path: Path) -> None:
    """A real Redis starts with the page's lines, and does as they say."""
    lines = block_of(DEPLOYMENT, "maxmemory-policy").text.replace("…", "a-long-password")
    socket = tmp_path / "redis.sock"
    (tmp_path / "redis.conf").write_text(f"{lines}\nport 0\nunixsocket {socket}\n")
    (program,) = [path for name in PROGRAMS if (path := shutil.which(name))][:1]
    with (
        running(program, str(tmp_path / "redis.conf"), cwd=tmp_path) as server,
        closing(
            redis.Redis(
                unix_socket_path=str(socket), password="a-long-password", decode_responses=True
            )
        ) as client,
    ):
        server.wait_for("The server is now ready to accept connections|Ready to accept")
        for line in lines.splitlines():
            name, value = line.split()
            assert client.config_get(name) == {name: value}, line


# --- what is read in a log


def written(log_format: LogFormat, logger: str, level: int, entry: Entry) -> str:
    """Return a line as the service writes it."""
    record = logging.LogRecord(logger, level, "x.py", 1, entry, (), None)
    return formatter(log_format, io.StringIO()).format(record)


def test_lines_of_security_events() -> None:
    """Each line has the fields of its event, as a terminal shows a real one, but for the time."""
    for line in block_of(DEPLOYMENT, "[warning").text.replace("…", "aaaa").splitlines():
        (found,) = re.findall(r"\[\w+ *\] (\w+) (.*)", line)
        kind, fields = KINDS[Event(found[0])], read_fields(found[1])
        assert set(fields) == {"tenant", "count", *kind.fields}
        real = written("console", "kataven_flask.security", kind.level, Entry(found[0], fields))
        assert real.partition(" ")[2] == line


OWN: Final = {"timestamp", "level", "logger", "event", "pid"}
"""What every line of the log has."""


def shown_lines() -> list[dict[str, Any]]:
    """Return the lines of the log that the page shows as JSON."""
    on_page = (each for each in blocks() if each.page == DEPLOYMENT and each.language == "json")
    return [json.loads(each.text) for each in on_page if each.first.startswith('{"timestamp"')]


def test_a_line_of_the_log() -> None:
    """The object has the members of a real one, in their order, about what happens in earnest."""
    shown, _ = shown_lines()
    entry = Entry(OUT_OF_REACH, {name: shown[name] for name in shown if name not in OWN})
    real = json.loads(written("json", "kataven_flask.health", logging.ERROR, entry))
    assert list(shown) == list(real)
    assert {**shown, "timestamp": "", "pid": 0} == {**real, "timestamp": "", "pid": 0}


def test_a_line_on_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """As it is written of such an answer."""
    _, shown = shown_lines()
    told = RequestLog()
    told.whose(shown["tenant"])
    seconds, request_id = shown["milliseconds"] / 1000, shown["request_id"]
    answer = Answer(
        shown["route"], shown["status"], shown["code"], seconds, shown["method"], request_id
    )
    with caplog.at_level(logging.INFO, shown["logger"]):
        told.answered(answer)
    (record,) = caplog.records
    assert isinstance(record.msg, Entry)
    real = json.loads(written("json", record.name, record.levelno, record.msg))
    assert list(shown) == list(real)
    assert {**shown, "timestamp": "", "pid": 0} == {**real, "timestamp": "", "pid": 0}


# --- what was measured


def test_the_benchmarks_commands(tmp_path: Path) -> None:
    """The commands below the figures are those that the servers are started by today."""
    text = block_of("docs/benchmarks.md", "# bare WSGI").text
    written = re.findall(r"(?m)^# (.+)\n(.+)$", text)
    every = kinds(make_world(tmp_path), 4, "redis://127.0.0.1:6379/0")
    assert written == [
        (kind.name, _shown(kind, tmp_path, "redis://127.0.0.1:6379/0")) for kind in every
    ]


def test_a_redis_user_may_do_what_is_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the rights that the page gives a user of its own, every step of a session is taken."""
    (rights,) = [code for code in pages()[DEPLOYMENT].code if code.startswith("~kataven:")]
    with running_redis(tmp_path / "redis") as server:
        with closing(redis.Redis.from_url(server.url)) as admin:
            words = ("ACL", "SETUSER", "kataven", "on", ">hush-hush", *rights.split())
            admin.execute_command(*words)  # type: ignore[no-untyped-call]
        url = server.url.replace("redis://", "redis://kataven:hush-hush@")
        service = Service(tmp_path, state=url)
        guest = service.guest().get_json()
        renewed = service.refresh(guest["refresh_token"])
        assert (renewed.status_code, service.config().status_code) == (200, 200)
        assert service.logout(renewed.get_json()["refresh_token"]).status_code == 204
        assert refused(service.refresh(guest["refresh_token"])) == (400, "revoked_session")
        user = service.user_session()
        service.clock.move(2)
        assert service.revoke(user_id=USER_ID).status_code == 204
        assert refused(service.refresh(user["refresh_token"])) == (400, "revoked_session")
        assert service.client.get("/readyz").status_code == 200
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
