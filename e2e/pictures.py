"""Makes the documentation's pictures of those that the tests took: some side by side, all small.

export KATAVEN_SCREENSHOTS=/tmp/shots
python -m pytest e2e/test_accessibility.py e2e/test_demo.py e2e/test_docs.py
python -m e2e.pictures /tmp/shots docs/images
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zopfli.png
from playwright.sync_api import Page, sync_playwright

from e2e.conftest import ARGUMENTS, system_chromium

LEFT, TOP, WIDTH, HEIGHT = 840, 110, 440, 690
"""Where the widget stands on a page of 1280 by 800 pixels, with a margin around it."""
PHONE: Final = (390, 844)
STYLE: Final = """
  body { display: flex; width: max-content; margin: 0; background: none }
  figure { margin: 0; overflow: hidden; outline: 1px solid #8884; outline-offset: -1px }
  .desktop { gap: 16px } .desktop figure { border-radius: 20px }
  .phone { gap: 24px; padding: 2px } .phone figure { border: 6px solid #222; border-radius: 36px }
  img { display: block }
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures side by side.

    Args:
        name: The file's, without its ending.
        kind: "desktop" shows the corner that the widget is in, "phone" all of the page.
        scale: How large they are, in the page's own pixels.
        pictures: Their names.
    """

    name: str
    kind: str
    scale: float
    pictures: Sequence[str]


WINDOWS: Final = {
    "demo": "6-user-talks-1280-light",
    "demo-tokens": "7-tokens-1280-light",
    "api": "docs-1280-light",
}
"""Pictures that are shown as they were taken."""
SHEETS: Final = (
    Sheet("widget-desktop", "desktop", 0.8, ["widget-user-1280-light", "widget-user-1280-dark"]),
    Sheet("widget-phone", "phone", 0.6, ["widget-with-lines-390-light", "widget-user-390-dark"]),
    Sheet(
        "widget-trouble",
        "desktop",
        0.6,
        [
            "widget-please-sign-in-1280-light",
            "widget-not-delivered-1280-light",
            "widget-refused-open-1280-light",
        ],
    ),
)


def main(shots: Path, folder: Path) -> None:
    """Make every picture.

    Args:
        shots: Where the tests left their pictures.
        folder: Where the pictures go.
    """
    for name, picture in WINDOWS.items():
        write(folder / f"{name}.png", (shots / f"{picture}.png").read_bytes())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_chromium(),
            args=[*ARGUMENTS, "--no-sandbox"],
        )
        page = browser.new_page(device_scale_factor=1.5)
        for sheet in SHEETS:
            lay(page, sheet, shots)
            taken = page.locator("body").screenshot(omit_background=True)
            write(folder / f"{sheet.name}.png", taken)
        browser.close()


def write(target: Path, picture: bytes) -> None:
    """Write a picture, without a change to what is seen, as small as it gets."""
    target.write_bytes(zopfli.png.optimize(picture, num_iterations_large=1))


def lay(page: Page, sheet: Sheet, shots: Path) -> None:
    """Show a sheet, and wait until all of it is there."""
    figures = "".join(_figure(sheet, shots / f"{name}.png") for name in sheet.pictures)
    page.set_content(f"<!doctype html><style>{STYLE}</style><body class={sheet.kind}>{figures}")
    page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")


def _figure(sheet: Sheet, picture: Path) -> str:
    phone = sheet.kind == "phone"
    width, height = PHONE if phone else (WIDTH, HEIGHT)
    whole, left, top = (PHONE[0], 0, 0) if phone else (1280, LEFT, TOP)
    data = base64.b64encode(picture.read_bytes()).decode()
    return (
        f'<figure style="zoom: {sheet.scale}; width: {width}px; height: {height}px">'
        f'<img style="width: {whole}px; margin: -{top}px 0 0 -{left}px"'
        f' src="data:image/png;base64,{data}"></figure>'
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
