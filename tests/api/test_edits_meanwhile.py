"""An edit that comes into force while a request is answered: the answer is wholly by the old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from kataven_flask.throttle import Throttle
from tests.api.wire import EXCHANGE_AUDIENCE, agent, claims, entry
from tests.support import AUDIENCE, Service, refused


def calls(service: Service) -> dict[str, Callable[[], TestResponse]]:
    """Return a call of each endpoint, with all that it needs from before the edit."""
    visitor_token = service.user_token().get_json()["token"]
    refresh_token = service.user_session()["refresh_token"]
    return {
        "config": service.config,
        "guest": service.guest,
        "user-token": service.user_token,
        "exchange": lambda: service.exchange(token=visitor_token),
        "refresh": lambda: service.refresh(refresh_token),
        "logout": lambda: service.logout(refresh_token),
        "revoke": lambda: service.revoke(user_id="7"),
    }


def meet_an_edit(service: Service, call: Callable[[], TestResponse]) -> TestResponse:
    """Make a call, and have an edit of everything come into force when it's under way."""
    admit, edits = Throttle.admit, [edit_everything]

    def edit_and_admit(throttle: Throttle, *counted: Any) -> None:
        while edits:
            edits.pop()(service)
        admit(throttle, *counted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Throttle, "admit", edit_and_admit)
        answer = call()
    assert not edits
    assert refused(service.guest()) == (403, "client_key_disabled")  # the edit is in force
    return answer


def edit_everything(service: Service) -> None:
    """Change all that an answer is made of, and switch the key off."""
    service.document["issuer"] = "https://new.example.com"
    service.document["audience"] = "new"
    service.document["tokens"] = {"session_ttl": "1m", "visitor_ttl": "1m"}
    agent(service)["display_name"] = "New"
    entry(service)["enabled"] = False
    entry(service)["domain_allowlist"] = []
    service.edit()


@pytest.mark.parametrize("endpoint", ["guest", "exchange", "refresh"])
def test_a_session_is_wholly_by_the_file_its_request_began_with(
    service: Service, endpoint: str
) -> None:
    """Issuer, audience and lifetime are of the same file as the allowlist that admitted it."""
    session = meet_an_edit(service, calls(service)[endpoint]).get_json()
    token = claims(service, session["token"], AUDIENCE)  # which holds it to the old issuer, too
    assert token["exp"] - token["iat"] == session["expires_in"] == 600


def test_a_visitor_token_is_wholly_by_the_file_its_request_began_with(service: Service) -> None:
    """Issuer, audience and lifetime are of the same file as the secret that it was asked with."""
    minted = meet_an_edit(service, service.user_token).get_json()
    token = claims(service, minted["token"], EXCHANGE_AUDIENCE)
    assert token["exp"] - token["iat"] == minted["expires_in"] == 300


def test_a_config_is_wholly_by_the_file_its_request_began_with(service: Service) -> None:
    """What a page draws is of the same file as the allowlist that admitted it."""
    answer = meet_an_edit(service, service.config).get_json()
    assert answer["agent"]["display_name"] == "Acme Support"


@pytest.mark.parametrize("endpoint", ["logout", "revoke"])
def test_an_end_is_an_end(service: Service, endpoint: str) -> None:
    """What was asked for by the old file is done."""
    assert meet_an_edit(service, calls(service)[endpoint]).status_code == 204
