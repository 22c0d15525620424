"""`/metrics`: right across workers, on a listening socket of its own."""

from __future__ import annotations

import http.client
import os
import re
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from kataven_flask.admin import admin_app
from kataven_flask.app import create_app, parts_of
from kataven_flask.measuring import route_names
from kataven_flask.security_events import Event
from kataven_flask.settings import Settings
from tests.canary import hear_answer
from tests.promtool import promtool
from tests.running import BOUND, COMMAND, Running, running, wait_until
from tests.support import API, KEY, document

LOOPBACK: Final = "127.0.0.1"
EVIL: Final = "https://evil.example"
FAULTY: Final = "version: 1\ntenants: {acme: {name: 7}}\n"


class Operator:
    """Who runs the server and looks at what it measures.

    Args:
        server: The server.
        config: Its tenants' file.
    """

    def __init__(self, server: Running, config: Path) -> None:
        self.server = server
        self.config = config
        self.port = server.port()
        self.admin_port = int(server.wait_for(r"metrics +http://.*:(\d+)/metrics")[1])

    def ask(self, path: str, method: str = "GET", *, admin: bool = True) -> tuple[int, str]:
        """Send a request; return the status and the body."""
        where = (LOOPBACK, self.admin_port if admin else self.port)
        with closing(http.client.HTTPConnection(*where, timeout=BOUND)) as connection:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            hear_answer(response.status, dict(response.getheaders()), body)
            return response.status, body.decode()

    def samples(self) -> dict[str, float]:
        """Return what it measures, each by its name and its labels' values."""
        status, text = self.ask("/metrics")
        assert status == 200, text
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def edit(self, text: str) -> None:
        """Write the tenants' file."""
        new = self.config.with_name("new")
        new.write_text(text)
        new.replace(self.config)

    def await_samples(self, **samples: float) -> None:
        """Wait until metrics have values; `__` stands before a label's value."""
        expected = {name.replace("__", " "): value for name, value in samples.items()}
        wait_until(lambda: expected.items() <= self.samples().items(), f"{expected}")

    def revisions(self) -> set[str]:
        """Return the revisions that are in force."""
        names = [name.split(" ") for name in self.samples()]
        return {labels[0] for name, *labels in names if name == "kataven_config_info"}

    def await_revision_after(self, old: str) -> str:
        """Wait until all go by one revision that isn't the old one, and return it."""
        wait_until(lambda: len(found := self.revisions()) == 1 and old not in found, "it is new")
        return self.revisions().pop()

    def children(self) -> list[int]:
        """Return the processes that the server has started: the workers, then its admin process."""
        pid = self.server.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


THREADS = 7
"""Of a worker: four for requests, its loop, who watches the files, who watches the parent."""


@contextmanager
def operating(folder: Path, workers: int = 2, **environ: str) -> Iterator[Operator]:
    """Run a server that shows what it measures."""
    config = folder / "tenants.yaml"
    config.write_text(text("first"))
    where = ("--listen", f"{LOOPBACK}:0", "--admin", f"{LOOPBACK}:0", "--workers", str(workers))
    command = (COMMAND, "serve", "--config", str(config), *where)
    environ = {"TMPDIR": str(folder), **environ}  # a killed server leaves its folder
    with running(*command, cwd=folder, own_group=True, **environ) as server:
        yield Operator(server, config)


def text(audience: str) -> str:
    """Return a sound tenants' file."""
    return yaml.safe_dump(document(audience=audience))


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_an_answer_has_the_headers_of_every_answer(path: str) -> None:
    """A page that the operator has open can't embed it, read it as a script or frame it."""
    headers = Client(admin_app(CollectorRegistry())).get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_what_is_measured_is_said_in_words(tmp_path: Path) -> None:
    """Every metric has a help text for a person who was woken, and promtool finds no fault."""
    with operating(tmp_path) as operator:
        assert operator.ask("/nowhere", admin=False)[0] == 404
        _, shown = operator.ask("/metrics")
    for family in text_string_to_metric_families(shown):
        assert family.name.startswith("kataven_")
        assert re.fullmatch(r"[A-Z1].{8,}\.", family.documentation), family.name
        assert "\n" not in family.documentation
    promtool("check", "metrics", given=shown)


@pytest.mark.parametrize("workers", [1, 3])
def test_every_security_event_counts(tmp_path: Path, workers: int) -> None:
    """Whichever worker sees them, and however few lines the log has of them."""
    with operating(tmp_path, workers) as operator:
        counts = {f"kataven_security_events_total {event}": 0.0 for event in Event}
        assert counts.items() <= operator.samples().items()
        for _ in range(40):
            with closing(
                http.client.HTTPConnection(LOOPBACK, operator.port, timeout=BOUND)
            ) as page:
                page.request("GET", f"{API}/config?client_key={KEY}", headers={"Origin": EVIL})
                assert page.getresponse().status == 403
        with closing(http.client.HTTPConnection(LOOPBACK, operator.port, timeout=BOUND)) as page:
            page.request("POST", f"{API}/auth/refresh", b'{"refresh_token": "x.y"}')
            assert page.getresponse().status == 400
        counts["kataven_security_events_total origin_refused"] = 40
        counts["kataven_security_events_total token_invalid"] = 1
        found = operator.samples()
        assert {name: found[name] for name in counts} == counts
        operator.server.wait_for("token_invalid")
        assert operator.server.output.count("origin_refused") == 1


@pytest.mark.parametrize("workers", [1, 3])
def test_an_edit_counts_once(tmp_path: Path, workers: int) -> None:
    """One edit is one, however many workers take it over or refuse it, and one line in the log."""
    with operating(tmp_path, workers) as operator:
        before = operator.samples()
        assert before["kataven_config_ok"] == 1
        assert before["kataven_config_reloads_total ok"] == 0
        assert before["kataven_config_reloads_total refused"] == 0
        (first,) = operator.revisions()
        operator.edit(FAULTY)
        operator.await_samples(kataven_config_ok=0, kataven_config_reloads_total__refused=1)
        assert operator.revisions() == {first}
        operator.edit(text("second"))
        second = operator.await_revision_after(first)
        operator.await_samples(kataven_config_ok=1, kataven_config_reloads_total__ok=1)
        after = operator.samples()
        loaded = "kataven_config_loaded_timestamp_seconds"
        assert after[loaded] > before[loaded]
        assert after["kataven_config_reloads_total refused"] == 1
        operator.edit(text("third"))
        operator.await_samples(kataven_config_reloads_total__ok=2)
        log = operator.server.output
    assert log.count("config refused") == 1
    assert log.count(f'"config is in force", "revision": "{second}"') == 1


def test_the_worst_worker_counts(tmp_path: Path) -> None:
    """A worker that can't read the file is seen in the metrics, and in the log by its number."""
    with operating(tmp_path) as operator:
        (first,) = operator.revisions()
        worker = operator.children()[0]
        tasks = Path(f"/proc/{worker}/task")
        wait_until(lambda: len(list(tasks.iterdir())) == THREADS, "it serves")
        limit = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (4, limit[1]))  # it has as many open
        operator.edit(text("second"))
        operator.await_samples(kataven_config_ok=0, kataven_config_reloads_total__ok=1)
        operator.server.wait_for(f"differs from the others in config.*{worker}")
        operator.server.wait_for("Too many open files")
        both = operator.revisions()
        assert len(both) == 2
        assert first in both
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limit)
        operator.server.wait_for(f"agrees with the others again.*{worker}")
        operator.await_samples(kataven_config_ok=1)
        assert operator.revisions() == both - {first}


def test_a_worker_that_hangs_is_seen(tmp_path: Path) -> None:
    """Where a worker doesn't get on, the old revision stands beside the new one."""
    with operating(tmp_path) as operator:
        before = operator.samples()["kataven_config_loaded_timestamp_seconds"]
        worker = operator.children()[0]
        os.kill(worker, signal.SIGSTOP)
        operator.edit(text("second"))
        operator.await_samples(kataven_config_reloads_total__ok=1)
        assert len(operator.revisions()) == 2
        assert operator.samples()["kataven_config_loaded_timestamp_seconds"] == before
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: len(operator.revisions()) == 1, "it has caught up")


def test_what_was_counted_outlives_its_worker(tmp_path: Path) -> None:
    """Workers that die are replaced, the admin process too, and no count goes back."""
    with operating(tmp_path) as operator:
        (first,) = operator.revisions()
        operator.edit(text("second"))
        second = operator.await_revision_after(first)
        operator.await_samples(kataven_config_reloads_total__ok=1)
        for child in operator.children():
            os.kill(child, signal.SIGKILL)
        operator.server.wait_for(r'starting another", "job": "worker".* -9', count=2)
        operator.server.wait_for(r'starting another", "job": "admin process".* -9')
        operator.await_samples(kataven_config_ok=1, kataven_config_reloads_total__ok=1)
        assert operator.revisions() == {second}
        assert operator.ask("/healthz", admin=False)[0] == 200


def test_the_first_fault_of_any_route_is_a_rise(tmp_path: Path) -> None:
    """Each route has a nought to rise from, as a rate can't see what begins with 1."""
    config = tmp_path / "tenants.yaml"
    config.write_text(text("first"))
    app = create_app(Settings(config, tmp_path / "instance", "memory:", watch=False))
    paths = [rule.rule for rule in app.url_map.iter_rules()]
    parts_of(app).close()
    with operating(tmp_path, workers=1) as operator:
        shown = [name.split(" ") for name in operator.samples() if " internal_error " in name]
    assert {route for _, _, route, _ in shown} == set(route_names(paths).values())


def test_only_the_metrics_are_there(tmp_path: Path) -> None:
    """The admin port answers nothing else, and the public one doesn't answer that."""
    with operating(tmp_path) as operator:
        assert operator.ask("/metrics", admin=False)[0] == 404
        status, said = operator.ask("/")
        assert (status, "/metrics" in said, "docs/runbook.md" in said) == (200, True, True)
        for path in ("/healthz", "/readyz", "/metrics/", "/metrics/x", "/favicon.ico"):
            assert operator.ask(path)[0] == 404
        assert operator.ask("/metrics", "POST")[0] == 405
        assert operator.ask("/metrics", "DELETE")[0] == 405


def test_its_folder_is_its_own_and_goes_with_it(tmp_path: Path) -> None:
    """What is counted is kept where nobody else can read or write, and nothing of it is left."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with operating(tmp_path, TMPDIR=str(temporary)) as operator:
        (folder,) = temporary.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert operator.samples()["kataven_config_ok"] == 1
        assert operator.server.end() == 0
        assert list(temporary.iterdir()) == []
        assert "Traceback" not in operator.server.output


def test_an_environment_that_names_another_folder_changes_nothing(tmp_path: Path) -> None:
    """A folder of another program's counts is neither read nor written."""
    others = tmp_path / "others"
    others.mkdir()
    with operating(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(others)) as operator:
        assert operator.samples()["kataven_config_reloads_total ok"] == 0
    assert list(others.iterdir()) == []


def test_without_a_temporary_folder_it_says_so(tmp_path: Path) -> None:
    """A server that can't keep its counts anywhere says what to do, and doesn't start."""
    (tmp_path / "tenants.yaml").write_text(text("first"))
    site = tmp_path / "sitecustomize.py"
    site.write_text("import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/nowhere']\n")
    arguments = ("--config", "tenants.yaml", "--listen", f"{LOOPBACK}:0")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = (COMMAND, "serve", *arguments, "--admin", f"{LOOPBACK}:0")
    with running(*command, cwd=tmp_path, PYTHONPATH=path, TMPDIR="/nowhere") as server:
        assert server.ended() == 1
        assert "name one with TMPDIR" in server.output
        assert "Traceback" not in server.output


@pytest.mark.parametrize(
    ("host", "is_noted"),
    [("127.0.0.1", False), ("[::1]", False), ("0.0.0.0", True)],  # noqa: S104 - what is tested
)
def test_a_port_that_others_reach_is_noted(tmp_path: Path, host: str, *, is_noted: bool) -> None:
    """An operator who shows the metrics to the whole network is told so."""
    (tmp_path / "tenants.yaml").write_text(text("first"))
    arguments = ("--config", "tenants.yaml", "--listen", f"{LOOPBACK}:0", "--admin", f"{host}:0")
    with running(COMMAND, "serve", *arguments, cwd=tmp_path) as server:
        server.wait_for(r"metrics +http://")
        server.wait_for("Next:")
        assert server.end() == 0
        assert ("reads the metrics" in server.output) == is_noted
