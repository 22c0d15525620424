"""Judges a page by axe-core: which rules of accessibility it breaks, where, and what to do."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE: Final = Axe()
_OPTIONS: Final = {"resultTypes": ["violations"]}
"""Every rule that axe has switched on, its best practices too; whole answers for faults alone."""


def faults(page: Page) -> list[str]:
    """Return what axe finds wrong in a page, open shadow roots included, a line each.

    The script is evaluated by the browser's debugger, to which no policy of the page applies.
    """
    violations: list[dict[str, Any]] = _AXE.run(page, options=_OPTIONS).response["violations"]
    return [_line(rule, node) for rule in violations for node in rule["nodes"]]


def assert_accessible(page: Page, looks: str = "") -> None:
    """Fail with axe's findings, if there are any.

    Args:
        page: The page.
        looks: In which looks of the page they were found, for the message.
    """
    found = faults(page)
    assert not found, f"axe found {len(found)} {looks}:\n" + "\n".join(found)


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = ", ".join(map(_path, node["target"]))
    advice = " ".join(node["failureSummary"].split())
    return f"{rule['id']} ({rule['impact']}) at {target}: {rule['help']}. {advice}"


def _path(target: str | list[str]) -> str:
    """Return a selector; one for each root on the way, where it is in a shadow root."""
    return target if isinstance(target, str) else " >> ".join(target)
