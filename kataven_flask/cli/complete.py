"""What a shell may complete: tenants, client keys, agents and allowlist entries of the file.

Each is given to an argument or an option as its `shell_complete`. While somebody types,
nothing may be printed and nothing may fail: a file that is missing or faulty gives what
can be read of it, or nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
from click.shell_completion import CompletionItem

from kataven_flask.document.yaml_files import document_files, read_document
from kataven_flask.errors import KatavenError
from kataven_flask.text import visible
from kataven_flask.whereabouts import find_config

MAX_SIZE: Final = 2 * 1024 * 1024
"""Bytes; a larger file takes longer to read than a person waits for a Tab."""
_PLAIN: Final = re.compile(r"[\w.:/*\[\]@-]+")
"""What means nothing to a shell: a completed word is run as it stands."""

Choices: TypeAlias = Iterator[tuple[str, str]]
"""Values, each with a help text."""


def _completer(
    choices: Callable[[Mapping[str, Any], Mapping[str, Any]], Choices],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    def complete(
        context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        typed = _typed(context)
        return [
            CompletionItem(value, help=visible(help_) or None)
            for value, help_ in choices(_tenants(typed), typed)
            if value.startswith(incomplete) and _PLAIN.fullmatch(value)
        ]

    return complete


def _typed(context: click.Context) -> dict[str, Any]:
    """Return what the command line says so far, of the groups around the command too."""
    around = _typed(context.parent) if context.parent else {}
    return {**around, **{name: value for name, value in context.params.items() if value}}


def _tenants(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the tenants as plain data; a faulty document may have any shape."""
    path = Path(typed.get("config") or os.environ.get("KATAVEN_CONFIG") or find_config())
    try:
        if sum(file.stat().st_size for file in document_files(path)) > MAX_SIZE:
            return {}
        content = read_document(path).content
    except (KatavenError, OSError, ValueError):
        return {}
    tenants = _mapping(content.get("tenants"))
    return {str(tenant_id): _mapping(tenant) for tenant_id, tenant in tenants.items()}


# --- what there is to choose from


def _tenant_ids(tenants: Mapping[str, Any], _: Mapping[str, Any]) -> Choices:
    for tenant_id, tenant in tenants.items():
        yield tenant_id, _text(tenant.get("name"))


def _agent_ids(tenants: Mapping[str, Any], typed: Mapping[str, Any]) -> Choices:
    """Give the agents of the tenant that was typed before, or of all."""
    yield from {
        str(agent_id): _text(_mapping(agent).get("display_name"))
        for tenant_id, tenant in tenants.items()
        if typed.get("tenant") in (None, tenant_id)
        for agent_id, agent in _mapping(tenant.get("agents")).items()
    }.items()


def _client_keys(tenants: Mapping[str, Any], typed: Mapping[str, Any]) -> Choices:
    """Give the client keys of the tenant that was typed before, or of all."""
    for tenant_id, key in _keys(tenants):
        if typed.get("tenant") in (None, tenant_id):
            yield _text(key.get("client_key")), _text(key.get("name"))


def _entries(tenants: Mapping[str, Any], typed: Mapping[str, Any]) -> Choices:
    """Give the allowlist of the client key that was typed before, or all of them."""
    named = typed.get("client_key") or typed.get("key")
    yield from {
        _text(entry): _text(key.get("name"))
        for _, key in _keys(tenants)
        if named in (None, key.get("client_key"))
        for entry in _sequence(key.get("domain_allowlist"))
    }.items()


def _keys(tenants: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tenant_id, tenant in tenants.items():
        for key in _sequence(tenant.get("keys")):
            yield tenant_id, _mapping(key)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


complete_tenant: Final = _completer(_tenant_ids)
complete_agent: Final = _completer(_agent_ids)
complete_client_key: Final = _completer(_client_keys)
complete_entry: Final = _completer(_entries)
