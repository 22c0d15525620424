"""Lines of the log: for a person at a terminal, JSON for what collects them, and never another."""

from __future__ import annotations

import errno
import io
import json
import logging
import re
import select
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.errors import ConfigurationError
from kataven_flask.log import Entry, Log, quoted
from kataven_flask.log_format import LogFormat, checked_log_format, formatter, log_to
from tests.logfmt import read_fields
from tests.running import BOUND, COMMAND, free_port, running
from tests.support import KEY, Service, document
from tests.terminal import terminal


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


def written(
    record: logging.LogRecord, log_format: LogFormat, stream: io.StringIO | None = None
) -> str:
    """Return a record as it is written."""
    return formatter(log_format, stream or io.StringIO()).format(record)


def record_of(entry: object, *args: object, name: str = "kataven_flask.x") -> logging.LogRecord:
    """Make a record."""
    return logging.LogRecord(name, logging.WARNING, "x.py", 1, entry, args, None)


NAMES = ["tenant", "why", "add", "origin"]
texts = st.dictionaries(st.sampled_from(NAMES), st.text(min_size=1), min_size=1)


# --- what a stranger sends


@given(texts)
def test_any_text_is_one_field_of_one_line(fields: dict[str, str]) -> None:
    """Line ends, quotes, colors and letters that turn the text around come back as they were."""
    text = str(Entry("it", fields))
    assert text.isprintable()
    assert read_fields(text.removeprefix("it ")) == fields


@given(texts)
def test_any_text_is_one_member_of_one_object(fields: dict[str, str]) -> None:
    """What collects the log gets the same values, in one line of ASCII."""
    line = written(record_of(Entry("it", fields)), "json")
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert {name: read[name] for name in fields} == fields


@given(texts)
def test_no_text_drives_a_terminal(fields: dict[str, str]) -> None:
    """Of what is obeyed, a terminal gets what we send."""
    line = written(record_of(Entry("it", fields)), "console", Terminal())
    assert re.sub(r"\x1b\[\d+m", "", line).isprintable()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_other_libraries_lines_are_one_line_too(log_format: LogFormat) -> None:
    """Whatever a library repeats of a request ends no line and drives no terminal."""
    line = written(record_of("bad %s", "x\n{}\x1b[2J\u202e", name="waitress"), log_format)
    assert line.isprintable()
    assert "waitress" in line


@pytest.mark.parametrize("member", ["faults", "exception", "why"])
@pytest.mark.parametrize("letter", ["x", "\n", "é", "\U0001f600"])
def test_a_line_is_short_enough_to_be_written_in_one_go(member: str, letter: str) -> None:
    """What many processes write to one pipe, or a collector takes in, is never cut into a line."""
    fields = {member: f"begins{letter * 9000}ends", "tenant": "acme"}
    line = written(record_of(Entry("it", fields)), "json")
    assert 3900 < len(line.encode()) < select.PIPE_BUF == 4096
    read = json.loads(line)
    assert (read["event"], read["tenant"]) == ("it", "acme")
    where, mark = (-1, 0) if member == "exception" else (0, -1)
    assert (read[member][mark], read[member][where]) == ("…", "begins"[0] if mark else "ends"[-1])


def test_a_line_of_many_long_texts_is_cut_in_all_of_them() -> None:
    """However it has become too long, it is one object still."""
    fields = {f"n{number}": "\n" * 2000 for number in range(9)}
    line = written(record_of(Entry("it", fields)), "json")
    assert len(line.encode()) < select.PIPE_BUF
    assert set(json.loads(line)) >= set(fields)


class Full(io.StringIO):
    """A pipe that takes nothing more."""

    def write(self, _text: str) -> int:
        """Refuse it."""
        raise BlockingIOError(errno.EAGAIN, "full")


def test_a_line_that_cant_be_written_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that is no JSON comes into a collected log in its place."""
    logger = logging.Logger("apart")  # noqa: LOG001 - nobody else's
    log_to(Full(), "json", logger)
    logger.error("it")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("a b", '"a b"'),
        ("x event=origin_refused", '"x event=origin_refused"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("a\r\nb\tc", r'"a\r\nb\tc"'),
        ("\x1b[31m\x7f\x85\u2028\u202e", r'"\u001b[31m\u007f\u0085\u2028\u202e"'),
        ("münchen.de", '"münchen.de"'),
        ("\U000e0041", r'"\udb40\udc41"'),
        ("a\ud800", r'"a\ud800"'),
        ("=", '"="'),
        (3, "3"),
        (True, "true"),
    ],
)
def test_what_is_no_plain_character_is_quoted(value: str | int, text: str) -> None:
    """A person reads what is plain as it is, and what could do harm as its number."""
    assert quoted(value) == text


# --- how a line looks


def test_json_has_what_collectors_ask_for() -> None:
    """When, how grave, who says it, what, about what, and which process."""
    record = record_of(Entry("state store out of reach", {"error": "timed out", "left_out": 3}))
    record.created, record.process = 1_790_000_000.1239, 42
    assert json.loads(written(record, "json")) == {
        "timestamp": "2026-09-21T14:13:20.123Z",
        "level": "warning",
        "logger": "kataven_flask.x",
        "event": "state store out of reach",
        "error": "timed out",
        "left_out": 3,
        "pid": 42,
    }


def test_a_person_reads_a_sentence() -> None:
    """The time of day, the sentence, its fields; what has lines of its own is below."""
    fields = {"revision": "abc", "faults": "tenants.yaml:3:1: no such member\n  did you mean name?"}
    first, *below = written(record_of(Entry("config refused", fields)), "console").splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[warning  \] config refused revision=abc", first)
    assert below == ["tenants.yaml:3:1: no such member", "  did you mean name?"]


def test_a_fault_says_where_and_not_what(caplog: pytest.LogCaptureFixture) -> None:
    """The traceback is in the line, without what the exception had in hand; as others' are."""
    fails: list[Callable[[ValueError], object]] = [
        lambda error: Log("kataven_flask.x").fault("it failed", error),
        lambda error: logging.getLogger("waitress").error("it failed", exc_info=error),
    ]
    for fail in fails:
        try:
            raise ValueError(f"no such visitor: {'Canary' * 2}")  # noqa: TRY301 - to be caught
        except ValueError as error:
            fail(error)
    for record in caplog.records:
        read = json.loads(written(record, "json"))
        assert read["event"] == "it failed"
        assert read["exception"].startswith("Traceback (most recent call last):\n")
        assert read["exception"].endswith("builtins.ValueError")
        assert "CanaryCanary" not in written(record, "console")


@pytest.mark.parametrize(
    ("log_format", "at_terminal", "is_json"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("console", False, False),
        ("json", True, True),
    ],
)
def test_who_reads_it_decides(log_format: LogFormat, *, at_terminal: bool, is_json: bool) -> None:
    """A terminal is read by a person, anything else by a program, unless somebody says."""
    stream = Terminal() if at_terminal else io.StringIO()
    assert written(record_of(Entry("it", {})), log_format, stream).startswith("{") == is_json


def test_color_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_COLOR` is heeded, and a file gets none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    record = record_of(Entry("it", {}))
    assert "\x1b[" in written(record, "console", Terminal())
    assert "\x1b[" not in written(record, "console")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in written(record, "console", Terminal())


def test_a_format_that_there_is_not_is_refused() -> None:
    """The message has those that there are."""
    with pytest.raises(ConfigurationError, match=r"KATAVEN_LOG_FORMAT=xml: .*console, json"):
        checked_log_format("xml", "KATAVEN_LOG_FORMAT=")


# --- which request it was


@pytest.mark.parametrize("given", ["order-4711-abc", None])
def test_a_line_names_its_request(
    service: Service, caplog: pytest.LogCaptureFixture, given: str | None
) -> None:
    """The caller's own id, or the one that the answer gives, is in the line."""
    if given:
        service.client.environ_base["HTTP_X_REQUEST_ID"] = given
    answer = service.guest("https://evil.example")
    (record,) = caplog.records
    name = json.loads(written(record, "json"))["request_id"]
    assert name == answer.headers["X-Request-Id"]
    assert given in {name, None}


def test_any_line_of_a_request_names_it(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault deep inside needs no hand to pass the id on."""

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("kataven_flask.handshake.Handshake.guest", fail)
    answer = service.guest()
    (record,) = caplog.records
    assert json.loads(written(record, "json"))["request_id"] == answer.headers["X-Request-Id"]


# --- the server itself


def test_a_collected_log_is_json_alone(tmp_path: Path) -> None:
    """What is no terminal gets one object a line, from the start to the end."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    arguments = ["--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", "2"]
    with running(COMMAND, "serve", *arguments, cwd=tmp_path) as server:
        url = f"http://127.0.0.1:{server.port()}/api/v1/widget/auth/guest"
        body = json.dumps({"client_key": KEY}).encode()
        asked = urllib.request.Request(url, body, {"Origin": "https://evil.example"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(asked, timeout=BOUND)  # noqa: S310 - our own server
        server.wait_for("origin_refused")
        assert server.end() == 0
    told = next(at for at, line in enumerate(server.lines) if line.startswith("Next: "))
    first, *rest = [json.loads(line) for line in server.lines[told + 1 :]]
    assert first["event"] == "serving"
    assert {"listen", "config", "revision", "tenants", "issuer", "instance", "state"} <= set(first)
    assert [line["event"] for line in rest] == ["origin_refused"]


@pytest.mark.parametrize("further", ["", "--workers 2 --admin 127.0.0.1:0"])
def test_a_server_whose_log_is_closed_serves(tmp_path: Path, further: str) -> None:
    """Who starts it with `2>&-` gets a server without a log, and not no server."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    command = f"exec {COMMAND} serve --config tenants.yaml --listen 127.0.0.1:0 {further} 2>&-"
    with running("/bin/sh", "-c", command, cwd=tmp_path, own_group=True) as server:
        url = f"http://127.0.0.1:{server.port()}/healthz"
        with urllib.request.urlopen(url, timeout=BOUND) as answer:
            assert answer.status == 200
        assert server.end() == 0


def test_a_person_at_a_terminal_reads_sentences(tmp_path: Path) -> None:
    """Whoever starts it by hand sees what a page did wrong, in color, and no JSON."""
    config, instance = tmp_path / "tenants.yaml", tmp_path / "instance"
    config.write_text(yaml.safe_dump(document()))
    port = free_port()
    arguments = [
        "--config",
        str(config),
        "--instance",
        str(instance),
        "--listen",
        f"127.0.0.1:{port}",
    ]
    with terminal((COMMAND, "serve", *arguments)) as screen:
        screen.wait_for(b"Next: ")
        url = f"http://127.0.0.1:{port}/api/v1/widget/config?client_key={KEY}"
        asked = urllib.request.Request(url, headers={"Origin": "https://evil.example"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(asked, timeout=BOUND)  # noqa: S310 - our own server
        screen.wait_for(rb"\d\d:\d\d:\d\d.*warning.*origin_refused.*tenant.*=acme")
    assert b"{" not in screen.screen
