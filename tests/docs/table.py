"""The one table of what is special: the blocks that no kind runs, each with the test that does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.docs.blocks import Block


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry: a test that runs blocks of a page.

    Args:
        by: The test, as pytest names it. Its module, or one that it imports, names the page.
        page: The page.
        under: A heading that the blocks stand under; empty for anywhere.
        name: The file that the block's first line names; empty for any block.
        first: How the block's first line begins; empty for any.
        language: The language; empty for any.
        count: How many blocks these are, so that a new one among them is noticed. None where the
            test holds the whole page, as of one that is generated.
    """

    by: str
    page: str
    under: str = ""
    name: str = ""
    first: str = ""
    language: str = ""
    count: int | None = 1

    def has(self, block: Block) -> bool:
        """Tell whether a block is one of these."""
        return (
            block.page == self.page
            and (not self.under or self.under in block.trail)
            and (not self.name or self.name == block.name)
            and (not self.language or self.language == block.language)
            and block.first.startswith(self.first)
        )


CLI: Final = "docs/cli.md"
CONFIGURATION: Final = "docs/configuration.md"
README: Final = "README.md"
DEPLOYMENT: Final = "docs/deployment.md"
ONBOARDING: Final = "docs/onboarding.md"
RUNBOOK: Final = "docs/runbook.md"
TESTING: Final = "docs/testing.md"
VERIFY: Final = "docs/verify.md"
WIDGET: Final = "docs/widget.md"
_SCRIPT: Final = '<script src="https://widget.example.com/widget/v1.js'
_FUNCTION: Final = "tests/test_onboarding.py::test_the_token_signs_the_user_in"
_ALERTS: Final = "tests/test_alerts.py::test_"
_VERIFIES: Final = "from kataven_flask.verify import"
_TESTING: Final = "tests/testing/test_page.py::test_"
_SITE: Final = "tests/test_docs_site.py::test_"
_VERIFY: Final = "tests/verify/test_page.py::test_"
_DATA: Final = "tests/docs/test_data.py::test_"
_WIDGET_PAGE: Final = "e2e/test_widget_page.py::test_"

CLAIMS: Final = (
    Claim("e2e/test_readme.py::test_the_tag", README, first=f'{_SCRIPT}" defer'),
    Claim("e2e/test_readme.py::test_the_call", README, first=f'{_SCRIPT}"></script>'),
    Claim("tests/docs/test_readme.py::test_a_session_is_verified", README, first=_VERIFIES),
    Claim(f"{_TESTING}the_readme_begins_as_it_does", README, name="test_first.py"),
    Claim(
        "tests/test_onboarding_commands.py::test_the_commands_of_the_page_say_what_it_says",
        ONBOARDING,
        language="console",
        count=5,
    ),
    Claim(f"{_DATA}a_backends_settings", ONBOARDING, first="KATAVEN_URL="),
    Claim(_FUNCTION, ONBOARDING, under="The function", count=6),
    Claim(
        "tests/test_onboarding.py::test_the_route_gives_a_token_to_the_user_who_is_signed_in",
        ONBOARDING,
        name="shop.py",
    ),
    Claim(
        "e2e/test_onboarding.py::test_a_guest_signs_in_and_out_by_the_pages_code",
        ONBOARDING,
        name="page.html",
    ),
    Claim(
        "tests/test_onboarding.py::test_revoke_ends_the_users_sessions",
        ONBOARDING,
        name="revoke.sh",
    ),
    Claim(f"{_WIDGET_PAGE}the_tag_under_the_pages_policy", WIDGET, name="tag.html"),
    Claim(f"{_WIDGET_PAGE}the_tag_under_the_pages_policy", WIDGET, first="script-src"),
    Claim(f"{_WIDGET_PAGE}the_call_and_its_events", WIDGET, name="page.html"),
    Claim(f"{_WIDGET_PAGE}a_call_before_the_script", WIDGET, name="early.js"),
    Claim(f"{_WIDGET_PAGE}the_call_and_its_events", WIDGET, name="events.js"),
    Claim("tests/test_widget_types.py::test_what_a_page_may_write", WIDGET, name="chat.ts"),
    Claim(f"{_WIDGET_PAGE}words_of_the_pages_own", WIDGET, name="words.js"),
    Claim(f"{_WIDGET_PAGE}a_failure_as_it_is_typed", WIDGET, first="Kataven: "),
    Claim(f"{_DATA}redis_takes_the_lines", DEPLOYMENT, first="maxmemory"),
    Claim(
        "tests/test_wsgi.py::TestAServer::test_a_session_begins_and_goes_on",
        DEPLOYMENT,
        under="Under another WSGI server",
        count=3,
    ),
    Claim(f"{_DATA}lines_of_security_events", DEPLOYMENT, first="[warning"),
    Claim(f"{_DATA}a_line_of_the_log", DEPLOYMENT, first='{"timestamp"', count=2),
    *(
        Claim("tests/testing/test_plugin.py::test_the_examples_of_the_page", TESTING, name=name)
        for name in ("test_first.py", "chat.py", "test_chat.py", "test_clock.py", "test_faults.py")
    ),
    Claim("e2e/test_testing_page.py::test_the_example_with_a_page", TESTING, name="test_page.py"),
    Claim("tests/testing/test_plugin.py::test_one_server_for_a_module", TESTING, name="pytest.ini"),
    Claim(
        "tests/testing/test_page.py::test_the_message_is_that_of_the_service",
        TESTING,
        language="text",
    ),
    Claim(
        "tests/testing/test_control.py::test_the_pages_example_in_node",
        TESTING,
        name="chat.test.mjs",
    ),
    Claim(f"{_VERIFY}by_hand", VERIFY, name="sessions.py"),
    Claim(f"{_VERIFY}by_hand", VERIFY, name="by_hand.py"),
    Claim(f"{_VERIFY}flask", VERIFY, name="flask_app.py"),
    Claim(f"{_VERIFY}wsgi", VERIFY, name="wsgi_app.py"),
    Claim(f"{_VERIFY}fastapi", VERIFY, name="fastapi_app.py"),
    Claim(f"{_VERIFY}a_websocket", VERIFY, name="talk.js"),
    Claim(f"{_VERIFY}the_pages_own_tests_pass", VERIFY, name="test_connect.py"),
    Claim(
        "tests/verify_elsewhere/test_languages.py::test_verifies",
        VERIFY,
        under="Other languages",
        count=5,
    ),
    # Made from the command's help and its options, and held against them as a whole.
    Claim(f"{_SITE}what_is_made_is_up_to_date", CLI, language="text", count=None),
    Claim("tests/docs/test_help.py::test_the_examples_are_run", CLI, language="sh", count=None),
    Claim(f"{_SITE}its_faults_are_told_so", CONFIGURATION, language="console"),
    Claim(f"{_ALERTS}the_runbooks_queries_can_be_asked", RUNBOOK, language="promql", count=None),
    Claim(f"{_ALERTS}prometheus_takes_the_config_that_is_shown", DEPLOYMENT, first="global:"),
    Claim(
        f"{_DATA}the_benchmarks_commands",
        "docs/benchmarks.md",
        under="Commands",
    ),
)
"""The table. What is special is entered here, once, with the test that runs it."""
