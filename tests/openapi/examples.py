"""Gives the description's examples: `python -m tests.openapi.examples` writes them anew.

They are answers of the service itself, to tenants of the shipped file, signed by the keys that
`tests.vectors` publishes.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from werkzeug.test import TestResponse

from kataven_flask.app import parts_of
from kataven_flask.assets import example_config, static_dir
from kataven_flask.health import STATE_AWAY
from kataven_flask.key_ring_file import change_key_ring
from kataven_flask.keys import hash_secret_key
from kataven_flask.openapi.examples import EXAMPLES_FILE
from kataven_flask.signing import KeyRing
from tests.api.recipes import ALL
from tests.support import ISSUER, NOON, Service
from tests.vectors import load_keys

KEY: Final = "pk_live_acme_BoQCCzO6l9f3zHpc1yR96g"
ORIGIN: Final = "https://acme.com"
USER: Final = {
    "client_key": KEY,
    "user_id": "42",
    "name": "Ada Lovelace",
    "email": "ada@acme.com",
}
ELSEWHERE: Final = {"not_found", "method_not_allowed"}


def shipped(folder: Path, secret: str) -> Service:
    """Return a server with the shipped file, and with a secret key for its first tenant."""
    service = Service(folder)
    service.document = yaml.safe_load(example_config().read_text())
    service.document["issuer"] = ISSUER
    service.document["tenants"]["acme"]["keys"][0]["secrets"] = [{"hash": hash_secret_key(secret)}]
    service.edit()
    change_key_ring(service.settings.instance, lambda _ring: aged(load_keys().ours))
    parts_of(service.app).ring.reload()
    return service


def aged(ring: KeyRing) -> KeyRing:
    """Return a ring whose entries were made when the service's clock began."""
    began = int(NOON)
    return KeyRing(
        tuple(replace(each, created_at=began, signs_from=began) for each in ring.signing_keys),
        tuple(replace(each, created_at=began, signs_from=began) for each in ring.refresh_secrets),
    )


def given(folder: Path) -> dict[str, Any]:
    """Have the service give an example of each answer; return them and what was sent for them."""
    secret = "sk_live_acme_" + "s" * 43
    service = shipped(folder, secret)
    guest = service.guest(ORIGIN, client_key=KEY)
    requests: dict[str, Any] = {"guest": {"client_key": KEY, "agent_id": "support"}}
    requests["user-token"] = USER
    minted = service.user_token(secret, **USER)
    requests["exchange"] = {
        "token": minted.get_json()["token"],
        "client_key": KEY,
        "guest_token": guest.get_json()["token"],
    }
    user = service.exchange(ORIGIN, **requests["exchange"])
    requests["refresh"] = {"refresh_token": user.get_json()["refresh_token"]}
    service.clock.move(9 * 30)
    renewed = service.refresh(requests["refresh"]["refresh_token"], ORIGIN)
    requests["logout"] = {"refresh_token": renewed.get_json()["refresh_token"]}
    requests["revoke"] = {"user_id": "42"}
    answers = {
        "config": service.config(ORIGIN, client_key=KEY),
        "guest": guest,
        "exchange": user,
        "refresh": renewed,
        "user-token": minted,
        "jwks": service.client.get("/.well-known/jwks.json"),
        "healthz": service.client.get("/healthz"),
        "readyz": service.client.get("/readyz"),
    }
    return {"requests": requests, "answers": {name: _body(each) for name, each in answers.items()}}


def refusals(folder: Path) -> dict[str, dict[str, str]]:
    """Return the text of each refusal that a recipe earns, by operation and code."""
    texts: dict[str, dict[str, str]] = {}
    for number, recipe in enumerate(ALL):
        (folder / str(number)).mkdir()
        answer = recipe.earn(Service(folder / str(number)))
        operation = "elsewhere" if recipe.code in ELSEWHERE else recipe.endpoint
        texts.setdefault(operation, {}).setdefault(recipe.code, answer.text)
    return texts


def _body(answer: TestResponse) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = {**given(folder), "refusals": refusals(folder)}
        ready = content["answers"]["readyz"]
        state = {name: ready["state"][name] for name in ("is", "since")}
        content["answers"]["not-ready"] = {
            **ready,
            "status": "not ready",
            "state": {**state, "ok": False, **STATE_AWAY},
        }
        while Service.opened:
            Service.opened.pop().close()
    path = static_dir() / EXAMPLES_FILE
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
