"""The description itself: sound, whole, and the same wherever it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from typing import Any, Final

import jwt
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from kataven_flask import errors
from kataven_flask.errors import Refusal
from kataven_flask.openapi.document import document, operations
from kataven_flask.openapi.examples import examples
from kataven_flask.openapi.refusals import ADVICE, ANYWHERE
from kataven_flask.tenants import Agent, Branding
from kataven_flask.tokens import Tokens
from tests.api.recipes import ALL
from tests.openapi.described import Response, found
from tests.openapi.examples import ELSEWHERE
from tests.support import AUDIENCE, ISSUER, NOON, Service
from tests.vectors import load_keys

WHOLE: Final = document()
PATH: Final = "/openapi.json"
NOT_EARNED: Final = {*ANYWHERE, errors.StateUnavailable, errors.MissingAgentId}
"""What takes a fault, a broken connection or a store that is gone; tested where it arises."""


def kinds(kind: type[Refusal] = Refusal) -> set[type[Refusal]]:
    """Return all refusals that have a code."""
    deeper = {each for below in kind.__subclasses__() for each in kinds(below)}
    return deeper | ({kind} if hasattr(kind, "code") else set())


def test_it_is_openapi() -> None:
    """A tool that knows OpenAPI 3.1 takes it, every schema and reference in it too."""
    assert WHOLE["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(WHOLE).iter_errors()) == []


def test_it_is_served(service: Service) -> None:
    """Any page may read it, it may be kept, and what is known isn't sent again."""
    answer = service.client.get(PATH, headers={"Origin": "https://anybody.example"})
    assert answer.get_json() == WHOLE
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age" in answer.headers["Cache-Control"]
    packed = service.client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["ETag"] != answer.headers["ETag"]
    assert len(packed.data) < len(answer.data) / 5
    known = service.client.get(PATH, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")


def test_it_is_the_same_in_every_process() -> None:
    """Workers and hosts of one version serve the same bytes, so that a cache is right."""
    code = "from kataven_flask.openapi.written import written; print(written('openapi.json').text)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 100_000


def test_every_route_is_in_it(service: Service) -> None:
    """No path of the server is left out, and none is made up."""
    app: Flask = service.app
    served = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert served == {(path, method) for path, item in WHOLE["paths"].items() for method in item}


def test_every_refusal_is_in_it() -> None:
    """Each code has its advice, and an endpoint or a path that gives it."""
    assert set(ADVICE) == kinds()
    of_operations = {each for operation in operations() for each in operation.refusals}
    of_paths = {errors.NotFound, errors.MethodNotAllowed}
    assert of_operations | of_paths | set(ANYWHERE) == kinds()


def test_an_endpoint_has_the_codes_that_it_gives() -> None:
    """What is documented of an endpoint is what the tests have got from it, and no more."""
    earned = defaultdict(set)
    for recipe in ALL:
        if recipe.code not in ELSEWHERE:
            earned[recipe.endpoint].add(recipe.code)
    documented = {
        operation.name: {each.code for each in operation.refusals} for operation in operations()
    }
    rare = {each.code for each in NOT_EARNED}
    for endpoint, codes in earned.items():
        assert codes - rare == documented[endpoint] - rare


def test_the_members_are_those_of_the_models() -> None:
    """Branding is told whole; of an agent, what is no business of a page's isn't."""
    members = WHOLE["components"]["schemas"]["Config"]["properties"]
    assert list(members["branding"]["properties"]) == list(Branding.model_fields)
    agent = {"id", *Agent.model_fields} - {"widget_enabled"}
    assert set(members["agent"]["properties"]) == agent


@pytest.mark.parametrize("operation", [each.name for each in operations()])
def test_every_example_is_as_its_schema_says(operation: str) -> None:
    """A reader may go by the examples: of the request, of each answer and of each error."""
    written = next(
        each
        for item in WHOLE["paths"].values()
        for each in item.values()
        if each["operationId"] == operation
    )
    checked = 0
    for reference in written["responses"].values():
        response = found(reference, WHOLE)
        compiled = Response(response, WHOLE)
        for kind, content in response.get("content", {}).items():
            given = [each["value"] for each in content.get("examples", {}).values()]
            given += [content["example"]] if "example" in content else []
            for value in given:
                text = value if isinstance(value, str) else json.dumps(value)
                compiled.check_body([("Content-Type", kind)], text.encode(), may_have_one=True)
                checked += 1
    assert checked


def test_the_examples_verify() -> None:
    """The tokens of the examples are real: the keys among them verify them, and they agree."""
    answers: dict[str, Any] = examples()["answers"]
    keys = jwt.PyJWKSet.from_dict(answers["jwks"])
    tokens = Tokens(load_keys().ours, ISSUER, AUDIENCE)
    for name in ("guest", "exchange", "refresh"):
        session = answers[name]
        kid = jwt.get_unverified_header(session["token"])["kid"]
        claims = jwt.decode(
            session["token"],
            keys[kid].key,
            algorithms=["ES256"],
            audience=AUDIENCE,
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["sub"], claims["sid"]) == (session["visitor"]["id"], session["session_id"])
        renewed = tokens.verify_refresh(session["refresh_token"])
        assert renewed.session.sid == session["session_id"]
    assert tokens.verify_visitor(answers["user-token"]["token"], NOON).sub == "42"
    assert answers["refresh"]["session_id"] == answers["exchange"]["session_id"]


@pytest.mark.parametrize(
    "recipe", [each for each in ALL if each.code not in ELSEWHERE], ids=lambda recipe: recipe.id
)
def test_an_example_of_an_error_is_what_is_said(service: Service, recipe: Any) -> None:
    """The text of each error's example begins as that error's does now."""
    given = examples()["refusals"][recipe.endpoint][recipe.code]
    assert given.partition(": ")[0] == recipe.earn(service).text.partition(": ")[0]
