"""A page, and a tenant's backend, on one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Final, Self

from tests.openapi.on_the_wire import check_answer
from tests.running import BOUND
from tests.support import API, KEY, ORIGIN, SECRET

OK: Final = (200, None)
DONE: Final = (204, None)
USED: Final = (400, "used_token")
REVOKED: Final = (400, "revoked_session")
DOWN: Final = (503, "state_unavailable")

_BACKEND: Final = {"Authorization": f"Bearer {SECRET}"}
_PAGE: Final = {"Origin": ORIGIN}


class NoAnswerError(Exception):
    """The server ended, or was never there: nobody can tell what it had done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Args:
        status: The status.
        code: The error code, where it is a refusal.
        headers: The headers.
        text: The body.
        seconds: How long it took.
    """

    status: int
    code: str | None
    headers: http.client.HTTPMessage
    text: str
    seconds: float

    @property
    def kind(self) -> tuple[int, str | None]:
        """The status and the error code, to be held against what was promised."""
        return self.status, self.code

    def __getitem__(self, member: str) -> Any:
        assert self.status == 200, f"{self.status} {self.text}"
        return json.loads(self.text)[member]


class Client:
    """Calls one server; a thread's own.

    Args:
        port: Where the server listens.
        seen: Notes every token that goes either way; None where nobody asks.
    """

    def __init__(self, port: int, seen: set[str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
        self._seen = seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the next call connects anew."""
        self._connection.close()

    def get(self, path: str) -> Answer:
        """Fetch a path as a page would.

        Raises:
            NoAnswerError: The connection was refused or broken.
        """
        return self._ask("GET", path, None, _PAGE)

    def config(self) -> Answer:
        """Call `config`."""
        return self.get(f"{API}/config?client_key={KEY}")

    def guest(self) -> Answer:
        """Call `guest`."""
        return self._page("guest", client_key=KEY)

    def user_token(self, user_id: str = "user-7f3a9c42") -> Answer:
        """Call `user-token` as the tenant's backend."""
        body = {"client_key": KEY, "user_id": user_id}
        return self._ask("POST", f"{API}/auth/user-token", body, _BACKEND)

    def exchange(self, token: str) -> Answer:
        """Call `exchange`."""
        return self._page("exchange", token=token)

    def refresh(self, refresh_token: str) -> Answer:
        """Call `refresh`."""
        return self._page("refresh", refresh_token=refresh_token)

    def logout(self, refresh_token: str) -> Answer:
        """Call `logout`."""
        return self._page("logout", refresh_token=refresh_token)

    def revoke(self, user_id: str) -> Answer:
        """Call `revoke` as the tenant's backend."""
        return self._ask("POST", f"{API}/auth/revoke", {"user_id": user_id}, _BACKEND)

    def visitor_token(self, user_id: str = "user-7f3a9c42") -> str:
        """Have the backend vouch for a user; return the token."""
        return str(self.user_token(user_id)["token"])

    def session(self, user_id: str = "user-7f3a9c42") -> str:
        """Sign a user in; return the session's first refresh token."""
        return str(self.exchange(self.visitor_token(user_id))["refresh_token"])

    def renewed(self, refresh_token: str) -> str:
        """Refresh a session; return its next refresh token."""
        return str(self.refresh(refresh_token)["refresh_token"])

    def _page(self, action: str, **body: str) -> Answer:
        return self._ask("POST", f"{API}/auth/{action}", body, _PAGE)

    def _ask(
        self, method: str, path: str, body: dict[str, str] | None, headers: dict[str, str]
    ) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        began = time.monotonic()
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            read = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswerError(str(error)) from error
        seconds = time.monotonic() - began
        check_answer(method, path, response, read)
        text = read.decode()
        code = response.headers.get("X-Error-Code")
        answer = Answer(response.status, code, response.headers, text, seconds)
        self._note(body or {}, answer)
        return answer

    def _note(self, body: dict[str, str], answer: Answer) -> None:
        sent = {value for name, value in body.items() if name.endswith("token")}
        if answer.code is not None:
            assert not [token for token in sent if signature(token) in answer.text], answer.text
        if self._seen is None:
            return
        self._seen |= sent
        if answer.headers.get_content_type() == "application/json":
            got = json.loads(answer.text)
            self._seen |= {got[name] for name in ("token", "refresh_token") if name in got}


def signature(token: str) -> str:
    """Return the part of a token that makes it good: whoever has not seen it can't know it."""
    return token.rpartition(".")[2]
