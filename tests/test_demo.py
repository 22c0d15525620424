"""The demo's agent, where its visitor is nobody in particular."""

from __future__ import annotations

from typing import Literal

import pytest

from kataven_flask.demo.connect import reply_to
from kataven_flask.verify import Session


@pytest.mark.parametrize(
    ("visitor_id", "visitor_type", "name", "email", "called"),
    [
        ("42", "user", "Ada Lovelace", None, "Ada"),
        ("42", "user", None, "ada@example.com", "ada@example.com"),
        ("42", "user", None, None, "42"),
        (" ", "user", "  ", None, "you"),
        ("guest_Q-_-x1y2", "guest", None, None, "guest x1y2"),
    ],
    ids=["name", "email", "id", "nothing but blanks", "guest"],
)
def test_a_visitor_is_called_by_what_is_known(
    visitor_id: str,
    visitor_type: Literal["guest", "user"],
    name: str | None,
    email: str | None,
    called: str,
) -> None:
    """The agent has an answer for everybody whom a tenant may vouch for."""
    visitor = Session(
        visitor_id=visitor_id,
        visitor_type=visitor_type,
        session_id="ses_1",
        tenant="demo",
        agent_id="barista",
        client_key="pk_test_demo_x",
        origin="http://shop.acme.localhost:8001",
        auth_time=1,
        expires_at=2,
        name=name,
        email=email,
    )
    assert reply_to(visitor, "hello").startswith(f"Hello {called}, ")
