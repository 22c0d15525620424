"""What the widget looks like: in which looks, in pictures, and what can be measured of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Locator, Page, Route, ViewportSize

Scheme = Literal["light", "dark"]

SIZES: Final[dict[str, ViewportSize]] = {
    "390": {"width": 390, "height": 844},
    "1280": {"width": 1280, "height": 800},
}
"""A page that the panel covers, and one beside the panel."""
SCHEMES: Final[tuple[Scheme, ...]] = ("dark", "light")

LOGO: Final = "https://acme.example/logo.svg"
FACE: Final = "https://acme.example/face.svg"
_DRAWING: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">
<path d="M0 0h24v24H0z" fill="#fde68a"/><path d="M6 14a6 6 0 0 0 12 0z" fill="#0f5c4d"/>
<path d="M8 7v4m8-4v4" stroke="#0f5c4d" stroke-width="2.5" stroke-linecap="round"/></svg>"""
SHARPNESS: Final = 2 if os.environ.get("KATAVEN_SCREENSHOTS") else 1
"""Pixels of a picture for each of the page's."""
_DRAWN: Final = "new Promise(requestAnimationFrame)"

_CUT: Final = """() => {
  const root = document.querySelector("kataven-widget").shadowRoot;
  const shown = [...root.querySelectorAll(".root *")].filter((node) => node.checkVisibility());
  const cut = shown.filter((node) => {
    const { left, right } = node.getBoundingClientRect();
    const wide = node instanceof HTMLElement && node.scrollWidth > node.clientWidth + 1;
    return left < -1 || right > innerWidth + 1 || (wide && node.clientWidth);
  });
  return cut.map((node) => node.outerHTML.slice(0, 80));
}"""


def each_look(page: Page) -> Iterator[tuple[str, Scheme]]:
    """Give a page each size and color scheme in turn, ending with a wide one in light."""
    for width, size in SIZES.items():
        page.set_viewport_size(size)
        page.evaluate(_DRAWN)  # the widget knows by now
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            yield width, scheme


def snap(page: Page, name: str) -> None:
    """Keep a picture of a page, where `KATAVEN_SCREENSHOTS` names a folder."""
    folder = os.environ.get("KATAVEN_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def dress(page: Page, agent: dict[str, Any] | None = None, **branding: Any) -> None:
    """Give the agent and the tenant of a page's widget another look than the file does.

    Args:
        page: The page.
        agent: Members of the config's `agent`.
        branding: Members of the config's `branding`.
    """

    def change(route: Route) -> None:
        answer = route.fetch()
        config = answer.json()
        config["agent"] |= agent or {}
        config["branding"] |= branding
        route.fulfill(response=answer, json=config)

    page.route("**/widget/config?*", change)


def draw(page: Page, url: str) -> None:
    """Have an image at a URL."""
    page.route(url, lambda route: route.fulfill(body=_DRAWING, content_type="image/svg+xml"))


def cut(page: Page) -> list[str]:
    """Return what of the widget goes beyond the window's sides, or its own."""
    found: list[str] = page.evaluate(_CUT)
    return found


def contrast(node: Locator) -> float:
    """Return the contrast of a node's color on its background (WCAG 2.2, contrast ratio)."""
    style = node.evaluate(
        "node => (({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(node))"
    )
    dark, light = sorted(map(_luminance, style))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    """Return the relative luminance of an opaque color (WCAG 2.2)."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
    assert found, f"not an opaque color: {color}"
    parts = [int(part) / 255 for part in found.groups()]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
