"""The registry in parts, one a file: what changed is read anew, and the rest is kept.

What was put together of parts is what reading all of it would have given. Wherever that isn't
sure, because something stands in two places or isn't sound, it says so and is left: only whoever
reads all of it can tell the faults, each with its place.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias, TypeVar

from kataven_flask.document.looking import Mark as FileMark
from kataven_flask.document.yaml_files import PlainDocument, revision_of
from kataven_flask.document.yaml_page import Page
from kataven_flask.registry import KeyRecord, Registry, records_of, registry_of, sound_document
from kataven_flask.tenants import Document, Secret, Tenant

STRETCH: Final = 0.001
"""Seconds that are worked at a stretch while requests wait for the interpreter."""
PAUSE: Final = 0.004
"""Seconds that are left to them then."""
MANY: Final = 300
"""Stretches after which so much was made that it is kept from the collector of garbage."""
_SPARINGS: Final = iter(range(100))

_T = TypeVar("_T")
Steps: TypeAlias = Generator[None, None, _T]
"""Work that can be paused wherever it yields."""


class UnsureError(Exception):
    """The parts don't make a sound whole, or not for sure; reading all of it will tell."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is kept of one file.

    Args:
        mark: What tells its state from another; None where it was read while it changed.
        digest: Of its bytes.
        head: What stands beside the tenants.
        tenants: A digest of what it says of each tenant.
    """

    mark: FileMark | None
    digest: str
    head: Mapping[str, Any]
    tenants: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Whole:
    """A registry, and the parts that it was put together of.

    Args:
        registry: The registry.
        parts: What is kept of each file.
        document: What stands beside the tenants.
    """

    registry: Registry
    parts: Mapping[str, Part]
    document: Document


def part_of(page: Page, mark: FileMark | None) -> Part:
    """Return what is kept of a page."""
    head = {name: value for name, value in page.content.items() if name != "tenants"}
    tenants = {tenant_id: digest_of(content) for tenant_id, content in tenants_of(page).items()}
    return Part(mark, page.digest, head, tenants)


def whole_of(registry: Registry, plain: PlainDocument, marks: Mapping[str, FileMark]) -> Whole:
    """Return a registry that was read whole, in parts.

    Args:
        registry: The registry.
        plain: What it was made from.
        marks: What tells the state of each file from another; not of those that may change.
    """
    parts = {str(page.file): part_of(page, marks.get(str(page.file))) for page in plain.pages}
    return Whole(registry, parts, _document(part.head for part in parts.values()))


def tenants_of(page: Page) -> Mapping[str, Any]:
    """Return what a page says of each tenant."""
    tenants = page.content.get("tenants", {})
    if not isinstance(tenants, dict):
        raise UnsureError
    return tenants


def written(content: Any) -> str:
    """Write plain content as JSON that the models read as they read the content."""
    return json.dumps(content, default=_as_text, separators=(",", ":"))


def digest_of(content: Any) -> str:
    """Return what tells plain content from other content."""
    return hashlib.blake2b(written(content).encode(), digest_size=12).hexdigest()


def _as_text(value: object) -> str:
    if isinstance(value, date):  # and a time, which is one
        return value.isoformat()
    raise UnsureError


def put_together(
    before: Whole | None, parts: Mapping[str, Part], changed: Iterable[tuple[str, Any]]
) -> Steps[Whole]:
    """Put a registry together of what is kept and of what has changed, step by step.

    Args:
        before: What it was put together of last time; None for the first.
        parts: What is kept of each file now.
        changed: The tenants that weren't there before or are other ones now, as plain content;
            it may have others, too.

    Raises:
        UnsureError: They don't make a sound whole, or not for sure.

    Returns:
        The new whole.
    """
    order = sorted(parts)
    document = _document(parts[file].head for file in order)
    yield
    ids = _only_once(parts)
    yield
    tenants = dict(before.registry.tenants) if before else {}
    stale = [*(tenants.keys() - ids)]
    for tenant_id, content in changed:
        stale.append(tenant_id)
        tenants[tenant_id] = _tenant(tenant_id, content)
        yield
    for tenant_id in tenants.keys() - ids:
        del tenants[tenant_id]
    if tenants.keys() != ids:
        raise UnsureError
    yield
    index = _Index(before, document)
    yield from index.renew(stale, tenants)
    revision = revision_of([parts[file].digest for file in order])
    registry = registry_of(document, revision, tenants, index.keys, index.secrets)
    return Whole(registry, parts, document)


def _document(heads: Iterable[Mapping[str, Any]]) -> Document:
    """Join what stands beside the tenants; it may stand twice where it says the same."""
    joined: dict[str, Any] = {}
    for name, value in itertools.chain.from_iterable(head.items() for head in heads):
        if joined.setdefault(name, value) != value:
            raise UnsureError
    document = sound_document({**joined, "tenants": {}})
    if document is None:
        raise UnsureError
    return document


def _only_once(parts: Mapping[str, Part]) -> set[str]:
    """Return the ids of all tenants, where none stands in two files."""
    ids = set(itertools.chain.from_iterable(part.tenants for part in parts.values()))
    if len(ids) != sum(len(part.tenants) for part in parts.values()):
        raise UnsureError
    return ids


def _tenant(tenant_id: str, content: Any) -> Tenant:
    document = sound_document({"version": 1, "tenants": {tenant_id: content}})
    if document is None:
        raise UnsureError
    return document.tenants[tenant_id]


class _Index:
    """The look-ups of a registry, carried over to the next one."""

    def __init__(self, before: Whole | None, document: Document) -> None:
        self.keys: dict[str, KeyRecord] = {}
        self.secrets: dict[str, tuple[KeyRecord, Secret]] = {}
        self._document = document
        self._known: Mapping[str, Tenant] = {}
        is_same = before is not None and (
            (before.document.tokens, before.document.limits) == (document.tokens, document.limits)
        )
        if before is not None and is_same:  # else every key has another policy
            self.keys.update(before.registry.keys)
            self.secrets.update(before.registry.secrets)
            self._known = before.registry.tenants

    def renew(self, stale: Iterable[str], tenants: Mapping[str, Tenant]) -> Steps[None]:
        """Take out the keys of tenants that have changed, and put in what they have now."""
        for tenant_id in stale if self._known else ():
            if known := self._known.get(tenant_id):
                self._forget(known)
            yield
        for tenant_id in dict.fromkeys(stale) if self._known else tenants:
            if tenant := tenants.get(tenant_id):
                self._add(tenant_id, tenant)
            yield

    def _forget(self, tenant: Tenant) -> None:
        for key in tenant.keys:
            self.keys.pop(key.client_key, None)
            for secret in key.secrets:
                self.secrets.pop(secret.hash, None)

    def _add(self, tenant_id: str, tenant: Tenant) -> None:
        for record in records_of(tenant_id, tenant, self._document):
            _add_new(self.keys, record.key.client_key, record)
            for secret in record.key.secrets:
                _add_new(self.secrets, secret.hash, (record, secret))


def _add_new(index: dict[str, _T], name: str, value: _T) -> None:
    if name in index:
        raise UnsureError
    index[name] = value


def gently(steps: Steps[_T], sleep: Callable[[float], None] = time.sleep) -> _T:
    """Do work in small stretches, so that no request waits long for the interpreter.

    Python lets one thread run at a time, and one that computes keeps each of the others waiting
    for several milliseconds, again and again. Where there is no other thread, nobody waits.
    """
    try:
        for stretch in itertools.count(1):
            end = time.perf_counter() + STRETCH
            while time.perf_counter() < end:
                next(steps)
            if threading.active_count() > 1:
                sleep(PAUSE)
            if stretch % MANY == 0:
                _spare()
    except StopIteration as done:
        result: _T = done.value
        return result
    raise AssertionError  # it counts for ever


def _spare() -> None:
    """Spare the collector of garbage what is there to stay.

    Else it would go through hundreds of thousands of objects now and then, and keep every
    request waiting meanwhile. They are freed all the same when nobody refers to them; but what
    requests leave at this very moment isn't, so it is done a limited number of times.
    """
    if next(_SPARINGS, None) is not None:
        gc.collect(1)
        gc.freeze()
