"""Where the files that aren't Python live: beside the package, or in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def static_dir() -> Path:
    """Return the folder that holds `widget/` and `demo/`."""
    return _find("static")


def example_config() -> Path:
    """Return the shipped `tenants.yaml`, the example that the demo runs on."""
    return _find("config") / "tenants.yaml"


def _find(name: str) -> Path:
    packed = _PACKAGE / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
