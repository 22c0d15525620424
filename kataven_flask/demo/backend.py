"""The shop's backend side of the handshake: it vouches for a customer, and notes its calls."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

BACKEND_TIMEOUT: Final = 5.0
"""Seconds that the shop's backend waits for the API."""
USER_TOKEN: Final = "/api/v1/widget/auth/user-token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account at the shop."""

    user_id: str = field(repr=False)
    name: str = field(repr=False)
    email: str = field(repr=False)
    about: str

    @property
    def initials(self) -> str:
        """The first letters of the name, for a round picture."""
        return "".join(word[0] for word in self.name.split())


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the backend made, as its page may be told of it.

    Args:
        method: GET or POST.
        path: What was called.
        authorization: What it was called with, the secret itself masked.
        status: What the API answered; 0 where it couldn't be reached.
        code: The API's error code, or None.
        ms: How long it took.
    """

    method: str
    path: str
    authorization: str
    status: int
    code: str | None
    ms: float

    def as_header(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))


class ApiRefusedError(Exception):
    """The API gave no visitor token; `code` says why."""

    def __init__(self, code: str, status: int = 0) -> None:
        """Keep the API's error code and status, which are safe to show."""
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Calls the API with the shop's secret key.

    Args:
        api_url: Where the backend reaches the API.
        client_key: The public key in the shop's pages.
        secret_key: Its secret key; it never leaves the backend.
        agent_id: The agent that the visitor will talk to, or None for the key's own.
    """

    api_url: str
    client_key: str
    secret_key: str = field(repr=False)
    agent_id: str | None

    def user_token(self, customer: Customer, note: Callable[[Call], None]) -> str:
        """Ask for a visitor token for a customer whom the shop has signed in.

        Args:
            customer: The customer.
            note: Told of the call, whatever became of it.

        Raises:
            ApiRefusedError: The API refused, or couldn't be reached.

        Returns:
            The visitor token.
        """
        body = {
            "client_key": self.client_key,
            "user_id": customer.user_id,
            "name": customer.name,
            "email": customer.email,
        }
        if self.agent_id is not None:
            body["agent_id"] = self.agent_id
        began = time.perf_counter()
        try:
            answer = self._post(USER_TOKEN, body)
        except ApiRefusedError as error:
            note(self._call(error.status, error.code, began))
            raise
        note(self._call(200, None, began))
        return str(answer["user_token"])

    def _call(self, status: int, code: str | None, began: float) -> Call:
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        return Call("POST", USER_TOKEN, f"Bearer {self._masked()}", status, code, milliseconds)

    def _masked(self) -> str:
        """Return what anybody may know of the secret key: that it is one."""
        return "_".join(self.secret_key.split("_")[:2]) + "_…"

    def _post(self, path: str, body: dict[str, str]) -> dict[str, object]:
        call = Request(  # noqa: S310 - the address is the operator's, checked in create_shop
            self.api_url + path,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.secret_key}",
                "Content-Type": "application/json",
            },
        )
        # No proxy from the environment: a secret key goes to the API and nowhere else.
        opener = build_opener(ProxyHandler({}))
        try:
            with opener.open(call, timeout=BACKEND_TIMEOUT) as answer:
                return cast("dict[str, object]", json.load(answer))
        except HTTPError as error:
            with error:
                code = error.headers.get("X-Error-Code", "refused")
                raise ApiRefusedError(code, error.code) from error
        except (URLError, TimeoutError, ValueError) as error:
            raise ApiRefusedError("unreachable") from error
