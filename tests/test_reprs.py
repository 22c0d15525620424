"""What a debugger, a log or an exception shows of our objects: no secret, and nobody."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from pydantic import BaseModel

import kataven_flask
from kataven_flask.cli.changes import Pair
from kataven_flask.demo.backend import Call
from kataven_flask.event_log import Person

SENSITIVE: Final = re.compile(
    r"(.*_)?(token|secret|secret_key|password|private_key|pem|authorization"
    r"|email|name|sub|user|user_id|visitor_id)"
)
PUBLIC: Final = {
    "cli.changes.Pair.secret_key": "it has a repr of its own",
    "demo.backend.Call.authorization": "it is masked",
    "demo.shop.Product.name": "what the shop sells",
    "doctor.Check.name": "a check's",
    "doctor.steps.Step.name": "a check's",
    "document.member_types.Shape.name": "a member's",
    "event_log.Person.user_id": "it has a repr of its own",
    "event_log.Sources.user": "a function",
    "openapi.operations.Operation.name": "an endpoint's",
    "openapi.page.Field.name": "a member's",
    "openapi.page.Operation.name": "an endpoint's",
    "openapi.page.Operation.takes_secret": "whether",
    "tenants.Agent.display_name": "every page shows it",
    "tenants.ClientKey.name": "the operator's own",
    "tenants.Tenant.name": "a company's",
    "testing.tenants.Wish.name": "a company's",
    "workers.Job.name": "a process'",
}
"""Fields that sound as if, and why they are shown; a new one is either hidden or named here."""


def modules() -> Iterator[Any]:
    """Yield all modules of ours but the one that is a server once it is imported."""
    for found in pkgutil.walk_packages(kataven_flask.__path__, "kataven_flask."):
        if found.name != "kataven_flask.wsgi":
            yield importlib.import_module(found.name)


def shown_fields(cls: Any) -> set[str]:
    """Return the fields of a class that its repr shows."""
    if dataclasses.is_dataclass(cls):
        return {field.name for field in dataclasses.fields(cls) if field.repr}
    if issubclass(cls, BaseModel):
        return {name for name, field in cls.model_fields.items() if field.repr}
    return set(getattr(cls, "_fields", ())) if issubclass(cls, tuple) else set()


SHOWN: Final = {
    f"{module.__name__.removeprefix('kataven_flask.')}.{name}.{field}"
    for module in modules()
    for name, cls in inspect.getmembers(module, inspect.isclass)
    if cls.__module__ == module.__name__
    for field in shown_fields(cls)
}


def test_no_repr_has_what_sounds_secret() -> None:
    """A token, a secret or a person is in no repr of ours, and neither is whatever comes to be."""
    sensitive = {each for each in SHOWN if SENSITIVE.fullmatch(each.rpartition(".")[2])}
    assert sensitive == set(PUBLIC)


def test_the_walk_finds_them() -> None:
    """What is looked through is all of it: dataclasses, models, and tuples with names."""
    assert len(SHOWN) > 200
    assert {"messages.Caller.address", "tenants.Tenant.agents", "event_log.Asked.request"} <= SHOWN


@pytest.mark.parametrize(
    "shown",
    [
        Pair("pk_live_acme_x", "nightingale"),
        Person("acme", "nightingale"),
        Call("POST", "/", "Bearer sk_…", 200, None, 1.0),
    ],
)
def test_those_with_a_repr_of_their_own_hide_it(shown: object) -> None:
    """What is excused above is excused rightly."""
    assert "nightingale" not in repr(shown)
    assert "nightingale" not in f"{shown}"
