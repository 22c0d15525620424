"""What the tests share: a clock that stands still, tenants written in the test, a server."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kataven_flask.app import create_app, parts_of
from kataven_flask.keys import hash_secret_key
from kataven_flask.settings import Settings
from kataven_flask.tenants import DocumentLimits
from tests.canary import USER_ID, HeardClient
from tests.openapi.described import description

API: Final = "/api/v1/widget"
ORIGIN: Final = "https://acme.com"
ISSUER: Final = "https://widget.example.com"
AUDIENCE: Final = "kataven:connect"
NO_LIMITS: Final = dict.fromkeys(DocumentLimits.model_fields)
"""For a document: no request is one too many."""
NOON: Final = 1_790_000_000.0
"""Where every test's clock starts, in seconds since the epoch."""

KEY: Final = "pk_live_acme_" + "A" * 22
"""Of a tenant with several agents and a default; admits `https://acme.com` and `*.acme.com`."""
SECRET: Final = "sk_live_acme_" + "s" * 43
PINNED_KEY: Final = "pk_live_acme_" + "P" * 22
"""Always talks to `account`, whatever is asked for."""
PINNED_SECRET: Final = "sk_live_acme_" + "p" * 43
OTHER_KEY: Final = "pk_live_other_" + "B" * 22
"""Of another tenant, with one agent; admits the same origin."""
OTHER_SECRET: Final = "sk_live_other_" + "o" * 43

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The quicker one, where it is: each test writes a file."""


@dataclass
class FrozenClock:
    """A clock that moves when the test says so."""

    now: float = NOON

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass, or go back."""
        self.now += seconds


def document(**members: Any) -> dict[str, Any]:
    """Return a whole `tenants.yaml` as plain data, to be changed by the test and written."""
    return {
        "version": 1,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "tenants": {"acme": acme(), "other": other()},
        **members,
    }


def acme() -> dict[str, Any]:
    """Return a tenant with an agent of each kind and two keys."""
    return {
        "name": "Acme Inc.",
        "default_agent": "support",
        "agents": {
            "support": {"display_name": "Acme Support", "auth_mode": "both"},
            "sales": {"display_name": "Acme Sales", "auth_mode": "guest"},
            "account": {"display_name": "Acme Account", "auth_mode": "user"},
            "night": {"display_name": "Acme Night", "widget_enabled": False},
        },
        "keys": [
            key(KEY, SECRET, ["https://acme.com", "*.acme.com"]),
            key(PINNED_KEY, PINNED_SECRET, ["https://acme.com"], agent_id="account"),
        ],
    }


def other() -> dict[str, Any]:
    """Return a tenant with one agent and no default."""
    return {
        "name": "Other Ltd.",
        "agents": {"only": {"display_name": "Only One"}},
        "keys": [key(OTHER_KEY, OTHER_SECRET, [ORIGIN])],
    }


def key(client_key: str, secret: str, allowlist: list[str], **members: Any) -> dict[str, Any]:
    """Return a client key's entry."""
    return {
        "name": client_key[-8:],
        "client_key": client_key,
        "secrets": [{"hash": hash_secret_key(secret)}],
        "domain_allowlist": allowlist,
        **members,
    }


class DescribedClient(HeardClient):
    """A client that holds every answer against the description of the service."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request."""
        response = super().open(*args, **kwargs)
        sent = response.request
        description().check(
            sent.method, sent.path, response.status_code, response.headers, response.data
        )
        return response


class Service:
    """A server in this process, with its clock and its tenants' file in the test's hands.

    Args:
        folder: Where its files go.
        settings: Members of `Settings` to set otherwise.
    """

    opened: ClassVar[list[Service]] = []
    """Those that a test has made, to be closed after it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = FrozenClock()
        self.document = document()
        self._config = folder / "tenants.yaml"
        self.write()
        defaults = Settings(
            config=self._config,
            instance=folder / "instance",
            state="memory:",
            watch=False,
            clock=self.clock,
        )
        self.settings = dataclasses.replace(defaults, **settings)
        self.app: Flask = create_app(self.settings)
        self.app.test_client_class = DescribedClient
        self.client: FlaskClient = self.app.test_client()
        Service.opened.append(self)

    def close(self) -> None:
        """Let go of its files."""
        parts_of(self.app).close()

    def write(self) -> None:
        """Write the tenants' file."""
        self._config.write_text(yaml.dump(self.document, Dumper=_DUMPER, sort_keys=False))

    def edit(self) -> None:
        """Write the tenants' file, and have the server pick it up as it would by itself."""
        self.write()
        self.reload()

    def reload(self) -> None:
        """Have the server pick up what stands in the tenants' file."""
        live = parts_of(self.app).live
        live.reload()
        assert live.fault is None, live.fault

    def reload_keys(self) -> None:
        """Have the server pick up what stands in the key ring's file."""
        ring = parts_of(self.app).ring
        ring.reload()
        assert ring.fault is None, ring.fault

    def config(self, origin: str | None = ORIGIN, **query: Any) -> TestResponse:
        """Call `config`; a `client_key` is sent unless the test gives one."""
        query = {"client_key": KEY, **query}
        return self.client.get(f"{API}/config", query_string=query, headers=_origin(origin))

    def guest(self, origin: str | None = ORIGIN, **body: Any) -> TestResponse:
        """Call `guest`; a `client_key` is sent unless the test gives one."""
        return self.post("guest", {"client_key": KEY, **body}, origin)

    def user_token(self, secret: str | None = SECRET, **body: Any) -> TestResponse:
        """Call `user-token` as a backend; a key and a user are sent unless the test gives them."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        body = {"client_key": KEY, "user_id": USER_ID, **body}
        return self.client.post(f"{API}/auth/user-token", json=body, headers=headers)

    def exchange(self, origin: str | None = ORIGIN, **body: Any) -> TestResponse:
        """Call `exchange`."""
        return self.post("exchange", body, origin)

    def refresh(self, refresh_token: Any, origin: str | None = ORIGIN) -> TestResponse:
        """Call `refresh`."""
        return self.post("refresh", {"refresh_token": refresh_token}, origin)

    def logout(self, refresh_token: Any, origin: str | None = ORIGIN) -> TestResponse:
        """Call `logout`."""
        return self.post("logout", {"refresh_token": refresh_token}, origin)

    def revoke(self, secret: str | None = SECRET, **body: Any) -> TestResponse:
        """Call `revoke` as a backend."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return self.client.post(f"{API}/auth/revoke", json=body, headers=headers)

    def user_session(self, **body: Any) -> dict[str, Any]:
        """Sign a user in, by a visitor token and its exchange; return the exchange's answer."""
        minted = self.user_token(**body)
        assert minted.status_code == 200, minted.text
        answer = self.exchange(token=minted.get_json()["token"])
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.get_json()
        return session

    def post(self, action: str, body: Any, origin: str | None = ORIGIN) -> TestResponse:
        """Post JSON to an endpoint under `auth/`, as a page on an origin would."""
        return self.client.post(f"{API}/auth/{action}", json=body, headers=_origin(origin))


def refused(response: TestResponse) -> tuple[int, str | None]:
    """Return an answer's status and error code, to be held against what was promised."""
    return response.status_code, response.headers.get("X-Error-Code")


def _origin(origin: str | None) -> dict[str, str]:
    return {} if origin is None else {"Origin": origin}
