"""Every block for the shell is run on a stage, one after the other, as a reader does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.docs.blocks import Block
from tests.docs.claims import of_kind
from tests.docs.stage import Scene, Stage
from tests.docs.table import DEPLOYMENT, README

SCENES: Final = (
    Scene(README, ".venv/bin/kataven-flask origins explain", status=1),  # a page that gets 403
    Scene(README, "printf 'Authorization", says='(?m)^{"user_token":"ey'),
    Scene(DEPLOYMENT, "sudo kataven-flask check", says='{"status":"ready",'),
    Scene(
        DEPLOYMENT,
        "sudo install -m 644 new-tenants.yaml",
        before="cp config/tenants.yaml new-tenants.yaml",
    ),
    Scene(  # before the second one, as it is refused until the first pair signs
        DEPLOYMENT,
        "sudo kataven-flask signing-keys rotate\n",
        before="sudo kataven-flask signing-keys rotate --leaked",
    ),
    Scene(
        DEPLOYMENT,
        "sudo kataven-flask signing-keys prune --leaked ID",
        before="""sudo kataven-flask signing-keys rotate --at-once
                  ID=$(sudo kataven-flask signing-keys list | awk '/verifies/ {print $1; exit}')""",
        words={"leaked ID": 'leaked "$ID"'},
    ),
    Scene(DEPLOYMENT, "sudo kataven-flask sessions user-hash", typed="42\n", says="usr_"),
)
"""What some blocks need beside their text. All others are run as they are."""
INSTALLED: Final = "sudo "
"""What a page has in it where it speaks to whoever runs an installed server."""


def acts() -> dict[str, list[Block]]:
    """Return the blocks of both stages: in a checkout, and on a server that was installed."""
    every = of_kind("commands")
    servers = {block.page for block in every if INSTALLED in block.text}
    first = sorted(every, key=lambda block: block.page not in {README, DEPLOYMENT})
    return {
        "a checkout": [block for block in first if block.page not in servers],
        "a server": [block for block in first if block.page in servers],
    }


def scene_of(block: Block) -> Scene | None:
    """Return what a block needs, if that is anything."""
    return next((scene for scene in SCENES if scene.is_of(block)), None)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't on this machine")
@pytest.mark.parametrize("act", acts())
def test_the_commands_of_the_pages(act: str, tmp_path: Path) -> None:
    """Each block ends well, with the files, keys and servers that those before it made."""
    stage = Stage(tmp_path / "stage")
    try:
        ran = {str(block): stage.run(block, scene_of(block)) for block in acts()[act]}
    finally:
        stage.close()
    faults = [f"{place}: {fault}" for place, fault in ran.items() if fault]
    assert not faults, "\n".join(faults)


def test_every_scene_has_its_block() -> None:
    """What was written for a block that has gone is gone, too."""
    blocks = of_kind("commands")
    assert [s for s in SCENES if sum(s.is_of(block) for block in blocks) != 1] == []
