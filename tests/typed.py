"""What `v1.d.ts` promises, for the tests that hold the widget and its page to it."""

from __future__ import annotations

import re
from typing import Final

from kataven_flask.assets import static_dir

TYPES: Final = static_dir() / "widget" / "v1.d.ts"
_TEXT: Final = TYPES.read_text()


def members(interface: str) -> list[str]:
    """Return the names of an interface's members, in order."""
    found = re.search(rf"(?ms)^  interface {interface}\b[^\n]*{{\n(.*?)^  }}", _TEXT)
    assert found, interface
    return re.findall(r"(?m)^    (?:readonly )?(\w+)\b\??[(<:]", found[1])


def error_codes() -> list[str]:
    """Return the error codes that are known by name, in order."""
    found = re.search(r"(?s)type KnownErrorCode =(.*?);", _TEXT)
    assert found
    return re.findall(r'\| "(\w+)"', found[1])


def sentences() -> dict[str, str]:
    """Return the widget's own sentences by their names."""
    text = (static_dir() / "widget" / "strings.js").read_text()
    return dict(re.findall(r'(?m)^  (\w+): "(.*)",$', text))


def keys(interface: str) -> list[str]:
    """Return the names of an interface's members and of those within them, in order."""
    found = re.search(rf"(?ms)^  interface {interface} {{\n(.*?)^  }}", _TEXT)
    assert found, interface
    return re.findall(r"(\w+)\??:", found[1])
