"""What the theme writes, mended for who doesn't see it."""

from __future__ import annotations

import re
from typing import Any, Final

from sphinx.application import Sphinx

_EMPTY_HEADING: Final = re.compile(r'<th class="head[^"]*"><p></p></th>')
_TABLE: Final = re.compile(r"<table.*?</table>", re.DOTALL)
_HEADING: Final = re.compile(r'<th class="head[^"]*"><p>(.*?)</p></th>')
_CELL: Final = re.compile(r"(<td[^>]*><p)(>)")
_ROW: Final = re.compile(r'<tr class="row-.*?</tr>', re.DOTALL)
_STACKED: Final = 3
"""Columns of a table whose rows may be stacked on a phone, where its headings aren't seen."""
_NAVIGATION: Final = "furo_navigation_tree"
_AFTER_THE_THEME: Final = 900


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx mend each page once it is written."""
    app.connect("html-page-context", _mend, priority=_AFTER_THE_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    del app, page, template, doctree
    body = _TABLE.sub(lambda table: _labelled(table[0]), context.get("body", ""))
    # A column without a name has an empty cell above it, and not an empty name.
    context["body"] = _EMPTY_HEADING.sub("<td></td>", body)
    # A heading without a level is none; the parts of the list of pages have names, which will do.
    context[_NAVIGATION] = context.get(_NAVIGATION, "").replace(' role="heading"', "")


def _labelled(table: str) -> str:
    """Have the last cell of each row of three know the name of its column; see `site.css`."""
    names = _HEADING.findall(table)
    if len(names) != _STACKED or not (last := re.sub("<.*?>", "", names[-1])):
        return table
    return _ROW.sub(lambda row: _label_last(row[0], last), table)


def _label_last(row: str, name: str) -> str:
    cells = list(_CELL.finditer(row))
    if row.count("<td") != _STACKED or not cells or "<td" in row[cells[-1].end() :]:
        return row
    end = cells[-1].end(1)
    return f'{row[:end]} data-label="{name}"{row[end:]}'
