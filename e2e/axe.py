"""Judges a page by axe-core: which rules of accessibility it breaks, where, and what to do."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

ALL: Final[dict[str, Any]] = {"resultTypes": ["violations"]}
"""Every rule that axe has switched on, its best practices too; whole answers for faults alone."""
CONTRAST: Final[dict[str, Any]] = {**ALL, "runOnly": ["color-contrast"]}
"""The one rule that colors decide."""


def faults(page: Page, rules: dict[str, Any] = ALL) -> list[str]:
    """Return what axe finds wrong in a page, open shadow roots included, a line each.

    The script is evaluated by the browser's debugger, to which no policy of the page applies.

    Args:
        page: The page.
        rules: Options of `axe.run`.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate("rules => axe.run(rules).then(found => found.violations)", rules)
    return [_line(rule, node) for rule in violations for node in rule["nodes"]]


def assert_accessible(page: Page) -> None:
    """Fail with what axe finds in light, and with what dark colors change."""
    page.emulate_media(color_scheme="light")
    found = [f"in light: {line}" for line in faults(page)]
    page.emulate_media(color_scheme="dark")
    found += [f"in dark: {line}" for line in faults(page, CONTRAST)]
    assert not found, f"axe found {len(found)}:\n" + "\n".join(found)


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = ", ".join(map(_path, node["target"]))
    advice = " ".join(node["failureSummary"].split())
    return f"{rule['id']} ({rule['impact']}) at {target}: {rule['help']}. {advice}"


def _path(target: str | list[str]) -> str:
    """Return a selector; one for each root on the way, where it is in a shadow root."""
    return target if isinstance(target, str) else " >> ".join(target)
