"""Which test runs which block: by its kind, or by an entry of the table in `table.py`."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.table import CLAIMS, Claim

KINDS: Final = {
    "commands": "tests/docs/test_shell.py::test_the_commands_of_the_pages",
    "settings": "tests/docs/test_data.py::test_settings",
    "tenants": "tests/docs/test_data.py::test_tenants",
    "http": "tests/docs/test_data.py::test_headers",
    "json": "tests/docs/test_data.py::test_json",
    "nginx": "tests/docs/test_data.py::test_nginx",
    "drawing": "tests/docs/test_claims.py::test_a_drawing_has_nothing_to_copy",
}
"""What runs a block that is in no entry of the table, by its kind: see `kind`."""

_SETTING: Final = re.compile(r"KATAVEN_\w+=('[^']*'|[^\s']*)")


def kind(block: Block) -> str:
    """Return what a block is by its language and its looks; empty where that says nothing."""
    lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
    if block.language == "sh":
        is_setting = [bool(_SETTING.fullmatch(line)) for line in lines]
        return "settings" if lines and all(is_setting) else "commands"
    if block.language == "console":
        return "commands"
    if block.language == "yaml":
        return "tenants"
    if block.language:
        return block.language if block.language in {"http", "json", "nginx"} else ""
    return "drawing" if re.search("[─│▶]", block.text) else ""


def entries(block: Block) -> list[Claim]:
    """Return the entries of the table that have a block."""
    return [claim for claim in CLAIMS if claim.has(block)]


def of_kind(name: str) -> list[Block]:
    """Return the blocks of a kind that no entry of the table has."""
    return [block for block in blocks() if kind(block) == name and not entries(block)]


def block_of(page: str, first: str) -> Block:
    """Return the one block of a page whose first line begins so."""
    (found,) = (each for each in blocks() if each.page == page and each.first.startswith(first))
    return found


# --- whether a test is there, and reads the page


def is_there(test: str) -> bool:
    """Tell whether a test exists, in its module or in a class of it."""
    path, *names = test.split("::")
    if not (ROOT / path).is_file():
        return False
    node: ast.AST = _parsed(path)
    for name in names:
        found = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", "") == name]
        if not found:
            return False
        node = found[0]
    return True


def reads(test: str, page: str) -> bool:
    """Tell whether a test's module, or one that it takes its texts from, names a page's file."""
    path = test.partition("::")[0]
    near = [path, *_imported(path)]
    return any(_names(each, page) for one in near for each in [one, *_imported(one)])


def _names(path: str, page: str) -> bool:
    file = page.rpartition("/")[2]
    texts = [
        node.value
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return any(text == file or text.endswith(f"/{file}") for text in texts)


def _imported(path: str) -> list[str]:
    nodes = [node for node in ast.walk(_parsed(path)) if isinstance(node, ast.ImportFrom)]
    names = [(node.module or "").replace(".", "/") + ".py" for node in nodes]
    return [name for name in names if re.match("(tests|e2e)/", name) and (ROOT / name).is_file()]


@cache
def _parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())
