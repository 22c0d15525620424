"""What the operator's log says of refused origins: once a minute for each key and origin."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.app import parts_of
from kataven_flask.origins import MAX_ORIGIN_LENGTH, Origin
from kataven_flask.refused_origins import (
    MAX_ORIGINS,
    NO_ORIGIN,
    OTHERS,
    PERIOD,
    News,
    RefusedOrigins,
    Tally,
)
from kataven_flask.registry import load_registry
from tests.api.wire import entry
from tests.running import BOUND, COMMAND, Running, running, wait_until
from tests.support import KEY, OTHER_KEY, Service, document

WWW: Final = "https://www.acme.net"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of refused origins since the last time, and forget it."""
    lines = [each.getMessage() for each in caplog.records]
    caplog.clear()
    return [line for line in lines if line.startswith("origin refused")]


def look(service: Service) -> None:
    """Have the server look at what is due, as it does by itself twice a second."""
    parts_of(service.app).watch.look()


# --- what is told, and when


def test_the_first_refusal_is_told_at_once(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One line has the origin, the key, the nearest miss, and the command that adds it."""
    entry(service)["domain_allowlist"] = ["https://acme.com"]
    service.edit()
    service.guest("https://www.acme.com")
    (line,) = said(caplog)
    config = service.settings.config
    assert line == (
        f"origin refused: https://www.acme.com for {KEY} ('AAAAAAAA' of tenant acme);"
        " the nearest entry is https://acme.com: it has a www., the entry has none;"
        f" if it is theirs: kataven-flask origins add {KEY} https://www.acme.com --config {config}"
    )


def test_further_ones_are_counted(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Within the minute nothing more is said; when it is over, how many there were."""
    for _ in range(8):
        service.guest(WWW)
    service.clock.move(PERIOD - 1)
    look(service)
    assert len(said(caplog)) == 1
    service.clock.move(1)
    look(service)
    (line,) = said(caplog)
    assert line.startswith(f"origin refused 7 more times within a minute: {WWW} for {KEY}")
    assert f"kataven-flask origins add {KEY} {WWW}" in line


def test_a_page_that_goes_on_is_told_once_a_minute(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten minutes of a request every ten seconds are ten lines, and no refusal is forgotten."""
    lines = []
    for _ in range(60):
        service.config(WWW)
        look(service)
        service.clock.move(10)
        lines += said(caplog)
    service.close()
    lines += said(caplog)
    counts = [int(found[1]) for line in lines if (found := re.search(r"refused (\d+) more", line))]
    assert 10 <= len(lines) <= 11
    assert len(lines) == 1 + len(counts)
    assert 1 + sum(counts) == 60


def test_after_a_quiet_minute_it_is_news_again(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute without a refusal says nothing, and the next one is told at once."""
    service.guest(WWW)
    service.clock.move(PERIOD)
    look(service)
    assert len(said(caplog)) == 1
    service.guest(WWW)
    (line,) = said(caplog)
    assert line.startswith("origin refused: ")


def test_one_more_is_no_plural(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The log is read by people."""
    service.guest(WWW)
    service.guest(WWW)
    service.clock.move(PERIOD)
    look(service)
    assert "refused 1 more time within" in said(caplog)[1]


def test_a_clock_that_is_put_back_silences_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute that began in what is the future now is over."""
    service.guest(WWW)
    service.guest(WWW)
    service.clock.move(-86_400)
    look(service)
    assert len(said(caplog)) == 2


def test_an_end_tells_what_was_counted(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that was counted is lost in an orderly end."""
    service.guest(WWW)
    service.guest(WWW)
    service.close()
    assert "refused 1 more time" in said(caplog)[1]


def test_each_key_and_origin_is_told_by_itself(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One tenant's noise hides nothing of another's."""
    for origin in (WWW, "https://evil.example"):
        for key in (KEY, OTHER_KEY):
            service.guest(origin, client_key=key)
            service.guest(origin, client_key=key)
    assert len(said(caplog)) == 4


@pytest.mark.parametrize("origin", ["null", None, "https://acme.com/", "https://\u0430cme.com"])
def test_no_readable_origin_is_told_too(
    service: Service, caplog: pytest.LogCaptureFixture, origin: str | None
) -> None:
    """A sandboxed frame or a tool gets 403 as well, and the operator finds it under the key."""
    service.guest(origin)
    (line,) = said(caplog)
    assert line.startswith(f"origin refused: none that can be read (null, or no header), for {KEY}")


def test_a_refresh_without_an_origin_is_told(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the 403 comes from; one from another origin is a security event of its own."""
    session = service.guest().get_json()
    service.refresh(session["refresh_token"], origin=None)
    assert len(said(caplog)) == 1
    service.refresh(session["refresh_token"], origin=WWW)
    assert f"session {session['session_id']} used from another origin" in caplog.text
    assert said(caplog) == []


# --- what it says


@pytest.mark.parametrize(
    ("allowlist", "origin", "words"),
    [
        (["acme.com"], "https://xn--cme-5cd.com", "phishing page: it looks like acme.com"),
        (["acme.com"], "https://acme.com.evil.net", "perhaps a phishing page"),
        ([], "https://acme.com", "the allowlist is empty; if it is theirs: "),
        (["acme.com"], "https://evil.example", "no entry is near it; if it is theirs: "),
        (["acme.com"], "ws://acme.com", "a page's origin is http or https"),
    ],
)  # fmt: skip
def test_the_line_says_why(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    allowlist: list[str],
    origin: str,
    words: str,
) -> None:
    """The short form of what `origins explain` says; no command for what may be phishing."""
    entry(service)["domain_allowlist"] = allowlist
    service.edit()
    service.guest(origin)
    (line,) = said(caplog)
    assert words in line
    assert ("origins add" in line) == ("if it is theirs" in line)


def test_a_test_key_says_what_it_is_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log offers no entry that the file would refuse."""
    test_key = KEY.replace("live", "test")
    service = Service(tmp_path)
    entry(service).update(client_key=test_key, domain_allowlist=["localhost:*"])
    service.edit()
    service.guest("https://acme.com", client_key=test_key)
    (line,) = said(caplog)
    assert line.endswith("use the tenant's pk_live_ key there")


def test_what_was_mended_meanwhile_is_said(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a minute's end is by the file in force then, or by none of it."""
    service.guest(WWW)
    service.guest(WWW)
    entry(service)["domain_allowlist"] = [WWW]
    service.edit()
    service.clock.move(PERIOD)
    look(service)
    assert said(caplog)[1].endswith("it is admitted by now")
    service.clock.move(PERIOD)
    service.guest("https://evil.example")
    service.guest("https://evil.example")
    service.document["tenants"]["acme"]["keys"].pop(0)
    service.edit()
    service.clock.move(PERIOD)
    look(service)
    assert said(caplog)[1].endswith(f"https://evil.example for {KEY}")


def test_the_default_file_needs_no_option(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The command is as short as it can be."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    registry = load_registry(tmp_path / "tenants.yaml")
    refused = RefusedOrigins(lambda: registry, Path("config/tenants.yaml"), lambda: 0.0)
    refused.count(KEY, Origin.parse(WWW))
    (line,) = said(caplog)
    assert line.endswith(f"kataven-flask origins add {KEY} {WWW}")


# --- strangers choose the origins


def test_memory_is_bounded(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond fifty origins a key's refusals are counted together, and the log says so."""
    origins = [f"https://o{number}.example" for number in range(MAX_ORIGINS + 30)]
    refused = parts_of(service.app).refused
    for origin in origins * 2:
        refused.count(KEY, Origin.parse(origin))
    lines = said(caplog)
    assert len(lines) == MAX_ORIGINS + 1
    assert f"others than the {MAX_ORIGINS} that are told one by one, for {KEY}" in lines[-1]
    refused.count(OTHER_KEY, Origin.parse(WWW))
    assert WWW in said(caplog)[0]
    service.clock.move(PERIOD)
    look(service)
    assert "refused 59 more times within a minute: others than" in said(caplog)[MAX_ORIGINS]


def test_a_tally_forgets() -> None:
    """After a quiet minute nothing of it is kept, and there is room for other origins."""
    tally = Tally()
    for number in range(MAX_ORIGINS + 1):
        tally.add(KEY, str(number), now=0.0)
    assert tally.add(KEY, "late", now=1.0) is None
    assert list(tally.due(PERIOD)) == [News(KEY, OTHERS, 1, again=True)]
    assert list(tally.due(2 * PERIOD)) == []
    assert tally.add(KEY, "late", now=2.0 * PERIOD) == News(KEY, "late", 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("KL"), st.sampled_from([NO_ORIGIN, "a", "b"]), st.integers(0, 90)
        ),
        max_size=60,
    )
)
def test_no_refusal_is_counted_twice_or_never(steps: list[tuple[str, str, int]]) -> None:
    """However they come, the counts of a pair add up, and its lines are a minute apart."""
    tally, now = Tally(), 0.0
    told: list[tuple[float, News]] = []
    for key, origin, pause in steps:
        now += pause
        told += [(now, news) for news in tally.due(now)]
        news = tally.add(key, origin, now)
        told += [(now, news)] if news else []
    told += [(now + PERIOD, news) for news in tally.due(now, at_end=True)]
    for pair in {(key, origin) for key, origin, _ in steps}:
        lines = [(at, n) for at, n in told if (n.client_key, n.origin) == pair]
        assert sum(n.count for _, n in lines) == sum(step[:2] == pair for step in steps)
        times = [at for at, _ in lines]
        assert all(later - at >= PERIOD for at, later in pairwise(times))


@given(st.text() | st.from_regex(r"https?://[^/]{1,40}", fullmatch=True))
def test_an_origin_that_is_one_is_plain_text(text: str) -> None:
    """What gets as far as the log has no character that ends a line or drives a terminal."""
    origin = Origin.parse(text)
    if origin is not None:
        assert re.fullmatch(r"[a-z0-9+.-]+://[a-z0-9._:\[\]-]+", str(origin))


def test_many_threads_are_counted_right(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Of a thousand refusals on eight threads, each counts once."""
    refused = parts_of(service.app).refused

    def refuse() -> None:
        for _ in range(125):
            refused.count(KEY, None)

    threads = [threading.Thread(target=refuse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused.close()
    assert "refused 999 more times" in said(caplog)[1]


# --- several workers


@contextmanager
def shared(service: Service) -> Iterator[RefusedOrigins]:
    """Give a server's refusals the pipe that workers write into."""
    refused = parts_of(service.app).refused
    refused.share()
    yield refused
    refused.close()


def started_worker(work: Callable[[], Any]) -> int:
    """Do something in a forked process, as a worker does, and kill it there; return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    return child


def in_a_worker(work: Callable[[], Any]) -> None:
    """Do something in a forked process, and wait for its end."""
    os.waitpid(started_worker(work), 0)


def test_a_killed_worker_has_told_what_it_refused(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of a worker, its parent has the count."""
    with shared(service) as refused:
        for _ in range(3):
            in_a_worker(lambda: refused.count(KEY, Origin.parse(WWW)))
        assert said(caplog) == []
        refused.look()
        (line,) = said(caplog)
        assert WWW in line
    assert "refused 2 more times" in said(caplog)[0]


def test_a_full_pipe_keeps_nobody_waiting(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker under a flood drops what doesn't fit, and how many these were is told."""
    with shared(service) as refused:

        def flood() -> None:
            for _ in range(5000):
                refused.count(KEY, Origin.parse(WWW))
            os.write(tell_full, b"x")
            os.read(is_drained, 1)
            refused.look()

        (is_full, tell_full), (is_drained, tell_drained) = os.pipe(), os.pipe()
        worker = started_worker(flood)
        os.read(is_full, 1)
        refused.look()
        os.write(tell_drained, b"x")
        os.waitpid(worker, 0)
        for end in (is_full, tell_full, is_drained, tell_drained):
            os.close(end)
        refused.look()
        first, lost = said(caplog)
        assert WWW in first
        found = re.fullmatch(r"origin refused: (\d+) that came too fast to be told apart", lost)
        assert found, lost
    (counted,) = [int(re.findall(r"refused (\d+) more", line)[0]) for line in said(caplog)]
    assert 1 + counted + int(found[1]) == 5000


def test_the_longest_message_is_written_whole() -> None:
    """No message is so long that two workers' could mix (POSIX, write)."""
    longest = json.dumps(["pk_live_" + "a" * 97, "a" * (MAX_ORIGIN_LENGTH + 1), 10**9])
    assert len(longest) < select.PIPE_BUF


def test_nonsense_in_the_pipe_ends_nothing(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the log is no fault of the parent, which has workers to look after."""
    with shared(service) as refused:
        monkeypatch.setattr("json.dumps", lambda _: "nonsense")
        in_a_worker(lambda: refused.count(KEY, None))
        monkeypatch.undo()
        refused.look()
        assert "refused origins can't be counted" in caplog.text
        in_a_worker(lambda: refused.count(KEY, None))
        refused.look()
        assert len(said(caplog)) == 1


def refuse_on(port: int, origin: str) -> int:
    """Ask a server as a page that isn't admitted; return the worker's status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    try:
        body = json.dumps({"client_key": KEY})
        connection.request("POST", "/api/v1/widget/auth/guest", body, {"Origin": origin})
        return connection.getresponse().status
    finally:
        connection.close()


def refusals(server: Running) -> list[str]:
    """Return the lines on refused origins that a server has printed."""
    return [line for line in server.lines if "origin refused" in line]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_workers_write_one_line(tmp_path: Path, workers: str) -> None:
    """Whichever worker refuses, the log has the origin once, and at the end the count of all."""
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(document()))
    arguments = ("--config", "tenants.yaml", "--listen", "127.0.0.1:0", "--workers", workers)
    with running(COMMAND, "serve", *arguments, cwd=tmp_path) as server:
        port = server.port()
        for _ in range(40):
            assert refuse_on(port, WWW) == 403
        wait_until(lambda: len(refusals(server)) > 0, "a line on the origin")
        assert refuse_on(port, "https://evil.example") == 403
        server.wait_for("evil.example")
        assert len(refusals(server)) == 2
        assert server.end(signal.SIGTERM) == 0
    first, other, rest = refusals(server)
    add = f"kataven-flask origins add {KEY} {WWW} --config {tmp_path}/tenants.yaml"
    assert f"origin refused: {WWW} for {KEY}" in first
    assert add in first
    assert "evil.example" in other
    assert f"origin refused 39 more times within a minute: {WWW}" in rest
