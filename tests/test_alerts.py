"""The alert rules, the runbook and the scrape config: each fits the others, and a real scrape."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.promtool import promtool
from tests.test_deployment import NAMES, anchors, parse_command
from tests.test_metrics import operating

DOCS: Final = Path(__file__).parent.parent / "docs"
RULES: Final = DOCS / "deployment" / "kataven-flask.rules.yml"
TESTS: Final = sorted((Path(__file__).parent / "alerts").glob("*.yml"))
RUNBOOK: Final = (DOCS / "runbook.md").read_text()
DEPLOYMENT: Final = (DOCS / "deployment.md").read_text()
SECTIONS: Final = dict(re.findall(r"(?ms)^### (Kataven\w+)\n(.*?)(?=^##|\Z)", RUNBOOK))
METRIC: Final = re.compile(r"\bkataven_[a-z_]+")
OF_PROMETHEUS: Final = {"up", "job", "instance", "le"}


def rules() -> list[dict[str, Any]]:
    """Return every rule of the file."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by their names."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    found: list[str] = re.findall(rf"(?ms)^```{language}\n(.*?)```", text)
    return found


def test_promtool_takes_the_rules() -> None:
    """Every expression is read, and nothing stands twice."""
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", str(RULES))


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    """Prometheus' own tests of rules hold, on the worst days and on ordinary ones."""
    assert promtool("test", "rules", *map(str, TESTS)).count("SUCCESS") == len(TESTS)


def test_each_alert_is_tested() -> None:
    """No alert is shipped that was never seen to fire."""
    fired = set(
        re.findall(r'alertname="(\w+)", alertstate="firing"', "".join(map(Path.read_text, TESTS)))
    )
    assert fired == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_to_do(name: str) -> None:
    """Whoever is woken gets a grade, a line, the reason, and the runbook's section."""
    alert = alerts()[name]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    words = alert["annotations"]
    assert set(words) == {"summary", "description", "runbook_url"}
    assert words["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = SECTIONS[name]
    assert section.strip().startswith(f"*{alert['labels']['severity']}.*")
    assert "**Visitors notice" in section
    assert "**Do" in section


def test_every_section_has_its_alert() -> None:
    """The runbook has no section that nobody is ever sent to."""
    assert list(SECTIONS) != []
    assert set(SECTIONS) == set(alerts())


def test_what_is_asked_for_is_measured(tmp_path: Path) -> None:
    """Each metric of the rules, of the runbook and of the page is in a scrape of a fresh server."""
    with operating(tmp_path) as operator:
        _, shown = operator.ask("/metrics")
        families = list(text_string_to_metric_families(shown))
    samples = {sample.name for family in families for sample in family.samples}
    samples |= {"kataven_tenant_requests_total"}  # from a tenant's first request on
    asked = " ".join(str(rule["expr"]) for rule in rules()) + " ".join(blocks(RUNBOOK, "promql"))
    assert set(METRIC.findall(asked)) <= samples
    table = DEPLOYMENT.split("#### Metrics")[1].split("A label's value")[0]
    named = set(METRIC.findall(" ".join(re.findall(r"(?m)^\| (`kataven.*?) \|", table))))
    shown_as = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in samples
    }
    assert named == shown_as


def test_the_runbooks_queries_can_be_asked(tmp_path: Path) -> None:
    """Prometheus reads every query that is to be pasted."""
    queries = [line for block in blocks(RUNBOOK, "promql") for line in block.splitlines()]
    assert len(queries) > 15
    group = {
        "name": "runbook",
        "rules": [{"record": f"q:{place}", "expr": query} for place, query in enumerate(queries)],
    }
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [group]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", "--lint=none", str(path))


def test_the_runbooks_commands_can_be_run() -> None:
    """The shell reads each, and each of ours exists with its options."""
    for block in blocks(RUNBOOK, "sh"):
        subprocess.run(["/bin/sh", "-n"], input=block, text=True, check=True)
    code = "\n".join([*blocks(RUNBOOK, "sh"), *re.findall(r"`([^`\n]*)`", RUNBOOK)])
    ours = [match[0] for match in re.finditer(rf"kataven-flask ({NAMES})\b[^|#\n]*", code)]
    assert len(ours) > 5
    for line in ours:
        if "--help" not in line:
            parse_command(shlex.split(line))


def test_what_is_looked_for_in_the_log_is_written_there() -> None:
    """Each phrase that is to be found by grep, or is quoted of the log, is one of the code."""
    code = "\n".join(path.read_text() for path in (DOCS.parent / "kataven_flask").rglob("*.py"))
    ours = [
        line for line in "".join(blocks(RUNBOOK, "sh")).splitlines() if "-u kataven-flask" in line
    ]
    found = [re.search(r"grep (?:-\w+ (?:\d+ )?)*[\"']?([^\"']+)", line) for line in ours]
    phrases = {match[1].strip() for match in found if match} - {"error|warning"}
    phrases = {each for each in phrases if "tenant" not in each and "(" not in each}
    assert phrases >= {"state store", "unhandled fault", "starting another"}
    quoted = {"differs from the others", "that isn't named"}
    assert all(f"`{each}`" in RUNBOOK for each in quoted)
    assert [each for each in phrases | quoted if each not in code] == []


def test_every_link_of_the_runbook_leads_somewhere() -> None:
    """A reader at night meets no dead link."""
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        name, _, anchor = target.partition("#")
        assert not name or (DOCS / name).is_file(), target
        page = (DOCS / name).read_text() if name else RUNBOOK
        assert not anchor or anchor in anchors(page), target


def test_readyz_and_the_admin_page_point_to_sections_there_are() -> None:
    """What a server says of itself leads to a section of the runbook."""
    code = "\n".join(path.read_text() for path in (DOCS.parent / "kataven_flask").rglob("*.py"))
    targets = set(re.findall(r"docs/runbook\.md#(\w+)", code))
    assert len(targets) == 3
    assert targets <= anchors(RUNBOOK)


def test_prometheus_takes_the_config_that_is_shown(tmp_path: Path) -> None:
    """With the rules beside it, promtool finds no fault in it; its job is the rules' own."""
    (config,) = (block for block in blocks(DEPLOYMENT, "yaml") if "scrape_configs" in block)
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(RULES, tmp_path)
    assert "rule files found" in promtool("check", "config", str(tmp_path / "prometheus.yml"))
    (job,) = yaml.safe_load(config)["scrape_configs"]
    assert f'job="{job["job_name"]}"' in RULES.read_text()
