"""Nothing stands in the documentation that nobody runs: each block has its test."""

from __future__ import annotations

from typing import Final

import pytest

from tests.docs.blocks import Block, blocks, read
from tests.docs.claims import KINDS, entries, is_there, kind, of_kind, reads
from tests.docs.table import CLAIMS, Claim

WHAT_TO_DO: Final = """{block}: no test runs this block (```{block.language}, under {trail!r}).
Either give it a language that is run by itself: `sh` and `console` on a stage, `yaml` as a
tenants' file, `json` as a request or an answer, `http` as headers, `nginx` by nginx. Or write a
test that takes its text from the page (by tests/docs/blocks.py) and runs it, and name that test in
CLAIMS of tests/docs/table.py."""


def fault(block: Block) -> str:
    """Return what is wrong with how a block is run; empty where nothing is."""
    found = entries(block)
    if len(found) > 1:
        return f"{block}: several entries of CLAIMS have it: {[claim.by for claim in found]}"
    if found or kind(block) in KINDS:
        return ""
    return WHAT_TO_DO.format(block=block, trail=" > ".join(block.trail))


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_is_run(block: Block) -> None:
    """What a reader copies was run by a test."""
    assert not fault(block), fault(block)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}-{claim.by}")
def test_an_entry_is_true(claim: Claim) -> None:
    """An entry names a test that is there and reads the page, and has as many blocks as it says."""
    assert is_there(claim.by), f"there is no test {claim.by}"
    assert reads(claim.by, claim.page), (
        f"{claim.by} doesn't name {claim.page}: how does it read it?"
    )
    found = [str(block) for block in blocks() if claim.has(block)]
    if claim.count is None:
        assert found, "it has no block"
    else:
        assert len(found) == claim.count, f"see that {claim.by} runs all of {found}"


def test_what_runs_the_others_is_there() -> None:
    """Each kind of block has a test that exists."""
    assert [test for test in KINDS.values() if not is_there(test)] == []


def test_each_kind_has_blocks() -> None:
    """No test of a kind passes because there is nothing that it runs."""
    assert [name for name in KINDS if not of_kind(name)] == []


def test_a_drawing_has_nothing_to_copy() -> None:
    """No line of a drawing is a command."""
    for block in of_kind("drawing"):
        begins = {line.split()[0] for line in block.text.splitlines() if line.split()}
        assert not {"$", "sudo", "kataven-flask", "curl", "make", "pip"} & begins, str(block)


# --- that it notices


@pytest.mark.parametrize(
    "text",
    ["```python\nprint(1)\n```", "```\nls\n```", "```text\nDone.\n```", "    sudo rm -r x\n"],
    ids=["a program", "no language", "an output", "indented"],
)
def test_a_new_block_is_noticed(text: str) -> None:
    """Who adds a block that nothing runs is told where it is, and what to do."""
    (block,) = read("docs/new.md", f"# New\n\n## Part\n\nWords:\n\n{text}\n").blocks
    said = fault(block)
    assert said.startswith("docs/new.md:")
    assert "no test runs this block" in said
    assert "New > Part" in said
    assert "tests/docs/table.py" in said


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("```sh\nmake demo\n```", "commands"),
        ("```sh\n# nothing\n```", "commands"),
        ("~~~sh\nKATAVEN_STATE='redis://…' kataven-flask serve\n~~~", "commands"),
        ("- a list\n  ```sh\n  KATAVEN_WORKERS='4'\n  ```", "settings"),
        ("> ```yaml\n> tokens: {}\n> ```", "tenants"),
        ("```\na ──▶ b\n```", "drawing"),
    ],
)
def test_a_block_is_run_by_its_kind(text: str, name: str) -> None:
    """Wherever it stands on a page: in a list, in a quotation, between other fences."""
    (block,) = read("docs/new.md", text).blocks
    assert kind(block) == name


def test_a_test_that_does_not_read_the_page_is_no_claim() -> None:
    """An entry can't name any test there is."""
    assert not is_there("tests/docs/test_claims.py::test_nothing")
    assert not is_there("tests/nowhere.py::test_nothing")
    assert not reads("tests/test_keys.py::test_x", "docs/onboarding.md")
    assert reads("tests/test_onboarding.py::test_x", "docs/onboarding.md")
