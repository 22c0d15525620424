"""Visitors who sign in, renew and leave without a pause, and remember what they were told."""

from __future__ import annotations

from collections import deque
from typing import Final

from tests.faults.client import DONE, OK, REVOKED, USED, Client, NoAnswerError

SESSIONS: Final = 12
"""Open ones that one visitor keeps."""
RENEWALS: Final = 6
"""Between two sign-ins."""


class Visitor:
    """One thread's load, and what it may rely on when the server comes back."""

    def __init__(self) -> None:
        self.answered = 0
        self._spent: list[str] = []
        self._left: list[str] = []
        self._open: deque[str] = deque()
        self._in_doubt: str | None = None
        self._checked: list[str] = []

    def load(self, client: Client) -> None:
        """Keep the server busy until it gives no answer any more."""
        try:
            while True:
                self._sign_in(client)
                for _ in range(RENEWALS):
                    self._renew(client)
                if len(self._open) > SESSIONS:
                    self._leave(client)
        except NoAnswerError:
            client.close()

    def check(self, client: Client) -> None:
        """Hold that whatever was answered stands, and that no session is lost."""
        for token in self._spent:
            assert client.exchange(token).kind == USED
        for token in self._left:
            assert client.refresh(token).kind == REVOKED
        for _ in range(len(self._open)):
            self._renew(client)  # by the last token known, though its successor may have been lost
        if self._in_doubt is not None:
            assert client.exchange(self._in_doubt).kind in {OK, USED}
            self._spent.append(self._in_doubt)
        self._checked += self._spent
        self._spent, self._left, self._in_doubt = [], [], None

    def check_all(self, client: Client) -> None:
        """Hold that no token that was ever spent is good for anything."""
        for token in self._checked:
            assert client.exchange(token).kind == USED

    def _sign_in(self, client: Client) -> None:
        token = client.visitor_token()
        self._in_doubt = token
        answer = client.exchange(token)
        assert answer.kind == OK, answer
        self._in_doubt = None
        self._spent.append(token)
        self._open.append(answer["refresh_token"])
        self.answered += 1

    def _renew(self, client: Client) -> None:
        self._open.rotate()
        answer = client.refresh(self._open[0])
        assert answer.kind == OK, answer
        self._open[0] = answer["refresh_token"]
        self.answered += 1

    def _leave(self, client: Client) -> None:
        token = self._open.pop()  # without an answer, nobody can tell whether it is open
        answer = client.logout(token)
        assert answer.kind == DONE, answer
        self._left.append(token)
        self.answered += 1
