"""Judges a page by axe-core: which rules of accessibility it breaks, where, and what to do."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from e2e.looks import each_look, snap

ALL: Final[dict[str, Any]] = {"resultTypes": ["violations", "incomplete"]}
"""Every rule that axe has switched on, its best practices too; no whole answers for what passes."""
CONTRAST: Final[dict[str, Any]] = {**ALL, "runOnly": ["color-contrast"]}
"""The one rule that colors decide."""


def faults(page: Page, rules: dict[str, Any] = ALL, *kinds: str) -> list[str]:
    """Return what axe finds wrong in a page, open shadow roots included, a line each.

    The script is evaluated by the browser's debugger, to which no policy of the page applies.

    Args:
        page: The page.
        rules: Options of `axe.run`.
        kinds: What of its findings; "incomplete" is what it can't judge, such as the contrast
            of words that something lies over.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(rules)", rules)
    return [
        _line(rule, node)
        for kind in kinds or ("violations",)
        for rule in found[kind]
        for node in rule["nodes"]
    ]


def judged(page: Page, state: str, *kinds: str) -> list[str]:
    """Return what axe finds in a state in each look: all of it in light, contrast in dark.

    A picture of each is kept, where pictures are asked for.

    Args:
        page: The page.
        state: What to call it.
        kinds: As of `faults`.
    """
    found = []
    for width, scheme in each_look(page):
        look = f"{state}-{width}-{scheme}"
        rules = ALL if scheme == "light" else CONTRAST
        found += [f"{look}: {line}" for line in faults(page, rules, *kinds)]
        snap(page, look)
    return found


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    target = ", ".join(map(_path, node["target"]))
    advice = " ".join(node["failureSummary"].split())
    return f"{rule['id']} ({rule['impact']}) at {target}: {rule['help']}. {advice}"


def _path(target: str | list[str]) -> str:
    """Return a selector; one for each root on the way, where it is in a shadow root."""
    return target if isinstance(target, str) else " >> ".join(target)
