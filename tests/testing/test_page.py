"""`docs/testing.md`: what it promises is so; `test_plugin.py` and others run its examples."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final, get_args

import pytest

from kataven_flask.testing import (
    ConfigurationError,
    Kataven,
    RefreshState,
    SessionState,
    Tenant,
    VisitorState,
)
from kataven_flask.testing.faults import KNOWN
from kataven_flask.verify import SessionVerifier
from tests.guide import dead_links
from tests.testing.guide import FENCED, FILES, PAGE, table

README: Final = Path(__file__).parents[2] / "README.md"


def test_each_fault_is_on_it() -> None:
    """The table has all of them, in the words of the message that lists them."""
    told = {row[0].strip("`"): row[1] for row in table("Faults")}
    assert list(told) == list(KNOWN)
    for name, words in KNOWN.items():
        plain = told[name].replace(" (60)", "").replace(" (2)", "")
        assert plain == words


def test_the_readme_begins_as_it_does() -> None:
    """Who reads on from the README finds the test that is there."""
    assert f"```python\n{FILES['test_first.py']}```\n" in README.read_text()


def test_a_verifier_goes_by_the_server_s_clock_where_it_is_given_it(kataven: Kataven) -> None:
    """An hour ahead, the test's own verifier takes what the server mints."""
    clock = kataven.clock
    verifier = SessionVerifier(kataven.jwks_url, kataven.issuer, kataven.audience, clock=clock)
    shop = kataven.tenant(origins=["https://shop.example"])
    clock.advance("1h")
    assert verifier.verify(kataven.guest(shop).token).visitor_type == "guest"


def test_each_state_is_on_it() -> None:
    """The table says of each state which tokens can be in it."""
    rows = {row[0].strip("`"): row[1:4] for row in table("Tokens in any state")}
    for column, states in enumerate((VisitorState, SessionState, RefreshState)):
        marked = {state for state, cells in rows.items() if cells[column] == "✓"}
        assert marked == set(get_args(states))


def test_each_part_of_the_fixture_is_on_it() -> None:
    """Whatever `Kataven` has for a test is named on the page."""
    public = {name for name, _ in inspect.getmembers(Kataven) if not name.startswith("_")}
    unnamed = {name for name in public - {"close"} if f"`{name}" not in PAGE}
    assert unnamed <= {"forget_requests", "restore"}
    assert all(f"`{name}`" in PAGE for name in ("forget-requests", "restore"))


def test_no_link_leads_nowhere() -> None:
    """Nor to a heading that isn't there."""
    assert dead_links(PAGE) == []


def test_each_block_is_run() -> None:
    """An example that no test runs has no place on it; what is no file is typed, or a message."""
    files = {"test_first.py", "pytest.ini", "chat.py", "test_chat.py", "test_clock.py"}
    files |= {"test_faults.py", "test_page.py", "chat.test.mjs"}
    assert set(FILES) == files
    others = [language for language, text in FENCED if text not in FILES.values()]
    assert others == ["sh", "text"]


def test_the_message_is_that_of_the_service(kataven: Kataven, shop: Tenant) -> None:
    """What it shows of a refused tenant is what is said."""
    message = next(text for language, text in FENCED if language == "text").strip()
    with pytest.raises(ConfigurationError) as refused:
        kataven.change(shop, origins=["https://shop.example/cart"])
    assert str(refused.value) == message
