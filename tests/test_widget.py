"""The widget's script: joined, squeezed, and the same everywhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
from pathlib import Path

import pytest

from kataven_flask import packing, widget
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


def test_what_is_served_was_packed_from_this_source(tmp_path: Path) -> None:
    """No time, no path and no chance is in it; after a change, `make widget` packs it anew."""
    assert [path.name for path in SOURCE.glob("*.gz")] == [widget.packed_file(SOURCE).name]
    anew = shutil.copytree(SOURCE, tmp_path / "widget", ignore=shutil.ignore_patterns("*.gz"))
    assert widget.read(anew) == widget.read(anew) == widget.widget_script()


def test_every_file_is_in_it() -> None:
    """No file is forgotten."""
    packed = widget.packed_file(SOURCE).name
    files = {path.name for path in SOURCE.iterdir()}
    assert {*widget.SCRIPTS, widget.STYLE, widget.TYPES, packed} == files


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return a copy of the widget's folder whose source was changed since it was packed."""
    folder = tmp_path / "widget"
    shutil.copytree(SOURCE, folder)
    (folder / "page.js").write_text((folder / "page.js").read_text() + "window.changed = true;\n")
    return folder


def test_a_change_is_served_at_the_next_start(changed: Path) -> None:
    """Who works on the widget sees the change, packed, without a step between."""
    script = widget.read(changed)
    assert b"window.changed" in script.text
    assert gzip.decompress(script.packed) == script.text


def test_where_nothing_squeezes_it(changed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that the minifier has no build for, a changed script is whole, and larger."""
    squeezed = widget.read(changed)
    monkeypatch.setattr(packing, "minify", None)
    script = widget.read(changed)
    assert len(script.text) > len(squeezed.text)
    assert "window.Kataven" in script.text.decode()


def test_a_broken_file_is_no_script(changed: Path) -> None:
    """A server with a widget that isn't JavaScript doesn't begin."""
    (changed / "page.js").write_text("const = ;")
    with pytest.raises(ValueError, match="unexpected"):
        widget.read(changed)
