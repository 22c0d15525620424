"""What is promised while the state store can't be used, and once it can be again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.faults.client import DONE, DOWN, OK, REVOKED, USED, Answer, Client
from tests.running import wait_until

PROMISED: Final = 2.0
"""Seconds within which a caller is answered, whatever became of the store."""
RECOVERY: Final = 5.0
"""Seconds after which a server has noticed that the store is back."""


@dataclass(frozen=True, slots=True)
class Held:
    """What visitors hold when the fault comes.

    Args:
        visitor: A visitor token that nobody has exchanged.
        renewed: The refresh token of a session that was renewed once.
        left: The refresh token of a session that its visitor is about to leave.
        revoked: The refresh token of a session whose user the tenant is about to revoke.
    """

    visitor: str
    renewed: str
    left: str
    revoked: str

    @classmethod
    def by(cls, client: Client) -> Held:
        """Begin what is held."""
        return cls(
            visitor=client.visitor_token(),
            renewed=client.renewed(client.session()),
            left=client.renewed(client.session()),
            revoked=client.renewed(client.session("revoked")),
        )

    def calls(self, client: Client) -> dict[str, Callable[[], Answer]]:
        """Return each call that needs the store."""
        return {
            "exchange": lambda: client.exchange(self.visitor),
            "refresh": lambda: client.refresh(self.renewed),
            "logout": lambda: client.logout(self.left),
            "revoke": lambda: client.revoke("revoked"),
        }


def assert_fails_closed(client: Client, held: Held) -> None:
    """Hold that each call which needs the store is told so in time, and gets no token."""
    for name, call in held.calls(client).items():
        answer = call()
        assert answer.kind == DOWN, name
        assert int(answer.headers["Retry-After"]) >= 1, name
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8", name
        assert answer.seconds < PROMISED, name
    # What was found of the store is told again for a second.
    wait_until(lambda: client.get("/readyz").kind == DOWN, "it says that it isn't ready", PROMISED)
    assert client.get("/readyz").seconds < PROMISED


def assert_the_rest_goes_on(client: Client) -> None:
    """Hold that whatever needs no store is answered as ever."""
    answers = [
        client.config(),
        client.guest(),
        client.user_token(),
        *map(client.get, ("/.well-known/jwks.json", "/healthz", "/widget/v1.js")),
    ]
    assert {answer.kind for answer in answers} == {OK}
    assert max(answer.seconds for answer in answers) < PROMISED


def assert_recovers(client: Client, held: Held) -> None:
    """Hold that all go on where they were, without a restart of the server."""
    await_recovery(client)
    successor = client.renewed(held.renewed)
    client.renewed(successor)
    # A step that was given up may have been done: at most one had the token.
    assert client.exchange(held.visitor).kind in {OK, USED}
    assert client.exchange(held.visitor).kind == USED
    assert client.logout(held.left).kind == DONE
    assert client.refresh(held.left).kind == REVOKED
    assert client.revoke("revoked").kind == DONE
    assert client.refresh(held.revoked).kind == REVOKED
    assert_new_visitors_are_served(client)


def assert_new_visitors_are_served(client: Client) -> None:
    """Hold that sessions that begin now are like any other.

    After a loss, "now" is when no host's clock can say any more that it was before it.
    """
    wait_until(lambda: _memory_began(client), "the store remembers")
    guest = client.guest()["refresh_token"]
    client.renewed(client.renewed(guest))
    token = client.visitor_token()
    session = client.exchange(token)
    assert session.kind == OK
    assert client.exchange(token).kind == USED
    current = client.renewed(client.renewed(session["refresh_token"]))
    assert client.logout(current).kind == DONE
    assert client.refresh(current).kind == REVOKED


def _memory_began(client: Client) -> bool:
    ready = client.get("/readyz")
    if ready.kind != OK:
        return False
    since = datetime.fromisoformat(ready["state"]["remembers_since"])
    return since + timedelta(seconds=1) < datetime.now(UTC)


def await_recovery(client: Client) -> None:
    """Wait until the server says that it is ready."""
    wait_until(lambda: client.get("/readyz").kind == OK, "ready again", RECOVERY)
