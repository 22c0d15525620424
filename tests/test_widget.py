"""The widget's script: joined, squeezed, and the same everywhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
from pathlib import Path

import pytest

from kataven_flask import widget
from kataven_flask.assets import static_dir

SOURCE = static_dir() / "widget"
MOST = 7 * 1024
"""Bytes that the packed script may have."""


def test_it_is_small() -> None:
    """Packed as it is served, it fits into 7 KiB."""
    assert len(widget.widget_script().packed) <= MOST


def test_its_hash_is_that_of_what_a_browser_runs() -> None:
    """The integrity is of the text, whatever coding it comes in."""
    script = widget.widget_script()
    digest = hashlib.sha384(script.text).digest()
    assert script.integrity == "sha384-" + base64.b64encode(digest).decode()
    assert gzip.decompress(script.packed) == script.text


def test_two_builds_are_the_same() -> None:
    """No time and no path is in it, so that all hosts of one version serve one script."""
    assert widget.build(SOURCE) == widget.build(SOURCE) == widget.widget_script()


def test_every_file_is_in_it() -> None:
    """No file is forgotten."""
    assert {*widget.SCRIPTS, widget.STYLE, "v1.d.ts"} == {path.name for path in SOURCE.iterdir()}


def test_where_nothing_squeezes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that the minifier has no build for, the script is whole, and larger."""
    monkeypatch.setattr(widget, "minify", None)
    script = widget.build(SOURCE)
    assert len(script.text) > len(widget.widget_script().text)
    assert "window.Kataven" in script.text.decode()


def test_a_broken_file_is_no_script(tmp_path: Path) -> None:
    """A server with a widget that isn't JavaScript doesn't begin."""
    shutil.copytree(SOURCE, tmp_path / "widget")
    (tmp_path / "widget" / "page.js").write_text("const = ;")
    with pytest.raises(ValueError, match="unexpected"):
        widget.build(tmp_path / "widget")
