"""`docs/verify.md`: what is copied out of it for another language is run as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.guide import DOCS, dead_links
from tests.verify_elsewhere.languages import LANGUAGES, Language, Verifying
from tests.verify_elsewhere.sign_in import SignIn

LOOKS: Final = 2
"""How often the keys may be fetched, however many unknown ones are named."""


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Language:
    """Return each language."""
    found: Language = request.param
    return found


@pytest.fixture
def verifying(language: Language, sign_in: SignIn, tmp_path: Path) -> Iterator[Verifying]:
    """Start its program, once: it keeps what it fetched, as a `/connect` service does."""
    sign_in.shut()
    program = language.start(tmp_path, sign_in.door.url)
    yield program
    program.end()


def test_verifies(language: Language, verifying: Verifying, sign_in: SignIn) -> None:
    """Good sessions pass, whether the keys can be fetched again or not; nothing forged does."""
    user = sign_in.good["a user, ES256"]
    assert verifying.show(user).startswith("no keys: ")
    sign_in.open()
    expected = {name: f"good {sign_in.claims(name)['sub']}" for name in sign_in.good}
    if not language.knows_eddsa:
        expected["a guest, EdDSA"] = "invalid"
    assert {name: verifying.show(token) for name, token in sign_in.good.items()} == expected
    verdicts = {name: verifying.show(token) for name, token in sign_in.attacks().items()}
    assert {name for name, made in verdicts.items() if made != "invalid"} == language.harmless
    assert 1 <= sign_in.door.asked <= LOOKS
    sign_in.shut()
    assert verifying.show(user) == "good 42"


def test_its_links_lead_somewhere() -> None:
    """No link of the page within the documents is dead."""
    assert dead_links((DOCS / "verify.md").read_text()) == []
